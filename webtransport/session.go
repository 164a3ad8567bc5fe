// Package webtransport carries bytes: sessions with many streams and datagrams between a browser or a program and a
// server. It knows nothing of agents. Three carriers implement the same [Session]:
//
//   - WebTransport over HTTP/3 (draft-ietf-webtrans-http3), on webtransport-go and quic-go: [QUICServer], [DialQUIC];
//   - WebSocket carrying QMux (draft-ietf-quic-qmux), for networks that block UDP: [AcceptWebSocket], [DialWebSocket];
//   - an in-memory [Pipe], for tests: QMux over two channels.
//
// The conformance suite in this package's tests describes what all three have in common.
//
// # Locks
//
// In the order in which they are taken:
//
//	paths.moving       during a migration
//	paths.mu           the sockets of a client's connection
//	QUICServer.mu      the sockets of a server
//	datagramQueue.mu   datagrams that wait for their writer; no lock is taken with it held
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
	// OpenStream opens a bidirectional stream. It waits while the peer's limit of streams is reached. The peer learns of
	// the stream with its first bytes.
	OpenStream(ctx context.Context) (Stream, error)
	// AcceptStream waits for the next stream that the peer opened.
	AcceptStream(ctx context.Context) (Stream, error)
	// SendDatagram queues a datagram and never blocks. The queue is bounded (DatagramQueue). If it is full, the oldest
	// datagram is dropped, because the latest matters most. SendDatagram fails if b is larger than MaxDatagramSize or the
	// session is closed. It does not retain b.
	SendDatagram(b []byte) error
	// ReceiveDatagram waits for the next datagram. Up to DatagramQueue datagrams are kept for later calls; beyond that,
	// the newest are dropped.
	ReceiveDatagram(ctx context.Context) ([]byte, error)
	// Close ends the session and tells the peer why. It returns when the peer knows, or after CloseTimeout. Only the
	// first call has an effect.
	Close(code uint32, reason string) error
	// Context returns a context that ends with the session. Its cause is a *CloseError if one side closed the session,
	// and otherwise the error that broke it.
	Context() context.Context
	// Info describes the current state of the session.
	Info() Info
}

// Stream is one bidirectional stream of a session. One goroutine may call Read while another calls Write.
type Stream interface {
	io.Reader
	io.Writer
	// Close ends the sending side: the peer reads what was written and then io.EOF.
	io.Closer
	// CancelRead asks the peer to stop sending (STOP_SENDING); later Reads fail with a *StreamError.
	CancelRead(code uint32)
	// CancelWrite abandons the sending side (RESET_STREAM), and the peer's Read fails with a *StreamError. After Close it
	// has no effect on what was delivered.
	CancelWrite(code uint32)
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
	// SetClass sets the priority of the stream among the streams of the session when bytes queue up. Class 0 is sent
	// first. QUIC carriers treat all streams alike until webtransport-go gives access to the priorities of quic-go.
	SetClass(class uint8)
}

// Info describes a session.
type Info struct {
	Transport  string        // "webtransport", "websocket" or "pipe"
	Protocol   string        // the negotiated application protocol, such as "skein.v1"
	RemoteAddr net.Addr      // nil for a pipe
	RTT        time.Duration // smoothed; 0: not measured yet
	// MaxDatagramSize is the largest payload of SendDatagram in bytes; 0: the peer accepts none.
	MaxDatagramSize int
	BytesSent       uint64
	BytesReceived   uint64
	// Of QUIC carriers alone:
	MinRTT                                    time.Duration // least round trip of the path
	CongestionWindow                          uint64        // bytes
	PacketsSent, PacketsReceived, PacketsLost uint64        // a packet that is sent twice counts once
	Mask                                      MaskState
}

// CloseError is the error of a session that one side closed, with the Code and Reason that it gave. Remote reports
// whether that was the peer.
type CloseError = qmux.CloseError

// StreamError is the error of a stream that one side canceled with Code.
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
