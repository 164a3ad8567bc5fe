package ui

import (
	"time"

	"github.com/a-h/templ"

	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// AgentFragment is an agent as a part of a page that is open already: what the page's first render has in its place. t is its
// type, zero when that is no longer configured.
func AgentFragment(as wire.AgentHTML, a *wire.Agent, t wire.AgentType, now time.Time) templ.Component {
	if as == wire.AgentAsPage {
		return agentLive(a, t, now)
	}
	return row(a, words.MostTasks(t), now, 0)
}

// Still is an agent without what its page writes itself, from the record: the cells that change all the time. What is the same
// without them is rendered the same.
func Still(a wire.Agent) wire.Agent {
	a.Usage, a.LastLine, a.LastSeq, a.Rev = wire.Usage{}, "", 0, 0
	if a.Status != wire.StatusUnknown { // which has been without a heartbeat since the last one
		a.LastHeartbeat = nil
	}
	return a
}

// agentAge is of how long an agent has been there, or how long ago it ended.
func agentAge(a *wire.Agent) templ.Attributes {
	if a.ExitedAt != nil {
		return tick("ago", *a.ExitedAt)
	}
	return tick("span", a.CreatedAt)
}

// badgeTick is of a badge whose text goes on by itself; nil for others.
func badgeTick(b words.Badge) templ.Attributes {
	var a templ.Attributes
	switch {
	case b.Since != nil:
		a = tick("span", *b.Since)
	case b.Until != nil:
		a = tick("left", *b.Until)
		a["data-then"] = words.StartsNow
	default:
		return nil
	}
	a["data-before"] = b.Before
	return a
}
