package acp

import (
	"context"
	"encoding/json"

	"skein.dev/skein/webtransport/wire"
)

type listParams struct {
	Cursor string `json:"cursor,omitempty"`
}

type listResult struct {
	Sessions json.RawMessage `json:"sessions"`
	Next     maybe[string]   `json:"nextCursor"`
}

type sessionInfo struct {
	ID        string        `json:"sessionId"`
	Cwd       string        `json:"cwd"`
	Title     maybe[string] `json:"title"`
	UpdatedAt maybe[string] `json:"updatedAt"`
}

// Sessions implements runner.Lister.
func (s *session) Sessions(ctx context.Context, cursor string) (*wire.SessionsResult, error) {
	s.mu.Lock()
	can, id := s.can.list, s.id
	s.mu.Unlock()
	switch {
	case id == "":
		return nil, wire.Errorf(wire.CodePrecondition, "the agent has no session yet: it is starting, or has ended")
	case !can:
		return nil, wire.Errorf(wire.CodePrecondition, "the agent can't list its sessions")
	}
	ctx, cancel := s.within(ctx, configureTimeout)
	defer cancel()
	var r listResult
	if err := s.conn.call(ctx, "session/list", listParams{cursor}, &r); err != nil {
		return nil, wire.Errorf(wire.CodePrecondition, "the agent does not list its sessions: %s", err)
	}
	if len(r.Next.v) > wire.MaxCursor {
		return nil, wire.Errorf(wire.CodeTooLarge, "the agent's word for the next page has %d bytes; %d are allowed", len(r.Next.v), wire.MaxCursor)
	}
	return &wire.SessionsResult{Sessions: sessionInfos(r.Sessions, id), Next: r.Next.v}, nil
}

// sessionInfos reads a list of sessions, as far as there is room.
func sessionInfos(list json.RawMessage, current string) []wire.AgentSession {
	room := offerReader{room: wire.MaxOffers}
	all := []wire.AgentSession{}
	each(list, func(item json.RawMessage) {
		var i sessionInfo
		if json.Unmarshal(item, &i) != nil || i.ID == "" || len(i.ID) > wire.MaxOptionID || len(all) >= wire.MaxSessions {
			return
		}
		one := wire.AgentSession{ID: i.ID, Title: line(i.Title.v, wire.MaxSessionTitle), UpdatedAt: line(i.UpdatedAt.v, 64), Current: i.ID == current}
		if len(i.Cwd) <= 4<<10 {
			one.Cwd = i.Cwd
		}
		if room.fits(one) {
			all = append(all, one)
		}
	})
	return all
}
