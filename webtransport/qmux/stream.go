package qmux

import (
	"io"
	"math"
	"os"
	"sync"
	"time"
)

// Stream is one bidirectional stream of a session. One goroutine may call Read while another calls Write. The other
// methods may be called by any goroutine.
type Stream struct {
	// Static after construction.
	s  *Session
	id uint64

	// What follows is guarded by Session.mu.
	accepted bool // this side's application opened it or took it from AcceptStream
	class    uint8
	queued   bool // in Session.control

	// Sending.
	out           credit       // used counts the bytes put into records
	buf           []byte       // copied by Write ahead of the writer, at most SendBuffer; nil if empty
	rest          []byte       // the rest of a larger Write, whose caller waits; sent after buf
	closed        bool         // Close was called
	finSent       bool         // the end is in a record
	resetDue      bool         // a RESET_STREAM is to be written
	resetSent     bool         // it is in a record
	writeErr      *StreamError // set by CancelWrite or the peer's STOP_SENDING
	writable      sync.Cond    // rest was sent, or sending has ended
	writeDeadline deadline
	queue         *streamQueue // ready, starved or nil
	place         int          // in queue
	turn          uint64       // streams of a class are sent in this order

	// Receiving.
	in           window
	chunks       [][]byte // received and not read; their length is unread
	unread       int
	finalSize    uint64       // unknownSize until FIN or a reset
	reset        *StreamError // by the peer
	reliable     uint64       // bytes that are delivered in spite of reset
	stopped      *StreamError // by CancelRead
	stopDue      bool         // a STOP_SENDING is to be written
	grantDue     bool         // a MAX_STREAM_DATA is to be written
	readable     sync.Cond
	readDeadline deadline
}

const unknownSize = math.MaxUint64

// ID is the stream's id on the wire.
func (st *Stream) ID() uint64 { return st.id }

// Read reads received bytes and waits for at least one. After what was received, it returns io.EOF at the end of the
// stream, a *StreamError after a reset or CancelRead, os.ErrDeadlineExceeded, or the error that ended the session.
func (st *Stream) Read(p []byte) (int, error) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	for {
		if err := st.readError(); err != nil {
			return 0, err
		}
		if st.unread > 0 || len(p) == 0 {
			return st.readChunks(p), nil
		}
		if err := st.endError(); err != nil {
			return 0, err
		}
		st.readable.Wait()
	}
}

// readError returns the error that stops a Read even if there are bytes to read.
func (st *Stream) readError() error {
	switch {
	case st.stopped != nil:
		return st.stopped
	case st.readDeadline.passed:
		return os.ErrDeadlineExceeded
	}
	return nil
}

// endError returns why no more bytes will arrive, or nil if they may.
func (st *Stream) endError() error {
	switch {
	case st.reset != nil && st.in.received >= st.reliable:
		return st.reset
	case st.reset == nil && st.finalSize != unknownSize:
		return io.EOF
	}
	return st.s.cause
}

func (st *Stream) readChunks(p []byte) (n int) {
	for n < len(p) && st.unread > 0 {
		k := copy(p[n:], st.chunks[0])
		n += k
		st.unread -= k
		if st.chunks[0] = st.chunks[0][k:]; len(st.chunks[0]) == 0 {
			shift(&st.chunks)
		}
	}
	st.consume(uint64(n))
	st.s.retire(st)
	return n
}

// consume gives credit for n bytes that were read back to the peer.
func (st *Stream) consume(n uint64) {
	if st.in.consume(n) && n > 0 && st.finalSize == unknownSize {
		st.grantDue = true
		st.queueControl()
	}
	st.s.consumed(n)
}

// Write sends p. It returns when the session has accepted all of it. Up to SendBuffer bytes are accepted ahead of the
// peer's credit and of the connection; more wait for both. Write fails with a *StreamError after CancelWrite or if the
// peer wants no more, with io.ErrClosedPipe after Close, with os.ErrDeadlineExceeded, or with the error that ended the
// session. n is how many bytes were accepted.
func (st *Stream) Write(p []byte) (n int, err error) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	for st.rest != nil && st.writeError() == nil {
		st.writable.Wait() // for the end of another Write
	}
	if err := st.writeError(); err != nil || len(p) == 0 {
		return 0, err
	}
	if st.closed {
		return 0, io.ErrClosedPipe
	}
	if len(st.buf)+len(p) <= SendBuffer {
		st.buf = append(st.buf, p...)
		st.s.activate(st)
		return len(p), nil
	}
	return st.handOver(p)
}

