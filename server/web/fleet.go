package web

import (
	"context"
	"net/http"
	"time"

	"skein.dev/skein/static"
	"skein.dev/skein/ui/agent"
	"skein.dev/skein/ui/fleet"
	"skein.dev/skein/ui/frame"
	"skein.dev/skein/webtransport/wire"
)

// fleetPages serves the pages of the fleet and of its agents.
type fleetPages struct{ *site }

func (s fleetPages) fleetPage(w http.ResponseWriter, r *http.Request) {
	s.page(w, r, http.StatusOK, fleet.Fleet(fleet.FleetView{
		Agents: s.Plane.List(wire.Filter{}).Agents, Types: s.Plane.Types(), Start: s.Start, Filter: fleet.ParseFleetFilter(r.URL.Query()), Keep: s.Plane.Keeps(), KeepFor: s.Plane.KeepsFor(),
		Node: s.Plane.Node(), Version: s.Version, Epoch: s.Plane.Epoch(), Now: time.Now(), Assets: static.URL, Theme: frame.Theme(r),
		Admission: s.Plane.Admission(), Waiting: s.waiting(),
	}))
}

func (s fleetPages) agentPage(w http.ResponseWriter, r *http.Request) {
	id := wire.AgentID(r.PathValue("id"))
	f, at, err := s.Plane.Follow(r.Context(), wire.Header{Lane: wire.LaneAgent, Agent: id, Tail: agent.MaxEvents})
	if err != nil {
		if e := wire.AsError(err); e.Code == wire.CodeNotFound {
			s.refuse(w, r, http.StatusNotFound, "There is no agent "+wire.Cut(string(id), 40)+". If there was one, it was removed, as agents are some time after their end. Its tasks and artifacts stay.")
			return
		}
		s.failed(r, "an agent's page failed", err)
		s.refuse(w, r, http.StatusInternalServerError, "The agent's events could not be read; the server's log says why.")
		return
	}
	asks, err := s.Plane.Asks.List(r.Context(), wire.AskListParams{Agent: id})
	if err != nil {
		return // the client has left
	}
	v := agent.AgentView{
		Agent: at.Agent, Cursor: f.Cursor(), Node: s.Plane.Node(), Version: s.Version, Epoch: at.Epoch, Now: time.Now(),
		Assets: static.URL, Theme: frame.Theme(r), Admission: s.Plane.Admission(), Kept: s.kept(id, ""),
		Waiting: frame.Waiting{Count: asks.Pending, Position: asks.Position}, Asks: asks.Asks,
	}
	// The last events of an agent that has just exited may still be on their way to the log, and a full disk may delay them.
	ctx, cancel := context.WithTimeout(r.Context(), endShown)
	defer cancel()
	for {
		page, err := f.Next(ctx)
		if err != nil {
			break
		}
		v.Events = append(v.Events, page...)
		v.Cursor = f.Cursor()
	}
	v.Earlier = len(v.Events) > 0 && v.Events[0].Seq > at.First
	lifecycle, err := s.Plane.EventPage(r.Context(), wire.AgentEventsParams{ID: id, Which: wire.LifecycleEvents, Newest: true, Limit: agent.MaxLifecycle})
	if err != nil {
		s.failed(r, "an agent's page failed", err)
		s.refuse(w, r, http.StatusInternalServerError, "The agent's events could not be read; the server's log says why.")
		return
	}
	v.Lifecycle, v.EarlierLifecycle = lifecycle.Events, lifecycle.More
	if at.Agent.Kind.Converses() {
		if v.Talk, err = s.Fragments.talk(r.Context(), wire.AgentRenderParams{IDs: []wire.AgentID{id}}); err != nil {
			s.failed(r, "an agent's conversation could not be read", err) // the page has its output
		}
	}
	v.Types = s.Plane.Types()
	for _, t := range v.Types {
		if t.Name == at.Agent.Type {
			v.Type = t
		}
	}
	s.page(w, r, http.StatusOK, agent.AgentPage(v))
}
