package client

import (
	"context"
	"iter"

	"skein.dev/skein/webtransport/wire"
)

// EventPage reads events of an agent's log without following them: the first behind p.After, or with p.Newest the last.
func (c *Client) EventPage(ctx context.Context, p wire.AgentEventsParams) (*wire.AgentEventsResult, error) {
	var r wire.AgentEventsResult
	return &r, c.calls.do(ctx, wire.MethodAgentEvents, p, &r)
}

// Search finds the lines of an agent's output that have a hit, in the whole log, over as many requests as it takes; p.Limit is
// of each. The error, if there is one, is the last pair.
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

// SearchPage is one request of Search. While its result says More, it goes on behind its Cursor and Offset.
func (c *Client) SearchPage(ctx context.Context, p wire.AgentSearchParams) (*wire.AgentSearchResult, error) {
	var r wire.AgentSearchResult
	return &r, c.calls.do(ctx, wire.MethodAgentSearch, p, &r)
}
