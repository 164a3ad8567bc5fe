package webtransport

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
	wt "github.com/quic-go/webtransport-go"

	"skein.dev/skein/webtransport/mask"
	"skein.dev/skein/webtransport/pace"
)

const (
	// closeCapsule is the type of WT_CLOSE_SESSION (draft-ietf-webtrans-http3, section 6).
	closeCapsule = 0x2843
	// quicDatagramSize is the size of a datagram payload that fits into a UDP payload of 1200 bytes with headers of the
	// largest size.
	quicDatagramSize = 1150
	// closeRetry is the pause before a close is written again that did not fit into the CONNECT stream.
	closeRetry = 5 * time.Millisecond
	// lingerTime is how long the side that closed a session waits for the peer to close the connection.
	lingerTime = 400 * time.Millisecond
	// quicStreams is how many streams a QUIC connection may have open apart from those of the session: the CONNECT stream
	// and HTTP/3 requests.
	quicStreams = 32
)

// Flow control windows of a whole connection. They bound what a peer can make this side store if nobody reads its
// streams. When so much is stored, the peer's other streams stall too, including the control lane, so a window is many
// times that of a stream from the start. A server bounds the cost of each of many clients; a client trusts its own
// readers.
const (
	serverConnWindow = 16 << 20
	clientConnWindow = 64 << 20
)

// quicConfig returns the configuration of the transport. A stream that a peer fills and nobody reads costs up to 1 MiB.
func quicConfig(maxStreams int64, connWindow uint64) *quic.Config {
	return &quic.Config{
		MaxIncomingStreams:               maxStreams + quicStreams,
		MaxIncomingUniStreams:            quicStreams,
		InitialStreamReceiveWindow:       256 << 10,
		MaxStreamReceiveWindow:           1 << 20,
		InitialConnectionReceiveWindow:   connWindow,
		MaxConnectionReceiveWindow:       connWindow,
		MaxIdleTimeout:                   30 * time.Second,
		KeepAlivePeriod:                  10 * time.Second,
		EnableDatagrams:                  true,
		EnableStreamResetPartialDelivery: true,
	}
}

// flowControl is the flow control of a WebTransport session on top of QUIC's (draft-ietf-webtrans-http3-15, section 5).
// Safari 26.4 refuses a server that sends WT_MAX_SESSIONS without any WT_INITIAL_MAX_*, so the limits are sent. They are
// as large as possible, because a connection carries one session and QUIC's own limits bound that. So credit is never
// sent in capsules on the CONNECT stream, where it would collide with the capsule that closes the session.
var flowControl = wt.Config{MaxIncomingStreams: 1 << 60, MaxIncomingUniStreams: 1 << 60, MaxIncomingData: 1 << 60}

// QUICConfig configures a QUICServer.
type QUICConfig struct {
	TLS         *tls.Config // with certificates; "h3" is added to its protocols
	Handler     http.Handler
	Protocols   []string                   // application protocols (WT-Available-Protocols), best first
	CheckOrigin func(r *http.Request) bool // nil: the same origin only
	MaxStreams  int64                      // most streams that a peer may have open in a session; 0: 1000
	// ResetKey, if it stays the same across restarts, lets clients learn at once that the server has forgotten their
	// connections (RFC 9000, section 10.3). Otherwise they notice when nothing answers.
	ResetKey *[32]byte
	Mask     MaskConfig
	Logger   *slog.Logger

	flowControl *wt.Config // for tests; nil: flowControl
}

// QUICServer serves HTTP/3 and, through Upgrade, WebTransport sessions.
type QUICServer struct {
	wt       *wt.Server
	resetKey *quic.StatelessResetKey
	mask     MaskConfig
	flows    sync.Map // *quic.Conn: *mask.Flow
	used     sync.Map // *quic.Conn: it has or had its session

	mu      sync.Mutex
	sockets []*mask.Conn

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	conns  sync.WaitGroup
}

