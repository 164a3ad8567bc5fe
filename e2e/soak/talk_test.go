package soak

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// prompt tells coders and models something, each time something else.
func (l *loader) prompt(ctx context.Context) {
	n := 0
	every(ctx, 500*time.Millisecond, func(ctx context.Context) {
		n++
		group, verb := "coder", "say"
		switch {
		case n%4 == 0:
			group = "model"
		case n%10 == 1:
			verb = "run"
		case n%50 == 3:
			verb = "flood"
		}
		id := l.one(group)
		if id == "" {
			return
		}
		l.tried("prompt of "+group, l.any().Input(ctx, wire.InputParams{ID: id, Text: fmt.Sprintf("%s %d\n", verb, n)}))
	})
}

// answer answers whatever is asked.
func (l *loader) answer(ctx context.Context) {
	since := ""
	for ctx.Err() == nil {
		r, err := l.any().Asks(ctx, wire.AskListParams{Since: since, WaitMS: 5000})
		if err != nil {
			since = ""
			pause(ctx, time.Second)
			continue
		}
		since = r.Position
		for _, a := range r.Asks {
			p := wire.AskAnswerParams{ID: a.ID, Prompt: a.Prompt}
			if len(a.Options) > 0 {
				p.Option = a.Options[0].ID
			} else if p.Text = "yes"; a.Kind == wire.AskTerminal {
				continue // it is answered by typing
			}
			one, cancel := context.WithTimeout(ctx, patience)
			if _, err := l.any().Answer(one, p); ctx.Err() == nil {
				l.tried("answer", err)
			}
			cancel()
		}
	}
}

// typists type at the same time, each at shells of its own.
const typists = 3

// typeAt attaches to a shell, types a command, and waits until its output is on the screen; then to another one.
func (l *loader) typeAt(ctx context.Context, i int) {
	n := 0
	every(ctx, time.Second, func(ctx context.Context) {
		id := l.pick("shell", typists, i)
		if id == "" {
			return
		}
		n++
		l.typeOnce(ctx, l.clients[(i+n)%len(l.clients)], id, i*1_000_000+n)
	})
}

func (l *loader) typeOnce(ctx context.Context, c *client.Client, id wire.AgentID, n int) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	var screen bytes.Buffer
	writes := false
	t := c.Terminal(id, client.TerminalOptions{Size: wire.Size{Cols: 80, Rows: 24}, Write: true,
		Screen: func(b []byte, reset bool) {
			mu.Lock()
			defer mu.Unlock()
			screen.Write(b)
		},
		State: func(s wire.TerminalState) {
			mu.Lock()
			defer mu.Unlock()
			writes = s.Writes
		}})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		t.Run(ctx)
	}()
	has := func(f func() bool) bool { // before the terminal ends
		one, cancel := context.WithCancel(ctx)
		defer cancel()
		go func() {
			select {
			case <-ended:
				cancel()
			case <-one.Done():
			}
		}()
		return until(one, func() bool {
			mu.Lock()
			defer mu.Unlock()
			return f()
		})
	}
	if !has(func() bool { t.Write(); return writes }) {
		l.endsEarly(ctx, c, id, "write to")
		return
	}
	want := fmt.Sprintf("soak-%d-42", n)
	if t.Type(fmt.Appendf(nil, "echo soak-%d-$((6*7))\r", n)) != nil || !has(func() bool { return bytes.Contains(screen.Bytes(), []byte(want)) }) {
		l.endsEarly(ctx, c, id, "see what was typed at")
		return
	}
	l.count("commands typed and seen")
	cancel()
	<-ended
}

// endsEarly is for a terminal that did not do what it should: its agent must have ended.
func (l *loader) endsEarly(_ context.Context, c *client.Client, id wire.AgentID, what string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	a, err := c.Get(ctx, id)
	if err == nil && a.Status.Alive() && a.Desired == wire.DesiredRun {
		l.wrong("nobody could %s the terminal of %s within %v", what, id, patience)
		return
	}
	l.count("terminals that ended meanwhile")
}
