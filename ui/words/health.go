package words

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// Badge is something about an agent's work or health that a person should see without opening it. The same rules stand
// in static/app/lib/health.js; testdata/health.json holds both.
type Badge struct {
	Kind string // gives its colour: "load", "note", "warn" or "bad"
	Text string
	Href string // "" leads nowhere
}

// Badges are what there is to say beyond an agent's status. most is how many tasks it may have in work; 0: it takes none.
func Badges(a *wire.Agent, most int, now time.Time) []Badge {
	var out []Badge
	add := func(kind, text, href string) { out = append(out, Badge{kind, text, href}) }
	if a.Status.Alive() && a.CrashLoop {
		add("bad", "Crash loop", "")
	}
	if a.Suspended {
		add("warn", "Suspended", "")
	}
	if a.Stalled {
		add("warn", "Stalled"+since(a.StalledSince, now), "")
	}
	if a.Status == wire.StatusUnknown && a.LastHeartbeat != nil {
		add("warn", "No heartbeat"+since(a.LastHeartbeat, now), "")
	}
	if a.RestartAt != nil {
		add("warn", startsAgain(a.RestartAt.Sub(now)), "")
	}
	if text := LoadText(a, most); text != "" {
		href := ""
		if len(a.Tasks) > 0 {
			href = TaskURL(a.Tasks[0])
		}
		add("load", text, href)
	}
	if a.Restarts > 0 {
		add("note", Count(a.Restarts, "restart", "restarts"), "")
	}
	return out
}

// HealthBadges are those about its health; its page tells the others as facts.
func HealthBadges(a *wire.Agent, now time.Time) []Badge {
	return slices.DeleteFunc(Badges(a, 0, now), func(b Badge) bool { return b.Kind == "load" || b.Kind == "note" })
}

// LoadText is what an agent has in work of what it may have, and what it did; "" for one that takes no tasks.
func LoadText(a *wire.Agent, most int) string {
	var parts []string
	if n := len(a.Tasks); a.Status.Alive() && (n > 0 || most > 0) {
		parts = append(parts, strconv.Itoa(n)+" of "+Count(max(n, most), "task", "tasks"))
	}
	if a.Done > 0 {
		parts = append(parts, strconv.Itoa(a.Done)+" done")
	}
	return strings.Join(parts, ", ")
}

// MostTasks is how many tasks one agent of a type may have in work; 0: it takes none. A process that is started for a task
// takes no other.
func MostTasks(t wire.AgentType) int {
	if t.Tasks != wire.TasksLines {
		return 0
	}
	return max(1, t.MaxTasks)
}

// mostOf is MostTasks of every type that takes tasks, by name.
func MostOf(types []wire.AgentType) map[string]int {
	out := map[string]int{}
	for _, t := range types {
		if n := MostTasks(t); n > 0 {
			out[t.Name] = n
		}
	}
	return out
}

func since(t *time.Time, now time.Time) string {
	if t == nil {
		return ""
	}
	return " for " + Span(now.Sub(*t))
}

// startsAgain rounds up: what is still to come is never "0s".
func startsAgain(d time.Duration) string {
	if d <= 0 {
		return "Starts again now"
	}
	return "Starts again in " + Span(d+time.Second-time.Millisecond)
}
