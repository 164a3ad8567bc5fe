package session

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"sync"

	"skein.dev/skein/server/terminal"
	"skein.dev/skein/webtransport/wire"
)

// terminalPiece is how much of a terminal is written at once, in bytes: what a client must read within WriteTimeout.
const terminalPiece = 32 << 10

// serveTerminal shows a client the terminal of an agent, and takes what it types there.
func (c *conn) serveTerminal(l *lane, h wire.Header) {
	term, err := c.s.Plane.Terminal(c.ctx, h.Agent)
	if err != nil {
		l.send(wire.Viewing{Error: wire.AsError(err)})
		l.end()
		l.drain()
		return
	}
	viewer, state, taken := term.Attach(c.asker().Actor(), h.Input, h.Window, h.Write)
	defer viewer.Detach()
	number := c.views.add(viewer)
	defer c.views.remove(number)
	if err := l.send(wire.Viewing{Viewer: number, Taken: taken, State: &state}); err != nil {
		l.cancel(lineCode(err))
		return
	}
	ctx, left := context.WithCancel(c.ctx)
	c.lanes.Go(func() {
		defer left()
		l.frames(ctx, viewer)
	})
	for {
		frames, err := viewer.Next(ctx)
		if errors.Is(err, io.EOF) {
			l.end()
			<-ctx.Done() // the client has ended its side, too
			c.ended.remove(l)
			return
		}
		if err != nil {
			l.cancel(wire.StreamCanceled)
			return
		}
		for piece := range slices.Chunk(frames, terminalPiece) {
			if _, err := (patient{l.str}).Write(piece); err != nil {
				l.cancel(wire.StreamTimeout)
				return
			}
		}
	}
}

// frames takes a viewer's frames until the client ends the lane.
func (l *lane) frames(ctx context.Context, v *terminal.Viewer) {
	var buf []byte
	for r := l.r.Rest(); ; {
		f, p, err := wire.ReadFrame(r, buf, wire.MaxInputFrame)
		if err != nil {
			if errors.Is(err, wire.ErrFrame) {
				l.cancel(wire.StreamTooLarge)
			}
			return
		}
		buf = p[:0]
		switch f {
		case wire.FrameInput:
			if offset, b, ok := wire.ParseInput(p); ok {
				v.Input(ctx, offset, b, false)
			}
		case wire.FrameResize:
			var size wire.Size
			if json.Unmarshal(p, &size) == nil {
				v.Resize(size)
			}
		case wire.FrameWrite:
			v.Write()
		}
	}
}

// views are the terminals that a session shows, by the numbers with which datagrams name them.
type views struct {
	mu   sync.Mutex
	last uint32
	all  map[uint32]*terminal.Viewer
}

func (vs *views) add(v *terminal.Viewer) uint32 {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	if vs.all == nil {
		vs.all = map[uint32]*terminal.Viewer{}
	}
	vs.last++
	vs.all[vs.last] = v
	return vs.last
}

func (vs *views) remove(n uint32) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	delete(vs.all, n)
}

// typed takes a datagram with input. What the terminal has no room for comes on the lane.
func (vs *views) typed(ctx context.Context, d []byte) bool {
	n, offset, b, ok := wire.ParseInputDatagram(d)
	if !ok {
		return false
	}
	vs.mu.Lock()
	v := vs.all[n]
	vs.mu.Unlock()
	if v != nil {
		v.Input(ctx, offset, b, true)
	}
	return true
}
