// Package task is the pages of tasks: all of them, and one.
package task

import (
	"cmp"
	"slices"
	"time"

	"github.com/a-h/templ"

	"skein.dev/skein/ui/artifact"
	"skein.dev/skein/ui/frame"
	"skein.dev/skein/ui/preview"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// TaskView is the page of one task.
type TaskView struct {
	frame.Frame
	Task  wire.Task   // whole
	Above []wire.Task // its parents, the topmost first
	Below []Twig      // the tasks below it, at most MaxBelow in all
	Total int         // how many there are below it
	Types []wire.AgentType
	Kept  artifact.Kept // its artifacts
	Asks  []wire.Ask    // what its agents ask about it, the oldest first
	Needs []wire.Task   // those that it depends on, without those that were forgotten
	Graph GraphView     // what depends on what

	tasks []wire.Task // below it, in no order
}

// MaxBelow is how many tasks below one are in the first render.
const MaxBelow = 200

// Twig is a task below another, with those below it.
type Twig struct {
	Task  wire.Task
	Name  string // in its place
	Below []Twig
}

// NewTaskView puts the page of a task together from all tasks that belong to it: it, those above and those below.
func NewTaskView(f frame.Frame, t wire.Task, above, below []wire.Task, types []wire.AgentType) TaskView {
	v := TaskView{Frame: f, Task: t, Above: above, Total: len(below), Types: types, tasks: below}
	byParent := map[wire.TaskID][]wire.Task{}
	for _, b := range below {
		byParent[b.Parent] = append(byParent[b.Parent], b)
	}
	left := MaxBelow
	v.Below = twigs(byParent, t.ID, &left)
	return v
}

// nameOf is the title of a task that this one depends on.
func (v TaskView) nameOf(id wire.TaskID) string {
	if i := slices.IndexFunc(v.Needs, func(t wire.Task) bool { return t.ID == id }); i >= 0 {
		return words.TaskTitle(&v.Needs[i])
	}
	return words.ShortTaskID(id)
}

func twigs(byParent map[wire.TaskID][]wire.Task, parent wire.TaskID, left *int) []Twig {
	kids := byParent[parent]
	slices.SortFunc(kids, func(a, b wire.Task) int { return cmp.Compare(a.Num, b.Num) })
	var out []Twig
	for _, k := range kids {
		if *left == 0 {
			break
		}
		*left--
		out = append(out, Twig{k, words.TaskTitle(&k), twigs(byParent, k.ID, left)})
	}
	return out
}

// resultView is a child's outcome as the page shows it.
type resultView struct {
	Ordinal, Index int
	Task           wire.TaskID
	State          wire.TaskState
	Text           string
}

// results are those of the children that are over, in the order of their completion, without a gap: the result lane goes
// on behind the last.
func (v TaskView) results() []resultView {
	var all []resultView
	for i := range v.tasks {
		t := &v.tasks[i]
		if t.Parent == v.Task.ID && words.Child(t) && t.State.Terminal() && t.Ordinal > 0 {
			all = append(all, resultView{t.Ordinal, *t.Index, t.ID, t.State, words.ResultText(t)})
		}
	}
	slices.SortFunc(all, func(a, b resultView) int { return cmp.Compare(a.Ordinal, b.Ordinal) })
	for i := range all {
		if all[i].Ordinal != i+1 {
			return all[:i]
		}
	}
	return all
}

func lastOrdinal(all []resultView) int {
	if len(all) == 0 {
		return 0
	}
	return all[len(all)-1].Ordinal
}

func noResultsText(t *wire.Task) string {
	if t.State.Terminal() {
		return "No child task ended before this task did."
	}
	return "Results appear here as the child tasks end."
}

func (v TaskView) page() frame.Page {
	return v.Frame.Page(words.TaskTitle(&v.Task), "task.js", "/tasks", false)
}

func resultWord(t *wire.Task) string {
	if t.Orchestration != nil {
		return "Aggregate"
	}
	return "Result"
}

// panelView is what a payload's panel shows.
type panelView struct {
	Part, Word, URL string
	Text, Note      string
	Size            int
	Preview         *preview.Preview // what it is shown as instead of text; nil: as text
	Nothing         string           // for none
	Pending         string           // while it is still to come
	Done            float64
	Ticks           templ.Attributes // of Pending
	Hidden          bool
}

func resultPanel(t *wire.Task, now time.Time) panelView {
	v := panelOf(t, "result", resultWord(t), t.Result)
	v.Nothing = "It gave no output."
	if !t.State.Terminal() {
		v.Pending, v.Done, v.Ticks = words.TaskText(t, now), words.Done(t), countdown(t, now)
	}
	v.Hidden = t.Result == nil && (t.State != wire.TaskWorking || t.Orchestration != nil) // the banner, or the results, say it
	return v
}

func inputPanel(t *wire.Task) panelView {
	v := panelOf(t, "input", "Input", &t.Input)
	v.Nothing = "It has no input."
	v.Hidden = t.Orchestration != nil // its inputs are those of its child tasks
	return v
}
