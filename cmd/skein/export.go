package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"skein.dev/skein/server/cast"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

func exportCommand(g *global) *cobra.Command {
	var o cast.Options
	var out string
	c := &cobra.Command{
		Use: "export AGENT", Short: "Write what an agent did as a recording for terminal players", Args: cobra.ExactArgs(1),
		Long: `Write an agent's whole session, up to now, as a recording in the format asciicast v2, which asciinema and other players show: its
terminal, or its output, with the times; its questions and its end are markers. AGENT is an id, its beginning, or a name. What was
written to the agent is left out unless --input is given, since that may hold secrets; what the agent printed is all there.`,
		Example: `  skein export nightly -o nightly.cast
  skein export a4k2 --idle 2s | asciinema play -`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.Idle < 0 {
				return usageError{fmt.Errorf("--idle %v: a pause is not shorter than 0", o.Idle)}
			}
			c, err := g.dial(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			ids, err := resolve(cmd, c, args[0])
			if err != nil {
				return err
			}
			write := func(w io.Writer) error { return export(cmd, c, ids[0], w, o) }
			if out == "-" {
				return write(cmd.OutOrStdout())
			}
			if err := whole(out, write); err != nil {
				return err
			}
			if g.json {
				return printJSON(cmd, map[string]any{"agent": ids[0], "file": out})
			}
			return printf(cmd, "%v\n", out)
		},
	}
	f := c.Flags()
	f.StringVarP(&out, "output", "o", "-", "file to write, which is replaced when the recording is complete; - for standard output")
	f.BoolVar(&o.Input, "input", false, "also what was written to the agent, which may hold secrets")
	f.DurationVar(&o.Idle, "idle", 0, "let players shorten pauses to this, such as 2s; 0: they take as long as they did")
	return c
}

// export writes an agent's recording.
func export(cmd *cobra.Command, c *client.Client, id wire.AgentID, w io.Writer, o cast.Options) error {
	agent, err := c.Get(cmd.Context(), id)
	if err != nil {
		return err
	}
	rec := cast.New(w, *agent, o)
	times, gap := 0, false
	attached := func(a wire.Attached) {
		times++
		gap = gap || times > 1 && !a.Recovered
	}
	for e, err := range c.Events(cmd.Context(), id, client.EventOptions{Attached: attached}) {
		if err == nil && gap {
			err = errors.New("while the connection was lost, the log has dropped what would follow in the recording; export it again")
		}
		if err == nil {
			err = rec.Event(e)
		}
		if err != nil {
			return err
		}
	}
	return rec.End()
}

// whole writes a file that only its owner may read, which takes its name when it is complete. What is no regular file, such as a
// pipe, is written as it is.
func whole(name string, write func(w io.Writer) error) error {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return usageError{err}
		}
		return errors.Join(write(f), f.Close())
	}
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*.part")
	if err != nil {
		return usageError{err}
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return os.Rename(f.Name(), name)
}
