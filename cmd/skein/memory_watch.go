package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/wire"
)

func memoryWatch(g *global) *cobra.Command {
	var p wire.MemoryWatchParams
	c := &cobra.Command{
		Use: "watch NAMESPACE", Short: "Print the entries of a namespace, and every change as it comes", Args: cobra.ExactArgs(1),
		Long: `Print the existing entries, one per line, and then every change as it comes, until Ctrl-C: the revision, the time, what
happened, the key, and the size. With --after, print only what changed since that revision.`,
		Example: `  skein memory watch notes
  skein memory watch notes --prefix 2026/ --after 1742
  skein memory watch notes --json --values | jq .value.text`,
		RunE: func(cmd *cobra.Command, args []string) error {
			p.Namespace = args[0]
			c, err := g.dial(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			for ch, err := range c.MemoryWatch(cmd.Context(), p) {
				if err != nil {
					if cmd.Context().Err() != nil {
						return nil
					}
					return err
				}
				if ch.Reset {
					cmd.PrintErrln("skein: the changes since that revision are no longer known; all entries follow")
				}
				for _, e := range ch.Entries {
					if err := printChange(cmd, g, &e); err != nil {
						return err
					}
				}
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&p.Prefix, "prefix", "", "keys that begin with this")
	f.Uint64Var(&p.After, "after", 0, "only what changed after this revision; 0: everything")
	f.BoolVar(&p.Values, "values", false, "with --json: with the values")
	return c
}

func printChange(cmd *cobra.Command, g *global, e *wire.MemoryEntry) error {
	if g.json {
		return printJSONLine(cmd, e)
	}
	return printf(cmd, "%d\t%s\t%s\t%s\t%s\n", e.Revision, e.UpdatedAt.Local().Format("15:04:05.000"), what(e), e.Key, sizeOf(e))
}

// what happened, in a word.
func what(e *wire.MemoryEntry) string {
	switch {
	case e.Deleted && e.ExpiresAt != nil:
		return "expired"
	case e.Deleted:
		return "removed"
	}
	return "set"
}

func sizeOf(e *wire.MemoryEntry) string {
	if e.Deleted {
		return "-"
	}
	return bytesWord(int64(e.Size))
}

func memoryHistory(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "history NAMESPACE KEY", Short: "Print the past values of a key", Args: cobra.ExactArgs(2),
		Long: fmt.Sprintf("Print the newest %d values of a key, the newest first, and when it was removed.", wire.MemoryHistory),
		Example: `  skein memory history notes today
  skein memory history notes today --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := g.dial(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			all := wire.MemoryHistoryResult{}
			for p := (wire.MemoryHistoryParams{Namespace: args[0], Key: args[1]}); ; {
				res, err := c.MemoryHistory(cmd.Context(), p)
				if err != nil {
					return err
				}
				all.Entries = append(all.Entries, res.Entries...)
				if p.Before = res.Next; p.Before == 0 {
					break
				}
			}
			if g.json {
				return printJSON(cmd, all)
			}
			w := newTable(cmd.OutOrStdout(), "REVISION", "TIME", "", "SIZE", "WRITER", "VALUE")
			for _, e := range all.Entries {
				w.row(e.Revision, e.UpdatedAt.Local().Format("2006-01-02 15:04:05"), what(&e), sizeOf(&e), dash(e.Writer), preview(&e))
			}
			return w.flush()
		},
	}
}

// preview is the beginning of a value, on one line.
func preview(e *wire.MemoryEntry) string {
	if e.Value.Base64 != nil {
		return "(" + e.ContentType + ")"
	}
	return shorten(strings.Join(strings.Fields(e.Value.Cut(400).Text), " "), 60)
}

func memorySearch(g *global) *cobra.Command {
	var p wire.MemorySearchParams
	c := &cobra.Command{
		Use: "search WORD...", Short: "Find entries by the words of their keys and values", Args: cobra.MinimumNArgs(1),
		Long: `Find entries that have all the words, in the key or in the value, the best first. 'word*' finds words that begin with word,
'"two words"' finds them side by side. Case and accents are ignored.`,
		Example: `  skein memory search review*
  skein memory search '"two reviews"' --namespace notes
  skein memory search deploy failed --limit 5 --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			p.Query = strings.Join(args, " ")
			c, err := g.dial(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			res, err := c.MemorySearch(cmd.Context(), p)
			switch {
			case err != nil:
				return err
			case g.json:
				return printJSON(cmd, res)
			case res.Total == 0:
				cmd.PrintErrln("nothing found")
				return nil
			}
			w := newTable(cmd.OutOrStdout(), "NAMESPACE", "KEY", "VALUE")
			for _, h := range res.Hits {
				w.row(h.Entry.Namespace, h.Entry.Key, h.Snippet)
			}
			if err := w.flush(); err != nil {
				return err
			}
			if more := res.Total - len(res.Hits); more > 0 {
				printErrf(cmd, "%d more; see them with --limit, or add a word\n", more)
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringSliceVarP(&p.Namespaces, "namespace", "n", nil, "only in these namespaces")
	f.StringVar(&p.Prefix, "prefix", "", "only keys that begin with this")
	f.IntVar(&p.Limit, "limit", 0, "at most this many; 0: 20")
	return c
}