type quicConnKey struct{}

// NewQUICServer returns a server, which must be closed when it is no longer needed.
func NewQUICServer(c QUICConfig) *QUICServer {
	if c.MaxStreams == 0 {
		c.MaxStreams = 1000
	}
	config := quicConfig(c.MaxStreams, serverConnWindow)
	config.Allow0RTT = true // the handler must check http.Request.TLS.HandshakeComplete
	h3 := &http3.Server{
		TLSConfig:  http3.ConfigureTLSConfig(c.TLS),
		QUICConfig: config,
		Handler:    c.Handler,
		Logger:     c.Logger,
		ConnContext: func(ctx context.Context, conn *quic.Conn) context.Context {
			return context.WithValue(ctx, quicConnKey{}, conn)
		},
	}
	s := &QUICServer{
		wt:       &wt.Server{H3: h3, Config: cmp.Or(c.flowControl, &flowControl), ApplicationProtocols: c.Protocols, CheckOrigin: c.CheckOrigin},
		resetKey: (*quic.StatelessResetKey)(c.ResetKey),
		mask:     c.Mask,
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Serve accepts connections on a socket until the server is closed.
func (s *QUICServer) Serve(socket *net.UDPConn) error {
	pc := mask.New(socket, s.mask)
	t := &quic.Transport{Conn: pc, StatelessResetKey: s.resetKey}
	defer t.Close()
	s.mu.Lock() // two calls of ListenEarly at once are a data race
	s.sockets = append(s.sockets, pc)
	ln, err := t.ListenEarly(s.wt.H3.TLSConfig, s.wt.H3.QUICConfig.Clone())
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("listen on UDP %s: %w", pc.LocalAddr(), err)
	}
	defer s.conns.Wait()
	for {
		conn, err := ln.Accept(s.ctx)
		if s.ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept on UDP %s: %w", pc.LocalAddr(), err)
		}
		s.conns.Go(func() {
			flow := watch(pc, conn, conn.RemoteAddr)
			s.flows.Store(conn, flow)
			s.wt.ServeQUICConn(conn) // its error concerns only this connection
			s.flows.Delete(conn)
			s.used.Delete(conn)
			flow.Stop()
		})
	}
}

// watch lets a socket sample a connection.
func watch(pc *mask.Conn, conn *quic.Conn, remote func() net.Addr) *mask.Flow {
	return pc.Watch(remote, func() mask.Stats {
		st := conn.ConnectionStats()
		return mask.Stats{PacketsSent: st.PacketsSent, PacketsLost: st.PacketsLost, BytesSent: st.BytesSent,
			MinRTT: st.MinRTT, SmoothedRTT: st.SmoothedRTT}
	})
}

// Masked returns how many connections send their packets twice at the moment, and how many packets were sent twice so
// far.
func (s *QUICServer) Masked() (connections int, packets uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, pc := range s.sockets {
		connections += pc.Masked()
		packets += pc.Repeated()
	}
	return connections, packets
}

// Close ends every connection.
func (s *QUICServer) Close() error {
	s.cancel()
	return s.wt.Close()
}

// Upgrade turns an extended CONNECT request into a session. If it fails, it has answered the request.
func (s *QUICServer) Upgrade(w http.ResponseWriter, r *http.Request) (Session, error) {
	conn, ok := r.Context().Value(quicConnKey{}).(*quic.Conn)
	if !ok {
		http.Error(w, "WebTransport needs HTTP/3", http.StatusUpgradeRequired)
		return nil, errors.New("webtransport: not an HTTP/3 request")
	}
	if _, used := s.used.LoadOrStore(conn, true); used { // a session owns its connection
		http.Error(w, "this connection has its WebTransport session", http.StatusTooManyRequests)
		return nil, errors.New("webtransport: a second session on a connection")
	}
	h := &hijacker{ResponseWriter: w}
	sess, err := s.wt.Upgrade(h, r)
	if err != nil {
		s.used.Delete(conn)
		if h.str == nil {
			http.Error(w, "this WebTransport session was refused", http.StatusForbidden)
		}
		return nil, err
	}
	flow, _ := s.flows.Load(conn)
	q := newQUICSession(sess, conn, flow.(*mask.Flow))
	q.connect = h.str
	return q, nil
}

