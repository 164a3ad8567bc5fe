package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

func spawnCommand(g *global) *cobra.Command {
	var p wire.SpawnParams
	var scriptFile string
	var follow, wait bool
	c := &cobra.Command{
		Use: "spawn TYPE [flags] [-- COMMAND ARG...]", Short: "Start one agent, or a batch", Args: cobra.MinimumNArgs(1),
		Long: `Start one agent, or a batch of --count. What stands after -- is the command of types that have none, such as shell, and
added arguments for the others. There is no shell in between: sh -c '…' brings one.

A command of a server on this machine runs in the current folder, unless --cwd or the type names another.`,
		Example: `  skein spawn shell -- make test
  skein spawn shell --name nightly -- sh -c 'date > f'
  skein spawn scripted --count 5
  skein spawn scripted --script-file drill.txt --follow`,
		RunE: func(cmd *cobra.Command, args []string) error {
			p.Type = args[0]
			return spawn(cmd, g, p, args[1:], scriptFile, follow, wait)
		},
	}
	f := c.Flags()
	f.StringVar(&p.Name, "name", "", "name of the agent; a batch adds -1, -2 …")
	f.IntVarP(&p.Count, "count", "n", 1, "how many")
	f.StringVar(&p.Cwd, "cwd", "", "working folder on the server, an absolute path")
	f.StringToStringVarP(&p.Env, "env", "e", nil, "environment variable NAME=VALUE, repeatable")
	f.StringToStringVarP(&p.Labels, "label", "l", nil, "label NAME=VALUE, repeatable")
	f.StringVar(&p.Script, "script", "", "script of a scripted agent; lines are separated by newlines")
	f.StringVar(&scriptFile, "script-file", "", "file with the script, - for standard input")
	f.BoolVarP(&follow, "follow", "f", false, "print its output until it ends, and end with its exit code")
	f.BoolVarP(&wait, "wait", "w", false, "wait until it ends, and end with its exit code")
	return c
}

func spawn(cmd *cobra.Command, g *global, p wire.SpawnParams, rest []string, scriptFile string, follow, wait bool) error {
	if (follow || wait) && p.Count > 1 {
		return usageError{errors.New("--follow and --wait are for one agent")}
	}
	if scriptFile != "" {
		b, err := readFile(cmd, scriptFile)
		if err != nil {
			return err
		}
		p.Script = string(b)
	}
	_, local, err := g.options()
	if err != nil {
		return err
	}
	c, err := g.dial(cmd)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := place(cmd.Context(), c, &p, rest, local); err != nil {
		return err
	}
	res, err := c.Spawn(cmd.Context(), p)
	if err != nil {
		return err
	}
	if follow || wait {
		return untilExit(cmd, c, res.Agents[0].ID, follow)
	}
	if err := printSpawned(cmd, g, res); err != nil {
		return err
	}
	if len(res.Failed) > 0 {
		return exitCode(exitFailed)
	}
	return nil
}

// place puts the words after -- where the type wants them, and the current folder where none is named.
func place(ctx context.Context, c *client.Client, p *wire.SpawnParams, rest []string, local bool) error {
	if len(rest) == 0 && p.Script != "" {
		return nil
	}
	types, err := c.Types(ctx)
	if err != nil {
		return err
	}
	for _, t := range types {
		if t.Name != p.Type {
			continue
		}
		if len(t.Argv) == 0 && t.Kind == wire.KindExec {
			p.Argv = rest
		} else {
			p.Args = rest
		}
		if local && p.Cwd == "" && t.Cwd == "" && t.Kind == wire.KindExec {
			p.Cwd, err = os.Getwd()
		}
		return err
	}
	return nil // the server refuses it, and lists the types
}

func readFile(cmd *cobra.Command, path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(cmd.InOrStdin())
	}
	return os.ReadFile(path)
}

