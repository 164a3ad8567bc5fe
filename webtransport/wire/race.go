package wire

import (
	"time"
)

// A message datagram is one byte, its kind, and one JSON-RPC message without its newline (docs/protocol.md, "Critical
// requests race"). It is a copy of a message on a lane, sent because a datagram does not wait for earlier lost packets.
const (
	DatagramRequest    = 2 // client → server
	DatagramResponse   = 3 // server → client
	DatagramProbe      = 4 // client → server, with nothing else in it; the acknowledgement of QUIC is the answer
	MaxMessageDatagram = 1100
)

// RaceDelays are the times at which the copies of a message datagram are sent. A burst of loss rarely lasts from the first to
// the last one.
var RaceDelays = [...]time.Duration{0, 8 * time.Millisecond, 25 * time.Millisecond}

// AppendMessageDatagram appends the datagram of a line. It returns false if the line is too long for a datagram.
func AppendMessageDatagram(b []byte, kind byte, line []byte) ([]byte, bool) {
	if len(line) > 0 && line[len(line)-1] == '\n' {
		line = line[:len(line)-1]
	}
	if len(line) >= MaxMessageDatagram {
		return b, false
	}
	return append(append(b, kind), line...), true
}

// ParseMessageDatagram parses a datagram of a kind. It returns false if the datagram is of another kind or invalid.
func ParseMessageDatagram(b []byte, kind byte) (*Message, bool) {
	if len(b) < 2 || len(b) > MaxMessageDatagram || b[0] != kind {
		return nil, false
	}
	m, err := ParseMessage(b[1:])
	return m, err == nil && len(m.ID) > 0 && (m.Method != "") == (kind == DatagramRequest)
}
