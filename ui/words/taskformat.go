package words

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"skein.dev/skein/server/screen"
	"skein.dev/skein/webtransport/wire"
)

// The rules in this file stand a second time in static/app/task/taskformat.js, for the live update. Both are held to
// testdata/tasks.json.

// maxTitle bounds a title that is made from an input, in characters.
const maxTitle = 80

// TaskTitle is what a task is called: by its name, its command, the beginning of its input, or who does it. The children of an
// orchestration share their command, and are told apart by their inputs. A task that has nothing of all this is called by its id.
func TaskTitle(t *wire.Task) string {
	command := ellipsis(Clean(JoinArgv(t.Argv)), maxTitle)
	if Child(t) {
		command = ""
	}
	return cmp.Or(Clean(t.Name), command, payloadLine(&t.Input), ellipsis(Clean(JoinArgv(t.Args)), maxTitle), Clean(t.Type), strings.Join(t.Capabilities, " + "), ShortTaskID(t.ID))
}

// TitledByID reports whether a task is called by its id, which is then not shown again beside its title.
func TitledByID(t *wire.Task) bool { return TaskTitle(t) == ShortTaskID(t.ID) }

// ShortTaskID is the part of an id that people read.
func ShortTaskID(id wire.TaskID) string { return string(id[:min(len(id), 7)]) }

// payloadLine is a payload's first line with something in it, cut to a title's length.
func payloadLine(p *wire.Payload) string {
	for line := range strings.SplitSeq(p.Text, "\n") {
		if line = Clean(line); line != "" {
			return ellipsis(line, maxTitle)
		}
	}
	return ""
}

func ellipsis(s string, limit int) string {
	if r := []rune(s); len(r) > limit {
		return strings.TrimSpace(string(r[:limit-1])) + "…"
	}
	return s
}

// PayloadSize is how many bytes the whole of a payload has.
func PayloadSize(p *wire.Payload) int { return max(p.Size, len(p.Text)+len(p.Base64)) }

// OutputLine says in a line what a payload holds.
func OutputLine(p *wire.Payload) string {
	switch {
	case p == nil || PayloadSize(p) == 0:
		return "No output"
	case p.Base64 != nil:
		return "Binary, " + Bytes(int64(PayloadSize(p)))
	}
	return cmp.Or(payloadLine(p), "Blank lines")
}

var taskWords = map[wire.TaskState]string{
	wire.TaskSubmitted: "Submitted", wire.TaskWorking: "Working", wire.TaskInputRequired: NeedsYou, wire.TaskCompleted: "Completed",
	wire.TaskFailed: "Failed", wire.TaskCanceled: "Canceled", wire.TaskRejected: "Rejected",
}

// TaskWord is a state in words.
func TaskWord(s wire.TaskState) string { return cmp.Or(taskWords[s], None) }

// TaskGlyph is a state's shape.
func TaskGlyph(s wire.TaskState) string {
	switch s {
	case wire.TaskWorking:
		return "running"
	case wire.TaskInputRequired:
		return "requires_action"
	case wire.TaskCanceled:
		return "stopped"
	case wire.TaskRejected:
		return "lost"
	case wire.TaskCompleted, wire.TaskFailed:
		return string(s)
	}
	return "pending"
}

// TaskGroup is the key of the part of the queue that a task stands in: "input", "working", "waiting" or "over".
func TaskGroup(t *wire.Task) string {
	switch {
	case t.State.Terminal():
		return "over"
	case t.State == wire.TaskInputRequired:
		return "input"
	case t.State == wire.TaskWorking:
		return "working"
	}
	return "waiting"
}

// PriorityWord is a priority in words.
func PriorityWord(p wire.Priority) string { return StateWord(string(cmp.Or(p, wire.PriorityNormal))) }

// Doer says who can do a task. An orchestration is done by its child tasks.
func Doer(t *wire.Task) string {
	if t.Orchestration != nil {
		return Count(t.Orchestration.Children, "child task", "child tasks")
	}
	var parts []string
	if t.Type != "" {
		parts = append(parts, t.Type)
	}
	if t.Agent != "" {
		parts = append(parts, ShortID(t.Agent))
	}
	if len(t.Capabilities) > 0 {
		parts = append(parts, strings.Join(t.Capabilities, " + "))
	}
	return cmp.Or(strings.Join(parts, ", "), None)
}

