// Package qmux carries many streams and datagrams on one connection of whole messages: QMux
// (draft-ietf-quic-qmux, -01 and -02) with one WebSocket message, or any other [Conn]'s, as one record. It is what QUIC
// version 1 (RFC 9000) does above its packets: streams with flow control, resets, unreliable datagrams (RFC 9221) and
// a close with a code.
//
// # Records and frames
//
// A record is one message, at most max_record_size bytes (16382 unless the receiver says more). It holds one or more
// frames and no size of its own. Integers are QUIC varints (RFC 9000, section 16): the first two bits give the length,
// 1, 2, 4 or 8 bytes. [] marks what a bit of the type switches on, * a length followed by that many bytes:
//
//	type                 name                     fields
//	0x00                 PADDING
//	0x04                 RESET_STREAM             id, code, final size
//	0x05                 STOP_SENDING             id, code
//	0x08-0x0f            STREAM                   id, [0x04: offset], data [0x02: *]; 0x01 is FIN. Sent as 0x0e, 0x0f
//	0x10                 MAX_DATA                 limit
//	0x11                 MAX_STREAM_DATA          id, limit
//	0x12, 0x13           MAX_STREAMS              limit; bidirectional, unidirectional
//	0x14                 DATA_BLOCKED             limit
//	0x15                 STREAM_DATA_BLOCKED      id, limit
//	0x16, 0x17           STREAMS_BLOCKED          limit
//	0x1c                 CONNECTION_CLOSE         code, type of the frame at fault, *reason
//	0x1d                 APPLICATION_CLOSE        code, *reason
//	0x24                 RESET_STREAM_AT          id, code, final size, reliable size; -02 only
//	0x30, 0x31           DATAGRAM                 data to the end of the record; *data. Sent as 0x31
//	0x348c67529ef8c7bd   QX_PING                  sequence; answered by ...be with the same
//	0x3f5153300d0a0d0a   QX_TRANSPORT_PARAMETERS  *parameters
//
// The low two bits of a stream id tell who opened it and whether it is unidirectional (RFC 9000, section 2.1). This
// package opens and takes bidirectional streams only.
//
// # Flow
//
// Each side's first frame is its transport parameters. A side sends nothing that needs the peer's credit before it has
// received those of the peer. For the peer, a stream exists from its first frame on. A side grants credit for a stream,
// for the connection and for the number of streams, and grants more when the application reads and closes streams, not
// when bytes arrive. So what a peer can make this side store is bounded by the windows, [Config].MaxStreams and
// [Config].DatagramQueue. Control frames are not queued at all: each is a flag on the session or on the stream, and is
// written with its latest value when the connection takes the next record. So a peer that does not read costs nothing
// beyond its streams.
//
// A session has two goroutines. The reader takes a record from the connection, applies its frames and wakes those who
// wait. The writer fills a record whenever the connection can take one: with control frames first, then datagrams, then
// stream data by class, where streams of the same class take turns. Nothing is delayed to fill a record.
//
// A side ends the session with APPLICATION_CLOSE if its application closed it, with CONNECTION_CLOSE if the peer broke
// the protocol, or without a frame after the idle timeout. There is no draining: whoever receives one of the frames
// closes the connection.
//
// # Locks
//
// There is one, Session.mu. It guards the session, its streams and everything that is reached from them, and the
// conditions that their methods wait on use it. It is never held while the connection is read, written or closed.
package qmux

import (
	"cmp"
	"context"
	"log/slog"
	"math"
	"time"
)

// Conn carries whole binary messages, in order and reliably. One goroutine reads and another writes.
type Conn interface {
	// ReadMessage returns the next message. The caller owns the slice.
	ReadMessage(ctx context.Context) ([]byte, error)
	// WriteMessage sends a message. It must not retain b.
	WriteMessage(ctx context.Context, b []byte) error
	// Close ends the connection at once and unblocks both.
	Close() error
}

// Version is a draft of the protocol. The two sides must agree on it beforehand, for example by the WebSocket
// subprotocol.
type Version uint8

const (
	// Draft02 is draft-ietf-quic-qmux-02, which has RESET_STREAM_AT and requires that the sequences of pings increase.
	Draft02 Version = iota
	// Draft01 is draft-ietf-quic-qmux-01.
	Draft01
)

const (
	// MinRecord is the least max_record_size, in bytes. It is also the default.
	MinRecord = 16382
	// CloseTimeout bounds how long to wait for a peer to hang up after a close.
	CloseTimeout = time.Second
	// MaxCloseReason bounds a close reason, in bytes of UTF-8. Longer ones are cut.
	MaxCloseReason = 1024
	// SendBuffer bounds how many bytes a stream's Write copies ahead of the writer. A larger Write waits, and the rest is
	// sent from the caller's slice.
	SendBuffer = 4 << 10
)

// Config configures a session. Its zero value works; a zero field means its default.
type Config struct {
	StreamWindow uint64 // bytes that a peer may send on a stream ahead of its reader; default 256 KiB
	// ConnWindow is the same for all streams together; default 4 MiB. Streams that nobody reads can use it up and stall
	// the others, so it should be many times StreamWindow. It bounds the memory of a session.
	ConnWindow uint64
	MaxStreams uint64 // streams that the peer may have open at once; default 1000
	// IdleTimeout ends a session that received nothing for so long; default 30 s, negative: never. The peer's own timeout
	// applies too, if it is shorter.
	IdleTimeout time.Duration
	// KeepAlive is the interval between QX_PING frames; default 10 s, negative: none. It is at most a third of the idle
	// timeout.
	KeepAlive time.Duration
	MaxRecord int // bytes in a record, both ways; default and least MinRecord
	// MaxDatagram is the largest DATAGRAM frame that this side accepts, in bytes with its header of up to 3; default
	// 4096, negative: none is accepted.
	MaxDatagram   int
	DatagramQueue int     // most datagrams that wait in each direction; default 128
	Version       Version // default Draft02
	Logger        *slog.Logger
}

func (c Config) withDefaults() Config {
	c.StreamWindow = min(cmp.Or(c.StreamWindow, 256<<10), maxWindow)
	c.ConnWindow = min(cmp.Or(c.ConnWindow, 4<<20), maxWindow)
	c.MaxStreams = min(cmp.Or(c.MaxStreams, 1000), maxWindow)
	c.IdleTimeout = max(cmp.Or(c.IdleTimeout, 30*time.Second), 0)
	c.KeepAlive = max(cmp.Or(c.KeepAlive, 10*time.Second), 0)
	c.MaxRecord = min(max(c.MaxRecord, MinRecord), math.MaxInt32)
	c.MaxDatagram = min(max(cmp.Or(c.MaxDatagram, 4096), 0), c.MaxRecord)
	c.DatagramQueue = max(cmp.Or(c.DatagramQueue, 128), 1)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// maxWindow bounds windows so that a limit, which is a window plus what was consumed, fits into a varint.
const maxWindow = 1 << 40
