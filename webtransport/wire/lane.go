package wire

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Lane is what a stream is for.
type Lane string

const (
	LaneControl Lane = "control" // client, one: hello, then every command
	LaneStatus  Lane = "status"  // server, one: fleet snapshots and updates; the client may ask for a snapshot on it
	LaneAgent   Lane = "agent"   // client, one an attached agent: its events and its input
)

// Class orders lanes when bytes queue up; a lower one goes first.
type Class uint8

const (
	ClassCritical Class = iota
	ClassHigh
	ClassMedium
	ClassLow
)

// Class is the lane's place in line.
func (l Lane) Class() Class {
	switch l {
	case LaneControl:
		return ClassCritical
	case LaneStatus:
		return ClassMedium
	}
	return ClassHigh
}

// Header is the first line of every stream.
type Header struct {
	Lane Lane `json:"lane"`

	// For LaneAgent.
	Agent  AgentID `json:"agent,omitempty"`
	After  uint64  `json:"after,omitempty"`  // events with a greater seq follow; 0: from the first
	Tail   int     `json:"tail,omitempty"`   // with After 0: start so that at most this many old events come
	Epoch  string  `json:"epoch,omitempty"`  // the epoch that After belongs to; empty: whatever is there
	Follow bool    `json:"follow,omitempty"` // go on with new events; without it the stream ends after the old ones
}

// ErrHeader is wrapped by every error of ParseHeader.
var ErrHeader = errors.New("bad stream header")

// ParseHeader reads a header line, with or without its newline. It knows no lane: an unknown one is the caller's to refuse.
func ParseHeader(line []byte) (Header, error) {
	var h Header
	if len(line) > MaxHeader {
		return h, fmt.Errorf("%w: longer than %d bytes", ErrHeader, MaxHeader)
	}
	if err := json.Unmarshal(line, &h); err != nil {
		return h, fmt.Errorf("%w: %v", ErrHeader, err)
	}
	if h.Lane == "" {
		return h, fmt.Errorf(`%w: no "lane"`, ErrHeader)
	}
	if h.Lane == LaneAgent && h.Agent == "" {
		return h, fmt.Errorf(`%w: lane "agent" without "agent"`, ErrHeader)
	}
	if h.Tail < 0 {
		return h, fmt.Errorf(`%w: negative "tail"`, ErrHeader)
	}
	return h, nil
}
