package qmux

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
)

// errNoDatagrams is returned when the peer takes no datagrams at all.
var errNoDatagrams = errors.New("qmux: the peer takes no datagrams")

// datagrams are those that wait, DatagramQueue in each direction at most. Guarded by Session.mu.
type datagrams struct {
	outbox  [][]byte // when full, the oldest gives way: the latest is what counts
	inbox   [][]byte // when full, the newest is dropped
	arrived sync.Cond
	dropped uint64
}

// SendDatagram queues a copy of b for the peer, ahead of stream data, and never blocks. When DatagramQueue of them
// wait, the oldest gives way. Before the peer's parameters have come it takes what fits in a record and drops it
// later if it is more than the peer takes.
func (s *Session) SendDatagram(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cause != nil {
		return s.cause
	}
	if s.peerKnown && s.peer.maxDatagramFrame == 0 {
		return errNoDatagrams
	}
	if len(b) > s.datagramLimit() {
		return ErrDatagramTooLarge
	}
	if len(s.outbox) == s.cfg.DatagramQueue {
		s.outbox = append(s.outbox[:0], s.outbox[1:]...)
		s.dropped++
	}
	s.outbox = append(s.outbox, bytes.Clone(b))
	s.work.Signal()
	return nil
}

// ReceiveDatagram waits for the next datagram. Those that nobody waits for are kept up to DatagramQueue.
func (s *Session) ReceiveDatagram(ctx context.Context) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.cause == nil && len(s.inbox) == 0 {
		if err := wait(ctx, &s.arrived); err != nil {
			return nil, err
		}
	}
	if s.cause != nil {
		return nil, s.cause
	}
	return shift(&s.inbox), nil
}

// MaxDatagramSize is the largest datagram that SendDatagram takes, in bytes; 0: the peer takes none, or its parameters
// have not come yet.
func (s *Session) MaxDatagramSize() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.peerKnown {
		return 0
	}
	return s.datagramLimit()
}

func (s *Session) datagramLimit() int {
	frame := s.recordLimit()
	if s.peerKnown {
		frame = int(min(uint64(frame), s.peer.maxDatagramFrame))
	}
	return max(frame-1-varintLen(uint64(frame)), 0)
}

// limitDatagrams drops what was queued before it was known that the peer does not take it.
func (s *Session) limitDatagrams() {
	limit, before := s.datagramLimit(), len(s.outbox)
	s.outbox = slices.DeleteFunc(s.outbox, func(b []byte) bool {
		return len(b) > limit || s.peer.maxDatagramFrame == 0
	})
	s.dropped += uint64(before - len(s.outbox))
}

// appendDatagrams appends those that fit; full means that the next one needs a record of its own.
func (s *Session) appendDatagrams(record []byte, limit int) (_ []byte, full bool) {
	if !s.peerKnown {
		return record, false
	}
	for len(s.outbox) > 0 {
		f := frame{typ: typeDatagramLen, data: s.outbox[0]}
		if len(record)+1+varintLen(uint64(len(f.data)))+len(f.data) > limit {
			return record, true
		}
		record = f.append(record)
		shift(&s.outbox)
	}
	return record, false
}

func (s *Session) takeDatagram(f *frame, size int) error {
	n := 1 + len(f.data)
	if f.typ == typeDatagramLen {
		n += varintLen(uint64(len(f.data)))
	}
	if n > s.cfg.MaxDatagram {
		return fault(ProtocolViolation, f.typ, "a datagram frame of %d bytes is larger than %d", n, s.cfg.MaxDatagram)
	}
	if len(s.inbox) == s.cfg.DatagramQueue {
		s.dropped++
		return nil
	}
	s.inbox = append(s.inbox, retain(f.data, size))
	s.arrived.Signal()
	return nil
}

// shift takes the first of a queue, and lets go of the memory of one that is empty.
func shift(queue *[][]byte) []byte {
	q := *queue
	b := q[0]
	q[0] = nil
	if *queue = q[1:]; len(q) == 1 {
		*queue = nil
	}
	return b
}
