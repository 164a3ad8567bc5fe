// Package agent is the page of one agent.
package agent

import (
	"time"

	"skein.dev/skein/ui/artifact"
	"skein.dev/skein/ui/frame"
	"skein.dev/skein/webtransport/wire"
)

// AgentView is the page of one agent.
type AgentView struct {
	Agent   wire.Agent
	Type    wire.AgentType // zero when the type is no longer configured
	Events  []wire.Event   // the last ones, in order, at most MaxEvents
	Cursor  uint64         // the seq of the last of Events; live events follow after it
	Earlier bool           // there are events before Events

	Lifecycle        []wire.Event // what happened to it, the last of them, in order, at most MaxLifecycle; Events has only those among its output
	EarlierLifecycle bool         // there are some before Lifecycle

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
