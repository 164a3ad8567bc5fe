package client

import (
	"context"
	"iter"

	"skein.dev/skein/webtransport/wire"
)

// EventPage returns events of an agent's log without following it: the first ones after p.After, or with p.Newest the
// last ones.
func (c *Client) EventPage(ctx context.Context, p wire.AgentEventsParams) (*wire.AgentEventsResult, error) {
	var r wire.AgentEventsResult
	return &r, c.calls.do(ctx, wire.MethodAgentEvents, p, &r)
}

// Search yields the lines of an agent's output that match, in the whole log. It sends as many requests as that takes;
// p.Limit applies to each of them. If there is an error, it comes with the last pair.
func (c *Client) Search(ctx context.Context, p wire.AgentSearchParams) iter.Seq2[wire.Match, error] {
	return func(yield func(wire.Match, error) bool) {
		for {
			r, err := c.SearchPage(ctx, p)
			if err != nil {
				yield(wire.Match{}, err)
				return
			}
			for _, m := range r.Matches {
				if !yield(m, nil) {
					return
				}
			}
			if !r.More {
				return
			}
			p.After, p.Offset = r.Cursor, r.Offset
		}
	}
}

// SearchPage sends one request of a Search. If its result says More, the next request continues at its Cursor and Offset.
func (c *Client) SearchPage(ctx context.Context, p wire.AgentSearchParams) (*wire.AgentSearchResult, error) {
	var r wire.AgentSearchResult
	return &r, c.calls.do(ctx, wire.MethodAgentSearch, p, &r)
}

// SearchAll yields the lines of all agents' output that match, from the newest back. It sends as many requests as that takes, so
// those who want a few leave the loop. Of one event, which is some output that was read at once, they are the last p.Limit. If there
// is an error, it comes with the last pair.
func (c *Client) SearchAll(ctx context.Context, p wire.LogSearchParams) iter.Seq2[wire.LogMatch, error] {
	return func(yield func(wire.LogMatch, error) bool) {
		for {
			r, err := c.SearchAllPage(ctx, p)
			if err != nil {
				yield(wire.LogMatch{}, err)
				return
			}
			for _, m := range r.Matches {
				if !yield(m, nil) {
					return
				}
			}
			if !r.More {
				return
			}
			p.Before = r.Before
		}
	}
}

// SearchAllPage sends one request of a SearchAll. If its result says More, the next request continues at its Before.
func (c *Client) SearchAllPage(ctx context.Context, p wire.LogSearchParams) (*wire.LogSearchResult, error) {
	var r wire.LogSearchResult
	return &r, c.calls.do(ctx, wire.MethodLogSearch, p, &r)
}

// FleetAt returns the agents that were alive at a time, as they were.
func (c *Client) FleetAt(ctx context.Context, p wire.FleetAtParams) (*wire.FleetAtResult, error) {
	var r wire.FleetAtResult
	return &r, c.calls.do(ctx, wire.MethodFleetAt, p, &r)
}
