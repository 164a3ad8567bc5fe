package fleet

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"skein.dev/skein/server/jet"
	"skein.dev/skein/webtransport/wire"
)

// TestRecoveryLooksForItsOwnProcesses checks that an agent of another node is not looked for by its pid on this one, and is
// shown as lost.
func TestRecoveryLooksForItsOwnProcesses(t *testing.T) {
	t.Parallel()
	store, err := jet.Open(t.Context(), jet.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for id, node := range map[wire.AgentID]wire.NodeID{"amine": "here", "atheirs": "there"} {
		rec := wire.Agent{ID: id, Node: node, Status: wire.StatusRunning, Desired: wire.DesiredRun, Process: &wire.Process{PID: 4711, StartTime: 1}}
		if err := store.PutAgent(t.Context(), &rec); err != nil {
			t.Fatal(err)
		}
	}
	var looked []wire.AgentID
	f := New(Options{Store: store, Node: "here", Work: nobodys{}, Closing: context.Background(), StoreTimeout: time.Minute, Logger: slog.New(slog.DiscardHandler),
		Orphans: func(_ context.Context, known map[wire.AgentID]*wire.Process) map[wire.AgentID][]wire.Leftover {
			looked = slices.Collect(maps.Keys(known))
			return nil
		}})
	if err := f.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(looked, []wire.AgentID{"amine"}) {
		t.Errorf("it looked for %v", looked)
	}
	for id, want := range map[wire.AgentID]string{"amine": "orphaned", "atheirs": "node there"} {
		if rec, err := f.Get(id); err != nil || rec.Status != wire.StatusExited || !strings.Contains(rec.Exit.Message, want) {
			t.Errorf("%s is %s: %+v", id, rec.Status, rec.Exit)
		}
	}
}

// TestCloseLooksForLeftovers checks that processes that an agent left behind long ago are looked for once more when the
// server stops.
func TestCloseLooksForLeftovers(t *testing.T) {
	t.Parallel()
	store, err := jet.Open(t.Context(), jet.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	left := []wire.Leftover{{Process: wire.Process{PID: 4711, StartTime: 1}}}
	rec := wire.Agent{ID: "aleft", Node: "here", Status: wire.StatusExited, Exit: &wire.Exit{Leftovers: left}}
	if err := store.PutAgent(t.Context(), &rec); err != nil {
		t.Fatal(err)
	}
	looked := 0
	f := New(Options{Store: store, Node: "here", Work: nobodys{}, Closing: context.Background(), StoreTimeout: time.Minute, Logger: slog.New(slog.DiscardHandler),
		Leftovers: func(context.Context, wire.AgentID, []wire.Leftover, time.Duration) []wire.Leftover {
			looked++
			return nil
		}})
	if err := f.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	reports := f.Close(t.Context())
	f.End()
	if looked != 1 || len(reports) != 1 || reports[0].Cleared != 1 {
		t.Errorf("it was looked for %d times, the reports are %+v", looked, reports)
	}
}
