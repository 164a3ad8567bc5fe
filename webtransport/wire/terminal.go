package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A terminal lane shows the terminal of an agent, and takes what a viewer types (docs/protocol.md, "The terminal lane"). After
// the header, the server sends one line, a Viewing. From then on both sides send frames: a byte, which is the type, the length of
// what follows as four bytes, the highest first, and that many bytes.

// FrameType says what a frame of a terminal lane is.
type FrameType byte

const (
	// From the server.
	FrameOutput FrameType = 'o' // bytes for the viewer's terminal
	FrameScreen FrameType = 's' // bytes for the viewer's terminal after it was reset: they paint the whole screen
	FrameState  FrameType = 't' // a TerminalState as JSON, whenever it changes
	FrameTaken  FrameType = 'a' // 8 bytes: how many bytes of the viewer's input were taken, all in all
	FrameEnd    FrameType = 'e' // bytes that return the viewer's terminal to its owner; nothing follows

	// From the viewer.
	FrameInput  FrameType = 'i' // 8 bytes: how many bytes of input came before these; then the bytes
	FrameResize FrameType = 'r' // a Size as JSON; it counts if the viewer writes
	FrameWrite  FrameType = 'w' // from now on this viewer writes, and no other one
)

const (
	frameHeader = 5

	// MaxFrame bounds the payload of a frame, in bytes.
	MaxFrame = 4 << 20
	// MaxInputFrame bounds that of a viewer's frame.
	MaxInputFrame = 64 << 10
)

// Viewing is the first line that the server sends on a terminal lane.
type Viewing struct {
	Viewer uint32         `json:"viewer,omitempty"` // its number in the session, for input that comes as datagrams
	Taken  uint64         `json:"taken"`            // how many bytes of this viewer's input an earlier lane has brought
	State  *TerminalState `json:"state,omitempty"`
	Error  *Error         `json:"error,omitempty"` // if it is set, the lane ends
}

// TerminalState is what viewers are told of a terminal besides what it shows.
type TerminalState struct {
	Size    Size   `json:"size"`
	Title   string `json:"title,omitempty"`
	Viewers int    `json:"viewers"`
	Writes  bool   `json:"writes"`           // this viewer
	Writer  string `json:"writer,omitempty"` // who writes; "": nobody
	Ended   bool   `json:"ended,omitempty"`  // the agent has ended; what it showed last remains
}

// AppendFrame appends a frame.
func AppendFrame(b []byte, t FrameType, payload ...[]byte) []byte {
	n := 0
	for _, p := range payload {
		n += len(p)
	}
	b = append(b, byte(t))
	b = binary.BigEndian.AppendUint32(b, uint32(n))
	for _, p := range payload {
		b = append(b, p...)
	}
	return b
}

// ErrFrame is wrapped by the errors of ReadFrame about a frame that is none.
var ErrFrame = errors.New("bad frame")

// ReadFrame reads a frame whose payload has at most limit bytes. It returns the payload in buf if that has room. If the stream
// ends before the frame begins, the error is io.EOF.
func ReadFrame(r io.Reader, buf []byte, limit int) (FrameType, []byte, error) {
	var h [frameHeader]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(h[1:])
	if uint64(n) > uint64(limit) {
		return 0, nil, fmt.Errorf("%w: %d bytes, %d are allowed", ErrFrame, n, limit)
	}
	if cap(buf) < int(n) {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if _, err := io.ReadFull(r, buf); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	return FrameType(h[0]), buf, nil
}

// AppendInput appends a frame of input that comes after offset bytes.
func AppendInput(b []byte, offset uint64, p []byte) []byte {
	return AppendFrame(b, FrameInput, binary.BigEndian.AppendUint64(nil, offset), p)
}

// ParseInput parses the payload of a frame of input.
func ParseInput(p []byte) (offset uint64, input []byte, ok bool) {
	if len(p) < 8 {
		return 0, nil, false
	}
	return binary.BigEndian.Uint64(p), p[8:], true
}

// DatagramInput is the kind of a datagram with input for a terminal, from the client: the viewer's number as four bytes, and then
// what a frame of input has. It repeats what the lane brings, since a datagram does not wait for lost packets. The server takes each
// byte once.
const DatagramInput = 5

// AppendInputDatagram appends such a datagram. It returns false if it would be too long.
func AppendInputDatagram(b []byte, viewer uint32, offset uint64, p []byte) ([]byte, bool) {
	if len(p) > MaxMessageDatagram-16 {
		return b, false
	}
	b = append(b, DatagramInput)
	b = binary.BigEndian.AppendUint32(b, viewer)
	b = binary.BigEndian.AppendUint64(b, offset)
	return append(b, p...), true
}

// ParseInputDatagram parses such a datagram.
func ParseInputDatagram(b []byte) (viewer uint32, offset uint64, p []byte, ok bool) {
	if len(b) < 5 || b[0] != DatagramInput || len(b) > MaxMessageDatagram {
		return 0, 0, nil, false
	}
	offset, p, ok = ParseInput(b[5:])
	return binary.BigEndian.Uint32(b[1:]), offset, p, ok
}