// Attempts says which attempt a task is at, of how many. An orchestration makes none.
func Attempts(t *wire.Task) string {
	switch {
	case t.Orchestration != nil || t.Attempt == 0:
		return None
	case t.LastTry <= t.Attempt && t.Attempt == 1:
		return "1"
	}
	return strconv.Itoa(t.Attempt) + " of " + strconv.Itoa(max(t.LastTry, t.Attempt))
}

// TaskAge is how long a task has been there, or how long ago it ended.
func TaskAge(t *wire.Task, now time.Time) string {
	if t.EndedAt != nil && t.State.Terminal() {
		return Ago(now.Sub(*t.EndedAt))
	}
	return Span(now.Sub(t.CreatedAt))
}

// Waiting says what a submitted task waits for.
func Waiting(t *wire.Task, now time.Time) string {
	if t.NotBefore != nil && t.Position == 0 {
		if left := t.NotBefore.Sub(now); left > 0 {
			return FollowsIn(t) + Span(left+time.Second-1)
		}
	}
	switch w := Clean(t.Waiting); {
	case w == "":
		return "Waiting for an agent"
	case len(t.Asking) > 0: // it says who waits for whom
		return w
	case strings.HasPrefix(w, "for "):
		return "Waiting " + w
	default:
		return "Waiting: " + w
	}
}

// Done is how much of a task in work is done, from 0 to 1; -1: nobody knows.
func Done(t *wire.Task) float64 {
	if t.State.Terminal() {
		return -1
	}
	if o := t.Orchestration; o != nil {
		if o.Children == 0 {
			return -1
		}
		return float64(o.Completed+o.Failed) / float64(o.Children)
	}
	if n := len(t.Progress); n > 0 && t.Progress[n-1].Fraction > 0 && t.State != wire.TaskSubmitted {
		return t.Progress[n-1].Fraction
	}
	return -1
}

// Percent writes a fraction.
func Percent(f float64) string { return Whole(f*100) + "%" }

// Tally counts an orchestration's children.
func Tally(o *wire.Orchestration) string {
	s := strconv.Itoa(o.Completed) + " of " + strconv.Itoa(o.Children) + " completed"
	if o.Failed > 0 {
		s += ", " + strconv.Itoa(o.Failed) + " not"
	}
	return s
}

// TaskText says in a line how a task stands: what it waits for, how far it is, what came out, or why it failed.
func TaskText(t *wire.Task, now time.Time) string {
	switch t.State {
	case wire.TaskSubmitted:
		return Waiting(t, now)
	case wire.TaskInputRequired:
		return cmp.Or(Clean(t.Message), "Its agent has not said what it needs") // a page puts the agent's question there
	case wire.TaskWorking:
		return workText(t)
	case wire.TaskCompleted:
		if t.Orchestration != nil {
			return Tally(t.Orchestration)
		}
		return OutputLine(t.Result)
	}
	return cmp.Or(FailureText(t.Failure, t.Message), TaskWord(t.State))
}

func workText(t *wire.Task) string {
	if t.Orchestration != nil {
		return Tally(t.Orchestration)
	}
	n := len(t.Progress)
	if n == 0 {
		return "At work"
	}
	p := t.Progress[n-1]
	return cmp.Or(ellipsis(Clean(p.Text), 2*maxTitle), Percent(p.Fraction)+" done")
}

// failureWords say what happened, of somebody who is named before.
var failureWords = map[wire.FailureReason]string{
	wire.FailSpawn: "no agent could be started", wire.FailAgentLost: "the agent ended", wire.FailAgentStopped: "the agent was stopped",
	wire.FailServerRestart: "Skein was restarted", wire.FailHeartbeat: "no sign of life came", wire.FailDelivery: "the agent did not take the task",
	wire.FailAgentError: "it reported an error", wire.FailTransient: "it asked for another attempt", wire.FailTemporary: "its exit code asks for another attempt", wire.FailRunTimeout: "it took too long",
	wire.FailProtocol: "it broke the protocol", wire.FailTooLarge: "its result is too large",
	wire.FailQueueTimeout: "it waited too long", wire.FailDependency: "what it depends on did not complete", wire.FailChildren: "its child tasks failed",
}

