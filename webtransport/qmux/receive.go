package qmux

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// read is the reader. It applies the peer's records until the connection ends. It continues after this side has ended the
// session, to notice when the peer hangs up.
func (s *Session) read() {
	for {
		record, err := s.conn.ReadMessage(context.Background())
		s.mu.Lock()
		switch {
		case err != nil:
			s.gone = true
			s.end(fmt.Errorf("qmux: read: %w", broken(err)), false, nil)
		case s.cause == nil:
			s.take(record)
		case closes(record): // both sides closed at the same time
			s.gone, s.told = true, true
		}
		over := s.gone
		s.mu.Unlock()
		if over {
			break
		}
	}
	s.hangUp()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.linger != nil {
		s.linger.Stop()
	}
}

// broken is the error of a connection that can't be read. The end of a connection is not the end of its streams, for which io.EOF
// stands.
func broken(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: %v", io.ErrUnexpectedEOF, err)
	}
	return err
}

// take applies a record. It ends the session if the peer broke the protocol.
func (s *Session) take(record []byte) {
	s.received += uint64(len(record))
	s.heard()
	err := s.takeFrames(record)
	var fault *TransportError
	if errors.As(err, &fault) && s.end(fault, false, fault.frame()) {
		s.cfg.Logger.Info("qmux: the peer broke the protocol", "code", fault.Code, "frame", fault.Frame, "reason", fault.Reason)
	}
}

// frame returns the frame that reports a fault to the peer (RFC 9000, section 19.19).
func (e *TransportError) frame() *frame {
	return &frame{typ: typeConnectionClose, code: uint64(e.Code), value: e.Frame, data: []byte(e.Reason)}
}

func (s *Session) takeFrames(record []byte) error {
	if len(record) > s.cfg.MaxRecord {
		return fault(FrameEncodingError, 0, "a record of %d bytes is larger than %d", len(record), s.cfg.MaxRecord)
	}
	for rest := record; len(rest) > 0 && s.cause == nil; {
		var f frame
		var err error
		if f, rest, err = parseFrame(rest); err != nil {
			return err
		}
		if err := s.takeFrame(&f, cap(record)); err != nil {
			return err
		}
	}
	return nil
}

// takeFrame applies one frame. size is the memory that its record takes.
func (s *Session) takeFrame(f *frame, size int) error {
	if f.typ == typePadding {
		return nil
	}
	if (f.typ == typeParams) == s.peerKnown {
		return fault(ProtocolViolation, f.typ, "the transport parameters are the first frame, once")
	}
	switch f.typ {
	case typeParams:
		return s.takeParams(f)
	case typeMaxData:
		s.takeMaxData(f.value)
	case typeMaxStreamsBidi:
		if f.value > s.localLimit {
			s.localLimit = f.value
			s.openable.Broadcast()
		}
	case typeConnectionClose, typeApplicationClose:
		s.gone = true
		s.end(closeCause(f), false, nil)
	case typePing:
		return s.gotPing(f.value)
	case typePong:
		return s.gotPong(f.value)
	case typeDatagram, typeDatagramLen:
		return s.takeDatagram(f, size, &s.cfg)
	default:
		return s.takeStreamFrame(f, size)
	}
	return nil
}

func (s *Session) takeParams(f *frame) (err error) {
	if s.peer, err = parseParams(f.data); err != nil {
		return err
	}
	s.peerKnown = true
	s.localLimit, s.out.limit = s.peer.maxStreamsBidi, s.peer.maxData
	s.openable.Broadcast()
	limit := s.datagramLimit()
	if s.peer.maxDatagramFrame == 0 {
		limit = -1
	}
	s.limitDatagrams(limit)
	s.meet(&s.peer, &s.cfg)
	s.due |= duePing
	s.work.Signal()
	return nil
}

// gotPing records a ping to be answered. If several wait, only the one with the highest sequence is answered, as the
// draft allows (section 4.3), so that replies can't pile up for a peer that does not read.
func (s *Session) gotPing(seq uint64) error {
	if s.cfg.Version == Draft02 && seq < s.got {
		return fault(ProtocolViolation, typePing, "ping %d comes after ping %d", seq, s.got-1)
	}
	s.got = max(s.got, seq+1)
	if s.due&duePong == 0 || seq > s.pong {
		s.pong = seq
	}
	s.due |= duePong
	s.work.Signal()
	return nil
}

