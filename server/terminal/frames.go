package terminal

import (
	"encoding/binary"
	"encoding/json"
	"slices"

	"skein.dev/skein/webtransport/wire"
)

// maxPiece bounds the bytes of a frame.
const maxPiece = 1 << 20

// take returns the frames that wait for the viewer, and whether there will be no more.
func (v *Viewer) take() (frames []byte, over bool) {
	t := v.t
	t.mu.Lock()
	defer t.mu.Unlock()
	if v.over {
		return nil, true
	}
	if v.news {
		v.news = false
		frames = t.appendState(frames, v)
	}
	if v.paint {
		v.paint = false
		f := wire.FrameScreen
		for piece := range slices.Chunk(t.screen.Paint(), maxPiece) {
			frames, f = wire.AppendFrame(frames, f, piece), wire.FrameOutput
		}
	} else {
		frames = append(frames, v.frames...)
	}
	v.frames = nil
	if n := v.taken.bytes; n != v.told {
		v.told = n
		frames = wire.AppendFrame(frames, wire.FrameTaken, binary.BigEndian.AppendUint64(nil, n))
	}
	if v.ended {
		v.over = true
		frames = wire.AppendFrame(frames, wire.FrameEnd, t.screen.Leave())
	}
	return frames, false
}

// appendState appends a frame with the state. The caller holds mu.
func (t *Terminal) appendState(b []byte, v *Viewer) []byte {
	state, err := json.Marshal(t.state(v))
	if err != nil {
		return b // it has nothing that JSON has not
	}
	return wire.AppendFrame(b, wire.FrameState, state)
}
