package tasks

import (
	"cmp"
	"context"
	"slices"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// Open reads the records in the Store and schedules the tasks that are not over.
func (ts *Tasks) Open(ctx context.Context) error {
	records, deleted, err := ts.o.Store.Tasks(ctx)
	if err != nil {
		return err
	}
	slices.SortFunc(records, func(a, b wire.Task) int { return cmp.Compare(a.Num, b.Num) })
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.horizon, ts.stored = deleted, deleted
	stored, done := context.WithCancel(context.Background())
	done()
	for _, rec := range records {
		t := &task{id: rec.ID, rec: rec, saving: newTurn(), retrying: stored}
		ts.add(t)
		ts.reserve(t)
	}
	for _, rec := range records {
		ts.resume(ts.all[rec.ID])
	}
	return nil
}

// resume continues a task of an earlier server. The caller holds mu.
func (ts *Tasks) resume(t *task) {
	switch {
	case t.rec.State.Terminal():
	case t.rec.Orchestration != nil:
		ts.evaluate(t)
	case t.rec.State == wire.TaskWorking || t.rec.State == wire.TaskInputRequired:
		ts.endRun(t, runner.TaskResult{Failure: wire.FailServerRestart, Message: "Skein ended while the task was in progress"})
	default:
		ts.queue(t)
	}
}

// Forget removes the oldest tasks that are over, beyond Options.Keep. It removes trees as a whole.
func (ts *Tasks) Forget(ctx context.Context) {
	ts.mu.Lock()
	over := ts.counts[wire.TaskCompleted] + ts.counts[wire.TaskFailed] + ts.counts[wire.TaskCanceled] + ts.counts[wire.TaskRejected]
	var old []*task
	if over > ts.o.Keep {
		var roots []*task
		for _, t := range ts.all {
			if t.parent == nil && settled(t) {
				roots = append(roots, t)
			}
		}
		slices.SortFunc(roots, func(a, b *task) int { return cmp.Compare(a.rec.Num, b.rec.Num) })
		for _, r := range roots {
			if over-len(old) <= ts.o.Keep {
				break
			}
			old = append(old, tree(r)...)
		}
	}
	ts.mu.Unlock()
	defer ts.writing()()
	for _, t := range slices.Backward(old) { // children first
		if err := ts.o.Store.DeleteTask(ctx, t.id); err != nil {
			ts.log.Error("an old task could not be forgotten", "task", t.id, "err", err)
			return
		}
		ts.mu.Lock()
		ts.drop(t)
		ts.mu.Unlock()
	}
}

// drop removes a task from memory. The caller holds mu.
func (ts *Tasks) drop(t *task) {
	delete(ts.all, t.id)
	ts.untied(t)
	ts.latest.Remove(t.place)
	ts.counts[t.rec.State]--
	if ts.byKey[t.rec.IdempotencyKey] == t {
		delete(ts.byKey, t.rec.IdempotencyKey)
	}
	if ts.byRequest[t.rec.Request] == t {
		delete(ts.byRequest, t.rec.Request)
	}
	ts.change++
	ts.removed = append(ts.removed, removedTask{t.id, ts.change, ts.stored})
	if n := len(ts.removed) - ts.o.Keep; n > 0 {
		ts.horizon = ts.removed[n-1].stored
		ts.removed = slices.Clone(ts.removed[n:])
	}
}

// settled reports whether all tasks of a tree are over and no task waits for them. The caller holds mu.
func settled(root *task) bool {
	for _, t := range tree(root) {
		if !t.rec.State.Terminal() || t.ending {
			return false
		}
		for _, d := range t.dependents {
			if !d.rec.State.Terminal() {
				return false
			}
		}
	}
	return true
}

// Close waits for the answers of agents that are being handled, stops all timers, and waits for the writes in progress. It is
// called when no agent runs any more.
func (ts *Tasks) Close() {
	ts.answers.Wait()
	ts.mu.Lock()
	ts.closed = true
	for _, t := range ts.all {
		stopTimer(t.timer)
		stopTimer(t.queueTimer)
		if t.run != nil {
			stopTimer(t.run.timer)
		}
	}
	ts.mu.Unlock()
	ts.pending.Wait()
}
