package words

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// Badge is something about an agent's work or health that a person should see without opening it.
type Badge struct {
	Kind string // gives its colour: "load", "note", "warn" or "bad"
	Text string
	Href string // "" leads nowhere

	// Of a text that goes on by itself: what stands before the time, and since or until when it is counted.
	Before       string
	Since, Until *time.Time
}

// Badges are what there is to say beyond an agent's status. most is how many tasks it may have in work; 0: it takes none.
func Badges(a *wire.Agent, most int, now time.Time) []Badge {
	var out []Badge
	add := func(kind, text, href string) { out = append(out, Badge{Kind: kind, Text: text, Href: href}) }
	since := func(text string, t *time.Time) {
		if t == nil {
			add("warn", text, "")
			return
		}
		text += " for "
		out = append(out, Badge{Kind: "warn", Text: text + Span(now.Sub(*t)), Before: text, Since: t})
	}
	if a.Status.Alive() && a.CrashLoop {
		add("bad", "Crash loop", "")
	}
	switch {
	case a.Frozen():
		add("warn", "Frozen", "")
	case a.Paused != nil:
		add("warn", "Paused", "")
	}
	if a.Suspended && !a.Frozen() {
		add("warn", "Suspended", "")
	}
	if text, kind := progress(a.Progress); text != "" {
		add(kind, text, "")
	}
	if a.Stalled {
		since("Stalled", a.StalledSince)
	}
	if a.Status == wire.StatusUnknown && a.LastHeartbeat != nil {
		since("No heartbeat", a.LastHeartbeat)
	}
	if a.RestartAt != nil {
		out = append(out, Badge{Kind: "warn", Text: startsAgain(a.RestartAt.Sub(now)), Before: "Starts again in ", Until: a.RestartAt})
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

// progress is how far a program in a terminal says that it is.
func progress(p *wire.Progressing) (text, kind string) {
	switch {
	case p == nil || p.Percent < 0 && !p.Failed:
		return "", ""
	case p.Failed && p.Percent < 0:
		return "Failed", "bad"
	case p.Failed:
		return "Failed at " + strconv.Itoa(p.Percent) + " %", "bad"
	}
	return strconv.Itoa(p.Percent) + " %", "progress"
}

// HealthBadges are those about its health; its page tells the others as facts.
func HealthBadges(a *wire.Agent, now time.Time) []Badge {
	return slices.DeleteFunc(Badges(a, 0, now), func(b Badge) bool { return b.Kind == "load" || b.Kind == "note" })
}

// LoadText is what an agent has in work of what it may have, and what it did; "" for one that takes no tasks.
func LoadText(a *wire.Agent, most int) string {
	var parts []string
	if n := len(a.Tasks); a.Status.Alive() && (n > 0 || most > 0) {
		parts = append(parts, strconv.Itoa(n)+" of "+Count(max(n, cmp.Or(a.Concurrency, most)), "task", "tasks"))
	}
	if a.Done > 0 {
		parts = append(parts, strconv.Itoa(a.Done)+" done")
	}
	return strings.Join(parts, ", ")
}

// MostTasks is how many tasks one agent of a type may have in work; 0: it takes none. A process that is started for a task
// takes no other.
func MostTasks(t wire.AgentType) int {
	if !t.Tasks.Shared() {
		return 0
	}
	return max(1, t.MaxTasks)
}

// MostOf is MostTasks of every type that takes tasks, by name.
func MostOf(types []wire.AgentType) map[string]int {
	out := map[string]int{}
	for _, t := range types {
		if n := MostTasks(t); n > 0 {
			out[t.Name] = n
		}
	}
	return out
}

// StartsNow is what an agent's next start says once its time has come.
const StartsNow = "Starts again now"

// startsAgain rounds up: what is still to come is never "0s".
func startsAgain(d time.Duration) string {
	if d <= 0 {
		return StartsNow
	}
	return "Starts again in " + Span(d+time.Second-time.Millisecond)
}
