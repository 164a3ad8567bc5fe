package qmux

import (
	"bytes"
	"slices"
	"sync"
)

// datagrams holds the datagrams that wait, at most DatagramQueue in each direction. Session.mu guards it.
type datagrams struct {
	outbox  [][]byte // if full, the oldest is dropped, because the latest matters most
	inbox   [][]byte // if full, the newest is dropped
	arrived sync.Cond
	dropped uint64
}

// queueDatagram queues a copy of b for the peer, in a queue of at most that length.
func (d *datagrams) queueDatagram(b []byte, queue int) {
	if len(d.outbox) == queue {
		d.outbox = append(d.outbox[:0], d.outbox[1:]...)
		d.dropped++
	}
	d.outbox = append(d.outbox, bytes.Clone(b))
}

// limitDatagrams drops datagrams that were queued before it was known what the peer accepts: those longer than limit, or
// all if that is negative.
func (d *datagrams) limitDatagrams(limit int) {
	before := len(d.outbox)
	d.outbox = slices.DeleteFunc(d.outbox, func(b []byte) bool { return len(b) > limit })
	d.dropped += uint64(before - len(d.outbox))
}

// appendDatagrams appends the datagrams that fit. full reports that the next one needs another record.
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

// shift removes the first datagram of a queue. It releases the memory of a queue that becomes empty.
func shift(queue *[][]byte) []byte {
	q := *queue
	b := q[0]
	q[0] = nil
	if *queue = q[1:]; len(q) == 1 {
		*queue = nil
	}
	return b
}