// hijacker keeps the CONNECT stream, which webtransport-go hides. It is needed to close a session so that browsers learn
// the code.
type hijacker struct {
	http.ResponseWriter
	str *http3.Stream
}

func (h *hijacker) HTTPStream() *http3.Stream {
	h.str = h.ResponseWriter.(http3.HTTPStreamer).HTTPStream()
	return h.str
}
func (h *hijacker) ReceivedSettings() <-chan struct{} {
	return h.ResponseWriter.(http3.Settingser).ReceivedSettings()
}
func (h *hijacker) Settings() *http3.Settings { return h.ResponseWriter.(http3.Settingser).Settings() }
func (h *hijacker) Flush()                    { h.ResponseWriter.(http.Flusher).Flush() }

// quicSession is a Session on webtransport-go.
type quicSession struct {
	sess    *wt.Session
	conn    *quic.Conn
	flow    atomic.Pointer[mask.Flow]
	connect *http3.Stream // only on the server
	remote  func() net.Addr

	protocol string // as negotiated; kept here because asking the library would race with a migration
	paths    *paths // only on the client

	ctx    context.Context
	cancel context.CancelCauseFunc

	closeOnce sync.Once
	closed    chan struct{} // closed when the connection has ended

	sendOnce  sync.Once
	datagrams *datagramQueue
}

func newQUICSession(sess *wt.Session, conn *quic.Conn, flow *mask.Flow) *quicSession {
	s := &quicSession{sess: sess, conn: conn, remote: conn.RemoteAddr, protocol: sess.SessionState().ApplicationProtocol, closed: make(chan struct{}), datagrams: newDatagramQueue()}
	s.flow.Store(flow)
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	context.AfterFunc(sess.Context(), s.ended)
	return s
}

// ended runs once, after the session of webtransport-go has ended. Because a browser keeps the QUIC connection open after
// its session, this side closes it: at once if the peer ended the session, and otherwise when the peer has closed it or
// had the time to. Chromium loses the code of a session if the connection closes before its page was told.
func (s *quicSession) ended() {
	s.cancel(s.cause())
	var ce *CloseError
	if !errors.As(context.Cause(s.ctx), &ce) || !ce.Remote {
		select {
		case <-s.conn.Context().Done():
		case <-time.After(lingerTime):
		}
	}
	s.conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "")
	close(s.closed)
}

// cause returns why the session ended, as reported by webtransport-go or QUIC.
func (s *quicSession) cause() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := s.sess.AcceptStream(ctx)
	if err = closeCause(err); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	if err := context.Cause(s.conn.Context()); err != nil {
		return closeCause(err)
	}
	return io.ErrUnexpectedEOF
}

// closeCause converts a session error of the library.
func closeCause(err error) error {
	var se *wt.SessionError
	if errors.As(err, &se) {
		return &CloseError{Code: uint32(se.ErrorCode), Reason: se.Message, Remote: se.Remote}
	}
	return err
}

func (s *quicSession) Context() context.Context { return s.ctx }

func (s *quicSession) Info() Info {
	st := s.conn.ConnectionStats()
	return Info{
		Transport: "webtransport", Protocol: s.protocol, RemoteAddr: s.remote(),
		RTT: st.SmoothedRTT, MaxDatagramSize: quicDatagramSize,
		BytesSent: st.BytesSent, BytesReceived: st.BytesReceived,
		MinRTT: st.MinRTT, CongestionWindow: st.CongestionWindow,
		PacketsSent: st.PacketsSent, PacketsReceived: st.PacketsReceived, PacketsLost: st.PacketsLost, Mask: s.flow.Load().State(),
	}
}

