package client_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/vt"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// own is the terminal of a viewer.
type own struct {
	*client.Terminal
	mu     sync.Mutex
	screen *vt.Screen
	state  wire.TerminalState
	paints int
	left   bool
	ended  chan error
}

// view shows the terminal of an agent.
func view(t *testing.T, c *client.Client, id wire.AgentID, size wire.Size) *own {
	t.Helper()
	o := &own{ended: make(chan error, 1), screen: vt.New(int(size.Cols), int(size.Rows))}
	o.Terminal = c.Terminal(id, client.TerminalOptions{Size: size, Write: true,
		Screen: func(b []byte, reset bool) {
			o.mu.Lock()
			defer o.mu.Unlock()
			if reset {
				o.paints++
				o.screen = vt.New(o.screen.Size())
			}
			o.screen.Write(b)
		},
		State: func(s wire.TerminalState) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.state = s
			o.screen.Resize(int(s.Size.Cols), int(s.Size.Rows))
		},
		Left: func([]byte) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.left = true
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { o.ended <- o.Run(ctx) }()
	t.Cleanup(cancel)
	return o
}

// shows waits until the terminal shows lines that end so.
func (o *own) shows(t *testing.T, want string) {
	t.Helper()
	kit.Eventually(t, fmt.Sprintf("it shows %q", want), func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		return strings.HasSuffix(strings.TrimRight(strings.Join(o.screen.Text(), "\n"), "\n "), want)
	})
}

func (o *own) is() wire.TerminalState {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.state
}

// typist reads lines in a terminal and says how large it is.
var typist = []string{"sh", "-c", `while read -r line; do case $line in size) stty size;; exit) exit 3;; *) echo "got $line";; esac; done`}

func TestTerminal(t *testing.T) {
	t.Parallel()
	n := serve(t)
	overBoth(t, func(t *testing.T, tr string) {
		c := dial(t, n, over(tr))
		a := spawn(t, c, wire.SpawnParams{Type: "shell", Argv: typist, TTY: &wire.Size{Cols: 90, Rows: 20}})
		if a.TTY == nil || *a.TTY != (wire.Size{Cols: 90, Rows: 20}) {
			t.Errorf("its record has the size %v", a.TTY)
		}
		me := view(t, c, a.ID, wire.Size{Cols: 60, Rows: 10})
		me.Type([]byte("hello\r"))
		me.shows(t, "hello\ngot hello")
		me.Type([]byte("size\r"))
		me.shows(t, "size\n10 60")
		kit.Eventually(t, "the record has its size", func() bool {
			a, err := c.Get(t.Context(), a.ID)
			return err == nil && *a.TTY == wire.Size{Cols: 60, Rows: 10}
		})
		me.Resize(wire.Size{Cols: 70, Rows: 12})
		kit.Eventually(t, "it is resized", func() bool { return me.is().Size == wire.Size{Cols: 70, Rows: 12} })

		late := view(t, dial(t, n, over(tr)), a.ID, wire.Size{Cols: 40, Rows: 8})
		late.shows(t, "size\n10 60")
		if s := late.is(); s.Writes || s.Writer == "" || s.Size.Cols != 70 {
			t.Errorf("who comes late is told %+v", s)
		}
		late.Write()
		kit.Eventually(t, "it writes, and has its size", func() bool {
			s := late.is()
			return s.Writes && s.Size == wire.Size{Cols: 40, Rows: 8} && !me.is().Writes
		})
		me.Type([]byte("nobody gets this\r"))
		late.Type([]byte("size\r"))
		late.shows(t, "size\n8 40")
		me.shows(t, "size\n8 40")
		late.Type([]byte("exit\r"))
		if err := kit.Receive(t, "the end", me.ended); err != nil {
			t.Errorf("at the end: %v", err)
		}
		if !me.left || !me.is().Ended {
			t.Errorf("its terminal was not returned: %+v", me.is())
		}
		after := view(t, c, a.ID, wire.Size{Cols: 50, Rows: 9})
		after.shows(t, "size\n8 40\nexit")
	})
}

// TestATerminalGoesOnInTheNextSession: what is typed while the path is cut arrives once.
func TestATerminalGoesOnInTheNextSession(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr string) {
		l := behindRelays(t)
		c := dial(t, l.node, over(tr), at(l.tcp.url()))
		a := spawn(t, c, wire.SpawnParams{Type: "shell", Argv: []string{"sh", "-c", `stty -echo; echo ready; i=0; while read -r line; do i=$((i+1)); echo "$i $line"; done`}, TTY: &wire.Size{}})
		me := view(t, c, a.ID, wire.Size{Cols: 60, Rows: 100})
		me.shows(t, "ready")
		want := "ready"
		for i := range 40 {
			if i%10 == 5 {
				l.cut(c, tr)
			}
			me.Type(fmt.Appendf(nil, "line %d\r", i))
			want += fmt.Sprintf("\n%d line %d", i+1, i)
		}
		me.shows(t, want)
	})
}

func TestWhatHasNoTerminal(t *testing.T) {
	t.Parallel()
	n := serve(t)
	c := dial(t, n)
	a := script(t, c, "read")
	kit.Refused(t, c.Terminal(a.ID, client.TerminalOptions{}).Run(t.Context()), wire.CodePrecondition, "agent")
	kit.Refused(t, c.Terminal("anope", client.TerminalOptions{}).Run(t.Context()), wire.CodeNotFound, "id")
	for _, p := range []wire.SpawnParams{
		{Type: "scripted", TTY: &wire.Size{}},
		{Type: "shell", Argv: []string{"true"}, TTY: &wire.Size{Cols: 2000, Rows: 5}},
		{Type: "shell", Argv: []string{"true"}, TTY: &wire.Size{}, NoInput: true},
	} {
		_, err := c.Spawn(t.Context(), p)
		kit.Refused(t, err, wire.CodeInvalidParams, "tty")
	}
}
