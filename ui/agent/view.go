// Package agent is the page of one agent.
package agent

import (
	"time"

	"skein.dev/skein/ui/artifact"
	"skein.dev/skein/ui/frame"
	"skein.dev/skein/ui/transcript"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// AgentView is the page of one agent.
type AgentView struct {
	Agent   wire.Agent
	Type    wire.AgentType   // zero when the type is no longer configured
	Types   []wire.AgentType // all, for the form that spawns one like it
	Events  []wire.Event     // the last ones, in order, at most MaxEvents
	Cursor  uint64           // the seq of the last of Events; live events follow after it
	Earlier bool             // there are events before Events

	Lifecycle        []wire.Event // what happened to it, the last of them, in order, at most MaxLifecycle; Events has only those among its output
	EarlierLifecycle bool         // there are some before Lifecycle

	Talk transcript.View // of one that converses

	Node    wire.NodeID
	Version string
	Epoch   string
	Now     time.Time
	Assets  frame.Assets
	Theme   string

	Admission wire.Admission
	Waiting   frame.Waiting
	Kept      artifact.Kept
	Asks      []wire.Ask // that wait, the oldest first
}

// MaxEvents is how many events an agent's page is rendered with.
const MaxEvents = 500

// MaxLifecycle is how many events of what happened to an agent its page is rendered with.
const MaxLifecycle = 200

func (v AgentView) page() frame.Page {
	return frame.Frame{Node: v.Node, Version: v.Version, Epoch: v.Epoch, Now: v.Now, Assets: v.Assets, Theme: v.Theme, Admission: v.Admission, Waiting: v.Waiting}.Page(v.Agent.Name, "agent.js", "/", false)
}

func pauseWord(a *wire.Agent) string {
	if a.Paused != nil {
		return "Resume"
	}
	return "Pause"
}

// pauseTitle says what the button does. The script freezes a process that is given neither prompts nor tasks, as nothing else would pause it.
func pauseTitle(a *wire.Agent) string {
	switch {
	case a.Frozen():
		return "Its processes go on"
	case a.Paused != nil:
		return "It gets prompts and tasks again"
	case a.Kind == wire.KindExec:
		return "Its processes are stopped until you resume it, and it gets no tasks"
	}
	return "It gets no more prompts and tasks until you resume it; its present turn goes on"
}

// pausedBy says who has paused an agent, and why.
func pausedBy(p *wire.Pause) string {
	text := words.By(p.By)
	if p.Reason != "" {
		text += ": " + words.Clean(p.Reason)
	}
	return text
}
