// Package terminal shows the terminals of agents to viewers. A [Terminal] keeps the screen of one (package vt), also while nobody
// looks. Any number of [Viewer]s see it; one of them writes: what it types goes to the agent, and the terminal has its size.
//
//	agent ── Output ──> vt.Screen ──┬── answers to queries ──┐
//	                                └── for viewers ──> Viewer.Next, a lane each
//	agent <── Options.Input <── one goroutine <─────────────┴── Viewer.Input
//
// A viewer that does not read what comes loses it, and gets the screen as it is then: the agent waits for no viewer.
//
// # Locks
//
//	Terminal.resizing   while the program is told the size
//	Terminal.mu         for what happens on the screen, and for who views it
//
// Nothing that waits happens with mu held, and the functions of Options are called without it.
package terminal

import (
	"bytes"
	"context"
	"io"
	"sync"
	"time"

	"skein.dev/skein/server/vt"
	"skein.dev/skein/webtransport/wire"
)

// Bounds.
const (
	maxUnread  = 256 << 10 // bytes that wait for a viewer; when there are more, it gets the screen in their place
	maxPending = 256 << 10 // bytes of input that wait for an agent that does not read; viewers wait then
	maxInputs  = 64        // viewers, present and past, of which is known how much of their input was taken
)

// Options are the functions by which a Terminal reaches its agent. They are static.
type Options struct {
	// Input writes to the agent's terminal. It waits until the agent has read, or ctx ends.
	Input func(ctx context.Context, b []byte) error
	// Resize tells the agent's terminal its size.
	Resize func(wire.Size) error
	// Noted is called with what the program says about itself.
	Noted func([]vt.Note)
	// Typed is called when a person has typed something, with the time before the agent got it.
	Typed func(at time.Time)
}

// Terminal is the terminal of one agent.
type Terminal struct {
	o Options

	resizing sync.Mutex // held while the program is told the size; taken before mu

	mu      sync.Mutex
	screen  *vt.Screen
	title   string
	viewers map[*Viewer]struct{}
	writer  *Viewer
	inputs  map[string]*taken
	ended   bool
	pending []byte        // input for the agent
	more    chan struct{} // has a value when there is pending input
	room    chan struct{} // closed, and replaced, when there is room for more
}

// taken is how much of a viewer's input was taken, over all its lanes.
type taken struct {
	bytes uint64
	last  time.Time
	fresh bool // nothing came yet. If what comes first has something before it, that was taken and then forgotten
}

// New returns a terminal of a size, and begins to write input to its agent. End ends it.
func New(ctx context.Context, size wire.Size, o Options) *Terminal {
	t := &Terminal{o: o, screen: vt.New(int(size.Cols), int(size.Rows)), viewers: map[*Viewer]struct{}{}, inputs: map[string]*taken{},
		more: make(chan struct{}, 1), room: make(chan struct{})}
	if o.Input != nil {
		go t.write(ctx)
	}
	return t
}

// Past returns the terminal of an agent that has ended, which had shown no more than replay writes.
func Past(size wire.Size, replay func(t *Terminal)) *Terminal {
	t := New(context.Background(), size, Options{})
	replay(t)
	t.End()
	return t
}

// write writes pending input to the agent until ctx ends.
func (t *Terminal) write(ctx context.Context) {
	for {
		select {
		case <-t.more:
		case <-ctx.Done():
			return
		}
		for {
			t.mu.Lock()
			b := t.pending
			t.pending = nil
			close(t.room)
			t.room = make(chan struct{})
			t.mu.Unlock()
			if len(b) == 0 {
				break
			}
			if err := t.o.Input(ctx, b); err != nil {
				break // the agent has exited; whoever typed sees that
			}
		}
	}
}

// enqueue adds input for the agent. The caller holds mu.
func (t *Terminal) enqueue(b []byte) {
	t.pending = append(t.pending, b...)
	select {
	case t.more <- struct{}{}:
	default:
	}
}

// Output takes what the agent has written to its terminal.
func (t *Terminal) Output(b []byte) {
	t.mu.Lock()
	r := t.screen.Write(b)
	if len(r.Reply) > 0 && len(t.pending) < maxPending {
		t.enqueue(r.Reply)
	}
	for v := range t.viewers {
		if r.Repaint {
			v.repaint()
		}
		v.add(wire.FrameOutput, r.Show)
	}
	notes := append([]vt.Note(nil), r.Notes...)
	title := t.title
	for _, n := range notes {
		if n.Kind == vt.Title {
			title = n.Text
		}
	}
	if title != t.title {
		t.title = title
		t.tell()
	}
	t.mu.Unlock()
	if len(notes) > 0 && t.o.Noted != nil {
		t.o.Noted(notes)
	}
}

