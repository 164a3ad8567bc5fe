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

	news chan struct{} // has a value when there is something to send

	mu     sync.Mutex
	size   wire.Size
	sized  bool  // the server does not know size
	takes  bool  // the server does not know that this viewer wants to write
	link   *link // of the present lane; nil: there is none
	viewer uint32
	taken  uint64 // how many bytes of the input the server has
	kept   []byte // the input after them
	sent   uint64 // how many bytes of the input were written to the present lane, or came before it
}

// maxTyped bounds what waits for the server, in bytes.
const maxTyped = 1 << 20

// Terminal shows the terminal of an agent. Call Run.
func (c *Client) Terminal(agent wire.AgentID, o TerminalOptions) *Terminal {
	return &Terminal{c: c, o: o, agent: agent, input: rand.Text(), size: o.Size, news: make(chan struct{}, 1)}
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
		if l.sess.Context().Err() == nil { // only the lane broke
			select {
			case <-time.After(laneGap):
			case <-ctx.Done():
			}
		}
	}
}

// laneGap is the pause before a lane that broke by itself is opened again.
const laneGap = 200 * time.Millisecond

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
	writing, stopped := context.WithCancel(ctx)
	defer stopped()
	t.attached(l, v)
	defer t.detached(l)
	go t.write(writing, str)
	return t.read(ctx, r.Rest())
}

func (t *Terminal) attached(l *link, v wire.Viewing) {
	t.mu.Lock()
	t.link, t.viewer = l, v.Viewer
	t.acknowledge(v.Taken)
	t.sent, t.sized = t.taken, false // the header had the size
	t.mu.Unlock()
	t.wake()
	if v.State != nil && t.o.State != nil {
		t.o.State(*v.State)
	}
}

func (t *Terminal) detached(l *link) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.link == l {
		t.link = nil
	}
}

func (t *Terminal) wake() {
	select {
	case t.news <- struct{}{}:
	default:
	}
}

// write writes to a lane what there is to send, until ctx ends. An error breaks the session; the next lane brings the rest.
func (t *Terminal) write(ctx context.Context, str webtransport.Stream) {
	for {
		select {
		case <-t.news:
		case <-ctx.Done():
			t.wake() // for the next lane
			return
		}
		for b := t.next(); len(b) > 0; b = t.next() {
			if _, err := str.Write(b); err != nil {
				return
			}
		}
	}
}

// next returns the next frames to send.
func (t *Terminal) next() (b []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.takes {
		t.takes = false
		b = wire.AppendFrame(b, wire.FrameWrite)
	}
	if t.sized {
		t.sized = false
		if size, err := json.Marshal(t.size); err == nil {
			b = wire.AppendFrame(b, wire.FrameResize, size)
		}
	}
	if t.sent < t.taken {
		t.sent = t.taken
	}
	if rest := t.kept[t.sent-t.taken:]; len(rest) > 0 {
		rest = rest[:min(len(rest), wire.MaxInputFrame-8)]
		b = wire.AppendInput(b, t.sent, rest)
		t.sent += uint64(len(rest))
	}
	return b
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
	t.kept = append(t.kept, b...)
	t.wake()
	if t.link != nil && t.link.kind == wire.WebTransport {
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
	t.mu.Lock()
	defer t.mu.Unlock()
	t.size, t.sized = s, true
	t.wake()
}

// Write makes this viewer the one that writes.
func (t *Terminal) Write() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.o.Write, t.takes = true, true
	t.wake()
}
