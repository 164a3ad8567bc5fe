package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/doctor"
)

func doctorCommand(g *global) *cobra.Command {
	var timeout time.Duration
	c := &cobra.Command{
		Use: "doctor [URL]", Short: "Report what the network between here and a server allows, and what to change", Args: cobra.MaximumNArgs(1),
		Long: `Report what the network between here and a server allows: name, TCP, TLS, HTTP, clocks, login, then a session through each
endpoint, with round trips, loss, datagrams and packet sizes; which endpoint a client will use, and what to change for a better
one. Without a URL: the local server of the data folder. It changes nothing on the server.

The exit code is 0 when a client can connect by any endpoint, and 3 when it can't.`,
		Example: `  skein doctor
  skein doctor https://skein.example.com:4433 --token $(cat token)
  skein doctor --json --timeout 20s`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				g.server = strings.TrimRight(args[0], "/")
			}
			return examine(cmd, g, timeout)
		},
	}
	c.Flags().DurationVar(&timeout, "timeout", doctor.Timeout, "limit of the whole check; an endpoint that does not answer takes half of it")
	return c
}

func examine(cmd *cobra.Command, g *global, timeout time.Duration) error {
	if timeout <= 0 {
		return usageError{fmt.Errorf("--timeout %s: a time such as 10s is needed", timeout)}
	}
	o, _, err := g.find()
	if err != nil {
		return err
	}
	o.NoStatus = false // it looks at that too
	ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
	defer cancel()
	p := g.waiting(cmd)
	r, err := doctor.Examine(ctx, o, p.show)
	p.done()
	switch {
	case err != nil:
		return usageError{err}
	case cmd.Context().Err() != nil:
		return exitCode(exitInterrupted)
	case g.json:
		err = printJSON(cmd, r)
	default:
		err = printReport(cmd.OutOrStdout(), r)
	}
	if err == nil && r.Endpoint == "" {
		return exitCode(exitUnreachable)
	}
	return err
}

// printReport shows the checks, a line each, and what they come to.
func printReport(out io.Writer, r *doctor.Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "The path to %s\n\n", r.URL)
	var skipped []string
	for _, c := range r.Checks {
		if c.Verdict == doctor.Skipped {
			skipped = append(skipped, c.Name)
			continue
		}
		fmt.Fprintf(&b, "%-8s %-13s %s\n", c.Verdict, c.Name, c.Found)
		for _, s := range []string{c.Means, c.Do} {
			if s != "" {
				fmt.Fprintf(&b, "%22s %s\n", "", s)
			}
		}
	}
	if len(skipped) > 0 {
		fmt.Fprintf(&b, "%-8s %s\n", doctor.Skipped, strings.Join(skipped, ", "))
	}
	if r.Endpoint == "" {
		fmt.Fprintf(&b, "\nA client can't connect: %s.\n", r.Why)
	} else {
		fmt.Fprintf(&b, "\nA client will use %s: %s.\n", transportWord(string(r.Endpoint)), r.Why)
	}
	if r.Better != "" {
		fmt.Fprintf(&b, "To change that: %s\n", r.Better)
	}
	_, err := io.WriteString(out, safeText(b.String()))
	return err
}

func transportWord(t string) string {
	if t == client.WebTransport {
		return "WebTransport"
	}
	return "WebSocket"
}

// waiting shows on a terminal what is being waited for.
type waiting struct {
	w     io.Writer // nil: there is nobody to show it to
	drawn bool
}

func (g *global) waiting(cmd *cobra.Command) *waiting {
	if f, ok := cmd.ErrOrStderr().(*os.File); ok && isTerminal(f) && !g.json {
		return &waiting{w: f}
	}
	return &waiting{}
}

func (p *waiting) show(underWay []string) {
	if p.w == nil || len(underWay) == 0 {
		return
	}
	p.drawn = true
	fmt.Fprint(p.w, "\r\x1b[K"+shorten("waiting for "+strings.Join(slices.Sorted(slices.Values(underWay)), ", "), terminalWidth()-1))
}

// done takes the line away.
func (p *waiting) done() {
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
