package qmux

// This file has what the reader and the writer do with a stream. All of it runs with Session.mu held.

// pending returns the number of bytes that wait to be sent.
func (st *Stream) pending() int { return len(st.buf) + len(st.rest) }

// hasToSend reports whether the stream can send something within its own credit: bytes, or its end, which needs no
// credit.
func (st *Stream) hasToSend() bool {
	if st.writeErr != nil || st.finSent {
		return false
	}
	if st.pending() > 0 {
		return st.out.left() > 0
	}
	return st.closed
}

// appendData appends one STREAM frame, as large as the credit and the record allow.
func (st *Stream) appendData(b []byte, limit int) []byte {
	s := st.s
	n := int(min(uint64(st.pending()), st.out.left(), s.out.left()))
	room := limit - len(b) - 1 - varintLen(st.id) - varintLen(st.out.used)
	n = min(n, room-varintLen(uint64(n)))
	fin := st.closed && n == st.pending()
	b = appendStreamHeader(b, st.id, st.out.used, n, fin)
	st.out.used += uint64(n)
	s.out.used += uint64(n)
	st.finSent = fin
	return st.appendPending(b, n)
}

// appendPending moves n bytes to the record. It releases an empty buffer, so that an idle stream has none.
func (st *Stream) appendPending(b []byte, n int) []byte {
	k := min(n, len(st.buf))
	b = append(b, st.buf[:k]...)
	if st.buf = st.buf[k:]; len(st.buf) == 0 {
		st.buf = nil
	}
	if n -= k; n > 0 {
		b = append(b, st.rest[:n]...)
		if st.rest = st.rest[n:]; len(st.rest) == 0 {
			st.writable.Broadcast()
		}
	}
	return b
}

func (st *Stream) queueControl() {
	if !st.queued {
		st.queued = true
		st.s.control = append(st.s.control, st)
		st.s.work.Signal()
	}
}

// appendControl appends the control frames that are due. Once the final size is known, the peer has no use for
// STOP_SENDING and MAX_STREAM_DATA.
func (st *Stream) appendControl(b []byte) []byte {
	st.queued = false
	if st.stopDue && st.finalSize == unknownSize {
		b = (&frame{typ: typeStopSending, id: st.id, code: uint64(st.stopped.Code)}).append(b)
	}
	if st.grantDue && st.finalSize == unknownSize && st.stopped == nil {
		b = (&frame{typ: typeMaxStreamData, id: st.id, value: st.in.grant()}).append(b)
	}
	st.stopDue, st.grantDue = false, false
	if st.resetDue {
		b = (&frame{typ: typeResetStream, id: st.id, code: uint64(st.writeErr.Code), value: st.out.used}).append(b)
		st.resetDue, st.resetSent = false, true
	}
	return b
}

// takeData handles a STREAM frame. size is the memory that its record takes. The connection is reliable and ordered, so a
// frame must start where the one before it ended (draft, section 4.1).
func (st *Stream) takeData(f *frame, size int) error {
	n, fin := uint64(len(f.data)), f.typ&streamFin != 0
	end := f.value + n
	switch {
	case st.reset != nil:
		return st.takeAfterReset(f, size)
	case end > st.finalSize || fin && st.finalSize != unknownSize && end != st.finalSize:
		return fault(FinalSizeError, f.typ, "stream %d goes on to %d after its end at %d", st.id, end, st.finalSize)
	case f.value != st.in.received:
		return fault(ProtocolViolation, f.typ, "stream %d jumps from %d to %d", st.id, st.in.received, f.value)
	case !st.in.receive(n):
		return fault(FlowControlError, f.typ, "stream %d exceeds its limit of %d bytes", st.id, st.in.limit)
	case !st.s.in.receive(n):
		return fault(FlowControlError, f.typ, "the connection's limit of %d bytes is exceeded", st.s.in.limit)
	}
	if fin {
		st.finalSize = end
		st.readable.Broadcast()
	}
	st.keep(f.data, size)
	return nil
}

// keep stores received bytes for Read, or discards them after CancelRead. It joins small pieces, so that a peer that
// sends byte by byte does not cost a slice for each byte.
func (st *Stream) keep(data []byte, size int) {
	if len(data) == 0 {
		return
	}
	if st.stopped != nil {
		st.in.consumed += uint64(len(data))
		st.s.consumed(uint64(len(data)))
		return
	}
	st.unread += len(data)
	st.readable.Broadcast()
	if k := len(st.chunks) - 1; k >= 0 && len(st.chunks[k])+len(data) <= maxPiece {
		st.chunks[k] = append(st.chunks[k], data...)
		return
	}
	st.chunks = append(st.chunks, retain(data, size))
}

// maxPiece bounds the size of a piece that others are joined to, in bytes.
const maxPiece = 4 << 10

// takeReset handles a RESET_STREAM, or a RESET_STREAM_AT, before which the bytes up to its reliable size are delivered.
//
// A final size below what was received should be a FINAL_SIZE_ERROR. It is treated as what was received, because peers of
// these drafts send it: @moq/qmux 0.3.3 does if a STOP_SENDING crosses a frame of theirs, and earlier versions always
// sent 0.
func (st *Stream) takeReset(f *frame) error {
	final := max(f.value, st.in.received)
	if st.finalSize == unknownSize {
		if final > st.in.limit || !st.s.in.receive(final-st.in.received) {
			return fault(FlowControlError, f.typ, "the reset of stream %d at %d exceeds its credit", st.id, final)
		}
	} else if final > st.finalSize {
		return fault(FinalSizeError, f.typ, "the final size of stream %d grows from %d to %d", st.id, st.finalSize, final)
	} else if st.reset == nil {
		return nil // after FIN all bytes have been received
	}
	st.cutAt(final, f.reliable)
	if st.reset == nil {
		st.reset = &StreamError{Code: uint32(f.code), Remote: true}
		st.finalSize = final
	}
	st.readable.Broadcast()
	return nil
}

// cutAt discards what a reset leaves undelivered, and gives its credit back: everything from reliable on that was not
// read yet. A later reset may only lower it.
func (st *Stream) cutAt(final, reliable uint64) {
	before := final
	if st.reset != nil {
		reliable = min(reliable, st.reliable)
		before = max(st.reliable, st.in.consumed)
	}
	st.reliable = reliable
	after := max(reliable, st.in.consumed)
	for st.unread > 0 && st.in.consumed+uint64(st.unread) > after {
		k := len(st.chunks) - 1
		n := min(len(st.chunks[k]), int(st.in.consumed+uint64(st.unread)-after))
		st.unread -= n
		if st.chunks[k] = st.chunks[k][:len(st.chunks[k])-n]; len(st.chunks[k]) == 0 {
			st.chunks[k] = nil
			st.chunks = st.chunks[:k]
		}
	}
	st.s.consumed(before - after)
}

// takeAfterReset handles the bytes that RESET_STREAM_AT still promised. takeReset has counted them. Bytes beyond the
// final size are discarded and counted, as in takeLate.
func (st *Stream) takeAfterReset(f *frame, size int) error {
	end := f.value + uint64(len(f.data))
	if end > st.finalSize {
		beyond := *f
		beyond.data = f.data[max(st.finalSize, f.value)-f.value:]
		if err := st.s.takeLate(&beyond); err != nil {
			return err
		}
	}
	if f.value != st.in.received || f.value >= st.reliable {
		return nil
	}
	data := f.data[:min(end, st.reliable)-f.value]
	st.in.received += uint64(len(data))
	st.keep(data, size)
	st.readable.Broadcast()
	return nil
}
