// Package webtransport carries bytes: sessions with many streams and datagrams between a browser or a program and a
// server. It knows no agent. Three carriers give the same [Session]:
//
//   - WebTransport over HTTP/3 (draft-ietf-webtrans-http3), on webtransport-go and quic-go: [QUICServer], [DialQUIC];
//   - WebSocket carrying QMux (draft-ietf-quic-qmux), where UDP is blocked: [AcceptWebSocket], [DialWebSocket];
//   - an in-memory [Pipe], for tests: QMux over two channels.
//
// What holds for all three is written down once, in the conformance suite of this package's tests.
package webtransport

import (
	"context"
	"io"
	"net"
	"time"

	"skein.dev/skein/webtransport/qmux"
)

// Session is one connection to a peer.
type Session interface {
	// OpenStream opens a bidirectional stream. It waits while the peer's stream limit is reached. The peer learns of
	// the stream with its first bytes.
	OpenStream(ctx context.Context) (Stream, error)
	// AcceptStream waits for the next stream that the peer opened.
	AcceptStream(ctx context.Context) (Stream, error)
	// SendDatagram queues a datagram and never blocks. The queue is bounded (DatagramQueue); when it is full the
	// oldest datagram gives way, for the latest is what counts. It fails when b is larger than MaxDatagramSize or the
	// session is closed. b may be used again after it returned.
	SendDatagram(b []byte) error
	// ReceiveDatagram waits for the next datagram. Those that nobody waits for are kept up to DatagramQueue, the
	// newest dropped beyond it.
	ReceiveDatagram(ctx context.Context) ([]byte, error)
	// Close ends the session and tells the peer why. It returns when the peer knows, or after CloseTimeout. Only the
	// first call has an effect.
	Close(code uint32, reason string) error
	// Context ends when the session ends. Its cause is a *CloseError if one side closed, else what broke.
	Context() context.Context
	// Info describes the session now.
	Info() Info
}

// Stream is one bidirectional stream of a session. Read and Write may be called at the same time by different
// goroutines, each by one at a time.
type Stream interface {
	io.Reader
	io.Writer
	// Close ends the sending side: the peer reads what was written and then io.EOF.
	io.Closer
	// CancelRead asks the peer to stop sending (STOP_SENDING); later Reads fail with a *StreamError.
	CancelRead(code uint32)
	// CancelWrite gives up the sending side (RESET_STREAM); the peer's Read fails with a *StreamError. After Close it
	// has no effect on what was delivered.
	CancelWrite(code uint32)
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
	// SetClass orders the stream among the session's others when bytes queue up: 0 goes first. QUIC carriers treat
	// all streams alike until webtransport-go lets quic-go's priorities through.
	SetClass(class uint8)
}

// Info describes a session.
type Info struct {
	Transport  string        // "webtransport", "websocket" or "pipe"
	Protocol   string        // the negotiated application protocol, such as "skein.v1"
	RemoteAddr net.Addr      // nil for a pipe
	RTT        time.Duration // smoothed; 0: not measured yet
	// MaxDatagramSize is the largest payload SendDatagram takes, in bytes; 0: the peer takes none.
	MaxDatagramSize int
	BytesSent       uint64
	BytesReceived   uint64
	// Of QUIC carriers alone:
	MinRTT                                    time.Duration // the least of the path
	CongestionWindow                          uint64        // bytes
	PacketsSent, PacketsReceived, PacketsLost uint64        // packets that are sent twice count once
	Mask                                      MaskState
}

// CloseError is why a session ended: one side called Close. Code and Reason are what it gave; Remote tells which side.
type CloseError = qmux.CloseError

// StreamError is why a stream ended early: one side cancelled it with Code.
type StreamError = qmux.StreamError

const (
	// DatagramQueue bounds the datagrams waiting in each direction of a session.
	DatagramQueue = 128
	// CloseTimeout bounds the wait for a peer that does not answer a close.
	CloseTimeout = time.Second
	// MaxCloseReason bounds a close reason, in bytes of UTF-8 (draft-ietf-webtrans-http3, WT_CLOSE_SESSION). Longer
	// ones are cut.
	MaxCloseReason = 1024
)