// Blame says who a failure is put down to, and what happened: "Platform: the agent ended".
func Blame(r wire.FailureReason) string {
	if r == "" {
		return ""
	}
	side := "Agent: "
	switch {
	case r.Platform():
		side = "Platform: "
	case r == wire.FailQueueTimeout || r == wire.FailDependency || r == wire.FailChildren:
		side = "Task: "
	}
	return side + cmp.Or(failureWords[r], string(r))
}

// FailureText is the reason for a person: its message, or what its reason means.
func FailureText(r wire.FailureReason, message string) string {
	m := Clean(message)
	if m == "" {
		return Blame(r)
	}
	return Upper(m)
}

// Upper begins a text with a capital.
func Upper(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return ""
	}
	return string(unicode.ToUpper(first)) + s[size:]
}

// Cancelable reports whether there is something to cancel.
func Cancelable(t *wire.Task) bool { return !t.State.Terminal() }

// Retryable reports whether a task may be given new attempts.
func Retryable(t *wire.Task) bool {
	return t.State.Terminal() && t.State != wire.TaskCompleted && t.Orchestration == nil && t.Index == nil
}

// Child reports whether a task is one of an orchestration's.
func Child(t *wire.Task) bool { return t.Index != nil }

// TaskMoment is an entry of a task's timeline.
type TaskMoment struct {
	Time   time.Time
	Glyph  string
	Title  string
	Blame  string // of a failure
	Detail string
	Agent  wire.AgentID // who did it
	Name   string       // of the agent
	Later  bool         // it is still to come
}

// TaskTimeline is what happened to a task, the newest first.
func TaskTimeline(t *wire.Task) []TaskMoment {
	all := []TaskMoment{{Time: t.CreatedAt, Glyph: "pending", Title: "Submitted", Detail: By(t.Actor)}}
	over := t.State.Terminal()
	for i := range t.Runs {
		r := &t.Runs[i]
		n := strconv.Itoa(r.Attempt)
		all = append(all, TaskMoment{Time: r.StartedAt, Glyph: "starting", Title: "Attempt " + n + " began", Agent: r.Agent, Name: AgentName(r)})
		if r.EndedAt != nil && !(over && i == len(t.Runs)-1) { // the last one's end is the task's
			all = append(all, runEnd(r, n))
		}
	}
	for _, p := range t.Progress {
		all = append(all, progressMoment(p))
	}
	for _, l := range t.Late {
		title := "Late answer of attempt " + strconv.Itoa(l.Attempt)
		if l.Failed {
			title = "Late failure of attempt " + strconv.Itoa(l.Attempt)
		}
		all = append(all, TaskMoment{Time: l.Time, Glyph: "input", Title: title, Detail: ellipsis(Clean(l.Text), maxTitle), Agent: l.Agent, Name: ShortID(l.Agent)})
	}
	if over && t.EndedAt != nil {
		all = append(all, taskEnd(t))
	}
	if t.State == wire.TaskSubmitted && t.NotBefore != nil && t.Position == 0 {
		all = append(all, TaskMoment{Time: *t.NotBefore, Glyph: "pending", Title: "Attempt " + strconv.Itoa(t.Attempt+1) + " follows", Later: true})
	}
	slices.SortStableFunc(all, func(a, b TaskMoment) int { return a.Time.Compare(b.Time) })
	slices.Reverse(all)
	return all
}

func runEnd(r *wire.Run, n string) TaskMoment {
	m := TaskMoment{Time: *r.EndedAt, Glyph: "completed", Title: "Attempt " + n + " ended", Blame: Blame(r.Failure), Detail: Upper(Clean(r.Message))}
	if r.Failure != "" {
		m.Glyph, m.Title = "failed", "Attempt "+n+" failed"
	}
	return m
}

func progressMoment(p wire.Progress) TaskMoment {
	m := TaskMoment{Time: p.Time, Glyph: "running", Title: ellipsis(Clean(p.Text), 2*maxTitle)}
	if p.Fraction > 0 {
		m.Detail = Percent(p.Fraction) + " done"
	}
	if m.Title == "" {
		m.Title, m.Detail = cmp.Or(m.Detail, "At work"), ""
	}
	return m
}

func taskEnd(t *wire.Task) TaskMoment {
	m := TaskMoment{Time: *t.EndedAt, Glyph: TaskGlyph(t.State), Title: TaskWord(t.State), Blame: Blame(t.Failure), Detail: Upper(Clean(t.Message))}
	if t.DeadLetter {
		m.Detail = strings.TrimSpace(Sentence(m.Detail) + " No attempt is left.")
	}
	return m
}

