package words

import (
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"skein.dev/skein/server/screen"
	"skein.dev/skein/webtransport/wire"
)

// The rules in this file stand a second time in static/app/lib/format.js, for the live update. Both are held to
// testdata/format.json.

// None stands where a value does not apply.
const None = "–"

// OneDecimal rounds halves up, as JavaScript does, and drops ".0".
func OneDecimal(x float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(math.Floor(x*10+0.5)/10, 'f', 1, 64), ".0")
}

func Whole(x float64) string { return strconv.FormatFloat(math.Floor(x+0.5), 'f', 0, 64) }

// Bytes writes a size in binary units, with one decimal below 10.
func Bytes(n int64) string {
	if n < 1024 {
		return strconv.FormatInt(max(n, 0), 10) + " B"
	}
	x := float64(n)
	unit := 0
	units := [...]string{"B", "KiB", "MiB", "GiB", "TiB"}
	for x >= 1023.5 && unit < len(units)-1 {
		x /= 1024
		unit++
	}
	if x < 9.95 {
		return OneDecimal(x) + " " + units[unit]
	}
	return Whole(x) + " " + units[unit]
}

// CPU writes cores in use as per cent of one core.
func CPU(cores float64) string {
	p := cores * 100
	switch {
	case !(p > 0):
		return "0%"
	case p < 0.1:
		return "<0.1%"
	case p < 9.95:
		return OneDecimal(p) + "%"
	}
	return Whole(p) + "%"
}

// Span writes how long something took or has lasted, in its two greatest units.
func Span(d time.Duration) string {
	s := int64(d / time.Second)
	switch {
	case s < 1:
		return "0s"
	case s < 60:
		return strconv.FormatInt(s, 10) + "s"
	case s < 3600:
		return strconv.FormatInt(s/60, 10) + "m " + strconv.FormatInt(s%60, 10) + "s"
	case s < 86400:
		return strconv.FormatInt(s/3600, 10) + "h " + strconv.FormatInt(s/60%60, 10) + "m"
	}
	return strconv.FormatInt(s/86400, 10) + "d " + strconv.FormatInt(s/3600%24, 10) + "h"
}

// Ago writes how long ago something was, in its greatest unit.
func Ago(d time.Duration) string {
	s := int64(d / time.Second)
	switch {
	case s < 2:
		return "just now"
	case s < 60:
		return strconv.FormatInt(s, 10) + "s ago"
	case s < 3600:
		return strconv.FormatInt(s/60, 10) + "m ago"
	case s < 86400:
		return strconv.FormatInt(s/3600, 10) + "h ago"
	}
	return strconv.FormatInt(s/86400, 10) + "d ago"
}

// Age is what the Age column says: how long an agent has been there, or how long ago it ended.
func Age(a *wire.Agent, now time.Time) string {
	if a.ExitedAt != nil {
		return Ago(now.Sub(*a.ExitedAt))
	}
	return Span(now.Sub(a.CreatedAt))
}

// State is what an agent's status and reason come to on the page: a word, and with it a shape and a colour. Its values
// are the statuses, and for exited ones the reasons.
func State(a *wire.Agent) string {
	if a.Status == wire.StatusExited && a.Reason != wire.ReasonNone {
		return string(a.Reason)
	}
	return string(a.Status)
}

// StateWord is a state in words.
func StateWord(state string) string {
	if state == "" {
		return None
	}
	return strings.ToUpper(state[:1]) + state[1:]
}

// NeedsYou is what an agent, and its task, that wait for a person are called everywhere. ui/testdata/words.json has the words of
// all states, for both renderings and for the command line.
const NeedsYou = "Needs you"

// ActivityWord is an activity in words.
func ActivityWord(a wire.Activity) string {
	switch a {
	case wire.ActivityIdle:
		return "Idle"
	case wire.ActivityRunning:
		return "Busy"
	case wire.ActivityRequiresAction:
		return NeedsYou
	}
	return None
}

// AgentStoppable reports whether a stop has something to do.
func AgentStoppable(a *wire.Agent) bool {
	return a.Status.Alive() && a.Status != wire.StatusStopping || a.LeftBehind()
}

// Need says why an agent needs a person: "" when it does not.
func Need(a *wire.Agent) string {
	switch {
	case a.Activity == wire.ActivityRequiresAction:
		return "question"
	case a.LeftBehind():
		return "leftovers"
	case a.Status == wire.StatusUnknown || a.Status == wire.StatusLost:
		return "unreachable"
	case a.CrashLoop && a.Status.Alive():
		return "loop"
	case a.Suspended && !a.Frozen():
		return "suspended"
	case a.Stalled:
		return "stalled"
	case a.Reason == wire.ReasonFailed:
		return "failed"
	}
	return ""
}

// The groups of the fleet's list, in their order.
const (
	GroupNeeds    = "needs"    // it waits for a person
	GroupFailing  = "failing"  // it has failed, fails again and again, makes no progress or is out of reach
	GroupWorking  = "working"  // alive, and nothing is wrong
	GroupFinished = "finished" // it ended well
	GroupEnded    = "ended"    // it was stopped
	GroupTasks    = "tasks"    // the process of one task, which belongs to that task
)

// Group is the one group of the fleet's list that an agent belongs to, as long as nobody has dismissed it. A process that was started for
// a task stands among the others only if its task cannot help: while it asks, or if processes of it are left.
func Group(a *wire.Agent) string {
	need := Need(a)
	switch {
	case need == "question":
		return GroupNeeds
	case a.ForTask != "" && need != "leftovers":
		return GroupTasks
	case need != "" || a.RestartAt != nil:
		return GroupFailing
	case a.Status.Alive():
		return GroupWorking
	case a.Reason == wire.ReasonCompleted:
		return GroupFinished
	}
	return GroupEnded
}

