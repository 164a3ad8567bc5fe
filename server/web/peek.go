package web

import (
	"context"

	"skein.dev/skein/ui/agent"
	"skein.dev/skein/webtransport/wire"
)

// peek renders the last of what an agent shows: the screen of its terminal, or the end of its output. It is not kept, since it is
// another one each time.
func (f *Fragments) peek(ctx context.Context, id wire.AgentID) (any, error) {
	all := map[wire.AgentID]string{}
	a, err := f.plane.Get(id)
	if err != nil {
		return wire.AgentRenderResult{HTML: all}, nil
	}
	v := agent.PeekView{Agent: a}
	if a.TTY != nil {
		if t, err := f.plane.Terminal(ctx, id); err == nil { // else it has not started yet
			v.Screen = t.Text()
		}
	} else {
		page, err := f.plane.EventPage(ctx, wire.AgentEventsParams{ID: id, Newest: true, Limit: agent.PeekEvents})
		if err != nil {
			return nil, err
		}
		v.Events = page.Events
	}
	if html := f.html(ctx, agent.Peek(v)); html != "" && len(html) <= maxHTML {
		all[id] = html
	}
	return wire.AgentRenderResult{HTML: all}, nil
}