func AgentName(r *wire.Run) string { return cmp.Or(Clean(r.AgentName), ShortID(r.Agent)) }

// Plain is printed text without what a terminal would act on; its lines stay.
func Plain(s string) string {
	s = screen.Strip(s)
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && control(r) {
			return -1
		}
		return r
	}, s)
}

func FollowsIn(t *wire.Task) string { return "Attempt " + strconv.Itoa(t.Attempt+1) + " follows in " }

// PartOf says below which task one is.
func PartOf(t *wire.Task) string {
	switch {
	case t.Parent == "":
		return ""
	case t.Index == nil:
		return "below " + ShortTaskID(t.Parent)
	}
	return "input " + strconv.Itoa(*t.Index+1) + " of " + ShortTaskID(t.Parent)
}

func LastRun(t *wire.Task) wire.Run {
	if n := len(t.Runs); n > 0 {
		return t.Runs[n-1]
	}
	return wire.Run{}
}

// BannerKind says whether a task's page begins with a sentence, and of which kind.
func BannerKind(t *wire.Task) string {
	switch t.State {
	case wire.TaskSubmitted:
		return "waiting"
	case wire.TaskInputRequired:
		return "input"
	case wire.TaskFailed, wire.TaskRejected:
		return "failed"
	case wire.TaskCanceled:
		return "canceled"
	}
	return ""
}

func BannerText(t *wire.Task, now time.Time) string {
	switch BannerKind(t) {
	case "":
		return ""
	case "waiting", "input":
		return TaskText(t, now)
	}
	return cmp.Or(FailureText(t.Failure, t.Message), TaskWord(t.State)+" without a reason")
}

// BannerMore adds who is to blame, and what can be done.
func BannerMore(t *wire.Task) string {
	switch {
	case t.State == wire.TaskSubmitted && t.Position > 0:
		return Ordinal(t.Position) + " in line"
	case t.DeadLetter:
		return Blame(t.Failure) + ". Its attempts are used up; “Retry” gives it new ones."
	case t.State == wire.TaskFailed || t.State == wire.TaskRejected:
		return Blame(t.Failure)
	}
	return ""
}

// Ordinal writes a place: 1st, 2nd, 3rd, 4th.
func Ordinal(n int) string {
	suffix := "th"
	if n%100 < 11 || n%100 > 13 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return Whole(float64(n)) + suffix
}

// ResultText is the beginning of a child's output, or why it has none.
func ResultText(t *wire.Task) string {
	if t.State != wire.TaskCompleted {
		return cmp.Or(FailureText(t.Failure, t.Message), TaskWord(t.State))
	}
	if t.Result == nil || t.Result.Base64 != nil || PayloadSize(t.Result) == 0 {
		return OutputLine(t.Result)
	}
	text := Plain(t.Result.Cut(wire.TaskPreview).Text)
	if PayloadSize(t.Result) > len(t.Result.Text) || len(t.Result.Text) > wire.TaskPreview {
		text += "…"
	}
	return text
}

// AnswerURL is where a person answers what a task waits for: on the page of the agent that asks, or among all questions if several ask.
// It is "" if nothing is asked.
func AnswerURL(t *wire.Task) string {
	switch {
	case t.State == wire.TaskInputRequired:
		return AgentURL(LastRun(t).Agent)
	case t.State != wire.TaskSubmitted || len(t.Asking) == 0:
		return ""
	case len(t.Asking) == 1:
		return AgentURL(t.Asking[0])
	}
	return "/inbox"
}

// AnswerWord says where AnswerURL leads.
func AnswerWord(t *wire.Task) string {
	switch {
	case t.State == wire.TaskInputRequired:
		return "Answer on its agent's page"
	case len(t.Asking) > 1:
		return "Answer in the inbox"
	}
	return "Answer on the agent's page"
}

// Stoppable reports whether there may be a process of a task's own to be stopped with it.
func Stoppable(t *wire.Task) bool {
	return t.State == wire.TaskWorking || t.State == wire.TaskInputRequired
}

// key is the same for the same moment.
func (m TaskMoment) Key() string { return Iso(m.Time) + " " + m.Title }
