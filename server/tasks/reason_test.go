package tasks

import (
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

func TestWhatAgentsOfATypeAreDoing(t *testing.T) {
	for want, n := range map[string]struct{ n, of, asking, paused int }{
		"3 of 3 coder busy":                                        {3, 3, 0, 0},
		"3 of 3 coder busy, 1 of them paused":                      {3, 3, 0, 1},
		"1 of 1 coder waits for your answer":                       {1, 1, 1, 0},
		"3 of 3 coder wait for your answer":                        {3, 3, 3, 0},
		"2 of 3 coder wait for your answer, 1 busy":                {3, 3, 2, 0},
		"1 of 3 coder waits for your answer, 1 busy, 1 paused":     {3, 3, 1, 1},
		"2 of 4 coder wait for your answer, 2 paused":              {4, 3, 2, 2},
		"12 of 200 coder wait for your answer, 180 busy, 8 paused": {200, 200, 12, 8},
	} {
		if got := doing("coder", n.n, n.of, n.asking, n.paused); got != want {
			t.Errorf("it says %q instead of %q", got, want)
		}
	}
}

// askingWorld has agents that ask, and counts how often it is asked about them.
type askingWorld struct {
	*world
	asking atomic.Pointer[[]wire.AgentID]
	looks  atomic.Int64
}

func (w *askingWorld) Asking(string) []wire.AgentID {
	w.looks.Add(1)
	return *w.asking.Load()
}

func (w *askingWorld) Deliver(context.Context, wire.AgentID, *wire.Task) error { return nil }

// Agents that begin and end to ask all the time cost no more than twenty looks a second, and none if nothing waits for them; what the last
// look finds is right.
func TestLooksAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &askingWorld{world: &world{t: t, calm: true, rand: rand.New(rand.NewPCG(1, 1)), records: map[wire.TaskID]wire.Task{}, agents: map[wire.AgentID]*actor{}}}
		none, one := []wire.AgentID{}, []wire.AgentID{"a1"}
		w.asking.Store(&none)
		closing, end := context.WithCancel(context.Background())
		ts := New(Options{Store: w, Fleet: w, Node: "n", Timeout: time.Minute, Closing: closing,
			Types: map[string]wire.AgentType{"coder": {Name: "coder", Tasks: wire.TasksLines, Argv: []string{"x"}, MaxInstances: 1}}}, slog.New(slog.NewTextHandler(io.Discard, nil)))
		w.ts = ts
		ctx, stop := context.WithCancel(context.Background())
		over := make(chan struct{})
		go func() { defer close(over); ts.Schedule(ctx) }()
		flap := func() {
			for range 10_000 { // in ten seconds
				w.asking.Store(&one)
				ts.Look()
				w.asking.Store(&none)
				ts.Look()
				time.Sleep(time.Millisecond)
			}
			w.asking.Store(&one)
			ts.Look()
			time.Sleep(time.Second)
		}
		flap()
		if n := w.looks.Load(); n != 0 {
			t.Errorf("nothing waits, and the scheduler looked %d times", n)
		}
		a := &actor{alive: true, gone: make(chan struct{}), rec: wire.Agent{ID: "a1", Type: "coder", Status: wire.StatusRunning, Desired: wire.DesiredRun}}
		w.agents["a1"] = a
		ts.Started(a.rec)
		res, err := ts.Submit(t.Context(), noun.Caller{Actor: "me"}, wire.SubmitParams{Tasks: []wire.TaskSpec{{Type: "coder"}, {Type: "coder"}}})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.looks.Store(0)
		flap()
		if n := w.looks.Load(); n < 1 || n > 10*20+2 {
			t.Errorf("the scheduler looked %d times in ten seconds", n)
		}
		if rec, err := ts.Get(res.Tasks[1].ID); err != nil || rec.Waiting != "1 of 1 coder waits for your answer" || len(rec.Asking) != 1 {
			t.Errorf("the second waits for %q, of %v; %v", rec.Waiting, rec.Asking, err)
		}
		end()
		w.Stop("a1")
		w.stopped.Wait()
		ts.Close()
		stop()
		<-over
	})
}
