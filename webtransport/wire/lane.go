package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// Lane is what a stream is for.
type Lane string

const (
	LaneControl Lane = "control"  // client, one: hello, then every command
	LaneHealth  Lane = "health"   // client, one: pings, which nothing else delays
	LaneMemory  Lane = "memory"   // client, one: memory requests and watches
	LaneTask    Lane = "task"     // client, one: task requests and a watch
	LaneStatus  Lane = "status"   // server, one: fleet snapshots and updates; the client may ask for a snapshot on it
	LaneAgent   Lane = "agent"    // client, one per attached agent: its events and its input
	LaneTTY     Lane = "terminal" // client, one per view of an agent's terminal: what it shows, as frames, and what is typed
	LaneGlance  Lane = "glance"   // client, one per agent that is looked at: pictures of what it shows, the latest one only
	LaneWorker  Lane = "worker"   // client, one per agent that it is: worker.join, then the messages of both
	LaneResult  Lane = "result"   // client, one per orchestration: results as they complete
	LaneBulk    Lane = "bulk"     // client, one per transfer: the raw bytes of an artifact
)

// Lanes lists every lane.
var Lanes = []Lane{LaneControl, LaneHealth, LaneMemory, LaneTask, LaneStatus, LaneAgent, LaneTTY, LaneGlance, LaneWorker, LaneResult, LaneBulk}

// Class orders lanes when bytes queue up. Lower classes go first.
type Class uint8

const (
	ClassCritical Class = iota
	ClassHigh
	ClassMedium
	ClassLow
)

var classNames = [...]string{"critical", "high", "medium", "low"}

func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return "class " + strconv.Itoa(int(c))
}

// Class returns the class of the lane.
func (l Lane) Class() Class {
	switch l {
	case LaneControl, LaneHealth:
		return ClassCritical
	case LaneStatus, LaneResult, LaneGlance:
		return ClassMedium
	case LaneBulk:
		return ClassLow
	}
	return ClassHigh
}

// Header is the first line of every stream.
type Header struct {
	Lane Lane `json:"lane"`

	// For LaneAgent. After is for LaneResult too: the ordinal of the last result that the client has.
	Agent  AgentID `json:"agent,omitempty"`
	After  uint64  `json:"after,omitempty"`  // events with a greater seq follow; 0: all
	Tail   int     `json:"tail,omitempty"`   // with After 0: at most this many old events follow
	Epoch  string  `json:"epoch,omitempty"`  // the epoch that After belongs to; empty: any
	Follow bool    `json:"follow,omitempty"` // new events follow; without it, the stream ends after the old ones

	// For LaneTTY, with Agent.
	Window *Size  `json:"window,omitempty"` // the size of the viewer's terminal; it counts if the viewer writes
	Write  bool   `json:"write,omitempty"`  // the viewer writes if nobody else does
	Input  string `json:"input,omitempty"`  // identifies the viewer's input over several lanes, so that each byte is taken once

	// For LaneGlance, with Agent.
	Rows int `json:"rows,omitempty"` // of the pictures, at most; 0: DefaultPictureRows. A terminal has as many as it has, up to MaxPictureRows
	Cols int `json:"cols,omitempty"` // characters of a row, at most; 0: DefaultPictureCols. Likewise

	// For LaneResult.
	Task TaskID `json:"task,omitempty"`
	HTML bool   `json:"html,omitempty"` // Result.HTML comes with each

	// For LaneBulk.
	Artifact ArtifactID `json:"artifact,omitempty"`
	Op       string     `json:"op,omitempty"`     // BulkPut or BulkGet
	Offset   int64      `json:"offset,omitempty"` // BulkGet: the first byte to send
	Length   int64      `json:"length,omitempty"` // BulkGet: how many bytes at most; 0: to the end
}

// ErrHeader is wrapped by every error of ParseHeader.
var ErrHeader = errors.New("bad stream header")

// ParseHeader parses a header line, with or without its newline. It accepts unknown lanes, which the caller refuses.
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
	if h.Lane == LaneTTY && (h.Agent == "" || h.Window != nil && !h.Window.Valid() || len(h.Input) > MaxRequestID) {
		return h, fmt.Errorf(`%w: lane "terminal" needs "agent", a "window" of at most %d×%d and an "input" of at most %d bytes`, ErrHeader, MaxCols, MaxRows, MaxRequestID)
	}
	if h.Lane == LaneGlance && (h.Agent == "" || h.Rows < 0 || h.Rows > MaxPictureRows || h.Cols < 0 || h.Cols > MaxPictureCols) {
		return h, fmt.Errorf(`%w: lane "glance" needs "agent", "rows" of at most %d and "cols" of at most %d`, ErrHeader, MaxPictureRows, MaxPictureCols)
	}
	if h.Lane == LaneResult && h.Task == "" {
		return h, fmt.Errorf(`%w: lane "result" without "task"`, ErrHeader)
	}
	if h.Lane == LaneBulk && (h.Artifact == "" || h.Op != BulkPut && h.Op != BulkGet || h.Offset < 0 || h.Length < 0) {
		return h, fmt.Errorf(`%w: lane "bulk" needs "artifact", "op" (put or get) and no negative "offset" or "length"`, ErrHeader)
	}
	if h.Tail < 0 {
		return h, fmt.Errorf(`%w: negative "tail"`, ErrHeader)
	}
	return h, nil
}
