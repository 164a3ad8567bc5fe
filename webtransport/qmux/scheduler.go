package qmux

import (
	"container/heap"
	"context"
	"fmt"
	"sync"
)

// due is a set of control frames of the session that the next record carries.
type due uint8

const (
	dueParams due = 1 << iota
	duePong
	duePing
	dueMaxData
	dueMaxStreams
)

// scheduler is what the writer has to do. Nothing in it grows with what a peer sends: due is a set, control and the
// queues hold each open stream once at most. Guarded by Session.mu.
type scheduler struct {
	work    sync.Cond // there may be something to write, or gone was set
	due     due
	control []*Stream   // with a control frame due
	ready   streamQueue // with bytes to send and credit of their own
	starved streamQueue // as ready, while the connection's credit is used up
	turn    uint64
}

const (
	// maxStreamControl is the room that the control frames of one stream take at most: a type and up to three
	// integers of 8 bytes each.
	maxStreamControl = 3 * (1 + 3*8)
	// minStreamFrame is the room below which no STREAM frame is started.
	minStreamFrame = 32
)

// records holds buffers for records, so that only sessions that are writing have one.
var records = sync.Pool{New: func() any { return &record{make([]byte, 0, MinRecord)} }}

type record struct{ b []byte }

// write is the writer: it hands the connection one record after another until the last one or until the connection is
// gone.
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

// hasWork waits for something to write; false means that the connection is gone.
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

// fill makes the next record: control frames, then datagrams, then streams. The session's last frame goes alone, after
// all else: a peer that handles a record as a whole sees what came before it.
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

// recordLimit is the largest record that both sides stand for.
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

// appendStreams fills the record with stream data: the first class first, in a class one frame a stream in turn.
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

// activate queues a stream that has something to send and may send it.
func (s *Session) activate(st *Stream) {
	if st.queue == nil && st.hasToSend() {
		s.turn++
		st.turn = s.turn
		s.move(st, &s.ready)
		s.work.Signal()
	}
}

// unstarve lets the streams go on that waited for the connection's credit.
func (s *Session) unstarve() {
	for len(s.starved) > 0 {
		s.move(s.starved[0], &s.ready)
	}
}

// move takes a stream from the queue that it is in, if any, to another, or to none.
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