func (s *Session) takeMaxData(limit uint64) {
	if s.out.raise(limit) {
		s.unstarve()
		s.work.Signal()
	}
}

// closeCause returns the error for the peer's last frame. It truncates codes to 32 bits, as the W3C's API does.
func closeCause(f *frame) error {
	reason := cutReason(string(f.data))
	if f.typ == typeApplicationClose {
		return &CloseError{Code: uint32(f.code), Reason: reason, Remote: true}
	}
	return &TransportError{Code: TransportCode(f.code), Frame: f.value, Reason: reason, Remote: true}
}

// closes reports whether a record ends the session.
func closes(record []byte) bool {
	for len(record) > 0 {
		f, rest, err := parseFrame(record)
		if err != nil || f.typ == typeConnectionClose || f.typ == typeApplicationClose {
			return err == nil
		}
		record = rest
	}
	return false
}

func (s *Session) takeStreamFrame(f *frame, size int) error {
	switch f.typ {
	case typeDataBlocked, typeStreamsBlockedBi, typeStreamsBlockedUni, typeMaxStreamsUni:
		return nil // the first three are informational; the last grants what this side never uses
	case typeResetStreamAt:
		if !s.ours.resetStreamAt {
			return fault(ProtocolViolation, f.typ, "RESET_STREAM_AT was not negotiated")
		}
	}
	st, err := s.streamFor(f)
	if err != nil {
		return err
	}
	if st == nil {
		return s.takeLate(f)
	}
	switch f.typ {
	case typeResetStream, typeResetStreamAt:
		err = st.takeReset(f)
	case typeStopSending:
		st.takeStop(uint32(f.code))
	case typeMaxStreamData:
		if st.out.raise(f.value) {
			s.activate(st)
		}
	case typeStreamDataBlocked:
	default:
		err = st.takeData(f, size)
	}
	s.retire(st)
	return err
}

// takeLate handles a frame of a stream that has ended. It ignores the frame but counts its bytes on the connection. Some
// peers continue to send for a moment after their RESET_STREAM: @moq/qmux 0.3.3 does if a write waits for credit.
func (s *Session) takeLate(f *frame) error {
	if !f.isStream() {
		return nil
	}
	n := uint64(len(f.data))
	if !s.in.receive(n) {
		return fault(FlowControlError, f.typ, "the connection's limit of %d bytes is exceeded", s.in.limit)
	}
	s.consumed(n)
	return nil
}

// consumed gives credit of the connection for n bytes back to the peer.
func (s *Session) consumed(n uint64) {
	if s.in.consume(n) && n > 0 {
		s.due |= dueMaxData
		s.work.Signal()
	}
}

// streamFor returns the stream of a frame, which it opens if the peer may do that. It returns nil if the stream has
// ended.
func (s *Session) streamFor(f *frame) (*Stream, error) {
	if st := s.streams[f.id]; st != nil {
		return st, nil
	}
	index, local := f.id>>2, f.id&1 == s.sideBit()
	switch {
	case f.id&2 != 0 && !local:
		return nil, fault(StreamLimitError, f.typ, "unidirectional streams are not taken")
	case f.id&2 != 0 || local && index >= s.nextLocal:
		return nil, fault(StreamStateError, f.typ, "stream %d was not opened by this side", f.id)
	case local:
		return nil, nil
	case index >= s.peerLimit:
		return nil, fault(StreamLimitError, f.typ, "stream %d exceeds the limit of %d streams", f.id, s.peerLimit)
	}
	if !s.openPeer(index) {
		return nil, nil
	}
	st := s.addStream(f.id, s.peer.bidiLocalWindow)
	s.accept = append(s.accept, st)
	s.acceptable.Signal()
	return st, nil
}

// openPeer records the first frame of a stream of the peer. It returns false if there was one before. A stream opens
// those with lower ids too (RFC 9000, section 3.2), but they are accepted only when they send, because a peer that sends
// by priority may start with the later stream.
func (s *Session) openPeer(index uint64) bool {
	if index < s.nextPeer {
		_, hole := s.holes[index]
		delete(s.holes, index)
		return hole
	}
	for ; s.nextPeer < index; s.nextPeer++ {
		s.holes[s.nextPeer] = struct{}{}
	}
	s.nextPeer++
	return true
}
