package qmux

import (
	"context"
	"sync"
	"time"
)

// Session is one end of a QMux connection. Its methods may be called by any goroutine.
type Session struct {
	// Static after construction.
	conn   Conn
	cfg    Config // with its defaults
	server bool
	ours   params
	ctx    context.Context
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup // the reader and the writer

	mu sync.Mutex // guards what follows, and every Stream's fields

	// How the session ends. cause is set first and once.
	cause      error
	closeFrame *frame // the last frame to send
	flush      bool   // what Write has accepted is sent before closeFrame, as far as the credit allows
	told       bool   // closeFrame was written to the connection, or the peer has closed too
	gone       bool   // the connection is closed or about to be closed
	linger     *time.Timer

	peer      params
	peerKnown bool // the peer's parameters were received

	streams map[uint64]*Stream // open ones, by id
	// nextLocal and nextPeer are the indices (id>>2) of the next stream of each side. holes are the indices below
	// nextPeer of streams that have sent nothing yet. There are at most MaxStreams of them, because they count as open.
	nextLocal, nextPeer uint64
	holes               map[uint64]struct{}
	localLimit          uint64 // streams that the peer lets this side open
	peerLimit           uint64 // streams that the peer may open
	peerClosed          uint64 // streams of the peer that are over
	accept              []*Stream
	openable            sync.Cond // localLimit grew
	acceptable          sync.Cond // accept grew

	in  window // of all streams together
	out credit

	scheduler
	datagrams
	heart
	sent, received uint64 // bytes in records
}

// Client starts the side that dialled. The session owns conn and closes it when it ends.
func Client(conn Conn, cfg Config) *Session { return start(conn, cfg, false) }

// Server starts the side that was dialled. The session owns conn and closes it when it ends.
func Server(conn Conn, cfg Config) *Session { return start(conn, cfg, true) }

func start(conn Conn, cfg Config, server bool) *Session {
	s := &Session{
		conn: conn, cfg: cfg.withDefaults(), server: server,
		streams: make(map[uint64]*Stream), holes: make(map[uint64]struct{}),
	}
	s.ours = s.cfg.params()
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	s.in = newWindow(s.cfg.ConnWindow)
	s.peerLimit = s.cfg.MaxStreams
	s.due = dueParams
	for _, c := range []*sync.Cond{&s.openable, &s.acceptable, &s.work, &s.arrived} {
		c.L = &s.mu
	}
	s.mu.Lock()
	s.startHeart(s.cfg.IdleTimeout, s.beat)
	s.mu.Unlock()
	s.wg.Go(s.read)
	s.wg.Go(s.write)
	return s
}

// OpenStream opens a stream. It waits while the peer's limit of streams is reached. The peer learns of the stream when
// bytes, the end or a reset of the stream are sent.
func (s *Session) OpenStream(ctx context.Context) (*Stream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.cause == nil && s.nextLocal >= s.localLimit {
		if err := wait(ctx, &s.openable); err != nil {
			return nil, err
		}
	}
	if s.cause != nil {
		return nil, s.cause
	}
	id := s.nextLocal<<2 | s.sideBit()
	s.nextLocal++
	return s.addStream(id, s.peer.bidiRemoteWindow), nil
}

// AcceptStream waits for the next stream that the peer opened, in the order in which their first frames arrived. Streams
// that nobody accepts count against MaxStreams.
func (s *Session) AcceptStream(ctx context.Context) (*Stream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.cause == nil && len(s.accept) == 0 {
		if err := wait(ctx, &s.acceptable); err != nil {
			return nil, err
		}
	}
	if s.cause != nil {
		return nil, s.cause
	}
	st := s.accept[0]
	s.accept[0] = nil
	if s.accept = s.accept[1:]; len(s.accept) == 0 {
		s.accept = nil
	}
	st.accepted = true
	s.retire(st)
	return st, nil
}

// wait waits for c or for ctx to end. The caller holds c.L and checks again what it waits for.
func wait(ctx context.Context, c *sync.Cond) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() {
		c.L.Lock()
		defer c.L.Unlock()
		c.Broadcast()
	})
	defer stop()
	c.Wait()
	return nil
}

// Context returns a context that ends with the session. Its cause is a *CloseError if one side closed the session, a
// *TransportError if one side broke the protocol, ErrIdleTimeout, or the error of the connection.
func (s *Session) Context() context.Context { return s.ctx }

