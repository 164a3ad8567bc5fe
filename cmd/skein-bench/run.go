package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/client"
)

type benchReport struct {
	Date    time.Time `json:"date"`
	Version string    `json:"version"`
	Go      string    `json:"go"`
	Machine string    `json:"machine"`
	Results []result  `json:"results"`
}

func runCommand() *cobra.Command {
	var o benchOptions
	c := &cobra.Command{
		Use: "run", Short: "Measure skein on this machine, over both transports", Args: cobra.NoArgs,
		Long: `Measure skein on this machine: a server of its own on loopback, in a process of its own, and one client. Where the
bare libraries (webtransport-go, coder/websocket) can do the same, they are measured in the same run, and the ratio is
what counts: the machine's own speed drops out of it.

Over a bad link, which needs root, what one would use in place of Skein runs beside it, as lines of their own: a WebSocket
with JSON over TCP cubic and BBR, centrifuge, HTTP/2 and webtransport-go (skein-bench peers). Further
cases over a link stop agents, ask beside downloads, download beside a TCP stream, and share a full link with one.

Where the design set a target, the last column says whether this run met it. What a case measures stands below the table
where its columns don't say it. Lost bytes, gaps and refusals are errors, and no figures.`,
		Example: `  skein-bench run
  skein-bench run --only spawn --transport websocket
  skein-bench run --only '1 % loss' --transport centrifuge
  skein-bench run --json > bench.json`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := checkTransport(o.transport); err != nil {
				return err
			}
			if o.skein, err = product(o.skein); err != nil {
				return err
			}
			return bench(cmd, o)
		},
	}
	f := c.Flags()
	f.Float64Var(&o.scale, "scale", 1, "how many rounds, times the default")
	f.StringVar(&o.only, "only", "", "only cases whose name contains this")
	f.StringVar(&o.transport, "transport", client.Auto, "only this one: webtransport, websocket, or a peer of the lab; auto is all of them")
	f.StringVar(&o.skein, "skein", "", "the program to measure; default: skein beside this program")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return c
}

func casesCommand() *cobra.Command {
	return &cobra.Command{
		Use: "cases", Short: "List the cases, with what each runs over", Args: cobra.NoArgs,
		Example: `  skein-bench cases`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, c := range benchCases {
				fmt.Fprintf(w, "%s\t%s\n", c.name, strings.Join(c.transports(), ", "))
			}
			return w.Flush()
		},
	}
}

func bench(cmd *cobra.Command, o benchOptions) error {
	v, err := versionOf(cmd.Context(), o.skein)
	if err != nil {
		return err
	}
	b, err := newBench(cmd.Context(), o)
	if err != nil {
		return err
	}
	defer b.close()
	rep := benchReport{Date: time.Now().UTC().Truncate(time.Second), Version: v.Version, Go: v.Go,
		Machine: fmt.Sprintf("%d cores, %s", runtime.NumCPU(), cpuModel())}
	for _, bc := range benchCases {
		if !strings.Contains(bc.name, o.only) {
			continue
		}
		for _, t := range bc.transports() {
			if o.transport != client.Auto && o.transport != t {
				continue
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "%s, %s …\n", bc.name, t)
			r, err := runCase(cmd.Context(), b, bc, t)
			var skipped skipCase
			if errors.As(err, &skipped) {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s, %s is left out: %s\n", bc.name, t, skipped)
				continue
			}
			if err != nil {
				return fmt.Errorf("%s over %s: %w", bc.name, t, err)
			}
			r.Case, r.Transport, r.Unit = bc.name, t, bc.unit
			if r.Bare > 0 && r.Ratio == 0 {
				r.Ratio = cmp.Or(r.P50, r.Value) / r.Bare
			}
			for _, r := range append([]result{r}, r.more...) {
				r.Transport, r.Note = t, benchNotes[r.Case]
				rep.Results = append(rep.Results, r)
			}
		}
	}
	decideTargets(rep.Results)
	if o.json {
		e := json.NewEncoder(cmd.OutOrStdout())
		e.SetIndent("", "  ")
		return e.Encode(rep)
	}
	return printBench(cmd, rep)
}

func runCase(ctx context.Context, b *benchRun, bc benchCase, transport string) (result, error) {
	if bc.fresh {
		fresh, err := newBench(ctx, b.o)
		if err != nil {
			return result{}, err
		}
		defer fresh.close()
		b = fresh
	}
	return bc.run(b, transport)
}

func printBench(cmd *cobra.Command, rep benchReport) error {
	cmd.Printf("skein %s, %s, %s, %s\n\n", rep.Version, rep.Go, rep.Machine, rep.Date.Format(time.DateOnly))
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "case\ttransport\tp50\tp99\tvalue\tunit\tbare\tratio\ttarget\tmet\t")
	num := func(f float64) string {
		switch {
		case f == 0:
			return ""
		case f < 10:
			return fmt.Sprintf("%.2f", f)
		case f < 100:
			return fmt.Sprintf("%.1f", f)
		}
		return fmt.Sprintf("%.0f", f)
	}
	met := func(m *bool) string {
		switch {
		case m == nil:
			return ""
		case *m:
			return "yes"
		}
		return "no"
	}
	for _, r := range rep.Results {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", r.Case, r.Transport, num(r.P50), num(r.P99), num(r.Value), r.Unit, num(r.Bare), num(r.Ratio), r.Target, met(r.Met))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	told := map[string]bool{}
	for _, r := range rep.Results {
		if r.Note != "" && !told[r.Case] {
			told[r.Case] = true
			cmd.Printf("\n%s: %s.\n", r.Case, r.Note)
		}
	}
	return nil
}

func cpuModel() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.SplitSeq(string(b), "\n") {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
			return strings.TrimSpace(v)
		}
	}
	return runtime.GOARCH
}
