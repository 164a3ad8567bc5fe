package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"

	"skein.dev/skein/webtransport/wire"
)

// EventOptions say where a sequence of events begins and when it ends.
type EventOptions struct {
	After  uint64 // only events with a greater seq
	Epoch  string // the epoch that After belongs to
	Tail   int    // if After is 0: at most this many old events
	Follow bool   // continue until the agent ends, instead of ending after the events that exist now
	// Attached, if not nil, is called whenever the reader attaches to the agent: at the start and after each reconnect.
	// If Recovered is false, the log does not hold what was read before, and the events start over.
	Attached func(wire.Attached)
}

// Events yields an agent's events in order, across reconnects, without losing or repeating one. Event.Dropped says what
// the log had already dropped before an event. The sequence ends after the last event of an agent that has ended. If
// there is an error, it comes with the last pair.
func (c *Client) Events(ctx context.Context, id wire.AgentID, o EventOptions) iter.Seq2[wire.Event, error] {
	return func(yield func(wire.Event, error) bool) {
		h := wire.Header{Lane: wire.LaneAgent, Agent: id, After: o.After, Epoch: o.Epoch, Tail: o.Tail, Follow: o.Follow}
		for {
			l, err := c.live(ctx)
			if err == nil {
				var done bool
				done, err = l.events(ctx, &h, o, yield)
				if done {
					return
				}
			}
			if err != nil {
				yield(wire.Event{}, err)
				return
			}
		}
	}
}

// events reads one lane. done means that the end was reached or that the caller stopped. If it returns neither done nor
// an error, the session was lost; h has the cursor for the next one.
func (l *link) events(ctx context.Context, h *wire.Header, o EventOptions, yield func(wire.Event, error) bool) (done bool, _ error) {
	str, err := l.open(ctx, *h)
	if err != nil {
		return false, hopeless(ctx, h.Lane, err)
	}
	defer reset(str)
	stop := context.AfterFunc(ctx, func() { reset(str) })
	defer stop()
	r := wire.NewReader(str)
	for {
		line, err := r.Line(wire.MaxLine)
		if err != nil {
			if errors.Is(err, io.EOF) {
				return false, fmt.Errorf("events of %s: the server ended the lane", h.Agent)
			}
			return false, hopeless(ctx, h.Lane, err)
		}
		done, err := take(line, h, o, yield)
		if done || err != nil {
			return done, err
		}
	}
}

// take handles one message of an agent lane.
func take(line []byte, h *wire.Header, o EventOptions, yield func(wire.Event, error) bool) (done bool, err error) {
	var m wire.Message
	if err := json.Unmarshal(line, &m); err != nil {
		return false, fmt.Errorf("events of %s: %w", h.Agent, err)
	}
	switch {
	case m.Error != nil:
		return false, m.Error
	case m.Method == wire.NoteAttached:
		var at wire.Attached
		if err := json.Unmarshal(m.Params, &at); err != nil {
			return false, fmt.Errorf("events of %s: %w", h.Agent, err)
		}
		if !at.Recovered {
			h.After = 0
		}
		h.Epoch, h.Tail = at.Epoch, 0
		if o.Attached != nil {
			o.Attached(at)
		}
	case m.Method == wire.NoteEvents:
		var ev wire.Events
		if err := json.Unmarshal(m.Params, &ev); err != nil {
			return false, fmt.Errorf("events of %s: %w", h.Agent, err)
		}
		for _, e := range ev.Events {
			if e.Seq <= h.After {
				continue
			}
			h.After = e.Seq
			if !yield(e, nil) {
				return true, nil
			}
		}
		h.After = max(h.After, ev.Cursor)
	case m.Method == wire.NoteEnd:
		return true, nil
	}
	return false, nil
}