// Close ends the session. OpenStream, Write and the other methods fail from then on. What Write had accepted is sent as
// far as the peer's credit allows, and then the code and the reason. Close returns when the peer has closed the
// connection, or after CloseTimeout. Only the first call has an effect; others wait for the same end. Close returns an
// error if the peer could not be told.
func (s *Session) Close(code uint32, reason string) error {
	reason = cutReason(reason)
	s.mu.Lock()
	first := s.end(&CloseError{Code: code, Reason: reason}, true,
		&frame{typ: typeApplicationClose, code: uint64(code), data: []byte(reason)})
	s.mu.Unlock()
	s.wg.Wait()
	if first && !s.told {
		return errNotTold
	}
	return nil
}

// beat is called by the timer. It sends a ping or ends a silent session.
func (s *Session) beat() {
	s.mu.Lock()
	now := time.Now()
	over := s.cause == nil && s.silent(now)
	if over {
		s.gone = true
		s.end(ErrIdleTimeout, false, nil)
	} else if s.cause == nil {
		if s.takeTurn(now) {
			s.due |= duePing
			s.work.Signal()
		}
		s.rearm(now)
	}
	s.mu.Unlock()
	if over {
		s.hangUp()
	}
}

// end ends the session with a cause, once, and wakes all who wait. If there is a last frame, the connection stays open
// until the peer has hung up, but at most for CloseTimeout. Otherwise the caller must call hangUp after it has released
// mu.
func (s *Session) end(cause error, flush bool, last *frame) bool {
	if s.cause != nil {
		return false
	}
	s.cause, s.flush, s.closeFrame = cause, flush, last
	s.cancel(cause)
	s.timer.Stop()
	if last != nil {
		s.linger = time.AfterFunc(CloseTimeout, s.hangUp)
	}
	for _, c := range []*sync.Cond{&s.openable, &s.acceptable, &s.work, &s.arrived} {
		c.Broadcast()
	}
	for _, st := range s.streams {
		st.sessionEnded()
	}
	s.accept = nil
	return true
}

// hangUp closes the connection, which ends the reader and the writer. It must be called without mu, because closing may
// block.
func (s *Session) hangUp() {
	s.mu.Lock()
	s.gone = true
	s.work.Broadcast()
	s.mu.Unlock()
	s.conn.Close()
}

// SendDatagram queues a copy of b for the peer, to be sent before stream data. It never blocks. If DatagramQueue
// datagrams wait already, it drops the oldest one. Before the peer's parameters have arrived, it accepts whatever fits
// into a record; if that is more than the peer accepts, it is dropped later.
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
	s.queueDatagram(b, s.cfg.DatagramQueue)
	s.work.Signal()
	return nil
}

// ReceiveDatagram waits for the next datagram. Up to DatagramQueue datagrams are kept for later calls.
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

// MaxDatagramSize returns the size in bytes of the largest datagram that can be sent. It is 0 if the peer accepts none or
// its parameters have not arrived yet.
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

// RTT returns the smoothed round-trip time of QX_PING, or 0 before the first measurement. It is measured when the session
// starts and at every keep-alive, and includes the time that the peer takes to write the reply.
func (s *Session) RTT() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rtt
}

// Stats has counts of a session.
type Stats struct {
	BytesSent, BytesReceived uint64 // in records
	Streams                  int    // currently open
	DatagramsDropped         uint64 // because a queue was full, in both directions
}

// Stats returns the counts so far.
func (s *Session) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Stats{BytesSent: s.sent, BytesReceived: s.received, Streams: len(s.streams), DatagramsDropped: s.dropped}
}

// sideBit is the bit of a stream id that tells who opened it (RFC 9000, section 2.1).
func (s *Session) sideBit() uint64 {
	if s.server {
		return 1
	}
	return 0
}

// addStream creates a stream on which the peer lets this side send limit bytes.
func (s *Session) addStream(id, limit uint64) *Stream {
	st := &Stream{s: s, id: id, accepted: id&1 == s.sideBit(), finalSize: unknownSize}
	st.in = newWindow(s.cfg.StreamWindow)
	st.out.limit = limit
	st.readable.L, st.writable.L = &s.mu, &s.mu
	s.streams[id] = st
	return st
}

// retire forgets a stream when both of its directions have ended, and lets the peer open another one in its place. A
// stream that waits to be accepted stays, because otherwise a peer could make that queue grow by opening and resetting
// streams.
func (s *Session) retire(st *Stream) {
	if !st.accepted || !st.sendDone() || !st.receiveDone() || s.streams[st.id] != st {
		return
	}
	delete(s.streams, st.id)
	st.readDeadline.stop()
	st.writeDeadline.stop()
	if st.id&1 == s.sideBit() {
		return
	}
	s.peerClosed++
	if s.peerLimit-s.nextPeer <= s.cfg.MaxStreams/2 {
		s.due |= dueMaxStreams
		s.work.Signal()
	}
}
