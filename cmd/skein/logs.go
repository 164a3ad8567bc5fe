package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

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
			ids, err := resolve(cmd, c, args[0])
			if err != nil {
				return err
			}
			for e, err := range c.Events(cmd.Context(), ids[0], o) {
				if err != nil {
					return leftAgent(cmd, err, ids[0])
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

func attachCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "attach AGENT", Short: "Follow an agent and type to it", Args: cobra.ExactArgs(1),
		Long: "Print an agent's output as it comes, and send it the lines of standard input. Ctrl-D closes its standard input; Ctrl-C leaves, with exit code 130: the agent goes on.",
		Example: `  skein attach a4k2
  echo yes | skein attach a4k2`,
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
			return attach(cmd, c, ids[0])
		},
	}
}

func attach(cmd *cobra.Command, c *client.Client, id wire.AgentID) error {
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	go func() { // ends with the process: a read of the terminal can't be interrupted
		if err := forward(ctx, c, id, cmd.InOrStdin()); err != nil && ctx.Err() == nil {
			printErrf(cmd, "skein: input: %s\n", err)
		}
	}()
	for e, err := range c.Events(ctx, id, client.EventOptions{Follow: true, Tail: 20}) {
		if err != nil {
			return leftAgent(cmd, err, id)
		}
		printOutput(cmd, e)
		if e.Type == wire.EventExited {
			printErrf(cmd, "skein: %s\n", eventText(e))
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
