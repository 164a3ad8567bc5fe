package server

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"skein.dev/skein/server/control"
	"skein.dev/skein/webtransport/wire"
)

// serveAgent sends an attached agent's events, and takes input for it.
func (c *conn) serveAgent(l *lane, h wire.Header) {
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	f, attached, err := c.s.plane.Follow(ctx, h)
	if err != nil {
		l.send(wire.NewError(nil, wire.AsError(err)))
		l.str.Close()
		l.str.CancelRead(uint32(wire.StreamCanceled))
		return
	}
	c.lanes.Go(func() {
		// A client that resets the lane no longer wants it; one that ends its side well may go on reading.
		if err := l.serve(c.agentRequests(h.Agent)); err != nil {
			cancel()
		}
	})
	err = l.notify(wire.NoteAttached, attached)
	for err == nil {
		var events []wire.Event
		if events, err = f.Next(ctx); err == nil {
			err = l.notify(wire.NoteEvents, wire.Events{Events: events, Cursor: f.Cursor()})
		}
	}
	switch {
	case errors.Is(err, io.EOF):
		rec, err := c.s.plane.Get(h.Agent)
		if err != nil {
			rec = attached.Agent
		}
		l.notify(wire.NoteEnd, wire.End{Agent: rec, Cursor: f.Cursor()})
		l.str.Close()
		l.str.CancelRead(uint32(wire.StreamCanceled))
	case ctx.Err() != nil:
		l.cancel(wire.StreamCanceled)
	default:
		c.log.Error("an agent's events could not be sent", "agent", h.Agent, "err", err)
		l.cancel(wire.StreamInternal)
	}
}

// agentRequests takes input for one agent on its own lane.
func (c *conn) agentRequests(id wire.AgentID) handler {
	return func(ctx context.Context, l *lane, m *wire.Message) (any, error) {
		if m.Method != wire.MethodInput {
			return nil, wire.Errorf(wire.CodeMethodNotFound, "an agent lane takes %s only", wire.MethodInput)
		}
		return c.once(m, func() (any, error) {
			return call(m, func(v wire.InputParams) (any, error) {
				if v.ID != "" && v.ID != id {
					return nil, wire.Errorf(wire.CodeInvalidParams, "this lane is agent %s's", id).WithField("id")
				}
				v.ID = id
				return c.input(ctx, v)
			})
		})
	}
}

const (
	snapshotPart   = 200                    // agents in one part of a snapshot
	updateInterval = 250 * time.Millisecond // between two status.update messages
)

// status is a session's view of the fleet.
type status struct {
	resync chan *wire.Message // requests for a snapshot

	// owned by serveStatus
	seq     uint64                // of the last datagram
	since   uint64                // the change that the client knows of
	pending map[uint32]wire.Agent // whose full record is due, by number; bounded by the number of agents
	removed []wire.AgentID
	updated time.Time
}

// serveStatus opens the status lane and keeps the client's view fresh: what changes often goes as datagrams, the
// latest value only; the rest as messages. It is the session's one writer of either.
func (c *conn) serveStatus() {
	str, err := c.sess.OpenStream(c.ctx)
	if err != nil {
		return
	}
	c.s.met.streams.Inc()
	defer c.s.met.streams.Dec()
	str.SetClass(uint8(wire.LaneStatus.Class()))
	l := c.newLane(str)
	if err := l.send(wire.Header{Lane: wire.LaneStatus}); err != nil {
		return
	}
	c.lanes.Go(func() { l.serve(c.statusRequests) })
	c.status.pending = map[uint32]wire.Agent{}
	if err := c.snapshot(l); err != nil {
		return
	}
	for {
		var due <-chan time.Time
		if len(c.status.pending)+len(c.status.removed) > 0 {
			due = time.After(time.Until(c.status.updated.Add(updateInterval)))
		}
		select {
		case <-c.ctx.Done():
			return
		case m := <-c.status.resync:
			err = c.resync(l, m)
		case <-c.s.hub.changed(c.status.since):
			err = c.refresh(l)
		case <-due:
			err = c.refresh(l)
		}
		if err != nil {
			return
		}
	}
}

