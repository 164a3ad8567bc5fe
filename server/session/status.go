package session

import (
	"context"
	"slices"
	"time"

	"skein.dev/skein/server/fleet"
	"skein.dev/skein/webtransport/wire"
)

const (
	SnapshotPart   = 200                    // agents in one part of a snapshot
	updateInterval = 250 * time.Millisecond // between two status.update messages
)

// statusLane sends the fleet to one client.
type statusLane struct {
	c      *conn
	l      *lane
	resync chan *wire.Message // requests for a snapshot

	// owned by run
	seq     uint64                // the seq of the last datagram
	since   uint64                // the last change that was sent to the client
	pending map[uint32]wire.Agent // agents whose full record is due, by number; bounded by the number of agents
	removed []wire.AgentID
	updated time.Time
}

// serveStatus opens the status lane and keeps the client up to date. Values that change often go as datagrams, and only the
// latest; the rest goes as messages. It is the session's only writer of both.
func (c *conn) serveStatus() {
	str, err := c.sess.OpenStream(c.ctx)
	if err != nil {
		return
	}
	c.s.Metrics.Streams.Inc()
	defer c.s.Metrics.Streams.Dec()
	str.SetClass(uint8(wire.LaneStatus.Class()))
	shaped, use := c.shapers.shape(c.ctx, wire.LaneStatus, str)
	defer use.closed()
	l := c.newLane(shaped)
	if err := l.send(wire.Header{Lane: wire.LaneStatus}); err != nil {
		return
	}
	s := &statusLane{c: c, l: l, resync: make(chan *wire.Message, 4), pending: map[uint32]wire.Agent{}}
	c.lanes.Go(func() { l.serve(s.requests) })
	s.run()
}

// run sends until the session ends.
func (s *statusLane) run() {
	c, err := s.c, s.snapshot()
	if err != nil {
		return
	}
	for {
		var due <-chan time.Time
		if len(s.pending)+len(s.removed) > 0 {
			due = time.After(time.Until(s.updated.Add(updateInterval)))
		}
		select {
		case <-c.ctx.Done():
			return
		case <-s.resync:
			err = s.again()
		case <-c.s.agents.changed(s.since):
			err = s.refresh()
		case <-due:
			err = s.update()
		}
		if err != nil {
			return
		}
	}
}

// requests handles the only request of the status lane. Excess requests are merged into one.
func (s *statusLane) requests(_ context.Context, _ *lane, m *wire.Message) (any, error) {
	if m.Method != wire.MethodResync {
		return nil, wire.Errorf(wire.CodeMethodNotFound, "the status lane takes %s only", wire.MethodResync)
	}
	select {
	case s.resync <- m:
	default:
	}
	return struct{}{}, nil
}

// again answers all pending requests for a snapshot with one.
func (s *statusLane) again() error {
	for len(s.resync) > 0 {
		<-s.resync
	}
	return s.snapshot()
}

// snapshot sends the whole fleet. It reads the position first and then the state, so that a change in between is sent again.
func (s *statusLane) snapshot() error {
	s.since = s.c.s.Plane.Change()
	agents := s.c.s.Plane.List(wire.Filter{}).Agents
	parts := wire.Pages(agents, s.c.s.SnapshotPart)
	if len(parts) == 0 {
		parts = [][]wire.Agent{{}}
	}
	for i, agents := range parts {
		part := wire.Snapshot{Seq: s.seq, Part: i, Parts: len(parts), Agents: agents, Epoch: s.c.s.Plane.Epoch(), Admission: s.c.s.Plane.Admission()}
		if err := s.l.notify(wire.NoteSnapshot, part); err != nil {
			return err
		}
	}
	clear(s.pending)
	s.removed = nil
	return nil
}

// refresh sends the changes since the last call.
func (s *statusLane) refresh() error {
	ch := s.c.s.Plane.Changes(s.since)
	s.since = ch.Now
	for _, a := range ch.Full {
		s.pending[a.Num] = a
	}
	for _, a := range ch.Packed { // a record that is due must be the newest
		if _, ok := s.pending[a.Num]; ok {
			s.pending[a.Num] = a
		}
	}
	s.removed = append(s.removed, ch.Removed...)
	if ch.Admission != nil {
		if err := s.l.notify(wire.NoteUpdate, wire.Update{Admission: ch.Admission}); err != nil {
			return err
		}
	}
	s.datagrams(ch)
	return s.update()
}

// update sends the full records that are due, unless the last ones were sent too recently.
func (s *statusLane) update() error {
	if len(s.pending)+len(s.removed) == 0 || time.Since(s.updated) < updateInterval {
		return nil
	}
	s.updated = time.Now()
	u := wire.Update{Removed: s.removed, Agents: make([]wire.Agent, 0, len(s.pending))}
	for _, a := range s.pending {
		u.Agents = append(u.Agents, a)
	}
	clear(s.pending)
	s.removed = nil
	for _, part := range wire.Pages(u.Agents, s.c.s.SnapshotPart) {
		if err := s.l.notify(wire.NoteUpdate, wire.Update{Agents: part}); err != nil {
			return err
		}
	}
	for part := range slices.Chunk(u.Removed, removedPart) {
		if err := s.l.notify(wire.NoteUpdate, wire.Update{Removed: part}); err != nil {
			return err
		}
	}
	return nil
}

func (s *statusLane) datagrams(ch fleet.Changed) {
	now := time.Now()
	d := wire.StatusDatagram{Epoch: wire.EpochHash(s.c.s.Plane.Epoch())}
	flush := func() {
		if len(d.Records) == 0 {
			return
		}
		s.seq++
		d.Seq = s.seq
		s.c.sess.SendDatagram(d.Append(nil)) // best effort: the client sees the gap and asks for a snapshot
		s.c.s.Metrics.Datagrams.Inc()
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