func printSpawned(cmd *cobra.Command, g *global, res *wire.SpawnResult) error {
	if g.json {
		return printJSON(cmd, res)
	}
	for _, a := range res.Agents {
		cmd.Printf("%s  %s\n", a.ID, a.Name)
	}
	for _, f := range res.Failed {
		cmd.PrintErrf("skein: agent %d of the batch: %s\n", f.Index+1, f.Error.Message)
	}
	return nil
}

// untilExit waits for the agent's end, and ends with its exit code.
func untilExit(cmd *cobra.Command, c *client.Client, id wire.AgentID, output bool) error {
	for e, err := range c.Events(cmd.Context(), id, client.EventOptions{Follow: true}) {
		if err != nil {
			return err
		}
		if output {
			printOutput(cmd, e)
		}
		if e.Type != wire.EventExited || e.Data.Exit == nil {
			continue
		}
		switch x := e.Data.Exit; {
		case x.Code > 0:
			return exitCode(x.Code)
		case x.Code < 0:
			return fmt.Errorf("agent %s %s: %s", id, e.Data.Reason, x.Message)
		}
	}
	return nil
}

func printOutput(cmd *cobra.Command, e wire.Event) {
	switch e.Type {
	case wire.EventStdout:
		cmd.OutOrStdout().Write(e.Data.Bytes())
	case wire.EventStderr:
		cmd.ErrOrStderr().Write(e.Data.Bytes())
	}
}

func psCommand(g *global) *cobra.Command {
	var f wire.Filter
	var all, quiet, watch bool
	var status []string
	c := &cobra.Command{
		Use: "ps [QUERY]", Short: "List agents: those alive, or all", Args: cobra.MaximumNArgs(1),
		Example: `  skein ps
  skein ps -a --type shell
  skein ps --watch
  skein stop $(skein ps -q --label team=core)`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				f.Query = args[0]
			}
			for _, s := range status {
				f.Status = append(f.Status, wire.Status(s))
			}
			if len(status) == 0 && !all {
				f.Status = []wire.Status{wire.StatusPending, wire.StatusStarting, wire.StatusRunning, wire.StatusStopping, wire.StatusUnknown}
			}
			return ps(cmd, g, f, quiet, watch)
		},
	}
	fl := c.Flags()
	fl.BoolVarP(&all, "all", "a", false, "exited agents too")
	fl.BoolVarP(&quiet, "quiet", "q", false, "ids only")
	fl.BoolVarP(&watch, "watch", "W", false, "go on: print again when something changes")
	fl.StringSliceVar(&f.Types, "type", nil, "agents of these types")
	fl.StringSliceVar(&status, "status", nil, "agents with these statuses")
	fl.StringToStringVarP(&f.Labels, "label", "l", nil, "agents with these labels, NAME=VALUE")
	fl.IntVar(&f.Limit, "limit", 0, "at most so many")
	return c
}

func ps(cmd *cobra.Command, g *global, f wire.Filter, quiet, watch bool) error {
	c, err := g.dial(cmd, func(o *client.Options) { o.NoStatus = !watch })
	if err != nil {
		return err
	}
	defer c.Close()
	show := func() error {
		res, err := c.List(cmd.Context(), f)
		if err != nil {
			return err
		}
		return printAgents(cmd, g, res, quiet)
	}
	if !watch {
		return show()
	}
	var last time.Time
	for _, err := range c.Watch(cmd.Context()) {
		if err != nil {
			if cmd.Context().Err() != nil {
				return nil
			}
			return err
		}
		if wait := time.Until(last.Add(time.Second)); wait > 0 {
			select {
			case <-time.After(wait):
			case <-cmd.Context().Done():
				return nil
			}
		}
		last = time.Now()
		if isTerminal(os.Stdout) && !g.json {
			cmd.Print("\x1b[H\x1b[2J")
		}
		if err := show(); err != nil {
			return err
		}
	}
	return nil
}

