package control_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/control"
	"skein.dev/skein/server/jet"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// stubborn simulates processes that survive SIGKILL, which no test can create. It records who tried to end them, and they
// stay until the test releases them.
type stubborn struct {
	mu    sync.Mutex
	there []wire.Leftover
	asked []wire.AgentID
}

func (s *stubborn) end(_ context.Context, id wire.AgentID, before []wire.Leftover, _ time.Duration) (left []wire.Leftover) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, id)
	for _, l := range before {
		if slices.Contains(s.there, l) {
			left = append(left, l)
		}
	}
	return left
}

func (s *stubborn) letGo(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.there = s.there[n:]
}

// withLeftovers makes an agent that ended and left processes behind.
func withLeftovers(t *testing.T, dir string, left []wire.Leftover) wire.AgentID {
	t.Helper()
	n := open(t, dir)
	a := n.shell(t, "exit 0")
	rec := n.wait(t, a.ID)
	n.close()
	rec.Exit = &wire.Exit{Leftovers: left}
	store, err := jet.Open(t.Context(), jet.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if err := store.PutAgent(t.Context(), &rec); err != nil {
		t.Fatal(err)
	}
	return a.ID
}

// Processes that could not be ended are looked for at the next start, and by each later stop, until they are gone.
func TestLeftoversAreLookedForAtEachStartAndStop(t *testing.T) {
	dir := t.TempDir()
	s := &stubborn{there: []wire.Leftover{
		{Process: wire.Process{PID: 4711, StartTime: 1}, Name: "disk", User: "root"}, {Process: wire.Process{PID: 4712, StartTime: 2}},
	}}
	id := withLeftovers(t, dir, slices.Clone(s.there))
	n := open(t, dir, func(o *control.Options) { o.Leftovers, o.KeepExited = s.end, 1 })
	kit.Eventually(t, "the leftovers are looked for again", func() bool { // the start looks for them
		s.mu.Lock()
		defer s.mu.Unlock()
		return slices.Equal(s.asked, []wire.AgentID{id})
	})
	stop := func(p wire.StopParams) wire.StopReport {
		t.Helper()
		p.Reopen = p.Scope != ""
		res, err := n.Stop(t.Context(), noun.Caller{Actor: "test"}, p)
		if err != nil || len(res.Reports) != 1 || res.Reports[0].ID != id || !res.Reports[0].Already {
			t.Fatalf("%+v, %v", res, err)
		}
		return res.Reports[0]
	}
	if r := stop(wire.StopParams{IDs: []wire.AgentID{id}}); len(r.Leftovers) != 2 || r.Cleared != 0 || r.Leftovers[0].Name != "disk" {
		t.Errorf("%+v", r)
	}
	s.letGo(1)
	if r := stop(wire.StopParams{Scope: wire.ScopeAll}); len(r.Leftovers) != 1 || r.Cleared != 1 {
		t.Errorf("%+v", r)
	}
	if rec, _ := n.Get(id); !rec.NeedsAttention() || len(rec.Exit.Leftovers) != 1 {
		t.Errorf("the record says %+v", rec.Exit)
	}
	s.letGo(1)
	if r := stop(wire.StopParams{Scope: wire.ScopeType, Type: "shell"}); len(r.Leftovers) != 0 || r.Cleared != 1 {
		t.Errorf("%+v", r)
	}
	if rec, _ := n.Get(id); rec.NeedsAttention() || rec.LeftBehind() {
		t.Errorf("the record says %+v", rec.Exit)
	}
	if res, err := n.Stop(t.Context(), noun.Caller{}, wire.StopParams{Scope: wire.ScopeAll, Reopen: true}); err != nil || len(res.Reports) != 0 {
		t.Errorf("there is nothing left to stop: %+v, %v", res, err)
	}
}

// If a start finds processes of an agent that was reported gone, and can't end them, the agent's record shows them.
func TestAStartShowsWhatItCannotEnd(t *testing.T) {
	dir := t.TempDir()
	n := open(t, dir)
	a := n.shell(t, "exit 0")
	n.wait(t, a.ID)
	n.close()
	s := &stubborn{there: []wire.Leftover{{Process: wire.Process{PID: 4711, StartTime: 1}, Name: "disk", User: "root"}}}
	n = open(t, dir, func(o *control.Options) {
		o.Leftovers = s.end
		o.Orphans = func(context.Context, map[wire.AgentID]*wire.Process) map[wire.AgentID][]wire.Leftover {
			return map[wire.AgentID][]wire.Leftover{a.ID: slices.Clone(s.there)}
		}
	})
	if rec, _ := n.Get(a.ID); !rec.NeedsAttention() || rec.Exit == nil || !slices.Equal(rec.Exit.Leftovers, s.there) || rec.Reason != wire.ReasonCompleted {
		t.Errorf("the record says %+v: %+v", rec, rec.Exit)
	}
}
