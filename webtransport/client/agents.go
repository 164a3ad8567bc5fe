package client

import (
	"context"
	"iter"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// Spawn starts agents. A single agent that could not be started is an error; of a batch, see SpawnResult.Failed. Where the
// records of a batch do not fit into one message, they are Trimmed: Get has the rest of each.
func (c *Client) Spawn(ctx context.Context, p wire.SpawnParams) (*wire.SpawnResult, error) {
	var r wire.SpawnResult
	return &r, c.calls.do(ctx, wire.MethodSpawn, p, &r)
}

// List gives the agents that match, newest first, however many messages they take: all, or f.Limit. Next is where another
// list goes on. An agent that comes while the pages are read is not among them.
func (c *Client) List(ctx context.Context, f wire.Filter) (*wire.ListResult, error) {
	var all wire.ListResult
	err := pages(f.Limit, func(limit int) (int, bool, error) {
		r := wire.ListResult{}
		f.Limit = limit
		err := c.calls.do(ctx, wire.MethodList, f, &r)
		if all.Agents == nil {
			all = r
		} else {
			all.Agents, all.Next = append(all.Agents, r.Agents...), r.Next
		}
		f.After = r.Next
		return len(r.Agents), r.Next != 0, err
	})
	return &all, err
}

// Get finds an agent.
func (c *Client) Get(ctx context.Context, id wire.AgentID) (*wire.Agent, error) {
	var r wire.Agent
	return &r, c.calls.do(ctx, wire.MethodGet, wire.AgentParams{ID: id}, &r)
}

// Types lists the agent types.
func (c *Client) Types(ctx context.Context) (all []wire.AgentType, _ error) {
	var p wire.TypesParams
	err := pages(0, func(int) (int, bool, error) {
		var r wire.TypesResult
		err := c.calls.do(ctx, wire.MethodTypes, p, &r)
		all, p.After = append(all, r.Types...), r.Next
		return len(r.Types), r.Next != "", err
	})
	return all, err
}

// Input writes to an agent's standard input. Inputs of one caller arrive in order.
func (c *Client) Input(ctx context.Context, p wire.InputParams) error {
	return c.calls.do(ctx, wire.MethodInput, p, nil)
}

// Stop ends agents, and reports once they are verified to be gone. Where the reports do not fit into one message, those on
// what did not go well come first, and More says how many are left out.
func (c *Client) Stop(ctx context.Context, p wire.StopParams) (*wire.StopResult, error) {
	var r wire.StopResult
	return &r, c.calls.do(ctx, wire.MethodStop, p, &r)
}

// Network gives what the server knows of the live session's path, and what its lanes moved.
func (c *Client) Network(ctx context.Context) (*wire.Network, error) {
	var r wire.Network
	return &r, c.calls.do(ctx, wire.MethodNetwork, nil, &r)
}

// Ping measures one round trip of a request.
func (c *Client) Ping(ctx context.Context) (time.Duration, error) {
	begin := time.Now()
	err := c.calls.do(ctx, wire.MethodPing, nil, nil)
	return time.Since(begin), err
}

// Watch gives the fleet as it is, and then its changes, as they come and over reconnects. Changes that come while the
// caller works are merged: it sees the latest values. It ends with ctx, or with the Client, whose error is the last.
func (c *Client) Watch(ctx context.Context) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		w := newWatch()
		c.watches.add(w)
		defer c.watches.remove(w)
		c.mu.Lock()
		l := c.link
		c.mu.Unlock()
		if l != nil {
			w.ask(l)
		}
		for {
			select {
			case <-w.news:
				ch, err := w.take()
				if err != nil {
					yield(Change{}, err)
					return
				}
				if !yield(ch, nil) {
					return
				}
			case <-ctx.Done():
				yield(Change{}, ctx.Err())
				return
			case <-c.ctx.Done():
				yield(Change{}, context.Cause(c.ctx))
				return
			}
		}
	}
}
