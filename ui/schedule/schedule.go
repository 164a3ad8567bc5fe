// Package schedule is the pages of schedules: all of them, one of them, and the form that makes and changes one.
package schedule

import (
	"cmp"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"skein.dev/skein/ui/frame"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// MaxShown is how many schedules the page of all shows.
const MaxShown = 500

// ListView is the page of all schedules.
type ListView struct {
	frame.Frame
	Schedules []wire.Schedule
	Total     int
	Position  string // of the list, from which the page follows on
}

func (v ListView) page() frame.Page {
	return v.Frame.Page("Schedules", "schedules.js", "/schedules", true)
}

// OneView is the page of one schedule.
type OneView struct {
	frame.Frame
	Schedule wire.Schedule
	Position string
	Deleting bool
	Form     *Form // nil: it is not changed
	Types    []wire.AgentType
}

func (v OneView) page() frame.Page {
	return v.Frame.Page(words.Clean(v.Schedule.Name), "schedules.js", "/schedules", false)
}

// NewView is the page of the form for a new schedule.
type NewView struct {
	frame.Frame
	Form  Form
	Types []wire.AgentType
}

func (v NewView) page() frame.Page {
	return v.Frame.Page("New schedule", "schedules.js", "/schedules", false)
}

// Live is what changes on the page of all: the parts that its script replaces by their ids.
func Live(v ListView) templ.Component { return parts(v) }

// LiveOne is what changes on the page of one.
func LiveOne(v OneView) templ.Component { return liveOne(v) }

// Preview is when a schedule would run, as the form shows it.
func Preview(p *wire.SchedulePreview, now time.Time) templ.Component { return preview(p, now) }

// URL is the page of a schedule.
func URL(id wire.ScheduleID) string { return "/schedules/" + url.PathEscape(string(id)) }

// state is what a schedule does: wait for its next run, nothing any more, or nothing for now.
func state(s *wire.Schedule) string {
	switch {
	case s.Fault != "":
		return "fault"
	case s.Paused:
		return "paused"
	case len(s.Next) == 0 && s.Waiting == nil:
		return "over"
	}
	return "active"
}

// stateWord is "" for one that is active.
func stateWord(s *wire.Schedule) string {
	return map[string]string{"fault": "can't run", "paused": "paused", "over": "over"}[state(s)]
}

// zoneOf is the time zone in which times of a schedule are shown.
func zoneOf(s *wire.Schedule) *time.Location {
	if loc, err := time.LoadLocation(s.Zone); err == nil {
		return loc
	}
	return time.UTC
}

// moment writes an instant as a clock in the schedule's time zone shows it.
func moment(t time.Time, zone *time.Location) string {
	t = t.In(zone)
	form := "Mon 2 Jan 2006, 15:04"
	if t.Second() != 0 {
		form += ":05"
	}
	name, _ := t.Zone()
	if strings.ContainsAny(name, "+-") || name == "" { // the zone has no letters
		return t.Format(form + " -07:00")
	}
	return t.Format(form + " MST")
}

func when(s *wire.Schedule) string {
	w := s.Words
	if w == "" {
		w = cmp.Or(s.Cron, "once")
	}
	return capital(words.Clean(w))
}

// capital begins with a capital letter.
func capital(s string) string {
	return strings.ToUpper(s[:min(len(s), 1)]) + s[min(len(s), 1):]
}

// summary says how many there are.
func summary(all []wire.Schedule) string {
	if len(all) == 0 {
		return ""
	}
	paused := 0
	for i := range all {
		if all[i].Paused {
			paused++
		}
	}
	text := words.Count(len(all), "schedule", "schedules")
	if paused > 0 {
		text += ", " + strconv.Itoa(paused) + " paused"
	}
	return text
}

// runGlyph is the shape of an outcome.
func runGlyph(r *wire.ScheduleRun) string {
	switch r.Outcome {
	case wire.ScheduleSubmitted:
		return "s-completed"
	case wire.ScheduleFailed:
		return "s-failed"
	}
	return "s-exited"
}

// runWord is an outcome, and how often.
func runWord(r *wire.ScheduleRun) string {
	word := map[wire.ScheduleOutcome]string{wire.ScheduleSubmitted: "Submitted", wire.ScheduleSkipped: "Skipped", wire.ScheduleMissed: "Missed", wire.ScheduleFailed: "Refused"}[r.Outcome]
	switch {
	case r.Count >= wire.MaxMissed:
		return word + " " + strconv.Itoa(r.Count) + " times or more"
	case r.Count > 1:
		return word + " " + strconv.Itoa(r.Count) + " times"
	}
	return cmp.Or(word, words.Clean(string(r.Outcome)))
}

// runDetail is why, and who asked for it.
func runDetail(r *wire.ScheduleRun) string {
	var parts []string
	if r.By != "" {
		parts = append(parts, "run by hand, "+words.By(r.By))
	}
	if r.Reason != "" {
		parts = append(parts, words.Clean(r.Reason))
	}
	return words.Sentence(strings.Join(parts, "; "))
}

// lastTask is the state of the task that was submitted last, if this run submitted it.
func lastTask(s *wire.Schedule, r *wire.ScheduleRun) wire.TaskState {
	if r.Outcome == wire.ScheduleSubmitted && r.Task == s.Last {
		return s.State
	}
	return ""
}

// waitingText says what a run waits for; "" if none does.
func waitingText(s *wire.Schedule) string {
	switch w := s.Waiting; {
	case w == nil:
		return ""
	case w.Behind != "":
		return "The run of " + moment(w.Due, zoneOf(s)) + " waits until the task before is over."
	default:
		return "The run of " + moment(w.Due, zoneOf(s)) + " is about to be submitted."
	}
}

func overlapWord(o wire.Overlap) string {
	if o == wire.OverlapQueue {
		return "the next run waits, one at a time"
	}
	return "the next run is left out"
}

func missedWord(m wire.Missed) string {
	if m == wire.MissedOnce {
		return "one run is made up for all"
	}
	return "they are left out"
}

// doer says who does the task.
func doer(t *wire.TaskSpec) string {
	switch {
	case t.Agent != "":
		return "agent " + words.ShortID(t.Agent)
	case t.Type != "":
		return words.Clean(t.Type)
	}
	return "whoever can " + words.Clean(words.List(t.Capabilities))
}

// more are the fields of the task that the page has no line for.
func more(t *wire.TaskSpec) []string {
	var all []string
	add := func(some bool, text string) {
		if some {
			all = append(all, text)
		}
	}
	add(t.Queue != "", "queue "+words.Clean(t.Queue))
	add(t.Priority != "" && t.Priority != wire.PriorityNormal, "priority "+words.Clean(string(t.Priority)))
	add(t.Retry.Max > 0, words.Count(t.Retry.Max, "attempt", "attempts"))
	add(t.Timeouts.RunMS > 0, "works at most "+words.Span(time.Duration(t.Timeouts.RunMS)*time.Millisecond))
	add(t.Timeouts.QueueMS > 0, "waits at most "+words.Span(time.Duration(t.Timeouts.QueueMS)*time.Millisecond))
	add(t.Timeouts.HeartbeatMS > 0, "is silent at most "+words.Span(time.Duration(t.Timeouts.HeartbeatMS)*time.Millisecond))
	add(len(t.Labels) > 0, words.Count(len(t.Labels), "label", "labels"))
	return all
}