// Size returns the terminal's size.
func (t *Terminal) Size() wire.Size {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.size()
}

func (t *Terminal) size() wire.Size {
	cols, rows := t.screen.Size()
	return wire.Size{Cols: uint16(cols), Rows: uint16(rows)}
}

// Text returns the lines of the screen.
func (t *Terminal) Text() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.screen.Text()
}

// Restart makes the terminal that of another process of its agent: what the one before has left in modes is gone.
func (t *Terminal) Restart() {
	t.mu.Lock()
	t.pending = nil
	t.mu.Unlock()
	t.Output(t.leaving())
}

func (t *Terminal) leaving() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.screen.Leave()
}

// Replay takes a size that the terminal once had.
func (t *Terminal) Replay(size wire.Size) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.screen.Resize(int(size.Cols), int(size.Rows))
}

// End says that the agent has ended. Viewers see what it showed last.
func (t *Terminal) End() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
	t.writer, t.pending = nil, nil
	close(t.room) // who waits for it sees the end
	t.room = make(chan struct{})
	t.tell()
	for v := range t.viewers {
		v.ended = true
		v.wake()
	}
}

// tell shows the viewers the state, after what they see of the terminal as it was before. The caller holds mu.
func (t *Terminal) tell() {
	for v := range t.viewers {
		if len(v.frames) > maxUnread {
			v.repaint()
		}
		if v.paint {
			v.news = true
		} else {
			v.frames = t.appendState(v.frames, v)
		}
		v.wake()
	}
}

func (t *Terminal) state(v *Viewer) wire.TerminalState {
	s := wire.TerminalState{Size: t.size(), Title: t.title, Viewers: len(t.viewers), Writes: t.writer == v, Ended: t.ended}
	if t.writer != nil {
		s.Writer = t.writer.name
	}
	return s
}

// resize changes the size. The caller holds mu; the returned function tells the agent, and is called without it.
func (t *Terminal) resize(size wire.Size) func() {
	if !size.Valid() || size == t.size() || t.ended {
		return func() {}
	}
	t.screen.Resize(int(size.Cols), int(size.Rows))
	for v := range t.viewers { // terminals don't agree on what becomes of the lines
		v.repaint()
	}
	t.tell()
	return func() {
		if t.o.Resize != nil {
			t.resizing.Lock() // so that the last size is what the program gets last
			defer t.resizing.Unlock()
			t.o.Resize(t.Size())
		}
	}
}

// Viewer is somebody who looks at a terminal. Next is for one goroutine; the others for any.
type Viewer struct {
	// static
	t    *Terminal
	name string
	id   string // of its input
	size wire.Size

	woken chan struct{} // has a value when Next has something to return

	// guarded by t.mu
	wants  wire.Size // the size of its own terminal; zero: it has not said
	frames []byte
	paint  bool // it gets the screen in place of what it has not read
	news   bool // before that, it gets the state
	ended  bool
	over   bool // it has got the end
	taken  *taken
	told   uint64 // how much of its input it was told was taken
}

// Attach adds a viewer: its name, what identifies its input, the size of its terminal, if it has one, and whether it wants to
// write. It returns the state, and how much of the viewer's input was taken.
func (t *Terminal) Attach(name, input string, size *wire.Size, write bool) (*Viewer, wire.TerminalState, uint64) {
	t.mu.Lock()
	v := &Viewer{t: t, name: name, id: input, woken: make(chan struct{}, 1), paint: true, ended: t.ended, taken: t.input(input)}
	if size != nil {
		v.wants = *size
	}
	then := func() {}
	if t.supersede(input) {
		write = true
	}
	t.viewers[v] = struct{}{}
	if write && t.writer == nil && !t.ended {
		then = t.hand(v)
	}
	v.told = v.taken.bytes
	state, n := t.state(v), v.taken.bytes
	t.tell()
	v.news = false
	t.mu.Unlock()
	then()
	return v, state, n
}

// supersede ends the views with an input that somebody goes on with, over a new path while the server has not noticed yet that the old
// one is gone. It reports whether one of them wrote. The caller holds mu.
func (t *Terminal) supersede(input string) (wrote bool) {
	for old := range t.viewers {
		if input == "" || old.id != input {
			continue
		}
		delete(t.viewers, old)
		old.over = true
		old.wake()
		if t.writer == old {
			t.writer, wrote = nil, true
		}
	}
	return wrote
}

// input returns how much was taken of an input. It forgets the oldest of too many. The caller holds mu.
func (t *Terminal) input(id string) *taken {
	if id == "" {
		return &taken{}
	}
	in := t.inputs[id]
	if in == nil {
		in = &taken{fresh: true}
		if len(t.inputs) >= maxInputs {
			t.forget()
		}
		t.inputs[id] = in
	}
	in.last = time.Now()
	return in
}

