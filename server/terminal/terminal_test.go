package terminal

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/vt"
	"skein.dev/skein/webtransport/wire"
)

// program is what is behind a terminal.
type program struct {
	mu    sync.Mutex
	input bytes.Buffer
	sizes []wire.Size
	stuck chan struct{} // if it is not nil, input waits until it is closed
	notes []vt.Note
}

func (p *program) options() Options {
	return Options{
		Input: func(ctx context.Context, b []byte) error {
			if p.stuck != nil {
				select {
				case <-p.stuck:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			p.input.Write(b)
			return nil
		},
		Resize: func(s wire.Size) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.sizes = append(p.sizes, s)
			return nil
		},
		Noted: func(n []vt.Note) { p.notes = append(p.notes, n...) },
	}
}

func (p *program) typed() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.input.String()
}

// screen is a viewer's terminal.
type screen struct {
	*vt.Screen
	state  wire.TerminalState
	taken  uint64
	paints int
	ended  bool
}

// look shows a viewer's terminal what has come for it.
func (s *screen) look(t *testing.T, v *Viewer) {
	t.Helper()
	for {
		b, _ := v.take()
		if len(b) == 0 {
			return
		}
		for r := bytes.NewReader(b); ; {
			f, p, err := wire.ReadFrame(r, nil, wire.MaxFrame)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			s.frame(t, f, p)
		}
	}
}

func (s *screen) frame(t *testing.T, f wire.FrameType, p []byte) {
	t.Helper()
	switch f {
	case wire.FrameState:
		if err := json.Unmarshal(p, &s.state); err != nil {
			t.Fatal(err)
		}
		s.fit()
	case wire.FrameScreen:
		s.paints++
		s.Screen = vt.New(int(s.state.Size.Cols), int(s.state.Size.Rows))
		s.Write(p)
	case wire.FrameOutput:
		s.Write(p)
	case wire.FrameTaken:
		s.taken = binary.BigEndian.Uint64(p)
	case wire.FrameEnd:
		s.ended = true
	default:
		t.Fatalf("a frame %q", f)
	}
}

func (s *screen) fit() {
	if s.Screen != nil {
		s.Resize(int(s.state.Size.Cols), int(s.state.Size.Rows))
	}
}

func attach(t *Terminal, name string, write bool) (*Viewer, *screen) {
	v, state, taken := t.Attach(name, name, nil, write)
	return v, &screen{state: state, taken: taken}
}

func TestEveryViewerSeesTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &program{}
		term := New(t.Context(), wire.Size{Cols: 20, Rows: 5}, p.options())
		early, a := attach(term, "early", true)
		term.Output([]byte("\x1b]2;a title\ahello \x1b[31mworld\x1b[m\r\n\x1b[c"))
		late, b := attach(term, "late", true)
		term.Output([]byte("more"))
		a.look(t, early)
		b.look(t, late)
		synctest.Wait()
		if !slices.Equal(a.Text(), term.Text()) || !slices.Equal(b.Text(), term.Text()) {
			t.Errorf("they see %q and %q, the screen is %q", a.Text(), b.Text(), term.Text())
		}
		if a.state.Title != "a title" || b.state.Title != "a title" || a.state.Viewers != 2 || !a.state.Writes || b.state.Writes || b.state.Writer != "early" {
			t.Errorf("they are told %+v and %+v", a.state, b.state)
		}
		if got := p.typed(); got != "\x1b[?62;22c" {
			t.Errorf("the program got %q as an answer", got)
		}
	})
}

func TestOneViewerWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &program{}
		term := New(t.Context(), wire.Size{Cols: 20, Rows: 5}, p.options())
		size := func(cols uint16) *wire.Size { return &wire.Size{Cols: cols, Rows: 9} }
		first, _, _ := term.Attach("first", "1", size(30), true)
		second, _, _ := term.Attach("second", "2", size(40), true)
		first.Input(t.Context(), 0, []byte("a"), false)
		second.Input(t.Context(), 0, []byte("never"), false)
		second.Resize(wire.Size{Cols: 50, Rows: 9})
		second.Write()
		first.Resize(wire.Size{Cols: 60, Rows: 9})
		first.Input(t.Context(), 1, []byte("never"), false)
		second.Input(t.Context(), 5, []byte("b"), false)
		second.Detach()
		synctest.Wait()
		first.Input(t.Context(), 6, []byte("c"), false) // nobody writes: this one does
		synctest.Wait()
		if got := p.typed(); got != "abc" {
			t.Errorf("the program got %q", got)
		}
		if want := []wire.Size{*size(30), *size(50), *size(60)}; !slices.Equal(p.sizes, want) {
			t.Errorf("its sizes were %v, want %v", p.sizes, want)
		}
	})
}

