package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

func logsCommand(g *global) *cobra.Command {
	var o client.EventOptions
	var events, times bool
	var from string
	var tasks []string
	var find grep
	c := &cobra.Command{
		Use: "logs [AGENT...]", Short: "Print the output of agents or of a task, or all events",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args)+len(tasks) == 0 {
				return errors.New("say whose output: name agents, or give --task")
			}
			return nil
		},
		Long: `Print an agent's output: its stdout on standard output, its stderr on standard error. AGENT is an id, its beginning, or a name. Standard error says what the log has dropped.
Of several agents, each line has the name of its agent in front, in the order of time. With --task, print what agents printed while they worked on a task, attempt by attempt.
With --grep, print the lines of its stdout and stderr that contain a text, as a terminal shows them: all on standard output, each cut to 400 bytes around the match. The server searches the whole log. The exit code is 1 if no line matches.`,
		Example: `  skein logs a4k2
  skein logs -f --tail 20 nightly
  skein logs -f web db --since 10m
  skein logs --task tq4k2
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
			all, err := sources(cmd, c, args, tasks)
			if err != nil || len(all) == 0 {
				return err
			}
			if all, err = begin(cmd, c, all, from, o.Tail); err != nil || len(all) == 0 {
				return err
			}
			if len(all) > 1 || len(tasks) > 0 {
				if cmd.Flags().Changed("grep") {
					return usageError{errors.New("--grep searches one agent; skein logs AGENT --grep TEXT")}
				}
				l := together{cmd: cmd, g: g, c: c, o: o, events: events, times: times}
				return l.print(all)
			}
			ids := []wire.AgentID{all[0].agent}
			o.After, o.Tail = max(o.After, all[0].after), all[0].tail
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
	f.StringVar(&from, "since", "", "only what is not older: how long ago, such as 10m, or a time, such as 14:05")
	f.StringSliceVar(&tasks, "task", nil, "what agents printed while they worked on this task, repeatable")
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