// WhyText says what is the matter with an agent that needs a person, or that waits to start again.
func WhyText(a *wire.Agent) string {
	if a.RestartAt != nil && Need(a) == "" {
		return ExitText(a.Exit)
	}
	return NeedText(a)
}

// NeedText says in a sentence what the matter is.
func NeedText(a *wire.Agent) string {
	switch Need(a) {
	case "question":
		if q := Clean(a.Question); q != "" {
			return q
		}
		return "It has not said what it needs."
	case "leftovers":
		left := make([]string, len(a.Exit.Leftovers))
		for i, l := range a.Exit.Leftovers {
			left[i] = Clean(l.String())
		}
		return "These processes could not be ended: " + strings.Join(left, ", ")
	case "unreachable":
		switch {
		case a.Status == wire.StatusUnknown:
			return "It gives no sign of life."
		case a.Exit != nil:
			return ExitText(a.Exit)
		}
		return "It gave no sign of life for too long."
	case "loop":
		if a.Exit != nil {
			return "It fails again and again. " + ExitText(a.Exit)
		}
		return "It fails again and again."
	case "suspended":
		return "A signal stopped its process: it does nothing until it gets SIGCONT."
	case "stalled":
		return "It has a task but shows no sign of work."
	case "failed":
		return ExitText(a.Exit)
	}
	return ""
}

// ExitText says how an agent ended: the code or signal, and what the server adds to it.
func ExitText(e *wire.Exit) string {
	if e == nil {
		return "It failed."
	}
	m := Clean(e.Message)
	switch {
	case e.Signal != "":
		return joinExit("Ended by "+e.Signal, m, "killed by "+e.Signal)
	case e.Code >= 0:
		code := strconv.Itoa(e.Code)
		return joinExit("Exit code "+code, m, "exit status "+code)
	case m != "":
		return strings.ToUpper(m[:1]) + m[1:]
	}
	return "It did not start."
}

// joinExit adds a message, less what it repeats.
func joinExit(head, message, repeated string) string {
	if rest, ok := strings.CutPrefix(message, repeated); ok {
		return head + rest
	}
	if message == "" {
		return head
	}
	return head + ": " + message
}

// Heartbeat is when an agent that should live last showed that it does.
func Heartbeat(a *wire.Agent, now time.Time) string {
	if a.LastHeartbeat == nil || !a.Status.Alive() {
		return None
	}
	return Ago(now.Sub(*a.LastHeartbeat))
}

// ShortID is the part of an id that people read.
func ShortID(id wire.AgentID) string {
	if len(id) > 7 {
		return string(id[:7])
	}
	return string(id)
}

// Clean makes one line of printed text fit for a table cell: no escape sequences, no control characters.
func Clean(s string) string {
	s = screen.Strip(s)
	if !strings.ContainsFunc(s, control) {
		return strings.TrimSpace(s)
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' || r == '\r' {
			return ' '
		}
		if control(r) {
			return -1
		}
		return r
	}, s))
}

func control(r rune) bool { return screen.Unprintable(r) }

// JoinArgv writes argv so that a person can read it back: arguments that need quotes get single ones.
func JoinArgv(argv []string) string {
	out := make([]string, len(argv))
	for i, a := range argv {
		out[i] = quote(a)
	}
	return strings.Join(out, " ")
}

func quote(s string) string {
	if s != "" && !strings.ContainsAny(s, " \t\n\r\"'\\$`|&;<>()*?[]#~!{}") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Count writes a number with its noun.
func Count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

func Iso(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func Clock(t time.Time) string { return t.Format("15:04:05") }

func By(actor string) string {
	if actor = Clean(actor); actor != "" {
		return "by " + actor
	}
	return ""
}

// Sentence makes a message one.
func Sentence(s string) string {
	if s = Upper(s); s == "" || strings.ContainsAny(s[len(s)-1:], ".?!)") {
		return s
	}
	return s + "."
}

// List joins names: a, b and c.
func List(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(slices.Clone(names[:last]), ", ") + " and " + names[last]
}

// AgentURL is the address of an agent's page.
func AgentURL(id wire.AgentID) string { return "/agents/" + url.PathEscape(string(id)) }

// TaskURL is the address of a task's page.
func TaskURL(id wire.TaskID) string { return "/tasks/" + url.PathEscape(string(id)) }

// NeedYou counts agents or tasks that wait for a person.
func NeedYou(n int) string {
	if n == 1 {
		return "1 needs you"
	}
	return strconv.Itoa(n) + " need you"
}

func IsoOrEmpty(t *time.Time) string {
	if t == nil {
		return ""
	}
	return Iso(*t)
}

func WordOr(s string) string {
	if s == "" {
		return None
	}
	return s
}

func MoreText(shown, total int) string {
	return strconv.Itoa(shown) + " of " + strconv.Itoa(total) + " are shown"
}

// When is how long ago something was, or how soon it will be.
func When(t, now time.Time) string {
	if left := t.Sub(now); left > 0 {
		return "in " + Span(left+time.Second-1)
	}
	return Ago(now.Sub(t))
}

// MaxText is how many of a type there may be, behind how many there are.
func MaxText(t wire.AgentType) string {
	if t.MaxInstances == 0 {
		return ""
	}
	return " / " + Whole(float64(t.MaxInstances))
}
