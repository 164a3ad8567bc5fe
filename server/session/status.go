package session

import (
	"bytes"
	"context"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// SnapshotPart is the number of agents in one part of a snapshot.
const SnapshotPart = 200

// statusLane sends the fleet to one client.
type statusLane struct {
	c      *conn
	l      *lane
	resync chan *wire.Message // requests for a snapshot

	// owned by run
	seq   uint64 // the seq of the last datagram
	last  uint64 // the number of the last round that was sent
	floor uint64 // the client knows all changes until this one
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
	s := &statusLane{c: c, l: l, resync: make(chan *wire.Message, 4)}
	c.lanes.Go(func() { l.serve(s.requests) })
	c.s.board.watch()
	defer c.s.board.unwatch()
	s.run()
}

// run sends until the session ends.
func (s *statusLane) run() {
	err := s.snapshot()
	for err == nil {
		if len(s.resync) > 0 { // even if there is always a further round
			err = s.again()
			continue
		}
		rounds, ok, more := s.c.s.board.after(s.last)
		switch {
		case !ok:
			err = s.catchUp()
			continue
		case len(rounds) > 0:
			err = s.put(rounds...)
			s.last += uint64(len(rounds))
			continue
		}
		select {
		case <-s.c.ctx.Done():
			return
		case <-s.resync:
			err = s.again()
		case <-more:
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
	s.last, s.floor = s.c.s.board.newest(), s.c.s.Plane.Change()
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
	return nil
}

// catchUp sends a client that is far behind the sum of what it missed.
func (s *statusLane) catchUp() error {
	s.last = s.c.s.board.newest()
	return s.put(s.c.s.board.round(s.c.s.Plane.Changes(s.floor), time.Now()))
}

// put sends rounds. Datagrams are best effort: a client sees the gap and asks for a snapshot.
func (s *statusLane) put(rounds ...round) error {
	for _, r := range rounds {
		s.floor = max(s.floor, r.floor)
		for _, d := range r.datagrams {
			s.seq++
			s.c.sess.SendDatagram(wire.StampStatus(bytes.Clone(d), s.seq))
			s.c.s.Metrics.Datagrams.Inc()
		}
		for _, line := range r.lines {
			if err := s.l.sendLine(line); err != nil {
				return err
			}
		}
	}
	return nil
}
