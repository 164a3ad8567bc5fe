package client

import (
	"context"
	"iter"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// Spawn starts agents. If a single agent can't be started, that is an error; for a batch, see SpawnResult.Failed. If the
// records of a batch do not fit into one message, they are Trimmed, and Get returns the whole record.
func (c *Client) Spawn(ctx context.Context, p wire.SpawnParams) (*wire.SpawnResult, error) {
	var r wire.SpawnResult
	return &r, c.calls.do(ctx, wire.MethodSpawn, p, &r)
}

// List returns the matching agents, newest first: f.Limit of them, or all if it is 0. It sends as many requests as that
// takes. Agents that start in the meantime are not included. Next is where another List can continue.
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

// Get returns an agent's record.
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

// Input writes to an agent's standard input. The inputs of one caller arrive in order.
func (c *Client) Input(ctx context.Context, p wire.InputParams) error {
	return c.calls.do(ctx, wire.MethodInput, p, nil)
}

// Drop drops a prompt that waits for its turn at an agent, and returns its text.
func (c *Client) Drop(ctx context.Context, p wire.DropParams) (*wire.DropResult, error) {
	var r wire.DropResult
	return &r, c.calls.do(ctx, wire.MethodDrop, p, &r)
}

// Options returns what can be chosen for the conversation with an agent, and its commands.
func (c *Client) Options(ctx context.Context, id wire.AgentID) (*wire.OptionsResult, error) {
	var r wire.OptionsResult
	return &r, c.calls.do(ctx, wire.MethodOptions, wire.AgentParams{ID: id}, &r)
}

// Configure sets an option of an agent, and returns what it offers then.
func (c *Client) Configure(ctx context.Context, p wire.ConfigureParams) (*wire.OptionsResult, error) {
	var r wire.OptionsResult
	return &r, c.calls.do(ctx, wire.MethodConfigure, p, &r)
}

// Sessions returns a page of the conversations that an agent can go on with.
func (c *Client) Sessions(ctx context.Context, p wire.SessionsParams) (*wire.SessionsResult, error) {
	var r wire.SessionsResult
	return &r, c.calls.do(ctx, wire.MethodSessions, p, &r)
}

// Pause keeps agents from getting prompts and tasks, and Resume lets them go on. The reports are in the order of the ids.
func (c *Client) Pause(ctx context.Context, p wire.PauseParams) (*wire.PauseResult, error) {
	var r wire.PauseResult
	return &r, c.calls.do(ctx, wire.MethodPause, p, &r)
}

// Resume lets paused agents go on.
func (c *Client) Resume(ctx context.Context, p wire.ResumeParams) (*wire.PauseResult, error) {
	var r wire.PauseResult
	return &r, c.calls.do(ctx, wire.MethodGoOn, p, &r)
}

// Restart ends the process of an agent and starts another one in its place. In place of an agent that has ended, one like it is spawned.
func (c *Client) Restart(ctx context.Context, p wire.RestartParams) (*wire.RestartResult, error) {
	var r wire.RestartResult
	return &r, c.calls.do(ctx, wire.MethodRestart, p, &r)
}

// Remove removes agents that have ended. The reports are in the order of the ids.
func (c *Client) Remove(ctx context.Context, p wire.RemoveParams) (*wire.RemoveResult, error) {
	var r wire.RemoveResult
	return &r, c.calls.do(ctx, wire.MethodRemove, p, &r)
}

// Summarize sets what an agent says of what it does, and returns the line that is shown.
func (c *Client) Summarize(ctx context.Context, p wire.SummaryParams) (*wire.SummaryResult, error) {
	var r wire.SummaryResult
	return &r, c.calls.do(ctx, wire.MethodSummary, p, &r)
}

// Usage returns what agents have spent, by day and type.
func (c *Client) Usage(ctx context.Context, p wire.UsageParams) (*wire.UsageResult, error) {
	var r wire.UsageResult
	return &r, c.calls.do(ctx, wire.MethodUsage, p, &r)
}

// Changes returns what an agent has changed in its folder since it began.
func (c *Client) Changes(ctx context.Context, p wire.ChangesParams) (*wire.Changes, error) {
	var r wire.Changes
	return &r, c.calls.do(ctx, wire.MethodChanges, p, &r)
}

// Diff returns how an agent has changed a file.
func (c *Client) Diff(ctx context.Context, p wire.DiffParams) (*wire.Diff, error) {
	var r wire.Diff
	return &r, c.calls.do(ctx, wire.MethodDiff, p, &r)
}

// Commit commits what an agent has changed and not committed itself.
func (c *Client) Commit(ctx context.Context, p wire.CommitParams) (*wire.CommitResult, error) {
	var r wire.CommitResult
	return &r, c.calls.do(ctx, wire.MethodCommit, p, &r)
}

// Discard undoes what an agent has changed in its worktree.
func (c *Client) Discard(ctx context.Context, p wire.DiscardParams) (*wire.DiscardResult, error) {
	var r wire.DiscardResult
	return &r, c.calls.do(ctx, wire.MethodDiscard, p, &r)
}

// Asks returns the questions of agents that wait, and, with p.All, those that have ended. With p.Since it waits for a change.
func (c *Client) Asks(ctx context.Context, p wire.AskListParams) (*wire.AskListResult, error) {
	var r wire.AskListResult
	return &r, c.calls.do(ctx, wire.MethodAskList, p, &r)
}

// Ask returns a question.
func (c *Client) Ask(ctx context.Context, id wire.AskID) (*wire.Ask, error) {
	var r wire.Ask
	return &r, c.calls.do(ctx, wire.MethodAskGet, wire.AskParams{ID: id}, &r)
}

// Answer answers a question. p.Prompt is that of the question as the person saw it; the error has CodeConflict if it is another one by
// now, or was answered.
func (c *Client) Answer(ctx context.Context, p wire.AskAnswerParams) (*wire.Ask, error) {
	var r wire.Ask
	return &r, c.calls.do(ctx, wire.MethodAskAnswer, p, &r)
}

// Stop ends agents and returns a report when they are verified to be gone. If the report does not fit into one message,
// the failures come first, and More is how many entries were left out.
func (c *Client) Stop(ctx context.Context, p wire.StopParams) (*wire.StopResult, error) {
	var r wire.StopResult
	return &r, c.calls.do(ctx, wire.MethodStop, p, &r)
}

// Network returns what the server knows of the live session's path, and what was sent on its lanes.
func (c *Client) Network(ctx context.Context) (*wire.Network, error) {
	var r wire.Network
	return &r, c.calls.do(ctx, wire.MethodNetwork, nil, &r)
}

// Ping returns the round-trip time of a request.
func (c *Client) Ping(ctx context.Context) (time.Duration, error) {
	begin := time.Now()
	err := c.calls.do(ctx, wire.MethodPing, nil, nil)
	return time.Since(begin), err
}

// Watch yields the whole fleet and then its changes as they arrive, across reconnects. Changes that arrive while the
// caller is busy are merged, so that it sees the latest values. The sequence ends with an error when ctx ends or the
// Client fails.
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