func (s *quicSession) path() pace.Path {
	st := s.conn.ConnectionStats()
	return pace.Path{RTT: st.SmoothedRTT, MinRTT: st.MinRTT, Sent: st.BytesSent}
}

func (s *quicSession) OpenStream(ctx context.Context) (Stream, error) {
	str, err := s.sess.OpenStreamSync(ctx)
	if err != nil {
		return nil, s.streamErr(err)
	}
	return &quicStream{str: str, s: s}, nil
}

func (s *quicSession) AcceptStream(ctx context.Context) (Stream, error) {
	str, err := s.sess.AcceptStream(ctx)
	if err != nil {
		return nil, s.streamErr(err)
	}
	return &quicStream{str: str, s: s}, nil
}

func (s *quicSession) SendDatagram(b []byte) error {
	if len(b) > quicDatagramSize {
		return fmt.Errorf("webtransport: datagram of %d bytes, the limit is %d", len(b), quicDatagramSize)
	}
	if s.ctx.Err() != nil {
		return context.Cause(s.ctx)
	}
	s.sendOnce.Do(func() { go s.sendDatagrams() })
	s.datagrams.push(b)
	return nil
}

// sendDatagrams is the only writer of datagrams, because quic-go's own queue blocks without a context when it is full. It
// ends with the session, which unblocks it.
func (s *quicSession) sendDatagrams() {
	for {
		b := s.datagrams.pop(s.ctx)
		if b == nil {
			return
		}
		var tooLarge *quic.DatagramTooLargeError
		if err := s.sess.SendDatagram(b); err != nil && !errors.As(err, &tooLarge) {
			return
		}
	}
}

func (s *quicSession) ReceiveDatagram(ctx context.Context) ([]byte, error) {
	b, err := s.sess.ReceiveDatagram(ctx)
	if err != nil {
		return nil, s.streamErr(err)
	}
	return b, nil
}

// Close delivers code and reason. On the server it writes the capsule and ends the CONNECT stream itself: CloseWithError
// of webtransport-go also asks the peer to stop sending, and then Chromium drops the capsule unread.
func (s *quicSession) Close(code uint32, reason string) error {
	s.closeOnce.Do(func() {
		reason = cutReason(reason)
		s.cancel(&CloseError{Code: code, Reason: reason})
		if s.connect == nil {
			s.sess.CloseWithError(wt.SessionErrorCode(code), reason)
			return
		}
		s.writeClose(appendCloseCapsule(nil, code, reason))
		select {
		case <-s.sess.Context().Done(): // the peer has read the capsule and ended its side of the CONNECT stream
		case <-time.After(CloseTimeout):
			s.sess.CloseWithError(wt.SessionErrorCode(code), reason)
		}
	})
	<-s.closed
	return nil
}

// writeClose writes the last capsule in one piece. webtransport-go writes other capsules when the peer runs out of credit
// for the session; writeClose waits for those that are being written.
func (s *quicSession) writeClose(capsule []byte) {
	late := time.After(CloseTimeout)
	for {
		err := s.connect.TryWriteAll(capsule)
		if err == nil {
			s.connect.Close()
		}
		if !errors.Is(err, quic.ErrWouldBlock) {
			return
		}
		select {
		case <-time.After(closeRetry):
		case <-s.sess.Context().Done():
			return
		case <-late:
			return
		}
	}
}

func appendCloseCapsule(b []byte, code uint32, reason string) []byte {
	b = quicvarint.Append(b, closeCapsule)
	b = quicvarint.Append(b, uint64(4+len(reason)))
	b = binary.BigEndian.AppendUint32(b, code)
	return append(b, reason...)
}

func cutReason(s string) string {
	if len(s) <= MaxCloseReason {
		return s
	}
	for i := MaxCloseReason; ; i-- {
		if utf8.RuneStart(s[i]) {
			return s[:i]
		}
	}
}

