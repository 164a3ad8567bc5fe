package agent

import (
	"time"

	"github.com/a-h/templ"

	"skein.dev/skein/ui/fleet"
	"skein.dev/skein/ui/wall"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// AgentFragment is an agent as a part of a page that is open already: what the page's first render has in its place. t is its
// type, zero when that is no longer configured.
func AgentFragment(as wire.AgentHTML, a *wire.Agent, t wire.AgentType, now time.Time) templ.Component {
	switch as {
	case wire.AgentAsPage:
		return agentLive(a, t, now)
	case wire.AgentAsCell:
		return wall.Cell(a)
	}
	return fleet.Row(a, words.MostTasks(t), now, 0)
}

// MomentFragment is an event as the timeline shows it; nil when it does not.
func MomentFragment(e wire.Event, now time.Time) templ.Component {
	m, ok := moment(e)
	if !ok {
		return nil
	}
	return momentItem(m, now)
}