// TestInputCountsOnce: it comes in datagrams and on lanes, in any order, again after a reconnect.
func TestInputCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &program{}
		term := New(t.Context(), wire.DefaultSize, p.options())
		v, _, _ := term.Attach("me", "input", nil, true)
		text := "the quick brown fox"
		in := func(v *Viewer, from, to int, hurry bool) {
			v.Input(t.Context(), uint64(from), []byte(text[from:to]), hurry)
		}
		in(v, 0, 3, true)
		in(v, 0, 3, false)
		in(v, 5, 9, true) // what comes before is lost
		in(v, 0, 5, true)
		in(v, 3, 5, false)
		in(v, 2, 9, false)
		v.Detach()
		v, _, taken := term.Attach("me", "input", nil, true)
		if taken != 9 {
			t.Errorf("%d bytes were taken", taken)
		}
		in(v, 4, len(text), false)
		synctest.Wait()
		if got := p.typed(); got != text {
			t.Errorf("the program got %q", got)
		}
	})
}

// TestAViewerThatComesBackGoesOn: the server may not have noticed that its old path is gone.
func TestAViewerThatComesBackGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &program{}
		term := New(t.Context(), wire.DefaultSize, p.options())
		old, _, _ := term.Attach("me", "input", nil, true)
		old.Input(t.Context(), 0, []byte("a"), false)
		v, state, taken := term.Attach("me", "input", nil, false)
		if !state.Writes || state.Viewers != 1 || taken != 1 {
			t.Errorf("it is told %+v, %d bytes", state, taken)
		}
		if _, err := old.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("the old view: %v", err)
		}
		old.Input(t.Context(), 1, []byte("late"), true) // of the old path
		v.Input(t.Context(), 1, []byte("b"), false)
		old.Detach()
		synctest.Wait()
		if got := p.typed(); got != "ab" {
			t.Errorf("the program got %q", got)
		}
	})
}

func TestAProgramThatDoesNotReadHoldsUpWhoTypes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &program{stuck: make(chan struct{})}
		term := New(t.Context(), wire.DefaultSize, p.options())
		v, s := attach(term, "me", true)
		v.Input(t.Context(), 0, []byte("x"), false)
		synctest.Wait() // the program has it
		text := bytes.Repeat([]byte("y"), maxPending+100)
		v.Input(t.Context(), 1, text, true)
		s.look(t, v)
		if s.taken != maxPending+1 {
			t.Errorf("%d bytes were taken", s.taken)
		}
		typed := make(chan struct{})
		go func() { v.Input(t.Context(), 1, text, false); close(typed) }()
		synctest.Wait()
		select {
		case <-typed:
			t.Error("it did not wait")
		default:
		}
		term.Output([]byte("still here")) // the screen lives
		s.look(t, v)
		if got := s.Text()[0]; got != "still here" {
			t.Errorf("it sees %q", got)
		}
		close(p.stuck)
		<-typed
		synctest.Wait()
		if got := len(p.typed()); got != 1+len(text) {
			t.Errorf("the program got %d bytes", got)
		}
	})
}

func TestAViewerThatDoesNotReadGetsTheScreen(t *testing.T) {
	p := &program{}
	term := New(t.Context(), wire.Size{Cols: 40, Rows: 5}, p.options())
	slow, a := attach(term, "slow", false)
	a.look(t, slow)
	for i := range 100_000 {
		term.Output(fmt.Appendf(nil, "line %d\r\n", i))
	}
	if n := len(slow.frames); n > maxUnread+100 {
		t.Errorf("%d bytes wait", n)
	}
	a.look(t, slow)
	if !slices.Equal(a.Text(), term.Text()) || a.paints != 2 {
		t.Errorf("it sees %q after %d paints, the screen is %q", a.Text(), a.paints, term.Text())
	}
}

// TestLittleThatMakesMuchIsBounded: titles, and one character many times.
func TestLittleThatMakesMuchIsBounded(t *testing.T) {
	term := New(t.Context(), wire.Size{Cols: 200, Rows: 50}, Options{})
	slow, a := attach(term, "slow", false)
	a.look(t, slow)
	for i := range 20_000 {
		term.Output(fmt.Appendf(nil, "\x1b]2;%d\a", i))
	}
	if n := len(slow.frames); n > maxUnread+1000 {
		t.Errorf("%d bytes of titles wait", n)
	}
	for range 100 {
		term.Output([]byte("😀" + strings.Repeat("\x1b[65536b", 100)))
		if n := len(slow.frames); n > maxUnread+1000 {
			t.Fatalf("%d bytes wait", n)
		}
	}
	a.look(t, slow)
	if !slices.Equal(a.Text(), term.Text()) || a.state.Title != "19999" {
		t.Errorf("it sees %q, titled %q", a.Text(), a.state.Title)
	}
	link := strings.Repeat("x", 1900)
	for i := range 2_000 {
		term.Output(fmt.Appendf(nil, "\x1b]8;;https://example.org/%d%s\a.", i%2, link))
	}
	if n := len(term.screen.Paint()); n > 2<<20 {
		t.Errorf("the screen takes %d bytes", n)
	}
}

