package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

func memoryCommand(g *global) *cobra.Command {
	c := &cobra.Command{
		Use: "memory", Short: "Read and write the state that agents and people share",
		Long: `Read and write memory: values by namespace and key, which agents and people share. When the command ends, the value is on
the server's disk.`,
		Example: `  skein memory set notes today 'two reviews wait'
  skein memory get notes today
  skein memory ls notes
  skein memory search 'review*'
  skein memory watch notes`,
	}
	c.AddCommand(memorySet(g), memoryGet(g), memoryList(g), memorySearch(g), memoryRemove(g), memoryWatch(g), memoryHistory(g), memoryNamespaces(g))
	return c
}

func memorySet(g *global) *cobra.Command {
	var p wire.MemoryStoreParams
	var file string
	var ttl time.Duration
	var revision uint64
	c := &cobra.Command{
		Use: "set NAMESPACE KEY [VALUE]", Short: "Set a value", Args: cobra.RangeArgs(2, 3),
		Long: `Set a value and print its revision. The value is the third argument, a file's content with --file, or, with - for
either, standard input. With --if-revision it is set only if the entry has this revision, or with 0 only if there is none.
Otherwise the exit code is 5.`,
		Example: `  skein memory set notes today 'two reviews wait'
  skein memory set notes plan --file plan.md --content-type text/markdown
  make report | skein memory set reports nightly - --ttl 24h
  skein memory set locks deploy $HOSTNAME --if-revision 0 --ttl 10m`,
		RunE: func(cmd *cobra.Command, args []string) error {
			value, err := valueFrom(cmd, args[2:], file)
			if err != nil {
				return err
			}
			p.Namespace, p.Key, p.Value, p.TTLMS = args[0], args[1], wire.NewMemoryValue(value), ttl.Milliseconds()
			if ttl < 0 || ttl > 0 && p.TTLMS == 0 {
				return usageError{fmt.Errorf("--ttl %s: at least 1ms is needed; without --ttl the value stays", ttl)}
			}
			if cmd.Flags().Changed("if-revision") {
				p.IfRevision = &revision
			}
			c, err := g.dial(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			e, err := c.MemoryStore(cmd.Context(), p)
			if err != nil {
				return err
			}
			if g.json {
				return printJSON(cmd, e)
			}
			printf(cmd, "%v\n", e.Revision)
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&file, "file", "", "file with the value; - for standard input")
	f.DurationVar(&ttl, "ttl", 0, "how long it stays, such as 1h; 0: until it is removed")
	f.Uint64Var(&revision, "if-revision", 0, "set it only if the entry has this revision; 0: only if there is none")
	f.StringVar(&p.ContentType, "content-type", "", "such as application/json; default: text/plain, or application/octet-stream")
	return c
}

// valueFrom reads the value of a set.
func valueFrom(cmd *cobra.Command, arg []string, file string) ([]byte, error) {
	switch {
	case len(arg) == 1 && file != "", len(arg) == 0 && file == "":
		return nil, usageError{errors.New("give one of: VALUE, --file FILE, or - for standard input")}
	case file == "-", len(arg) == 1 && arg[0] == "-":
		return readValue(cmd.InOrStdin())
	case file != "":
		f, err := os.Open(file)
		if err != nil {
			return nil, usageError{err}
		}
		defer f.Close()
		return readValue(f)
	}
	return []byte(arg[0]), nil
}

func readValue(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, wire.MaxMemoryValue+1))
	if err == nil && len(b) > wire.MaxMemoryValue {
		err = usageError{fmt.Errorf("the value has more than %d bytes, the limit; keep it as a file with `skein artifact put`", wire.MaxMemoryValue)}
	}
	return b, err
}

func memoryGet(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "get NAMESPACE KEY", Short: "Print a value, byte for byte", Args: cobra.ExactArgs(2),
		Long: "Print a value as it was set, without a newline after it; with --json, print its entry.",
		Example: `  skein memory get notes today
  skein memory get notes plan --json
  skein memory get images logo > logo.png`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := g.dial(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			e, err := c.MemoryRetrieve(cmd.Context(), wire.MemoryKeyParams{Namespace: args[0], Key: args[1]})
			if err != nil {
				return err
			}
			if g.json {
				return printJSON(cmd, e)
			}
			value := e.Value.Bytes()
			if err = writeValue(cmd, value); err == nil && isTerminal(os.Stdout) && !strings.HasSuffix(string(value), "\n") {
				cmd.Println()
			}
			return err
		},
	}
}

