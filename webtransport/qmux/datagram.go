package qmux

import (
	"bytes"
	"slices"
	"sync"
)

// datagrams are those that wait, DatagramQueue in each direction at most. Guarded by Session.mu.
type datagrams struct {
	outbox  [][]byte // when full, the oldest gives way: the latest is what counts
	inbox   [][]byte // when full, the newest is dropped
	arrived sync.Cond
	dropped uint64
}

// queueDatagram queues a copy of b for the peer, in a queue of that length.
func (d *datagrams) queueDatagram(b []byte, queue int) {
	if len(d.outbox) == queue {
		d.outbox = append(d.outbox[:0], d.outbox[1:]...)
		d.dropped++
	}
	d.outbox = append(d.outbox, bytes.Clone(b))
}

// limitDatagrams drops what was queued before it was known that the peer does not take it: what is longer than limit, or all
// if that is negative.
func (d *datagrams) limitDatagrams(limit int) {
	before := len(d.outbox)
	d.outbox = slices.DeleteFunc(d.outbox, func(b []byte) bool { return len(b) > limit })
	d.dropped += uint64(before - len(d.outbox))
}

// appendDatagrams appends those that fit; full means that the next one needs a record of its own.
func (d *datagrams) appendDatagrams(record []byte, limit int) (_ []byte, full bool) {
	for len(d.outbox) > 0 {
		f := frame{typ: typeDatagramLen, data: d.outbox[0]}
		if len(record)+1+varintLen(uint64(len(f.data)))+len(f.data) > limit {
			return record, true
		}
		record = f.append(record)
		shift(&d.outbox)
	}
	return record, false
}

func (d *datagrams) takeDatagram(f *frame, size int, cfg *Config) error {
	n := 1 + len(f.data)
	if f.typ == typeDatagramLen {
		n += varintLen(uint64(len(f.data)))
	}
	if n > cfg.MaxDatagram {
		return fault(ProtocolViolation, f.typ, "a datagram frame of %d bytes is larger than %d", n, cfg.MaxDatagram)
	}
	if len(d.inbox) == cfg.DatagramQueue {
		d.dropped++
		return nil
	}
	d.inbox = append(d.inbox, retain(f.data, size))
	d.arrived.Signal()
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
