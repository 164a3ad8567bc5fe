package fleet

import (
	"maps"

	"skein.dev/skein/webtransport/wire"
)

// Hook has the functions that are called in the life of every agent. Any of them may be nil. None may wait for the agent.
type Hook struct {
	Env      func(a wire.Agent) map[string]string // it starts: what to add to its environment
	Started  func(a wire.Agent)                   // its process runs
	Activity func(id wire.AgentID, act wire.Activity)
	Stopping func(id wire.AgentID)
	Spent    func(a wire.Agent, more wire.Spent) // its model has used more, which its record has
	Exited   func(a wire.Agent, exit wire.Exit)  // its process ended; another may follow. Its record is not that of an ended one yet
}

// Hooks are called in their order.
type Hooks []Hook

func (hs Hooks) env(a wire.Agent) map[string]string {
	all := map[string]string{}
	for _, h := range hs {
		if h.Env != nil {
			maps.Copy(all, h.Env(a))
		}
	}
	return all
}

func (hs Hooks) started(a wire.Agent) {
	for _, h := range hs {
		if h.Started != nil {
			h.Started(a)
		}
	}
}

func (hs Hooks) activity(id wire.AgentID, act wire.Activity) {
	for _, h := range hs {
		if h.Activity != nil {
			h.Activity(id, act)
		}
	}
}

func (hs Hooks) stopping(id wire.AgentID) {
	for _, h := range hs {
		if h.Stopping != nil {
			h.Stopping(id)
		}
	}
}

func (hs Hooks) spent(a wire.Agent, more wire.Spent) {
	for _, h := range hs {
		if h.Spent != nil {
			h.Spent(a, more)
		}
	}
}

func (hs Hooks) exited(a wire.Agent, exit wire.Exit) {
	for _, h := range hs {
		if h.Exited != nil {
			h.Exited(a, exit)
		}
	}
}
