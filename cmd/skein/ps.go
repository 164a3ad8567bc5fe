package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

func psCommand(g *global) *cobra.Command {
	var f wire.Filter
	var all, quiet, watch bool
	var status []string
	var at string
	c := &cobra.Command{
		Use: "ps [QUERY]", Short: "List agents: those alive, or all", Args: cobra.MaximumNArgs(1),
		Example: `  skein ps
  skein ps -a --type shell
  skein ps --needs
  skein ps --watch
  skein ps --at 14:05
  skein stop $(skein ps -q --label team=core)`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if at != "" {
				others := slices.ContainsFunc([]string{"all", "watch", "type", "status", "needs", "label", "limit"}, cmd.Flags().Changed)
				if others || len(args) > 0 {
					return usageError{errors.New("--at lists all agents that were alive then: of the other flags of ps it takes --quiet only")}
				}
				return psAt(cmd, g, at, quiet)
			}
			if len(args) == 1 {
				f.Query = args[0]
			}
			for _, s := range status {
				if !slices.Contains(wire.Statuses, wire.Status(s)) {
					return usageError{fmt.Errorf("--status %q: allowed are %s", s, words(wire.Statuses))}
				}
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
	fl.BoolVarP(&watch, "watch", "W", false, "keep running: print again when something changes")
	fl.StringVar(&at, "at", "", "agents that were alive at a time, as they were: how long ago, such as 10m, or a time, such as 14:05, '2026-01-05 14:05' or RFC 3339")
	fl.StringSliceVar(&f.Types, "type", nil, "agents of these types")
	fl.StringSliceVar(&status, "status", nil, "agents with these statuses: "+words(wire.Statuses))
	fl.BoolVar(&f.Needs, "needs", false, "agents that need a person: they ask, make no progress, are out of reach; with -a, failed ones too")
	fl.StringToStringVarP(&f.Labels, "label", "l", nil, "agents with these labels, NAME=VALUE")
	fl.IntVar(&f.Limit, "limit", 0, "at most this many")
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
			cmd.Print(clearScreen)
		}
		if err := show(); err != nil {
			return err
		}
	}
	return nil
}

// psAt lists the agents that were alive at a time, with the last line that each showed.
func psAt(cmd *cobra.Command, g *global, word string, quiet bool) error {
	at, err := timeOf("--at", word, time.Now())
	if err != nil {
		return err
	}
	c, err := g.dial(cmd, func(o *client.Options) { o.NoStatus = true })
	if err != nil {
		return err
	}
	defer c.Close()
	past, err := c.FleetAt(cmd.Context(), wire.FleetAtParams{At: at, Pictures: wire.MaxPastPictures})
	switch {
	case err != nil:
		return err
	case g.json:
		return printJSON(cmd, past)
	case past.Total == 0:
		printErrf(cmd, "no agent was alive at %s\n", past.At.Local().Format(time.DateTime))
		return nil
	}
	res := &wire.ListResult{Total: past.Total}
	for _, p := range past.Agents {
		p.LastLine = lastOf(p.Picture)
		res.Agents = append(res.Agents, p.Agent)
	}
	return printAgents(cmd, g, res, quiet)
}

// lastOf is the last line of a picture that is not empty.
func lastOf(p *wire.Picture) (line string) {
	if p == nil {
		return ""
	}
	for _, row := range slices.Backward(p.Rows) {
		for _, piece := range row.Pieces {
			line += piece.Text
		}
		if line = strings.TrimSpace(line); line != "" {
			break
		}
	}
	return line
}

// clearScreen brings a terminal's cursor home and clears what it shows.
const clearScreen = "\x1b[H\x1b[2J"

func printAgents(cmd *cobra.Command, g *global, res *wire.ListResult, quiet bool) error {
	switch {
	case g.json:
		return printJSON(cmd, res)
	case quiet:
		for _, a := range res.Agents {
			printf(cmd, "%v\n", a.ID)
		}
		return nil
	case len(res.Agents) == 0:
		cmd.PrintErrln("no agents; start one with `skein spawn scripted`, or see the exited ones with `skein ps -a`")
		return nil
	}
	load := slices.ContainsFunc(res.Agents, func(a wire.Agent) bool { return loadWord(&a) != "-" })
	asks := slices.ContainsFunc(res.Agents, func(a wire.Agent) bool { return asked(&a) != "" })
	restarts := slices.ContainsFunc(res.Agents, func(a wire.Agent) bool { return a.Restarts > 0 })
	does := slices.ContainsFunc(res.Agents, func(a wire.Agent) bool { return a.Summary != "" })
	w := newTable(cmd.OutOrStdout(), "ID", "NAME", optional{"TYPE", 1}, "STATUS", onlyIf(load, optional{"TASKS", 4}), onlyIf(restarts, optional{"RESTARTS", 2}), "AGE",
		optional{"CPU", 3}, optional{"MEM", 5}, onlyIf(asks, "ASKS"), onlyIf(does, "SUMMARY"), "LAST LINE")
	for _, a := range res.Agents {
		w.row(a.ID, a.Name, a.Type, tinted{statusWord(&a), statusHue(&a)}, onlyIf(load, loadWord(&a)), onlyIf(restarts, a.Restarts),
			age(time.Since(a.CreatedAt)), cpu(&a), size(a.Usage.RSS), onlyIf(asks, dash(shorten(asked(&a), 60))), onlyIf(does, dash(shorten(a.Summary, 60))), shorten(a.LastLine, 60))
	}
	if err := w.flush(); err != nil || !asks {
		return err
	}
	cmd.PrintErrln("skein: see and answer what they ask with `skein inbox`")
	return nil
}

// statusHue is the colour of a status, as on the pages.
func statusHue(a *wire.Agent) hue {
	switch {
	case a.Activity == wire.ActivityRequiresAction && a.Status.Alive(), a.Stalled, a.Status == wire.StatusUnknown:
		return yellow
	case a.CrashLoop, a.LeftBehind(), a.Status == wire.StatusLost, a.Status == wire.StatusExited && a.Reason == wire.ReasonFailed:
		return red
	case a.Status == wire.StatusRunning && a.Activity != wire.ActivityIdle:
		return green
	case a.Status == wire.StatusExited:
		return faint
	}
	return ""
}

func onlyIf(shown bool, cell any) any {
	if shown {
		return cell
	}
	return absent
}

// loadWord is what an agent has in work, and what it has done.
func loadWord(a *wire.Agent) string {
	if len(a.Tasks)+a.Done == 0 && a.ForTask == "" {
		return "-"
	}
	return fmt.Sprintf("%d in work, %d done", len(a.Tasks), a.Done)
}

func statusWord(a *wire.Agent) string {
	word := plainStatus(a)
	if a.RestartAt != nil && a.Status == wire.StatusPending {
		word = fmt.Sprintf("restarts in %s", age(max(time.Until(*a.RestartAt), 0)))
	}
	if a.CrashLoop {
		word += ", crash loop"
	}
	switch {
	case a.Frozen():
		word += ", frozen"
	case a.Paused != nil:
		word += ", paused"
	case a.Suspended:
		word += ", suspended"
	}
	if a.LeftBehind() {
		word += fmt.Sprintf(", left behind: %d", len(a.Exit.Leftovers))
	}
	if a.Stalled {
		word += ", stalled"
	}
	return word
}

func plainStatus(a *wire.Agent) string {
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
