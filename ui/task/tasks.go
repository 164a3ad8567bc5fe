package task

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"skein.dev/skein/ui/frame"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// TasksView is the page of all tasks: the queue, or the board.
type TasksView struct {
	frame.Frame
	Tasks  []wire.Task
	Types  []wire.AgentType
	Filter TaskFilter
}

// TaskFilter is what the tasks page shows, and how. It stands in the page's URL.
type TaskFilter struct {
	Query string // a part of name, id, type, capability, input, message or agent
	Type  string
	State string // a taskChip's Key; "" for all
	Board bool   // by state, in columns
	Parts bool   // with the child tasks of orchestrations that are over
}

// ParseTaskFilter reads the URL of a tasks page. What it does not know it leaves out.
func ParseTaskFilter(q url.Values) TaskFilter {
	f := TaskFilter{Query: strings.TrimSpace(q.Get("q")), Type: q.Get("type"), State: q.Get("state"), Board: q.Get("view") == "board", Parts: q.Get("children") == "all"}
	if !slices.ContainsFunc(TaskChips, func(c TaskChip) bool { return c.Key == f.State }) {
		f.State = ""
	}
	return f
}

// URL is the address of the tasks page with this filter.
func (f TaskFilter) URL() string {
	q := url.Values{}
	for k, v := range map[string]string{"q": f.Query, "type": f.Type, "state": f.State} {
		if v != "" {
			q.Set(k, v)
		}
	}
	if f.Board {
		q.Set("view", "board")
	}
	if f.Parts {
		q.Set("children", "all")
	}
	if len(q) == 0 {
		return "/tasks"
	}
	return "/tasks?" + q.Encode()
}

func (f TaskFilter) withState(s string) TaskFilter { f.State = s; return f }
func (f TaskFilter) withBoard(on bool) TaskFilter  { f.Board = on; return f }
func (f TaskFilter) withParts(on bool) TaskFilter  { f.Parts = on; return f }

// Active reports whether the filter leaves anything out.
func (f TaskFilter) Active() bool { return f.Query != "" || f.Type != "" || f.State != "" }

// deadLetters is the Key of the chip of tasks whose attempts are used up.
const deadLetters = "dead"

// Match reports whether the page shows the task.
func (f TaskFilter) Match(t *wire.Task) bool {
	switch {
	case f.Type != "" && t.Type != f.Type,
		f.State == deadLetters && !t.DeadLetter,
		f.State != "" && f.State != deadLetters && string(t.State) != f.State,
		f.folds(t):
		return false
	case f.Query == "":
		return true
	}
	return strings.Contains(taskWordsOf(t), strings.ToLower(f.Query))
}

// folds reports whether a task is left out because its orchestration stands for it. Whoever looks for something finds it
// all the same.
func (f TaskFilter) folds(t *wire.Task) bool {
	return words.Child(t) && t.State.Terminal() && !f.Parts && f.State == "" && f.Query == ""
}

// taskWordsOf is what of a task a query may meet.
func taskWordsOf(t *wire.Task) string {
	words := []string{t.Name, string(t.ID), t.Type, t.Queue, strings.Join(t.Capabilities, " "), t.Input.Text, words.JoinArgv(append(slices.Clone(t.Argv), t.Args...)), t.Message}
	if n := len(t.Runs); n > 0 {
		words = append(words, t.Runs[n-1].AgentName)
	}
	return strings.ToLower(strings.Join(words, "\n"))
}

// TaskChip is a state that the page can be restricted to.
type TaskChip struct {
	Key, Word, Glyph string
	Always           bool // shown even when no task is in it
	Count            int
}

var TaskChips = []TaskChip{
	{Key: "", Word: "All", Always: true},
	{Key: string(wire.TaskSubmitted), Word: words.TaskWord(wire.TaskSubmitted), Glyph: "pending", Always: true},
	{Key: string(wire.TaskWorking), Word: words.TaskWord(wire.TaskWorking), Glyph: "running", Always: true},
	{Key: string(wire.TaskInputRequired), Word: words.TaskWord(wire.TaskInputRequired), Glyph: "requires_action"},
	{Key: string(wire.TaskCompleted), Word: words.TaskWord(wire.TaskCompleted), Glyph: "completed", Always: true},
	{Key: string(wire.TaskFailed), Word: words.TaskWord(wire.TaskFailed), Glyph: "failed", Always: true},
	{Key: string(wire.TaskCanceled), Word: words.TaskWord(wire.TaskCanceled), Glyph: "stopped"},
	{Key: string(wire.TaskRejected), Word: words.TaskWord(wire.TaskRejected), Glyph: "lost"},
	{Key: deadLetters, Word: "Dead letters", Glyph: "dead"},
}

// chips fills the states in, and says how many child tasks the filter folds away or would.
func (v TasksView) chips() (chips []TaskChip, parts int) {
	n := map[string]int{"": len(v.Tasks)}
	for i := range v.Tasks {
		t := &v.Tasks[i]
		n[string(t.State)]++
		if t.DeadLetter {
			n[deadLetters]++
		}
		if words.Child(t) && t.State.Terminal() {
			parts++
		}
	}
	chips = slices.Clone(TaskChips)
	for i := range chips {
		chips[i].Count = n[chips[i].Key]
	}
	return chips, parts
}

// taskPart is a part of the queue, or a column of the board.
type taskPart struct {
	Key, Title string
	Tasks      []*wire.Task
}

var QueueParts = []taskPart{
	{Key: "input", Title: words.TaskWord(wire.TaskInputRequired)}, {Key: "working", Title: words.TaskWord(wire.TaskWorking)},
	{Key: "waiting", Title: words.TaskWord(wire.TaskSubmitted)}, {Key: "over", Title: "Finished"},
}