// foreignCode is the start of webtransport-go's error, which has no type, for a stream that was ended with a code outside
// the range of WebTransport. Firefox 153 sends H3_REQUEST_CANCELLED of HTTP/3 when its page is closed.
const foreignCode = "stream reset, but failed to convert stream error"

// streamErr converts a stream error of the library.
func (s *quicSession) streamErr(err error) error {
	var se *wt.StreamError
	if errors.As(err, &se) {
		return &StreamError{Code: uint32(se.ErrorCode), Remote: se.Remote}
	}
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	if strings.HasPrefix(err.Error(), foreignCode) {
		return &StreamError{Remote: true}
	}
	var over *wt.SessionError
	var broken *http3.Error
	// webtransport-go ends the streams of a session before its context.
	if errors.As(err, &over) || errors.As(err, &broken) || s.sess.Context().Err() != nil || s.conn.Context().Err() != nil {
		<-s.ctx.Done()
		return context.Cause(s.ctx)
	}
	return closeCause(err)
}

// quicStream is a Stream on webtransport-go.
type quicStream struct {
	str *wt.Stream
	s   *quicSession

	readCanceled, writeCanceled atomic.Pointer[StreamError] // nil unless it was canceled on this side
}

func (q *quicStream) Read(b []byte) (int, error) {
	n, err := q.str.Read(b)
	return n, q.err(err, &q.readCanceled)
}

func (q *quicStream) Write(b []byte) (int, error) {
	n, err := q.str.Write(b)
	return n, q.err(err, &q.writeCanceled)
}

func (q *quicStream) err(err error, canceled *atomic.Pointer[StreamError]) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		if c := canceled.Load(); c != nil {
			return c
		}
	}
	return q.s.streamErr(err)
}

func (q *quicStream) Close() error {
	if err := q.s.streamErr(q.str.Close()); err != nil && q.s.ctx.Err() == nil {
		return err
	}
	return nil
}

// CancelRead also sets a deadline in the past. If the peer has reset the stream because it ends its session, Read of
// webtransport-go waits for that end. A stream that is canceled in the meantime is forgotten, and its Read would wait for
// ever.
func (q *quicStream) CancelRead(code uint32) {
	q.readCanceled.CompareAndSwap(nil, &StreamError{Code: code})
	q.str.CancelRead(wt.StreamErrorCode(code))
	q.str.SetReadDeadline(past)
}

// CancelWrite sets a deadline in the past for the same reason.
func (q *quicStream) CancelWrite(code uint32) {
	q.writeCanceled.CompareAndSwap(nil, &StreamError{Code: code})
	q.str.CancelWrite(wt.StreamErrorCode(code))
	q.str.SetWriteDeadline(past)
}

// past is a deadline in the past.
var past = time.Unix(1, 0)

func (q *quicStream) SetReadDeadline(t time.Time) error {
	err := q.str.SetReadDeadline(t)
	if q.readCanceled.Load() != nil {
		return q.str.SetReadDeadline(past)
	}
	return err
}

func (q *quicStream) SetWriteDeadline(t time.Time) error {
	err := q.str.SetWriteDeadline(t)
	if q.writeCanceled.Load() != nil {
		return q.str.SetWriteDeadline(past)
	}
	return err
}

// prioritized is a stream whose priority within the connection can be set (RFC 9218, section 4), as with the streams of
// quic-go. webtransport-go 0.13.0 hides them; a version with SetPriority will be used without a change here. Until then,
// the gates of the writers keep the number of writes of lower classes small.
type prioritized interface {
	SetPriority(urgency int8, incremental bool)
}

func (q *quicStream) SetClass(class uint8) { setClass(q.str, class) }

// setClass sets the urgency of a class. Class 0 is sent first by both sides, and a stream without a class comes after
// class 0.
func setClass(str any, class uint8) {
	if p, ok := str.(prioritized); ok {
		p.SetPriority(int8(min(1+2*class, 7)), true)
	}
}
