package schedule

import (
	"cmp"
	"errors"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/a-h/templ"

	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// Form is the form that makes or changes a schedule, as it was filled in.
type Form struct {
	ID       wire.ScheduleID // "": a new one
	Revision uint64
	Name     string
	Once     bool // at an instant
	Cron     string
	At       string // of a clock in the zone
	Zone     string
	Overlap  wire.Overlap
	Missed   wire.Missed
	Paused   bool

	Type     string
	Command  string // argv, or further arguments
	Input    string
	Bytes    int // of an input that is no text, and stays as it is
	Priority wire.Priority
	Queue    string
	Attempts string
	Work     string // seconds
	Can      string // capabilities

	Error, Field string
	Preview      *wire.SchedulePreview
}

// atForm is how a browser writes a date and a time.
const atForm = "2006-01-02T15:04:05"

// NewForm is the form of a new schedule.
func NewForm(zone string, types []wire.AgentType) Form {
	f := Form{Cron: "0 9 * * 1-5", Zone: zone, Overlap: wire.OverlapSkip, Missed: wire.MissedSkip, Priority: wire.PriorityNormal}
	for _, t := range takers(types) {
		if f.Type == "" || t.Name == "shell" {
			f.Type = t.Name
		}
	}
	return f
}

// FormOf is the form that changes a schedule.
func FormOf(s *wire.Schedule) Form {
	t := &s.Task
	f := Form{ID: s.ID, Revision: s.Revision, Name: s.Name, Once: s.At != nil, Cron: s.Cron, Zone: s.Zone, Overlap: s.Overlap, Missed: s.Missed, Paused: s.Paused,
		Type: t.Type, Command: words.JoinArgv(append(t.Argv[:len(t.Argv):len(t.Argv)], t.Args...)), Input: t.Input.Text, Bytes: len(t.Input.Base64),
		Priority: cmp.Or(t.Priority, wire.PriorityNormal), Queue: t.Queue, Can: strings.Join(t.Capabilities, " ")}
	if s.At != nil {
		f.At = s.At.In(zoneOf(s)).Format(atForm)
	}
	if t.Retry.Max > 0 {
		f.Attempts = strconv.Itoa(t.Retry.Max)
	}
	if t.Timeouts.RunMS > 0 {
		f.Work = strconv.FormatFloat(float64(t.Timeouts.RunMS)/1000, 'f', -1, 64)
	}
	return f
}

// ParseForm reads the form as it was posted.
func ParseForm(v url.Values) Form {
	revision, _ := strconv.ParseUint(v.Get("revision"), 10, 64)
	size, _ := strconv.Atoi(v.Get("bytes"))
	return Form{Revision: revision, Name: v.Get("name"), Once: v.Get("when") == "once", Cron: v.Get("cron"), At: v.Get("at"), Zone: strings.TrimSpace(v.Get("zone")),
		Overlap: wire.Overlap(v.Get("overlap")), Missed: wire.Missed(v.Get("missed")), Paused: v.Get("paused") != "", Type: v.Get("type"), Command: v.Get("argv"),
		Input: strings.ReplaceAll(v.Get("input"), "\r\n", "\n"), Bytes: size, Priority: wire.Priority(v.Get("priority")), Queue: strings.TrimSpace(v.Get("queue")),
		Attempts: strings.TrimSpace(v.Get("attempts")), Work: strings.TrimSpace(v.Get("work")), Can: v.Get("can")}
}

// Time is when it runs.
func (f *Form) Time() wire.ScheduleTime {
	if f.Once {
		return wire.ScheduleTime{At: f.At, Zone: f.Zone}
	}
	return wire.ScheduleTime{Cron: f.Cron, Zone: f.Zone}
}

func bad(field, text string) error {
	return wire.Errorf(wire.CodeInvalidParams, "%s", text).WithField(field)
}

// Params are what the form asks for. What a form has no field for stays as it is in old, the task until now; nil: it is a new one.
func (f *Form) Params(old *wire.Schedule, types []wire.AgentType) (p wire.ScheduleSetParams, err error) {
	p = wire.ScheduleSetParams{ID: f.ID, Name: f.Name, ScheduleTime: f.Time(), Overlap: f.Overlap, Missed: f.Missed, Paused: f.Paused, IfRevision: f.Revision}
	if old != nil {
		p.Task = old.Task
		if f.Once && old.At != nil && f.At == old.At.In(zoneOf(old)).Format(atForm) && f.Zone == old.Zone {
			p.At = old.At.Format(time.RFC3339Nano) // of an hour that is there twice, it may be the second
		}
	}
	t := &p.Task
	t.Type, t.Priority, t.Queue, t.Capabilities = f.Type, f.Priority, f.Queue, strings.Fields(f.Can)
	if f.Type != "" {
		t.Agent = ""
	}
	argv, err := splitArgv(f.Command)
	if err != nil {
		return p, bad("argv", err.Error())
	}
	t.Argv, t.Args = argv, nil
	for _, at := range types {
		if at.Name == f.Type && len(at.Argv) > 0 {
			t.Argv, t.Args = nil, argv
		}
	}
	if f.Bytes == 0 || f.Input != "" {
		t.Input = wire.NewPayload([]byte(f.Input))
	}
	t.Retry.Max = 0
	if f.Attempts != "" {
		if t.Retry.Max, err = strconv.Atoi(f.Attempts); err != nil || t.Retry.Max < 1 {
			return p, bad("attempts", "attempts is a whole number from 1 on")
		}
	}
	t.Timeouts.RunMS = 0
	if f.Work != "" {
		s, err := strconv.ParseFloat(f.Work, 64)
		if err != nil || !(s >= 0) || s > 1e9 {
			return p, bad("work", "the longest that it may work is a number of seconds")
		}
		t.Timeouts.RunMS = int64(math.Ceil(s * 1000))
	}
	return p, nil
}

// Refused is the form with why it was refused.
func (f Form) Refused(err error) Form {
	e := wire.AsError(err)
	f.Error = words.Sentence(e.Message)
	if e.Data != nil {
		field := strings.TrimPrefix(e.Data.Field, "task.")
		f.Field = cmp.Or(map[string]string{"args": "argv", "no_input": "input", "capabilities": "can", "retry": "attempts", "timeouts": "work"}[field], field)
	}
	return f
}

// places are the fields that have a line for an error.
var places = []string{"name", "cron", "at", "zone", "overlap", "missed", "type", "argv", "input", "priority", "queue", "attempts", "work", "can"}

// placed reports whether the error is shown at its field.
func (f *Form) placed() bool {
	for _, p := range places {
		if p == f.Field {
			return true
		}
	}
	return false
}

func (f *Form) state(name string) templ.Attributes {
	at := templ.Attributes{"aria-describedby": "error-" + name}
	if f.Error != "" && f.Field == name {
		at["aria-invalid"] = "true"
	}
	return at
}

// advanced reports whether the fields that are folded have something.
func (f *Form) advanced() bool {
	return f.Priority != wire.PriorityNormal && f.Priority != "" || f.Queue != "" || f.Attempts != "" || f.Work != "" || f.Can != "" ||
		f.Error != "" && (f.Field == "priority" || f.Field == "queue" || f.Field == "attempts" || f.Field == "work" || f.Field == "can")
}

func (f *Form) action() string {
	if f.ID == "" {
		return "/schedules"
	}
	return URL(f.ID)
}

func (f *Form) title() string {
	if f.ID == "" {
		return "New schedule"
	}
	return "Edit the schedule"
}

func (f *Form) submit() string {
	if f.ID == "" {
		return "Create"
	}
	return "Save"
}

// takers are the types that take tasks.
func takers(types []wire.AgentType) (all []wire.AgentType) {
	for _, t := range types {
		if t.Tasks != wire.TasksNone {
			all = append(all, t)
		}
	}
	return all
}

func typeText(t wire.AgentType) string {
	what := "one agent for many tasks, which come with their input"
	if t.Tasks == wire.TasksProcess {
		what = "a process per run"
	}
	return t.Name + ": " + what
}

// examples are expressions to begin with.
var examples = [][2]string{{"0 9 * * 1-5", "09:00 on working days"}, {"*/15 * * * *", "every 15 minutes"}, {"@hourly", "every hour"}, {"@daily", "at midnight"},
	{"30 8 * * MON", "08:30 on Mondays"}, {"0 6 1 * *", "06:00 on the first of the month"}}

// splitArgv splits a command as a person types it, as parseArgv of the scripts does: at white space, except within '…' and "…". A
// backslash, outside of '…', takes the next character literally; within "…" only \" and \\ are escapes.
func splitArgv(text string) (argv []string, err error) {
	var arg strings.Builder
	some, quote := false, rune(0)
	all := []rune(text)
	for i := 0; i < len(all); i++ {
		switch c := all[i]; {
		case quote != 0 && c == quote:
			quote = 0
		case quote == '"' && c == '\\' && i+1 < len(all) && (all[i+1] == '"' || all[i+1] == '\\'):
			i++
			arg.WriteRune(all[i])
		case quote != 0:
			arg.WriteRune(c)
		case c == '"' || c == '\'':
			quote, some = c, true
		case unicode.IsSpace(c):
			if some {
				argv = append(argv, arg.String())
			}
			arg.Reset()
			some = false
		case c == '\\':
			if i++; i >= len(all) {
				return nil, errors.New("there is nothing after the backslash at the end")
			}
			arg.WriteRune(all[i])
			some = true
		default:
			arg.WriteRune(c)
			some = true
		}
	}
	if quote != 0 {
		return nil, errors.New("the " + string(quote) + " is not closed")
	}
	if some {
		argv = append(argv, arg.String())
	}
	return argv, nil
}
