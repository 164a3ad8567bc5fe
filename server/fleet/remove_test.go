package fleet

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"skein.dev/skein/server/jet"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/server/runner/scripted"
	"skein.dev/skein/webtransport/wire"
)

// ended returns a fleet with an agent that has ended.
func ended(t *testing.T, store Store, to Folders) (*Fleet, *agent) {
	t.Helper()
	closing, close := context.WithCancel(context.Background())
	f := New(Options{
		Store: store, WorkDir: t.TempDir(), Types: map[string]wire.AgentType{"scripted": {Name: "scripted", Kind: wire.KindScripted}}, Folders: to,
		Kinds: map[wire.Kind]runner.Kind{wire.KindScripted: &scripted.Kind{}}, Work: nobodys{}, Asks: unasked{}, Closing: closing,
		StoreTimeout: time.Minute, Logger: slog.New(slog.DiscardHandler),
	})
	if err := f.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.Begin()
	t.Cleanup(func() {
		close()
		f.Close(context.Background())
		f.End()
	})
	res, err := f.Spawn(t.Context(), noun.Caller{Actor: "test"}, wire.SpawnParams{Type: "scripted", Script: "say x"})
	if err != nil {
		t.Fatal(err)
	}
	a, err := f.agent(res.Agents[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	<-a.ended
	return f, a
}

// A change of the record that was to be stored later does not bring back an agent that was removed meanwhile.
func TestNothingBringsBackWhatWasRemoved(t *testing.T) {
	t.Parallel()
	store, err := jet.Open(t.Context(), jet.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	f, a := ended(t, store, nil)
	got, err := f.Remove(t.Context(), noun.Caller{Actor: "test"}, wire.RemoveParams{IDs: []wire.AgentID{a.id}})
	if err != nil || got.Reports[0].Error != nil {
		t.Fatalf("%+v, %v", got, err)
	}
	a.update(true, func(rec *wire.Agent) { rec.Done++ })
	if err := a.save(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := f.remove(t.Context(), a); wire.AsError(err).Code != wire.CodeNotFound {
		t.Errorf("it is removed again: %v", err)
	}
	if all, err := store.Agents(t.Context()); len(all) > 0 || err != nil {
		t.Errorf("the store has %+v, %v", all, err)
	}
}

// twice is folders whose first answer is that the worktree has work. It takes until a second one is asked for, or a while.
type twice struct {
	Folders
	begun, again chan struct{}
}

func (w twice) Sweep(context.Context, func(wire.AgentID) bool) {}

func (w twice) Tidy(context.Context, *wire.Agent) (wire.FolderState, error) {
	select {
	case <-w.begun:
		close(w.again)
		return wire.FolderRemoved, nil
	default:
	}
	close(w.begun)
	select {
	case <-w.again:
	case <-time.After(100 * time.Millisecond):
	}
	time.Sleep(10 * time.Millisecond)
	return wire.FolderKept, nil
}

// What somebody found of a worktree does not stand for what was found later.
func TestTheLastLookAtAWorktreeCounts(t *testing.T) {
	t.Parallel()
	store, err := jet.Open(t.Context(), jet.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	to := twice{begun: make(chan struct{}), again: make(chan struct{})}
	_, a := ended(t, store, to)
	a.update(true, func(rec *wire.Agent) {
		rec.Folder = &wire.Folder{Mode: wire.FolderWorktree, Top: t.TempDir(), GitDir: t.TempDir()}
	})
	var looks sync.WaitGroup
	looks.Go(func() { a.leavesFolder(t.Context()) })
	<-to.begun
	looks.Go(func() { a.leavesFolder(t.Context()) })
	looks.Wait()
	if state := a.record().Folder.State; state != wire.FolderRemoved {
		t.Errorf("it is %s", state)
	}
}

// deletes is a store that only deletes.
type deletes struct{ Store }

func (deletes) DeleteAgent(context.Context, wire.AgentID) error { return nil }

// However agents end, stay because something of theirs is left, and grow old: afterwards none is there that should not be.
func TestForgetLeavesWhatIsToBeKept(t *testing.T) {
	t.Parallel()
	const keep, keepFor = 5, time.Hour
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 2))
		f, _ := someAgents(0, keep)
		f.o.Store, f.o.KeepFor = deletes{}, keepFor
		now := time.Now()
		stuck := map[*agent]time.Time{} // since when it can be removed
		for num := range uint32(300) {
			now = now.Add(time.Duration(r.IntN(600)) * time.Second)
			if at := now; r.IntN(3) > 0 {
				a := newAgent(&f.core, wire.Agent{ID: wire.AgentID(fmt.Sprint("a", num)), Num: num + 1, Status: wire.StatusExited, ExitedAt: &at})
				if r.IntN(4) == 0 {
					a.rec.Exit = &wire.Exit{Leftovers: []wire.Leftover{{}}}
					stuck[a] = time.Time{}
				}
				f.agents.add(a)
			}
			for a, since := range stuck {
				if since.IsZero() && r.IntN(20) == 0 {
					a.update(true, func(rec *wire.Agent) { rec.Exit = nil })
					stuck[a] = now
				}
			}
			f.Forget(t.Context(), now)
			var can []*agent
			for _, a := range f.all() {
				rec := a.record()
				if !removable(&rec) {
					continue
				}
				can = append(can, a)
				if f.old(&rec, now) && now.Sub(stuck[a]) > keptLook {
					t.Fatalf("seed %d: agent %d ended %s ago", seed, a.num, now.Sub(*rec.ExitedAt))
				}
			}
			late := 0
			for _, a := range can {
				if !stuck[a].IsZero() {
					late++
				}
			}
			if len(can)-late > keep {
				t.Fatalf("seed %d: %d agents are kept", seed, len(can))
			}
		}
		for a := range stuck {
			a.update(true, func(rec *wire.Agent) { rec.Exit = nil })
		}
		f.Forget(t.Context(), now.Add(2*keptLook))
		if n := len(f.all()); n > keep {
			t.Errorf("seed %d: %d agents are kept in the end", seed, n)
		}
	}
}