func stateColumn(s wire.TaskState) taskPart {
	return taskPart{Key: string(s), Title: words.TaskWord(s)}
}

// BoardColumns are the states, A2A's; the two ways of not being done share one.
var BoardColumns = []taskPart{
	stateColumn(wire.TaskSubmitted), stateColumn(wire.TaskWorking), stateColumn(wire.TaskInputRequired), stateColumn(wire.TaskCompleted), stateColumn(wire.TaskFailed),
	{Key: "canceled", Title: words.TaskWord(wire.TaskCanceled) + ", " + strings.ToLower(words.TaskWord(wire.TaskRejected))},
}

// columnOf is the key of the board's column that a task stands in.
func columnOf(t *wire.Task) string {
	if t.State == wire.TaskRejected {
		return string(wire.TaskCanceled)
	}
	return string(t.State)
}

// arrange gives the tasks that the filter lets through, part by part, each in its order.
func (v TasksView) arrange() []taskPart {
	parts, keyOf := slices.Clone(QueueParts), words.TaskGroup
	if v.Filter.Board {
		parts, keyOf = slices.Clone(BoardColumns), columnOf
	}
	for i := range v.Tasks {
		t := &v.Tasks[i]
		if !v.Filter.Match(t) {
			continue
		}
		p := &parts[slices.IndexFunc(parts, func(p taskPart) bool { return p.Key == keyOf(t) })]
		p.Tasks = append(p.Tasks, t)
	}
	for _, p := range parts {
		slices.SortFunc(p.Tasks, taskOrder)
	}
	return parts
}

// taskOrder orders tasks of one part: those that are over by their end, the newest first; those that wait as they will
// go; others by age.
func taskOrder(a, b *wire.Task) int {
	if a.State.Terminal() && b.State.Terminal() {
		return cmp.Or(endOf(b).Compare(endOf(a)), cmp.Compare(b.Num, a.Num))
	}
	if a.State == wire.TaskSubmitted && b.State == wire.TaskSubmitted {
		if queued := cmp.Compare(min(b.Position, 1), min(a.Position, 1)); queued != 0 { // those that only wait for an agent
			return queued
		}
		if a.Position > 0 {
			return cmp.Or(a.Priority.Rank()-b.Priority.Rank(), cmp.Compare(a.Num, b.Num))
		}
	}
	return cmp.Compare(a.Num, b.Num)
}

func endOf(t *wire.Task) time.Time {
	if t.EndedAt == nil {
		return time.Time{}
	}
	return *t.EndedAt
}

// MaxTasks is how many tasks of a part are in the first render; the script has all of them, and shows more when asked.
const MaxTasks = 100

func (v TasksView) page() frame.Page { return v.Frame.Page("Tasks", "tasks.js", "/tasks", true) }

// takers are the types whose agents take tasks.
func takers(types []wire.AgentType) []wire.AgentType {
	return slices.DeleteFunc(slices.Clone(types), func(t wire.AgentType) bool { return t.Tasks == wire.TasksNone })
}

// capabilitiesOf are what the types can do, each once.
func capabilitiesOf(types []wire.AgentType) []string {
	var all []string
	for _, t := range takers(types) {
		all = append(all, t.Capabilities...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// commanded reports whether a task of the type brings its own command.
func commanded(t wire.AgentType) bool { return t.Tasks == wire.TasksProcess && len(t.Argv) == 0 }

// demo is work that an empty page offers.
type demo struct {
	Word, Detail string
	Type         string // that it needs
	Submit       *wire.TaskSpec
	Orchestrate  *wire.OrchestrateParams
}

var demos = []demo{
	{"Five inputs at once", "Fans five inputs out to agents of the built-in type worker, and puts their results together. Needs nothing installed.", "worker", nil,
		&wire.OrchestrateParams{Name: "five geese", Mode: wire.AggregateAll, Task: wire.TaskSpec{Type: "worker"},
			Inputs: []wire.Payload{{Text: "greylag"}, {Text: "barnacle"}, {Text: "brant"}, {Text: "pink-footed"}, {Text: "snow"}}}},
	{"One task", "A worker is started for it, works for a moment, and gives the input back.", "worker",
		&wire.TaskSpec{Type: "worker", Name: "hello", Input: wire.Payload{Text: "hello"}}, nil},
	{"A command", "A process of its own: the input on standard input, what it prints is the result.", "shell",
		&wire.TaskSpec{Type: "shell", Name: "count words", Argv: []string{"wc", "-w"}, Input: wire.Payload{Text: "how many words are these"}}, nil},
}

func demosFor(types []wire.AgentType) []demo {
	return slices.DeleteFunc(slices.Clone(demos), func(d demo) bool {
		return !slices.ContainsFunc(types, func(t wire.AgentType) bool { return t.Name == d.Type && t.Tasks != wire.TasksNone })
	})
}

// TaskSummary counts what a person looks for first.
func TaskSummary(chips []TaskChip) string {
	n := map[string]int{}
	for _, c := range chips {
		n[c.Key] = c.Count
	}
	if n[""] == 0 {
		return ""
	}
	s := words.Count(n[""], "task", "tasks")
	for _, state := range []wire.TaskState{wire.TaskWorking, wire.TaskSubmitted} {
		if n[string(state)] > 0 {
			s += ", " + strconv.Itoa(n[string(state)]) + " " + strings.ToLower(words.TaskWord(state))
		}
	}
	if needs := n[string(wire.TaskInputRequired)]; needs > 0 {
		s += ", " + words.NeedYou(needs)
	}
	if n[deadLetters] > 0 {
		s += ", " + words.Count(n[deadLetters], "dead letter", "dead letters")
	}
	return s
}
