package tasks

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// someTasks makes tasks that are in no store.
func someTasks(n, keep int) *Tasks {
	ts := New(Options{Keep: keep}, slog.New(slog.DiscardHandler))
	for i := range n {
		ts.add(&task{id: wire.TaskID(fmt.Sprintf("t%05d", i)), rec: wire.Task{ID: wire.TaskID(fmt.Sprintf("t%05d", i)), Num: uint64(i + 1), State: wire.TaskCompleted}})
	}
	return ts
}

// TestChangesAreThoseOfAScan compares the changes after a moment with a scan of all tasks, over random changes, ends and
// removals.
func TestChangesAreThoseOfAScan(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	ts := someTasks(40, 1000)
	next := uint64(40)
	for step := range 3000 {
		var all []*task
		for _, x := range ts.all {
			all = append(all, x)
		}
		slices.SortFunc(all, func(a, b *task) int { return cmp.Compare(a.id, b.id) })
		switch x := all[r.IntN(len(all))]; r.IntN(10) {
		case 0:
			if len(all) > 5 {
				ts.drop(x)
			}
		case 1:
			next++
			ts.add(&task{id: wire.TaskID(fmt.Sprintf("t%05d", next)), rec: wire.Task{ID: wire.TaskID(fmt.Sprintf("t%05d", next)), Num: next, State: wire.TaskWorking}})
		case 2:
			x.rec.Name = []string{"mine", "another's"}[r.IntN(2)]
			ts.touch(x)
		default:
			ts.touch(x)
		}
		since, f := r.Uint64N(ts.change+1), wire.TaskFilter{Query: []string{"", "mine"}[r.IntN(2)]}
		got := ts.Changes(since, f)
		var want, gone, tasks, removed []wire.TaskID
		for _, x := range ts.all {
			if x.change > since && matchesNow(&f, x) {
				want = append(want, x.id)
			} else if x.change > since && since > 0 && mayMatch(&f, x) {
				gone = append(gone, x.id)
			}
		}
		for _, x := range ts.removed {
			if x.change > since && since > 0 {
				gone = append(gone, x.id)
			}
		}
		for i := range got.Tasks {
			tasks = append(tasks, got.Tasks[i].ID)
		}
		removed = append(removed, got.Removed...)
		slices.Sort(want)
		slices.Sort(gone)
		slices.Sort(removed)
		if !slices.Equal(tasks, want) || !slices.Equal(removed, gone) || got.Now != ts.change {
			t.Fatalf("step %d, since %d of %d, %q: tasks %v, want %v; removed %v, want %v", step, since, ts.change, f.Query, tasks, want, removed, gone)
		}
	}
}

// heldStore stores a record only once it is released.
type heldStore struct {
	Store
	begun, release chan struct{}
}

func (s heldStore) PutTask(_ context.Context, t *wire.Task) error {
	s.begun <- struct{}{}
	<-s.release
	t.Rev++
	return nil
}

// TestAWatchThatGoesOnMissesNoAnswerBehindAnEnd lets a client reconnect while such an answer is being stored: the record
// with the answer still has the revision of the end, which the client knows.
func TestAWatchThatGoesOnMissesNoAnswerBehindAnEnd(t *testing.T) {
	t.Parallel()
	store := heldStore{begun: make(chan struct{}), release: make(chan struct{})}
	ts := New(Options{Keep: 10, Store: store, Timeout: time.Minute, Closing: t.Context()}, slog.New(slog.DiscardHandler))
	ts.add(&task{id: "t1", saving: newTurn(), rec: wire.Task{ID: "t1", Num: 1, Rev: 7, State: wire.TaskCanceled}})
	resumed := func(when string, want int) {
		t.Helper()
		c, known := ts.Resume(7, wire.TaskFilter{})
		if !known || len(c.Tasks) != want || want > 0 && len(c.Tasks[0].Late) != 1 {
			t.Errorf("%s: a client that comes back is given %+v, %t; want %d task", when, c.Tasks, known, want)
		}
	}
	resumed("before", 0)
	ts.Answered("a1", runner.TaskResult{Task: "t1", Failure: wire.FailAgentError})
	resumed("changed", 1)
	<-store.begun
	resumed("being stored", 1)
	close(store.release)
	ts.pending.Wait()
	resumed("stored", 1)
}

// BenchmarkChangesOfTenThousandTasks measures how long a watcher's tick holds the scheduler's lock when one task changed.
func BenchmarkChangesOfTenThousandTasks(b *testing.B) {
	ts := someTasks(10_000, 10_000)
	x := ts.all["t05000"]
	for b.Loop() {
		now := ts.change
		ts.touch(x)
		if c := ts.Changes(now, wire.TaskFilter{}); len(c.Tasks) != 1 {
			b.Fatal(len(c.Tasks))
		}
	}
}
