package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

func logsCommand(g *global) *cobra.Command {
	var o client.EventOptions
	var events, times bool
	var find grep
	c := &cobra.Command{
		Use: "logs AGENT", Short: "Print an agent's output, or all its events", Args: cobra.ExactArgs(1),
		Long: `Print an agent's output: its stdout on standard output, its stderr on standard error. AGENT is an id, its beginning, or a name. Standard error says what the log has dropped.
With --grep, print the lines of its stdout and stderr that contain a text, as a terminal shows them: all on standard output, each cut to 400 bytes around the match. The server searches the whole log. The exit code is 1 if no line matches.`,
		Example: `  skein logs a4k2
  skein logs -f --tail 20 nightly
  skein logs --events --json a4k2 | jq .
  skein logs --grep "assertion failed" -C 3 nightly
  skein logs --grep '^(FAIL|panic:)' --regexp --case nightly`,
		PreRunE: func(cmd *cobra.Command, _ []string) error { return find.check(cmd) },
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := g.dial(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			ids, err := resolve(cmd, c, args[0])
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("grep") {
				find.After, find.times = o.After, times
				return find.run(cmd, g, c, ids[0])
			}
			q := questions{cmd: cmd, cursor: o.After}
			o.Attached = func(a wire.Attached) {
				q.hint = "answer with: skein send " + string(ids[0])
				if a.Agent.Kind.Converses() {
					q.hint = "answer with: skein inbox answer" // a text would be another prompt
				}
				q.attached(a)
			}
			for e, err := range c.Events(cmd.Context(), ids[0], o) {
				if err != nil {
					return leftAgent(cmd, err, ids[0])
				}
				if err := printEvent(cmd, g, e, events, times); err != nil {
					return err
				}
				q.event(e)
			}
			q.say()
			return nil
		},
	}
	f := c.Flags()
	f.BoolVarP(&o.Follow, "follow", "f", false, "follow the output until the agent ends")
	f.Uint64Var(&o.After, "after", 0, "only events after this seq")
	f.IntVarP(&o.Tail, "tail", "t", 0, "begin with this many of the last events")
	f.BoolVarP(&events, "events", "e", false, "all events, not just the output")
	f.BoolVar(&times, "timestamps", false, "begin each piece of output with its time")
	find.flags(c)
	return c
}

func printEvent(cmd *cobra.Command, g *global, e wire.Event, all, times bool) error {
	if !all && !e.Type.IsOutput() {
		return nil
	}
	if e.Dropped != nil {
		printErrf(cmd, "skein: %s\n", droppedText(*e.Dropped))
	}
	if g.json {
		return printJSONLine(cmd, e)
	}
	if all {
		return printf(cmd, "%d\t%s\t%s\t%s\n", e.Seq, e.Time.Local().Format("15:04:05.000"), e.Type, eventText(e))
	}
	out := cmd.OutOrStdout()
	if e.Type == wire.EventStderr {
		out = cmd.ErrOrStderr()
	}
	if times {
		fmt.Fprintf(out, "%s ", e.Time.Local().Format("15:04:05.000"))
	}
	_, err := out.Write(e.Data.Bytes())
	return err
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
