package task

import (
	"time"

	"github.com/a-h/templ"

	"skein.dev/skein/ui/frame"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// TaskFragment is a task as a part of a page that is open already: what the page's first render has in its place.
func TaskFragment(as wire.TaskHTML, t *wire.Task, now time.Time) templ.Component {
	switch as {
	case wire.TaskAsCard:
		return taskCard(t, now)
	case wire.TaskAsPage:
		return taskLive(t, now)
	case wire.TaskAsTwig:
		return treeItem(t, now, words.TaskTitle(t))
	}
	return taskRow(t, now)
}

// TaskResult is a child's outcome on the page of its orchestration.
func TaskResult(r wire.Result) templ.Component {
	t := wire.Task{State: r.State, Result: r.Output, Failure: r.Failure, Message: r.Message}
	return resultItem(resultView{r.Ordinal, r.Index, r.Task, r.State, words.ResultText(&t)})
}

// ageTick is of a task's age.
func ageTick(t *wire.Task) templ.Attributes {
	if t.EndedAt != nil && t.State.Terminal() {
		return frame.Tick("ago", *t.EndedAt)
	}
	return frame.Tick("span", t.CreatedAt)
}

// countdown is of the words that say when the next attempt follows; nil for others.
func countdown(t *wire.Task, now time.Time) templ.Attributes {
	if t.State != wire.TaskSubmitted || t.NotBefore == nil || t.Position > 0 || !t.NotBefore.After(now) {
		return nil
	}
	then := *t
	then.NotBefore = nil
	a := frame.Tick("left", *t.NotBefore)
	a["data-before"], a["data-then"] = words.FollowsIn(t), words.Waiting(&then, now)
	return a
}
