package server

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"skein.dev/skein/server/fleet"
	"skein.dev/skein/webtransport/wire"
)

// serveAgent attaches a lane to an agent: it sends the agent's events, and takes input for it. Many attached agents are
// silent for long, so an idle lane has one goroutine, which reads, and a pump that runs when there is something to send.
func (c *conn) serveAgent(l *lane, h wire.Header) {
	f, attached, err := c.s.plane.Follow(c.ctx, h)
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
	c.s.met.Streams.Inc()
	use := c.use(wire.LaneAgent)
	use.streams.Add(1)
	// A fresh goroutine, for this one's stack has grown.
	c.lanes.Go(func() {
		defer c.s.met.Streams.Dec()
		defer use.closed()
		defer c.ended.remove(l)
		// A client that resets the lane no longer wants it; one that ends its side well may go on reading.
		if err := l.serve(c.agentRequests(id)); err != nil {
			if !p.ended.Load() { // else the end, which is written, must still arrive
				l.cancel(lineCode(err))
			}
		} else {
			p.wait()
		}
		p.stop()
	})
	p.kick()
}

// lineCode says what was wrong with a lane's lines.
func lineCode(err error) wire.StreamCode {
	if errors.Is(err, wire.ErrLineTooLong) {
		return wire.StreamTooLarge
	}
	return wire.StreamCanceled
}

// pump sends an agent's events while there are any.
type pump struct {
	l    *lane
	f    *fleet.Follower
	stop func() // no kick comes after it

	state atomic.Int32 // of pumpIdle, pumpRuns, pumpAgain
	ended atomic.Bool  // the end was sent

	over   atomic.Bool                   // the pump ended for good
	waiter atomic.Pointer[chan struct{}] // closed then; few lanes have one
}

// wait waits until the pump has ended, or the session.
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
	pumpRuns  // a goroutine sends
	pumpAgain // and must look once more
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

// send sends what there is. false: the lane is over, and the pump never runs again.
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

// sendBatch sends some of the events that there are, within what the session may hold for a client that does not read. An
// errUnsent is the client's doing.
func (p *pump) sendBatch() (more bool, err error) {
	share := p.l.c.unread.take(laneBatch)
	defer p.l.c.unread.give(share)
	events, err := p.poll(int(laneShare + share))
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
		return c.s.api.Do(c.asker(), m, func() (any, error) {
			return call(m, func(v wire.InputParams) (any, error) {
				if v.ID != "" && v.ID != id {
					return nil, wire.Errorf(wire.CodeInvalidParams, "this lane is agent %s's", id).WithField("id")
				}
				v.ID = id
				return c.s.api.Input(ctx, c.asker().Actor(), v)
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
	c.s.met.Streams.Inc()
	defer c.s.met.Streams.Dec()
	str.SetClass(uint8(wire.LaneStatus.Class()))
	shaped, use := c.shape(wire.LaneStatus, str)
	defer use.closed()
	l := c.newLane(shaped)
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
			err = c.update(l)
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
	parts := wire.Pages(agents, snapshotPart)
	if len(parts) == 0 {
		parts = [][]wire.Agent{{}}
	}
	for i, part := range parts {
		s := wire.Snapshot{Seq: c.status.seq, Part: i, Parts: len(parts), Agents: part, Epoch: c.s.plane.Epoch(), Admission: c.s.plane.Admission()}
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
	if ch.Admission != nil {
		if err := l.notify(wire.NoteUpdate, wire.Update{Admission: ch.Admission}); err != nil {
			return err
		}
	}
	c.datagrams(ch)
	return c.update(l)
}

// update sends the full records that are due, if the last ones are long enough ago.
func (c *conn) update(l *lane) error {
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
	for _, part := range wire.Pages(u.Agents, snapshotPart) {
		if err := l.notify(wire.NoteUpdate, wire.Update{Agents: part}); err != nil {
			return err
		}
	}
	for part := range slices.Chunk(u.Removed, removedPart) {
		if err := l.notify(wire.NoteUpdate, wire.Update{Removed: part}); err != nil {
			return err
		}
	}
	return nil
}

func (c *conn) datagrams(ch fleet.Changed) {
	now := time.Now()
	d := wire.StatusDatagram{Epoch: wire.EpochHash(c.s.plane.Epoch())}
	flush := func() {
		if len(d.Records) == 0 {
			return
		}
		c.status.seq++
		d.Seq = c.status.seq
		c.sess.SendDatagram(d.Append(nil)) // best effort: the client sees the gap and asks for a snapshot
		c.s.met.Datagrams.Inc()
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

// hub wakes the sessions when something changed, StatusInterval apart at the least: one timer for all of them.
type hub struct {
	change func() uint64 // counts changes

	mu   sync.Mutex
	seen uint64
	news chan struct{} // closed and replaced when seen grows
}

func newHub(change func() uint64) *hub {
	return &hub{change: change, news: make(chan struct{})}
}

func (h *hub) run(ctx context.Context) {
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

func (h *hub) look() {
	now := h.change()
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
func (h *hub) changed(since uint64) <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.seen > since {
		return closedChan
	}
	return h.news
}