// handOver lets the writer send p without copying it, and waits until that is done.
func (st *Stream) handOver(p []byte) (int, error) {
	st.rest = p
	st.s.activate(st)
	var err error
	for len(st.rest) > 0 {
		if err = st.writeError(); err != nil {
			break
		}
		st.writable.Wait()
	}
	n := len(p) - len(st.rest)
	st.rest = nil
	if !st.hasToSend() {
		st.s.move(st, nil)
	}
	st.s.activate(st) // Close may have been called in the meantime
	st.writable.Broadcast()
	return n, err
}

func (st *Stream) writeError() error {
	switch {
	case st.writeErr != nil:
		return st.writeErr
	case st.s.cause != nil:
		return st.s.cause
	case st.writeDeadline.passed:
		return os.ErrDeadlineExceeded
	}
	return nil
}

// Close ends the sending side. The peer reads what was written and then io.EOF. Close does not wait for the writer.
func (st *Stream) Close() error {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	switch {
	case st.closed:
		return nil
	case st.writeErr != nil:
		return st.writeErr
	case st.s.cause != nil:
		return st.s.cause
	}
	st.closed = true
	st.s.activate(st)
	return nil
}

// CancelWrite abandons the sending side (RESET_STREAM), and the peer's Read fails with a *StreamError. Bytes that were
// delivered are not affected, so it has no effect if the end was sent after Close.
func (st *Stream) CancelWrite(code uint32) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	st.giveUp(&StreamError{Code: code})
}

func (st *Stream) giveUp(why *StreamError) {
	if st.finSent || st.writeErr != nil {
		return
	}
	st.writeErr, st.buf = why, nil
	st.s.move(st, nil)
	st.resetDue = true
	st.queueControl()
	st.writable.Broadcast()
}

// takeStop handles a STOP_SENDING, which requires a reset with the same code (RFC 9000, section 3.5).
func (st *Stream) takeStop(code uint32) { st.giveUp(&StreamError{Code: code, Remote: true}) }

// CancelRead asks the peer to stop sending (STOP_SENDING). Later Reads fail with a *StreamError, and what was or will be
// received is discarded. CancelRead has no effect if everything was read.
func (st *Stream) CancelRead(code uint32) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	if st.stopped != nil || st.receiveDone() {
		return
	}
	st.stopped = &StreamError{Code: code}
	n := uint64(st.unread)
	st.chunks, st.unread = nil, 0
	st.in.consumed += n
	st.s.consumed(n)
	if st.finalSize == unknownSize {
		st.stopDue = true
		st.queueControl()
	}
	st.readable.Broadcast()
	st.s.retire(st)
}

// SetClass sets the priority of the stream among the streams of the session when bytes queue up. Class 0 is sent first.
func (st *Stream) SetClass(class uint8) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	st.class = class
	st.s.move(st, st.queue)
}

// SetReadDeadline makes Reads fail with os.ErrDeadlineExceeded from t on. The zero time means never. No bytes are lost.
func (st *Stream) SetReadDeadline(t time.Time) error {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	st.readDeadline.set(t, &st.readable)
	return nil
}

// SetWriteDeadline makes Writes fail with os.ErrDeadlineExceeded from t on. The zero time means never.
func (st *Stream) SetWriteDeadline(t time.Time) error {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	st.writeDeadline.set(t, &st.writable)
	return nil
}

// deadline is a deadline of those who wait on a condition. The lock of the condition guards it.
type deadline struct {
	timer  *time.Timer
	passed bool
}

func (d *deadline) set(t time.Time, c *sync.Cond) {
	d.stop()
	if t.IsZero() {
		return
	}
	until := time.Until(t)
	if until <= 0 {
		d.passed = true
		c.Broadcast()
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(until, func() {
		c.L.Lock()
		defer c.L.Unlock()
		if d.timer == timer { // it may have been replaced in the meantime
			d.passed = true
			c.Broadcast()
		}
	})
	d.timer = timer
}

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
	}
	*d = deadline{}
}

// sessionEnded wakes those who wait and stops the deadlines.
func (st *Stream) sessionEnded() {
	for _, d := range []*deadline{&st.readDeadline, &st.writeDeadline} {
		if d.timer != nil {
			d.timer.Stop()
		}
	}
	st.readable.Broadcast()
	st.writable.Broadcast()
}

func (st *Stream) sendDone() bool { return st.finSent || st.resetSent }

func (st *Stream) receiveDone() bool {
	return st.finalSize != unknownSize && st.unread == 0 && (st.reset == nil || st.in.received >= st.reliable)
}
