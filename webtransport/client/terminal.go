package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

// TerminalOptions configure a [Client.Terminal].
type TerminalOptions struct {
	Size  wire.Size // of the viewer's own terminal; zero: it has none
	Write bool      // write if nobody else does

	// Screen is called with what the viewer's terminal is to show. If reset is set, it must be reset before: what comes paints the
	// whole screen. Calls come one at a time.
	Screen func(b []byte, reset bool)
	// State is called with the terminal's state whenever it changes. It may be nil.
	State func(wire.TerminalState)
	// Left is called with what returns the viewer's terminal to its owner, when the agent has ended. It may be nil.
	Left func(b []byte)
}

// Terminal is a view of an agent's terminal. It lives over reconnects: what was typed reaches the agent once, and in order.
type Terminal struct {
	c     *Client
	o     TerminalOptions
	agent wire.AgentID
	input string // identifies what is typed here

	mu     sync.Mutex
	size   wire.Size
	str    webtransport.Stream // the present lane; nil: there is none
	link   *link
	viewer uint32
	taken  uint64 // how many bytes of the input the server has
	kept   []byte // the input after them
}

// maxTyped bounds what waits for the server, in bytes.
const maxTyped = 1 << 20

// Terminal shows the terminal of an agent. Call Run.
func (c *Client) Terminal(agent wire.AgentID, o TerminalOptions) *Terminal {
	return &Terminal{c: c, o: o, agent: agent, input: rand.Text(), size: o.Size}
}

// Run shows the terminal until the agent ends, ctx ends, or the server refuses. At the end of the agent it returns nil.
func (t *Terminal) Run(ctx context.Context) error {
	for {
		l, err := t.c.live(ctx)
		if err != nil {
			return err
		}
		ended, err := t.view(ctx, l)
		if ended || err != nil {
			return err
		}
	}
}

// view shows the terminal on a lane of one session. It returns false if the session broke.
func (t *Terminal) view(ctx context.Context, l *link) (ended bool, err error) {
	t.mu.Lock()
	h := wire.Header{Lane: wire.LaneTTY, Agent: t.agent, Write: t.o.Write, Input: t.input}
	if t.size.Valid() {
		size := t.size
		h.Window = &size
	}
	t.mu.Unlock()
	str, err := l.open(ctx, h)
	if err != nil {
		return false, hopeless(ctx, h.Lane, err)
	}
	defer reset(str)
	stop := context.AfterFunc(ctx, func() { reset(str) })
	defer stop()
	r := wire.NewReader(str)
	line, err := r.Line(wire.MaxLine)
	if err != nil {
		return false, hopeless(ctx, h.Lane, err)
	}
	var v wire.Viewing
	if err := json.Unmarshal(line, &v); err != nil {
		return false, fmt.Errorf("lane %s: %w", h.Lane, err)
	}
	if v.Error != nil {
		return false, v.Error
	}
	t.attached(l, str, v)
	defer t.detached(str)
	return t.read(ctx, r.Rest())
}

func (t *Terminal) attached(l *link, str webtransport.Stream, v wire.Viewing) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.str, t.link, t.viewer = str, l, v.Viewer
	t.acknowledge(v.Taken)
	if len(t.kept) > 0 {
		str.Write(wire.AppendInput(nil, t.taken, t.kept))
	}
	if v.State != nil && t.o.State != nil {
		t.o.State(*v.State)
	}
}

func (t *Terminal) detached(str webtransport.Stream) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.str == str {
		t.str, t.link = nil, nil
	}
}

// acknowledge drops input that the server has. The caller holds mu.
func (t *Terminal) acknowledge(taken uint64) {
	if taken > t.taken {
		n := min(taken-t.taken, uint64(len(t.kept)))
		t.kept = bytes.Clone(t.kept[n:])
		t.taken += n
	}
}

// read shows frames until the lane ends.
func (t *Terminal) read(ctx context.Context, r io.Reader) (ended bool, err error) {
	var buf []byte
	for {
		f, p, err := wire.ReadFrame(r, buf, wire.MaxFrame)
		if err != nil {
			return false, hopeless(ctx, wire.LaneTTY, err)
		}
		buf = p[:0]
		switch f {
		case wire.FrameOutput, wire.FrameScreen:
			t.o.Screen(p, f == wire.FrameScreen)
		case wire.FrameState:
			var s wire.TerminalState
			if err := json.Unmarshal(p, &s); err != nil {
				return false, fmt.Errorf("lane %s: %w", wire.LaneTTY, err)
			}
			if t.o.State != nil {
				t.o.State(s)
			}
		case wire.FrameTaken:
			if len(p) == 8 {
				t.mu.Lock()
				t.acknowledge(binary.BigEndian.Uint64(p))
				t.mu.Unlock()
			}
		case wire.FrameEnd:
			if t.o.Left != nil {
				t.o.Left(p)
			}
			return true, nil
		}
	}
}

// Type sends what a person types. While there is no session, it is kept. It returns an error if too much waits.
func (t *Terminal) Type(b []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.kept)+len(b) > maxTyped {
		return wire.Errorf(wire.CodeExhausted, "the agent does not take what is typed: %d bytes wait", len(t.kept))
	}
	offset := t.taken + uint64(len(t.kept))
	t.kept = append(t.kept, b...)
	if t.str == nil {
		return nil
	}
	for len(b) > 0 {
		n := min(len(b), wire.MaxInputFrame-8)
		t.str.Write(wire.AppendInput(nil, offset, b[:n])) // an error breaks the session; the next one brings it
		b, offset = b[n:], offset+uint64(n)
	}
	if t.link.kind == wire.WebTransport {
		go t.race(t.link)
	}
	return nil
}

// race sends the input that the server does not have yet as datagrams, until it has.
func (t *Terminal) race(l *link) {
	begin := time.Now()
	for _, at := range wire.RaceDelays {
		select {
		case <-time.After(time.Until(begin.Add(at))):
		case <-l.sess.Context().Done():
			return
		}
		t.mu.Lock()
		d, fits := wire.AppendInputDatagram(nil, t.viewer, t.taken, t.kept)
		none := t.link != l || len(t.kept) == 0
		t.mu.Unlock()
		if none || !fits || l.sess.SendDatagram(d) != nil {
			return
		}
	}
}

// Resize says the size of the viewer's own terminal.
func (t *Terminal) Resize(s wire.Size) {
	b, err := json.Marshal(s)
	if err != nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.size = s
	if t.str != nil {
		t.str.Write(wire.AppendFrame(nil, wire.FrameResize, b))
	}
}

// Write makes this viewer the one that writes.
func (t *Terminal) Write() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.o.Write = true
	if t.str != nil {
		t.str.Write(wire.AppendFrame(nil, wire.FrameWrite))
	}
}