// statusRequests takes the one request that the status lane has. Too many at once are one.
func (c *conn) statusRequests(_ context.Context, _ *lane, m *wire.Message) (any, error) {
	if m.Method != wire.MethodResync {
		return nil, wire.Errorf(wire.CodeMethodNotFound, "the status lane takes %s only", wire.MethodResync)
	}
	select {
	case c.status.resync <- m:
	default:
	}
	return struct{}{}, nil
}

func (c *conn) resync(l *lane, _ *wire.Message) error {
	for len(c.status.resync) > 0 {
		<-c.status.resync
	}
	return c.snapshot(l)
}

// snapshot sends the fleet as it is: position first, then state, so that a change in between comes again.
func (c *conn) snapshot(l *lane) error {
	c.status.since = c.s.plane.Change()
	agents := c.s.plane.List(wire.Filter{}).Agents
	parts := slices.Collect(slices.Chunk(agents, snapshotPart))
	if len(parts) == 0 {
		parts = [][]wire.Agent{{}}
	}
	for i, part := range parts {
		s := wire.Snapshot{Seq: c.status.seq, Part: i, Parts: len(parts), Agents: part, Epoch: c.s.plane.Epoch()}
		if err := l.notify(wire.NoteSnapshot, s); err != nil {
			return err
		}
	}
	clear(c.status.pending)
	c.status.removed = nil
	return nil
}

// refresh sends what changed since the last time.
func (c *conn) refresh(l *lane) error {
	ch := c.s.plane.Changes(c.status.since)
	c.status.since = ch.Now
	for _, a := range ch.Full {
		c.status.pending[a.Num] = a
	}
	for _, a := range ch.Packed { // a due record is the newest one
		if _, ok := c.status.pending[a.Num]; ok {
			c.status.pending[a.Num] = a
		}
	}
	c.status.removed = append(c.status.removed, ch.Removed...)
	c.datagrams(ch)
	if len(c.status.pending)+len(c.status.removed) == 0 || time.Since(c.status.updated) < updateInterval {
		return nil
	}
	c.status.updated = time.Now()
	u := wire.Update{Removed: c.status.removed, Agents: make([]wire.Agent, 0, len(c.status.pending))}
	for _, a := range c.status.pending {
		u.Agents = append(u.Agents, a)
	}
	clear(c.status.pending)
	c.status.removed = nil
	for part := range slices.Chunk(u.Agents, snapshotPart) {
		if err := l.notify(wire.NoteUpdate, wire.Update{Agents: part}); err != nil {
			return err
		}
	}
	if len(u.Removed) > 0 {
		return l.notify(wire.NoteUpdate, wire.Update{Removed: u.Removed})
	}
	return nil
}

func (c *conn) datagrams(ch control.Changed) {
	now := time.Now()
	d := wire.StatusDatagram{Epoch: wire.EpochHash(c.s.plane.Epoch())}
	flush := func() {
		if len(d.Records) == 0 {
			return
		}
		c.status.seq++
		d.Seq = c.status.seq
		c.sess.SendDatagram(d.Append(nil)) // best effort: the client sees the gap and asks for a snapshot
		c.s.met.datagrams.Inc()
		d.Records = d.Records[:0]
	}
	for _, agents := range [][]wire.Agent{ch.Full, ch.Packed} {
		for i := range agents {
			d.Records = append(d.Records, agents[i].StatusRecord(now))
			if len(d.Records) == wire.MaxStatusRecords {
				flush()
			}
		}
	}
	flush()
}

// statusHub wakes the sessions when the fleet changed, StatusInterval apart at the least: one timer for all of them.
type statusHub struct {
	plane *control.Plane

	mu   sync.Mutex
	seen uint64
	news chan struct{} // closed and replaced when seen grows
}

func newStatusHub(p *control.Plane) *statusHub {
	return &statusHub{plane: p, news: make(chan struct{})}
}

func (h *statusHub) run(ctx context.Context) {
	t := time.NewTicker(wire.StatusInterval)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			h.look()
		}
	}
}

func (h *statusHub) look() {
	now := h.plane.Change()
	h.mu.Lock()
	defer h.mu.Unlock()
	if now == h.seen {
		return
	}
	h.seen = now
	close(h.news)
	h.news = make(chan struct{})
}

// changed is closed once there is something newer than since.
func (h *statusHub) changed(since uint64) <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.seen > since {
		return closedChan
	}
	return h.news
}
