package wire

import (
	"time"
)

// A message datagram is a kind, one byte, and one JSON-RPC message without its newline (docs/protocol.md, "Critical
// requests race"). It is a copy of what a lane carries too, sent because a datagram waits for no lost packet before it.
const (
	DatagramRequest    = 2 // client → server
	DatagramResponse   = 3 // server → client
	DatagramProbe      = 4 // client → server, nothing else in it: QUIC's acknowledgement is the answer
	MaxMessageDatagram = 1100
)

// RaceDelays are when the copies of a message datagram go out. A burst of loss rarely lasts from the first to the last.
var RaceDelays = [...]time.Duration{0, 8 * time.Millisecond, 25 * time.Millisecond}

// AppendMessageDatagram appends the datagram of a line. false: it is too long for one.
func AppendMessageDatagram(b []byte, kind byte, line []byte) ([]byte, bool) {
	if len(line) > 0 && line[len(line)-1] == '\n' {
		line = line[:len(line)-1]
	}
	if len(line) >= MaxMessageDatagram {
		return b, false
	}
	return append(append(b, kind), line...), true
}

// ParseMessageDatagram reads a datagram of that kind. false: it is another one, or broken.
func ParseMessageDatagram(b []byte, kind byte) (*Message, bool) {
	if len(b) < 2 || len(b) > MaxMessageDatagram || b[0] != kind {
		return nil, false
	}
	m, err := ParseMessage(b[1:])
	return m, err == nil && len(m.ID) > 0 && (m.Method != "") == (kind == DatagramRequest)
}
