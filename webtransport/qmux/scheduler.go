package qmux

import (
	"container/heap"
	"context"
	"fmt"
	"sync"
)

// due is the set of session-wide control frames that the next record carries.
type due uint8

const (
	dueParams due = 1 << iota
	duePong
	duePing
	dueMaxData
	dueMaxStreams
)

// scheduler is what the writer has to send. A peer can't make it grow: due is a set, and control and the queues have each
// open stream at most once. Session.mu guards it.
type scheduler struct {
	work    sync.Cond // signaled when there may be something to write or gone was set
	due     due
	control []*Stream   // streams with a control frame due
	ready   streamQueue // streams with bytes to send and credit of their own
	starved streamQueue // the same, but the connection's credit is used up
	turn    uint64
}

const (
	// maxStreamControl is the most that the control frames of one stream take: a type and up to three integers of 8 bytes
	// each.
	maxStreamControl = 3 * (1 + 3*8)
	// minStreamFrame is the least space in a record for which a STREAM frame is started.
	minStreamFrame = 32
)

// records holds buffers for records, so that only sessions that are writing need one.
var records = sync.Pool{New: func() any { return &record{make([]byte, 0, MinRecord)} }}

type record struct{ b []byte }

// write is the writer. It writes one record after another to the connection, until the last one or until the connection
// is closed.
func (s *Session) write() {
	for s.hasWork() {
		r := records.Get().(*record)
		last := s.fill(r)
		var err error
		if len(r.b) > 0 {
			err = s.conn.WriteMessage(context.Background(), r.b)
		}
		records.Put(r)
		if err != nil {
			s.writeFailed(err)
			return
		}
		if last {
			s.mu.Lock()
			s.told = true
			s.mu.Unlock()
			return
		}
	}
}

// hasWork waits for something to write. It returns false if the connection is closed.
func (s *Session) hasWork() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.gone {
		if s.due != 0 || len(s.control)+len(s.ready) > 0 || s.closeFrame != nil || s.peerKnown && len(s.outbox) > 0 {
			return true
		}
		s.work.Wait()
	}
	return false
}

func (s *Session) writeFailed(err error) {
	s.mu.Lock()
	s.gone = true
	s.end(fmt.Errorf("qmux: write: %w", err), false, nil)
	s.mu.Unlock()
	s.hangUp()
}

// fill fills the next record with control frames, then datagrams, then stream data. The last frame of a session gets a
// record of its own, after everything else, so that a peer that handles a record as a whole sees what preceded it.
func (s *Session) fill(r *record) (last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	limit := s.recordLimit()
	r.b = r.b[:0]
	if s.due&dueParams != 0 {
		s.due &^= dueParams
		r.b = s.ours.frame().append(r.b)
	}
	if s.cause == nil || s.flush {
		r.b = s.appendFrames(r.b, limit)
	}
	if len(r.b) == 0 && s.closeFrame != nil {
		r.b, last = s.closeFrame.append(r.b), true
	}
	if len(r.b) > 0 {
		s.sent += uint64(len(r.b))
		s.spoke()
	}
	return last
}

// recordLimit returns the size of the largest record that both sides accept.
func (s *Session) recordLimit() int {
	if !s.peerKnown {
		return MinRecord
	}
	return int(min(uint64(s.cfg.MaxRecord), s.peer.maxRecord))
}

func (s *Session) appendFrames(b []byte, limit int) []byte {
	b = s.appendDue(b)
	for len(s.control) > 0 && len(b)+maxStreamControl <= limit {
		st := s.control[0]
		s.control[0] = nil
		if s.control = s.control[1:]; len(s.control) == 0 {
			s.control = nil
		}
		b = st.appendControl(b)
		s.retire(st)
	}
	if s.peerKnown {
		var full bool
		if b, full = s.appendDatagrams(b, limit); full {
			return b
		}
	}
	return s.appendStreams(b, limit)
}

func (s *Session) appendDue(b []byte) []byte {
	set := s.due
	s.due = 0
	if set&duePong != 0 {
		b = (&frame{typ: typePong, value: s.pong}).append(b)
	}
	if set&duePing != 0 {
		b = (&frame{typ: typePing, value: s.ping()}).append(b)
	}
	if set&dueMaxData != 0 {
		b = (&frame{typ: typeMaxData, value: s.in.grant()}).append(b)
	}
	if set&dueMaxStreams != 0 {
		s.peerLimit = s.peerClosed + s.cfg.MaxStreams
		b = (&frame{typ: typeMaxStreamsBidi, value: s.peerLimit}).append(b)
	}
	return b
}

// appendStreams fills the record with stream data. Lower classes are sent first, and within a class each stream gets one
// frame in turn.
func (s *Session) appendStreams(b []byte, limit int) []byte {
	for len(s.ready) > 0 && len(b)+minStreamFrame <= limit {
		st := s.ready[0]
		if st.pending() > 0 && s.out.left() == 0 {
			s.move(st, &s.starved)
			continue
		}
		b = st.appendData(b, limit)
		if !st.hasToSend() {
			s.move(st, nil)
			s.retire(st)
			continue
		}
		s.turn++
		st.turn = s.turn
		heap.Fix(&s.ready, st.place)
	}
	return b
}

// activate queues a stream that has something to send and is allowed to send it.
func (s *Session) activate(st *Stream) {
	if st.queue == nil && st.hasToSend() {
		s.turn++
		st.turn = s.turn
		s.move(st, &s.ready)
		s.work.Signal()
	}
}

// unstarve makes the streams ready that waited for credit of the connection.
func (s *Session) unstarve() {
	for len(s.starved) > 0 {
		s.move(s.starved[0], &s.ready)
	}
}

// move removes a stream from its queue, if it is in one, and adds it to another, which may be nil.
func (s *Session) move(st *Stream, to *streamQueue) {
	if st.queue != nil {
		heap.Remove(st.queue, st.place)
	}
	if st.queue = to; to != nil {
		heap.Push(to, st)
	}
}

// streamQueue is a heap of streams by class, then by turn.
type streamQueue []*Stream

func (q streamQueue) Len() int { return len(q) }

func (q streamQueue) Less(i, j int) bool {
	if q[i].class != q[j].class {
		return q[i].class < q[j].class
	}
	return q[i].turn < q[j].turn
}

func (q streamQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

func (q *streamQueue) Push(x any) {
	st := x.(*Stream)
	st.place = len(*q)
	*q = append(*q, st)
}

func (q *streamQueue) Pop() any {
	last := len(*q) - 1
	st := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return st
}
