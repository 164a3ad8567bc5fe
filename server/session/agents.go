package session

import (
	"context"
	"errors"
	"io"
	"sync/atomic"

	"skein.dev/skein/server/fleet"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// serveAgent attaches a lane to an agent: it sends the agent's events, and takes input for it. Most attached agents are
// silent for long times, so an idle lane has only one goroutine, which reads. A pump runs when there is something to send.
func (c *conn) serveAgent(l *lane, h wire.Header) {
	f, attached, err := c.s.Plane.Follow(c.ctx, h)
	if err != nil {
		l.send(wire.NewError(nil, wire.AsError(err)))
		l.end()
		l.drain()
		return
	}
	if err := l.notify(wire.NoteAttached, attached); err != nil {
		l.cancel(lineCode(err))
		return
	}
	p := &pump{l: l, f: f}
	id := h.Agent
	p.stop = f.Notify(p.kick)
	c.s.Metrics.Streams.Inc()
	use := c.shapers.use(wire.LaneAgent)
	use.streams.Add(1)
	// On a new goroutine, because the stack of this one has grown.
	c.lanes.Go(func() {
		defer c.s.Metrics.Streams.Dec()
		defer use.closed()
		defer c.ended.remove(l)
		// A client that resets the lane no longer wants it; one that ends its side properly may still read.
		if err := l.serve(c.agentRequests(id)); err != nil {
			if !p.ended.Load() { // otherwise the end has been written and must still arrive
				l.cancel(lineCode(err))
			}
		} else {
			p.wait()
		}
		p.stop()
	})
	p.kick()
}

// pump sends an agent's events while there are any.
type pump struct {
	l    *lane
	f    *fleet.Follower
	stop func() // no kick happens after it returned

	state atomic.Int32 // pumpIdle, pumpRuns or pumpAgain
	ended atomic.Bool  // the end was sent

	over   atomic.Bool                   // the pump has ended for good
	waiter atomic.Pointer[chan struct{}] // closed when over is set; few lanes have one
}

// wait waits until the pump or the session has ended.
func (p *pump) wait() {
	over := make(chan struct{})
	p.waiter.Store(&over)
	if p.over.Load() {
		return
	}
	select {
	case <-over:
	case <-p.l.c.ctx.Done():
	}
}

const (
	pumpIdle  = iota
	pumpRuns  // a goroutine is sending
	pumpAgain // a goroutine is sending and must check once more
)

// kick makes the pump look for events. It does not wait.
func (p *pump) kick() {
	for {
		switch st := p.state.Load(); {
		case st == pumpIdle && p.state.CompareAndSwap(pumpIdle, pumpRuns):
			p.l.c.lanes.Go(p.run)
			return
		case st == pumpAgain, st == pumpRuns && p.state.CompareAndSwap(pumpRuns, pumpAgain):
			return
		}
	}
}

func (p *pump) run() {
	for {
		p.state.Store(pumpRuns)
		if !p.send() {
			p.over.Store(true)
			if over := p.waiter.Load(); over != nil {
				close(*over)
			}
			return
		}
		if p.state.CompareAndSwap(pumpRuns, pumpIdle) {
			return
		}
	}
}

// send sends the available events. It returns false if the lane has ended, after which the pump never runs again.
func (p *pump) send() bool {
	c := p.l.c
	for {
		more, err := p.sendBatch()
		switch {
		case errors.Is(err, io.EOF):
			p.l.notify(wire.NoteEnd, wire.End{Agent: p.f.Agent(), Cursor: p.f.Cursor()})
			p.ended.Store(true)
			p.l.end()
			return false
		case errors.As(err, new(errUnsent)):
			p.l.cancel(lineCode(err))
			return false
		case err != nil:
			if c.ctx.Err() != nil {
				p.l.cancel(wire.StreamCanceled)
				return false
			}
			c.log.Error("an agent's events could not be read", "agent", p.f.Agent().ID, "err", err)
			p.l.cancel(wire.StreamInternal)
			return false
		case !more:
			return true
		}
	}
}

// sendBatch sends some of the available events, within what the session may hold for a client that does not read. An
// errUnsent is the client's fault.
func (p *pump) sendBatch() (more bool, err error) {
	share := p.l.c.unread.take(LaneBatch)
	defer p.l.c.unread.give(share)
	events, err := p.poll(int(LaneShare + share))
	if err != nil {
		return false, err
	}
	for _, part := range wire.Pages(events, 0) {
		if err := p.l.notify(wire.NoteEvents, wire.Events{Events: part, Cursor: part[len(part)-1].Seq}); err != nil {
			return false, errUnsent{err}
		}
	}
	return len(events) > 0, nil
}

// poll waits for its turn to read.
func (p *pump) poll(limit int) ([]wire.Event, error) {
	c := p.l.c
	select {
	case c.unread.reads <- struct{}{}:
		defer func() { <-c.unread.reads }()
		return p.f.Poll(c.ctx, limit)
	case <-c.ctx.Done():
		return nil, c.ctx.Err()
	}
}

// errUnsent says that a client could not be sent events.
type errUnsent struct{ error }

func (e errUnsent) Unwrap() error { return e.error }

// agentRequests takes input for one agent on its own lane.
func (c *conn) agentRequests(id wire.AgentID) handler {
	return func(ctx context.Context, l *lane, m *wire.Message) (any, error) {
		if m.Method != wire.MethodInput {
			return nil, wire.Errorf(wire.CodeMethodNotFound, "an agent lane takes %s only", wire.MethodInput)
		}
		return c.s.API.Do(c.asker(), m, func() (any, error) {
			return noun.With(m.Params, func(v wire.InputParams) (any, error) {
				if v.ID != "" && v.ID != id {
					return nil, wire.Errorf(wire.CodeInvalidParams, "this lane is agent %s's", id).WithField("id")
				}
				v.ID = id
				return c.s.API.Input(ctx, c.asker().Actor(), v)
			})
		})
	}
}