// TestWhatIsKeptOfAnEndlessPrintIsBounded: of a program that prints without end, reads no answers, and has a viewer that reads nothing
// either. What is kept does not grow with what was printed.
func TestWhatIsKeptOfAnEndlessPrintIsBounded(t *testing.T) {
	const dear = 200 << 10 // bytes: each of them takes a while
	much := kit.Less(4<<20, 1<<20)
	for name, c := range map[string]struct {
		line    string // %d is another number each time
		printed int
	}{
		"text":          {strings.Repeat("a line of text ", 8) + "\r\n", much},
		"one line":      {strings.Repeat("x", 200), much},
		"colours":       {strings.Repeat("\x1b[38;2;1;2;3m\x1b[48;2;3;4;5mx", 40) + "\r\n", much},
		"characters":    {"e\u0301%d 👩\u200d💻 漢字\r\n", much},
		"links":         {"\x1b]8;;https://example.org/%d\a link\x1b]8;;\a\r\n", much},
		"titles":        {"\x1b]2;" + strings.Repeat("t", 300) + "%d\a", much},
		"notifications": {"\x1b]9;" + strings.Repeat("n", 3000) + "%d\a", much},
		"queries":       {strings.Repeat("\x1b[c\x1b]11;?\a", 20), much},
		"a string":      {"\x1b]0;" + strings.Repeat("z", 500), much},
		"screens":       {"\x1b[?1049h\x1b[>1u\x1b7\x1b[?1049l%d", dear},
		"whole screens": {"\x1b[65535b\x1b[65535S\x1b#8\r\n", dear},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &program{stuck: make(chan struct{})}
			defer close(p.stuck)
			term := New(t.Context(), wire.Size{Cols: 80, Rows: 24}, Options{Input: p.options().Input})
			slow, a := attach(term, "slow", false)
			a.look(t, slow)
			for i, printed := 0, 0; printed < c.printed; i++ {
				b := []byte(strings.ReplaceAll(c.line, "%d", fmt.Sprint(i)))
				b = bytes.Repeat(b, 1+(4<<10)/len(b))
				term.Output(b)
				printed += len(b)
			}
			term.mu.Lock()
			defer term.mu.Unlock()
			if waits := len(term.pending); waits > maxPending+8<<10 {
				t.Errorf("%d bytes wait for the program", waits)
			}
			if waits := len(slow.frames); waits > maxUnread+8<<10 {
				t.Errorf("%d bytes wait for the viewer", waits)
			}
			if n := len(term.screen.Paint()); n > 2<<20 {
				t.Errorf("the screen takes %d bytes", n)
			}
		})
	}
}

// TestAForgottenInputGoesOn: of too many, the server forgets how much it took.
func TestAForgottenInputGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &program{}
		term := New(t.Context(), wire.DefaultSize, p.options())
		v, _, _ := term.Attach("me", "mine", nil, true)
		v.Input(t.Context(), 0, []byte("abc"), false)
		for i := range 3 * maxInputs {
			other, _, _ := term.Attach("x", fmt.Sprint(i), nil, false)
			other.Detach()
		}
		v.Input(t.Context(), 3, []byte("d"), false) // it is here all the time
		v.Detach()
		for i := range 3 * maxInputs {
			other, _, _ := term.Attach("x", fmt.Sprint(-i), nil, false)
			other.Detach()
		}
		v, _, _ = term.Attach("me", "mine", nil, true)
		v.Input(t.Context(), 4, []byte("e"), false)
		synctest.Wait()
		if got := p.typed(); got != "abcde" {
			t.Errorf("the program got %q", got)
		}
	})
}

func TestAReportOfTheMouseIsNotTyped(t *testing.T) {
	typed := 0
	term := New(t.Context(), wire.DefaultSize, Options{Typed: func(time.Time) { typed++ }})
	v, _, _ := term.Attach("me", "mine", nil, false)
	v.Input(t.Context(), 0, []byte("\x1b[O"), false)
	if s := term.state(v); s.Writes || typed > 0 {
		t.Errorf("a report of the focus made it %+v, %d times typed", s, typed)
	}
	v.Input(t.Context(), 3, []byte("x"), false)
	if s := term.state(v); !s.Writes || typed != 1 {
		t.Errorf("a key made it %+v, %d times typed", s, typed)
	}
}

func TestTheEndOfAnAgentIsTheEndOfItsViews(t *testing.T) {
	term := New(t.Context(), wire.Size{Cols: 40, Rows: 5}, Options{})
	v, s := attach(term, "me", true)
	term.Output([]byte("$ vim\r\n\x1b[?1049h\x1b[?1000htext"))
	term.End()
	s.look(t, v)
	if !s.ended || !s.state.Ended || s.state.Writes {
		t.Errorf("it is told %+v, ended %v", s.state, s.ended)
	}
	if _, err := v.Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
	late, b := attach(term, "late", true)
	b.look(t, late)
	if got := strings.Join(b.Text(), "|"); got != "|text|||" || !b.ended {
		t.Errorf("a viewer that comes after the end sees %q", got)
	}
}

func TestInputsAreForgotten(t *testing.T) {
	term := New(t.Context(), wire.DefaultSize, Options{})
	for i := range 10 * maxInputs {
		v, _, _ := term.Attach("x", fmt.Sprint(i), nil, false)
		v.Detach()
	}
	if len(term.inputs) > maxInputs || len(term.viewers) != 0 {
		t.Errorf("%d inputs and %d viewers are kept", len(term.inputs), len(term.viewers))
	}
}
