package main

import (
	"cmp"
	"fmt"
	"strings"

	"skein.dev/skein/webtransport/wire"
)

func stateWord(t *wire.Task) string {
	switch {
	case t.State == wire.TaskInputRequired:
		return "needs you"
	case t.DeadLetter:
		return "failed, dead letter"
	}
	return string(t.State)
}

// stateHue is the colour of a state, as on the pages.
func stateHue(t *wire.Task) hue {
	switch t.State {
	case wire.TaskInputRequired:
		return yellow
	case wire.TaskWorking, wire.TaskCompleted:
		return green
	case wire.TaskFailed, wire.TaskRejected:
		return red
	case wire.TaskCanceled:
		return faint
	}
	return ""
}

// doer says who may do a task.
func doer(s *wire.TaskSpec) string {
	var all []string
	for _, v := range append([]string{s.Type, string(s.Agent)}, s.Capabilities...) {
		if v != "" {
			all = append(all, v)
		}
	}
	return cmp.Or(strings.Join(all, "+"), "-")
}

func attempt(t *wire.Task) string {
	if t.Orchestration != nil {
		return "-"
	}
	return fmt.Sprintf("%d of %d", t.Attempt, max(t.LastTry, t.Attempt))
}

// agentOf names the agent that has, or last had, a task.
func agentOf(t *wire.Task) string {
	if len(t.Runs) == 0 {
		return "-"
	}
	r := t.Runs[len(t.Runs)-1]
	return cmp.Or(r.AgentName, string(r.Agent), "-")
}

// detail is the one thing worth saying about a task, in a line.
func detail(t *wire.Task) string {
	o := t.Orchestration
	switch {
	case t.State == wire.TaskSubmitted && t.Position > 0:
		return fmt.Sprintf("number %d in line: %s", t.Position, t.Waiting)
	case t.State == wire.TaskSubmitted:
		return t.Waiting
	case o != nil && !t.State.Terminal():
		return fmt.Sprintf("%d of %d completed, %d failed", o.Completed, o.Children, o.Failed)
	case !t.State.Terminal() && len(t.Progress) > 0:
		return progressText(t.Progress[len(t.Progress)-1])
	case t.State == wire.TaskCompleted && t.Result != nil:
		return firstLine(*t.Result)
	case t.Failure != "":
		return strings.TrimSuffix(string(t.Failure)+": "+t.Message, ": ")
	}
	return t.Message
}

func progressText(p wire.Progress) string {
	if p.Fraction > 0 {
		return strings.TrimSpace(fmt.Sprintf("%.0f%% %s", 100*p.Fraction, p.Text))
	}
	return p.Text
}

// firstLine is what of a payload fits into a line.
func firstLine(p wire.Payload) string {
	if p.Base64 != nil {
		return fmt.Sprintf("%d bytes", max(p.Size, len(p.Base64)))
	}
	line, _, more := strings.Cut(strings.Trim(p.Text, "\n"), "\n")
	if more || p.Size > 0 {
		line += " …"
	}
	return line
}