func printAgents(cmd *cobra.Command, g *global, res *wire.ListResult, quiet bool) error {
	switch {
	case g.json:
		return printJSON(cmd, res)
	case quiet:
		for _, a := range res.Agents {
			cmd.Println(a.ID)
		}
		return nil
	case len(res.Agents) == 0:
		cmd.PrintErrln("no agents; start one with `skein spawn scripted`, or see the exited ones with `skein ps -a`")
		return nil
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tNAME\tTYPE\tSTATUS\tAGE\tCPU\tMEM\tLAST LINE")
	for _, a := range res.Agents {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", a.ID, a.Name, a.Type, statusWord(&a), age(time.Since(a.CreatedAt)),
			cpu(&a), size(a.Usage.RSS), shorten(a.LastLine, 60))
	}
	return w.Flush()
}

func statusWord(a *wire.Agent) string {
	switch {
	case a.Status == wire.StatusExited && a.Exit != nil && a.Exit.Signal != "":
		return fmt.Sprintf("%s (%s)", a.Reason, a.Exit.Signal)
	case a.Status == wire.StatusExited && a.Exit != nil && a.Exit.Code > 0:
		return fmt.Sprintf("%s (%d)", a.Reason, a.Exit.Code)
	case a.Status == wire.StatusExited:
		return string(a.Reason)
	case a.Activity == wire.ActivityRequiresAction:
		return "needs you"
	case a.Activity == wire.ActivityIdle:
		return "running, idle"
	}
	return string(a.Status)
}

func age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

func cpu(a *wire.Agent) string {
	if a.Usage.Processes == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f%%", a.Usage.CPU*100)
}