func memoryList(g *global) *cobra.Command {
	var p wire.MemoryListParams
	c := &cobra.Command{
		Use: "ls [NAMESPACE]", Aliases: []string{"list"}, Short: "List the keys of a namespace, or the namespaces", Args: cobra.MaximumNArgs(1),
		Example: `  skein memory ls
  skein memory ls notes --prefix 2026/
  skein memory ls notes --json --values`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := g.dial(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			if len(args) == 0 {
				return listNamespaces(cmd, g, c)
			}
			p.Namespace = args[0]
			res, err := listAll(cmd.Context(), c, p)
			if err != nil {
				return err
			}
			return printEntries(cmd, g, res, p.Limit)
		},
	}
	f := c.Flags()
	f.StringVar(&p.Prefix, "prefix", "", "keys that begin with this")
	f.IntVar(&p.Limit, "limit", 0, "at most this many")
	f.BoolVar(&p.Values, "values", false, "with --json: with the values")
	return c
}

// listAll reads page after page, to the limit.
func listAll(ctx context.Context, c *client.Client, p wire.MemoryListParams) (*wire.MemoryListResult, error) {
	all := &wire.MemoryListResult{Entries: []wire.MemoryEntry{}}
	limit := p.Limit
	for {
		if limit > 0 {
			p.Limit = min(limit-len(all.Entries), 1000)
		}
		page, err := c.MemoryList(ctx, p)
		if err != nil {
			return nil, err
		}
		all.Entries, all.Total = append(all.Entries, page.Entries...), page.Total
		if p.After = page.Next; p.After == "" || limit > 0 && len(all.Entries) >= limit {
			all.Next = page.Next
			return all, nil
		}
	}
}

func printEntries(cmd *cobra.Command, g *global, res *wire.MemoryListResult, limit int) error {
	switch {
	case g.json:
		return printJSON(cmd, res)
	case res.Total == 0:
		cmd.PrintErrln("no such keys; set one with `skein memory set NAMESPACE KEY VALUE`")
		return nil
	}
	w := newTable(cmd.OutOrStdout(), "KEY", "SIZE", optional{"REVISION", 2}, "AGE", optional{"EXPIRES", 1}, "WRITER")
	for _, e := range res.Entries {
		w.row(e.Key, bytesWord(int64(e.Size)), e.Revision, age(time.Since(e.UpdatedAt)), expires(&e), dash(e.Writer))
	}
	if err := w.flush(); err != nil {
		return err
	}
	if limit > 0 && res.Total > len(res.Entries) {
		printErrf(cmd, "%d more\n", res.Total-len(res.Entries))
	}
	return nil
}

func expires(e *wire.MemoryEntry) string {
	if e.ExpiresAt == nil {
		return "-"
	}
	return "in " + age(time.Until(*e.ExpiresAt))
}

func memoryNamespaces(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "namespaces", Short: "List the namespaces", Args: cobra.NoArgs,
		Example: `  skein memory namespaces
  skein memory namespaces --json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := g.dial(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			return listNamespaces(cmd, g, c)
		},
	}
}

func listNamespaces(cmd *cobra.Command, g *global, c *client.Client) error {
	res, err := c.MemoryNamespaces(cmd.Context())
	switch {
	case err != nil:
		return err
	case g.json:
		return printJSON(cmd, res)
	case len(res.Namespaces) == 0:
		cmd.PrintErrln("memory is empty; set something with `skein memory set NAMESPACE KEY VALUE`")
		return nil
	}
	w := newTable(cmd.OutOrStdout(), "NAMESPACE", "KEYS", "SIZE", "CHANGED")
	for _, ns := range res.Namespaces {
		w.row(ns.Name, fmt.Sprintf("%d of %d", ns.Keys, ns.MaxKeys), bytesWord(ns.Bytes)+" of "+bytesWord(ns.MaxBytes), age(time.Since(ns.UpdatedAt))+" ago")
	}
	return w.flush()
}

func memoryRemove(g *global) *cobra.Command {
	var revision uint64
	c := &cobra.Command{
		Use: "rm NAMESPACE KEY...", Aliases: []string{"remove"}, Short: "Remove entries", Args: cobra.MinimumNArgs(2),
		Long: "Remove entries. The exit code is 4 if one did not exist. Their history is kept for a day.",
		Example: `  skein memory rm notes today
  skein memory rm locks deploy --if-revision 17`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := g.dial(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			var missing error
			removed := []string{}
			for _, key := range args[1:] {
				p := wire.MemoryKeyParams{Namespace: args[0], Key: key}
				if cmd.Flags().Changed("if-revision") {
					p.IfRevision = &revision
				}
				res, err := c.MemoryDelete(cmd.Context(), p)
				switch {
				case err != nil:
					return err
				case res.Deleted:
					removed = append(removed, key)
				case missing == nil:
					missing = wire.Errorf(wire.CodeNotFound, "there is no %q in namespace %s", key, args[0])
				}
			}
			if g.json {
				if err := printJSON(cmd, map[string]any{"removed": removed}); err != nil {
					return err
				}
			}
			return missing
		},
	}
	c.Flags().Uint64Var(&revision, "if-revision", 0, "only if the entry has this revision")
	return c
}
