package agent

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// Share is how much of a limit an agent has used.
type Share struct {
	Name string  // of what is limited
	Text string  // such as "12,000 of 200,000 tokens"
	Part float64 // from 0 to 1; what is over the limit counts as 1
}

// Shares are how much an agent has used of what its type's budget allows each agent, a limit each.
func Shares(a *wire.Agent, t wire.AgentType, now time.Time) (all []Share) {
	if t.Budget == nil || t.Budget.Agent == nil {
		return nil
	}
	limit, spent := t.Budget.Agent, wire.Spent{}
	if a.Spent != nil {
		spent = *a.Spent
	}
	add := func(name, text string, used, most float64) {
		if most > 0 {
			all = append(all, Share{name, text, min(max(used/most, 0), 1)})
		}
	}
	tokens := spent.Input + spent.Output
	add("tokens", fmt.Sprintf("%s of %s tokens", words.Grouped(tokens), words.Grouped(limit.Tokens)), float64(tokens), float64(limit.Tokens))
	add("cost", strings.TrimSpace(fmt.Sprintf("%.2f of %.2f %s", spent.Cost, limit.Cost, words.Clean(spent.Currency))), spent.Cost, limit.Cost)
	add("turns", fmt.Sprintf("%d of %s", spent.Turns, words.Count(limit.Turns, "turn", "turns")), float64(spent.Turns), float64(limit.Turns))
	if a.StartedAt != nil {
		most, end := time.Duration(limit.WallMS)*time.Millisecond, now
		if a.ExitedAt != nil {
			end = *a.ExitedAt
		}
		took := end.Sub(*a.StartedAt)
		add("time", words.Span(took)+" of "+words.Span(most), float64(took), float64(most))
	}
	return all
}

// thenText says what happens when a budget is spent.
func thenText(b *wire.Budget) string {
	switch b.Then {
	case wire.BudgetStop:
		return "It is stopped when one of them is reached."
	case wire.BudgetWarn:
		return "Its log says when one of them is reached."
	}
	return "It is paused when one of them is reached."
}

// rules say what the server does with an agent by itself, a sentence each.
func rules(a *wire.Agent, t wire.AgentType) (all []string) {
	span := func(ms int64) string {
		d := time.Duration(ms) * time.Millisecond
		if d < time.Second {
			return d.String()
		}
		return words.Span(d)
	}
	if t.IdleStopMS > 0 && a.OnDemand {
		all = append(all, "stopped after "+span(t.IdleStopMS)+" without a task")
	}
	if r := t.Restart; r != nil && a.ForTask == "" {
		text := fmt.Sprintf("started again %s in %s", words.Count(r.Attempts, "time", "times"), span(r.IntervalMS))
		if r.Mode == wire.RestartDelay {
			text += ", then more slowly"
		}
		all = append(all, text)
	}
	if t.HeartbeatMS > 0 {
		all = append(all, "unknown after "+span(t.HeartbeatMS)+" of silence")
	}
	if t.StallMS > 0 {
		all = append(all, "stalled after "+span(t.StallMS)+" of silence at work")
	}
	return all
}

// heldText says by what all processes of the agent are found, heldTitle what that means.
func heldText(a *wire.Agent) string {
	switch a.Containment {
	case wire.ContainedByCgroup:
		return "in a cgroup"
	case wire.ContainedByMarks:
		return "by marks"
	}
	return words.None
}

func heldTitle(a *wire.Agent) string {
	switch a.Containment {
	case wire.ContainedByCgroup:
		return "It runs in its own cgroup, so a stop finds every process that it started"
	case wire.ContainedByMarks:
		return "No cgroup could be created, so the processes that it started are found by marks that they inherit, and by their parents. skein doctor says why"
	}
	return ""
}

// folderNote says what the folder of an agent is.
func folderNote(f *wire.Folder) string {
	switch {
	case f == nil || f.Mode != wire.FolderWorktree:
		return ""
	case f.State == wire.FolderRemoved:
		return "a git worktree, which is gone"
	case f.State == wire.FolderKept:
		return "a git worktree on " + words.Clean(f.Branch) + ", kept because it has work"
	}
	return "a git worktree on " + words.Clean(f.Branch)
}

// pidText is the pid of its leader, and how many processes it has besides.
func pidText(a *wire.Agent) string {
	if a.Process == nil || a.Process.PID == 0 {
		return words.None
	}
	s := strconv.Itoa(a.Process.PID)
	if n := a.Usage.Processes; n > 1 {
		s += " +" + strconv.Itoa(n-1)
	}
	return s
}

func exitFact(a *wire.Agent) string {
	switch {
	case a.Exit == nil:
		return words.None
	case a.Exit.Signal != "":
		return a.Exit.Signal
	}
	return strconv.Itoa(a.Exit.Code)
}