func size(n int64) string {
	switch {
	case n == 0:
		return "-"
	case n < 1<<20:
		return fmt.Sprintf("%.0fK", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.0fM", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1fG", float64(n)/(1<<30))
}

func shorten(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

func logsCommand(g *global) *cobra.Command {
	var o client.EventOptions
	var events, times bool
	c := &cobra.Command{
		Use: "logs AGENT", Short: "Print an agent's output, or all its events", Args: cobra.ExactArgs(1),
		Long: "Print an agent's output: its stdout on standard output, its stderr on standard error. AGENT is an id, its beginning, or a name.",
		Example: `  skein logs a4k2
  skein logs -f --tail 20 nightly
  skein logs --events --json a4k2 | jq .`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := g.dial(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			ids, err := resolve(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			for e, err := range c.Events(cmd.Context(), ids[0], o) {
				if err != nil {
					if cmd.Context().Err() != nil {
						return nil
					}
					return err
				}
				if err := printEvent(cmd, g, e, events, times); err != nil {
					return err
				}
			}
			return nil
		},
	}
	f := c.Flags()
	f.BoolVarP(&o.Follow, "follow", "f", false, "go on until the agent ends")
	f.Uint64Var(&o.After, "after", 0, "only events after this seq")
	f.IntVarP(&o.Tail, "tail", "t", 0, "begin with the last so many events")
	f.BoolVarP(&events, "events", "e", false, "all events, not just the output")
	f.BoolVar(&times, "timestamps", false, "begin each piece of output with its time")
	return c
}

func printEvent(cmd *cobra.Command, g *global, e wire.Event, all, times bool) error {
	if !all && !e.Type.IsOutput() {
		return nil
	}
	if g.json {
		line, err := wire.AppendLine(nil, e)
		if err == nil {
			_, err = cmd.OutOrStdout().Write(line)
		}
		return err
	}
	if all {
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "%d\t%s\t%s\t%s\n", e.Seq, e.Time.Local().Format("15:04:05.000"), e.Type, eventText(e))
		return err
	}
	if times {
		cmd.Printf("%s ", e.Time.Local().Format("15:04:05.000"))
	}
	printOutput(cmd, e)
	return nil
}

func eventText(e wire.Event) string {
	switch d := e.Data; {
	case d.Exit != nil:
		return fmt.Sprintf("%s: %s", d.Reason, d.Exit.Message)
	case d.Process != nil:
		return fmt.Sprintf("pid %d", d.Process.PID)
	case d.Activity != "":
		return strings.TrimSpace(string(d.Activity) + " " + d.Text)
	case d.Base64 != nil:
		return fmt.Sprintf("%d bytes", len(d.Base64))
	default:
		return strings.TrimRight(d.Text, "\n")
	}
}

func attachCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "attach AGENT", Short: "Follow an agent and type to it", Args: cobra.ExactArgs(1),
		Long: "Print an agent's output as it comes, and send it the lines of standard input. Ctrl-D closes its standard input; Ctrl-C leaves, the agent runs on.",
		Example: `  skein attach a4k2
  echo yes | skein attach a4k2`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := g.dial(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			ids, err := resolve(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			return attach(cmd, c, ids[0])
		},
	}
}

func attach(cmd *cobra.Command, c *client.Client, id wire.AgentID) error {
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	go func() { // ends with the process: a read of the terminal can't be interrupted
		if err := forward(ctx, c, id, cmd.InOrStdin()); err != nil && ctx.Err() == nil {
			cmd.PrintErrln("skein: input:", err)
		}
	}()
	for e, err := range c.Events(ctx, id, client.EventOptions{Follow: true, Tail: 20}) {
		if err != nil {
			if cmd.Context().Err() != nil {
				return nil
			}
			return err
		}
		printOutput(cmd, e)
		if e.Type == wire.EventExited {
			cmd.PrintErrf("skein: %s\n", eventText(e))
		}
	}
	return nil
}

// forward sends what it reads, and the end.
func forward(ctx context.Context, c *client.Client, id wire.AgentID, in io.Reader) error {
	r := bufio.NewReaderSize(in, 32<<10)
	for {
		buf := make([]byte, 32<<10)
		n, err := r.Read(buf)
		if n > 0 {
			if err := c.Input(ctx, wire.InputParams{ID: id, Base64: buf[:n]}); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return c.Input(ctx, wire.InputParams{ID: id, EOF: true})
		}
		if err != nil {
			return err
		}
	}
}

func sendCommand(g *global) *cobra.Command {
	var eof, raw bool
	c := &cobra.Command{
		Use: "send AGENT [TEXT...]", Short: "Write a line to an agent's standard input", Args: cobra.MinimumNArgs(1),
		Long: "Write the words, as one line, to an agent's standard input; without words, what comes on standard input.",
		Example: `  skein send a4k2 yes, go on
  skein send a4k2 --eof < notes.txt`,
		RunE: func(cmd *cobra.Command, args []string) error {
			text := []byte(strings.Join(args[1:], " "))
			if !raw {
				text = append(text, '\n')
			}
			if len(args) == 1 {
				text = nil
				if !eof || !isTerminal(os.Stdin) {
					var err error
					if text, err = io.ReadAll(cmd.InOrStdin()); err != nil {
						return err
					}
				}
			}
			return send(cmd, g, args[0], text, eof)
		},
	}
	c.Flags().BoolVar(&eof, "eof", false, "close the agent's standard input afterwards")
	c.Flags().BoolVar(&raw, "raw", false, "add no newline")
	return c
}

func send(cmd *cobra.Command, g *global, word string, text []byte, eof bool) error {
	c, err := g.dial(cmd)
	if err != nil {
		return err
	}
	defer c.Close()
	ids, err := resolve(cmd.Context(), c, word)
	if err != nil {
		return err
	}
	r := bytes.NewReader(text)
	for first := true; first || r.Len() > 0; first = false {
		part := make([]byte, min(r.Len(), wire.MaxInput))
		io.ReadFull(r, part)
		p := wire.InputParams{ID: ids[0], EOF: eof && r.Len() == 0}
		if len(part) > 0 {
			p.Base64 = part
		}
		if err := c.Input(cmd.Context(), p); err != nil {
			return err
		}
	}
	if g.json {
		return printJSON(cmd, map[string]any{"id": ids[0], "bytes": len(text), "eof": eof})
	}
	return nil
}

func stopCommand(g *global) *cobra.Command {
	var all bool
	var typ string
	var grace time.Duration
	c := &cobra.Command{
		Use: "stop [AGENT...]", Short: "Stop agents, and verify that they are gone",
		Long: `Stop agents: SIGTERM to the process group, after the grace SIGKILL, then a check that no process of the group is left.
The command returns when that is verified.`,
		Example: `  skein stop a4k2 nightly
  skein stop --type shell --grace 1s
  skein stop --all`,
		RunE: func(cmd *cobra.Command, args []string) error {
			p := wire.StopParams{Scope: wire.ScopeAgent}
			switch {
			case all && typ == "" && len(args) == 0:
				p.Scope = wire.ScopeAll
			case typ != "" && !all && len(args) == 0:
				p.Scope, p.Type = wire.ScopeType, typ
			case all || typ != "" || len(args) == 0:
				return usageError{errors.New("name agents, or give --type, or --all; see skein stop --help")}
			}
			if cmd.Flags().Changed("grace") {
				ms := grace.Milliseconds()
				p.GraceMS = &ms
			}
			return stop(cmd, g, p, args)
		},
	}
	c.Flags().BoolVar(&all, "all", false, "every agent")
	c.Flags().StringVar(&typ, "type", "", "every agent of this type")
	c.Flags().DurationVar(&grace, "grace", 0, "between SIGTERM and SIGKILL, instead of the type's; 0s kills at once")
	return c
}

func stop(cmd *cobra.Command, g *global, p wire.StopParams, words []string) error {
	c, err := g.dial(cmd)
	if err != nil {
		return err
	}
	defer c.Close()
	if p.Scope == wire.ScopeAgent {
		if p.IDs, err = resolve(cmd.Context(), c, words...); err != nil {
			return err
		}
	}
	res, err := c.Stop(cmd.Context(), p)
	if err != nil {
		return err
	}
	left := 0
	for _, r := range res.Reports {
		left += len(r.Leftovers)
	}
	if err := printStopped(cmd, g, res); err != nil {
		return err
	}
	if left > 0 {
		return exitCode(exitLeftovers)
	}
	return nil
}

func printStopped(cmd *cobra.Command, g *global, res *wire.StopResult) error {
	if g.json {
		return printJSON(cmd, res)
	}
	for _, r := range res.Reports {
		how := fmt.Sprintf("%s in %d ms", r.Reason, r.TookMS)
		switch {
		case r.Error != nil:
			how = r.Error.Message
		case r.Already:
			how = fmt.Sprintf("had ended before (%s)", r.Reason)
		case r.Forced:
			how += ", SIGKILL was needed"
		}
		cmd.Printf("%s  %s\n", r.ID, how)
		for _, l := range r.Leftovers {
			cmd.PrintErrf("skein: process %d of agent %s outlived SIGKILL\n", l.PID, r.ID)
		}
	}
	if len(res.Reports) == 0 {
		cmd.PrintErrln("nothing to stop")
	}
	return nil
}

func typesCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "types", Short: "List the agent types", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := g.dial(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			types, err := c.Types(cmd.Context())
			if err != nil {
				return err
			}
			if g.json {
				return printJSON(cmd, wire.TypesResult{Types: types})
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "TYPE\tKIND\tALIVE\tCOMMAND\tDESCRIPTION")
			for _, t := range types {
				alive := fmt.Sprint(t.Running)
				if t.MaxInstances > 0 {
					alive = fmt.Sprintf("%d of %d", t.Running, t.MaxInstances)
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", t.Name, t.Kind, alive, shorten(strings.Join(t.Argv, " "), 40), shorten(t.Description, 70))
			}
			return w.Flush()
		},
	}
}

func loginCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "login", Short: "Print a URL that signs a browser in, once", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, _, err := g.options()
			if err != nil {
				return err
			}
			url, err := client.LoginURL(cmd.Context(), o)
			if err != nil {
				return fmt.Errorf("%w: %w", errUnreachable, err)
			}
			if g.json {
				return printJSON(cmd, map[string]string{"url": url})
			}
			cmd.Println(url)
			return nil
		},
	}
}