// forget forgets the oldest input of which there is no view. The caller holds mu.
func (t *Terminal) forget() {
	present := map[*taken]bool{}
	for v := range t.viewers {
		present[v.taken] = true
	}
	oldest := ""
	for id, in := range t.inputs {
		if !present[in] && (oldest == "" || in.last.Before(t.inputs[oldest].last)) {
			oldest = id
		}
	}
	delete(t.inputs, oldest)
}

// hand makes a viewer the one that writes. The caller holds mu, and calls the returned function without it.
func (t *Terminal) hand(v *Viewer) func() {
	t.writer = v
	t.tell()
	return t.resize(v.wants)
}

// Detach removes the viewer.
func (v *Viewer) Detach() {
	t := v.t
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.viewers, v)
	if t.writer == v {
		t.writer = nil
	}
	t.tell()
}

// Write makes this viewer the one that writes.
func (v *Viewer) Write() {
	t := v.t
	t.mu.Lock()
	then := func() {}
	if t.writer != v && !t.ended {
		then = t.hand(v)
	}
	t.mu.Unlock()
	then()
}

// Resize says the size of the viewer's own terminal. The agent's gets it if this viewer writes.
func (v *Viewer) Resize(size wire.Size) {
	t := v.t
	t.mu.Lock()
	then := func() {}
	if size.Valid() {
		v.wants = size
		if t.writer == v {
			then = t.resize(size)
		}
	}
	t.mu.Unlock()
	then()
}

// Input takes what was typed: bytes that come after offset others of this viewer. Each counts once, however often it comes. If
// nobody writes, the viewer does from now on; what another one's viewer types is dropped. Input waits while too much waits for
// the agent, unless hurry is set: then the rest is to come again.
func (v *Viewer) Input(ctx context.Context, offset uint64, b []byte, hurry bool) {
	t := v.t
	typed, begin := false, time.Now()
	defer func() {
		if typed && t.o.Typed != nil {
			t.o.Typed(begin)
		}
	}()
	for {
		t.mu.Lock()
		if v.taken.fresh {
			v.taken.bytes, v.taken.fresh = offset, false
		}
		had := v.taken.bytes
		v.taken.last = time.Now()
		if v.over || offset > had || offset+uint64(len(b)) <= had { // what comes before is still to come; or it came before
			t.mu.Unlock()
			return
		}
		then := func() {}
		if t.writer == nil && !t.ended && !report(b) {
			then = t.hand(v)
		}
		if t.writer != v || t.ended {
			v.taken.bytes = offset + uint64(len(b)) // dropped
			v.wake()
			t.mu.Unlock()
			return
		}
		n := 0
		if free := maxPending - len(t.pending); free > 0 {
			rest := b[had-offset:]
			n = min(len(rest), free)
			t.enqueue(rest[:n])
			v.taken.bytes += uint64(n)
			typed = typed || !report(rest)
			v.wake()
		}
		done, room := v.taken.bytes >= offset+uint64(len(b)), t.room
		t.mu.Unlock()
		then()
		if done || hurry {
			return
		}
		select {
		case <-room:
		case <-ctx.Done():
			return
		}
	}
}

// report reports whether input is what a terminal says of the mouse or the focus, which nobody types.
func report(b []byte) bool {
	rest, ok := bytes.CutPrefix(b, []byte("\x1b["))
	return ok && len(rest) > 0 && bytes.IndexByte([]byte("IOM<"), rest[0]) >= 0
}

// wake makes Next look. The caller holds t.mu.
func (v *Viewer) wake() {
	select {
	case v.woken <- struct{}{}:
	default:
	}
}

// add appends a frame. The caller holds t.mu.
func (v *Viewer) add(f wire.FrameType, b []byte) {
	if v.paint || len(b) == 0 {
		return
	}
	if len(v.frames)+len(b) > maxUnread {
		v.repaint()
	} else {
		v.frames = wire.AppendFrame(v.frames, f, b)
	}
	v.wake()
}

// repaint gives the viewer the state and the screen in place of what it has not read. The caller holds t.mu.
func (v *Viewer) repaint() {
	v.paint, v.news, v.frames = true, true, nil
	v.wake()
}

// Next waits for something to show and returns frames. The error is io.EOF after the last ones, or ctx's.
func (v *Viewer) Next(ctx context.Context) ([]byte, error) {
	for {
		frames, over := v.take()
		if len(frames) > 0 {
			return frames, nil
		}
		if over {
			return nil, io.EOF
		}
		select {
		case <-v.woken:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
