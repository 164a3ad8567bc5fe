package tasks

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"strings"

	"skein.dev/skein/webtransport/wire"
)

// Get returns a task. The error has CodeNotFound if there is none.
func (ts *Tasks) Get(id wire.TaskID) (wire.Task, error) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := ts.all[id]
	if t == nil {
		return wire.Task{}, noTask(id)
	}
	if t.list != nil {
		ts.place(t.list)
	}
	return t.rec, nil
}

// State returns the state of a task, or "" if there is none.
func (ts *Tasks) State(id wire.TaskID) wire.TaskState {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if t := ts.all[id]; t != nil {
		return t.rec.State
	}
	return ""
}

// ByKey reports whether a task was submitted with an idempotency key.
func (ts *Tasks) ByKey(key string) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return ts.byKey[key] != nil
}

// Wait waits until a task is over.
func (ts *Tasks) Wait(ctx context.Context, id wire.TaskID) (wire.Task, error) {
	news := make(chan struct{}, 1)
	ts.mu.Lock()
	t := ts.all[id]
	if t == nil {
		ts.mu.Unlock()
		return wire.Task{}, noTask(id)
	}
	if t.followers == nil {
		t.followers = map[chan struct{}]struct{}{}
	}
	t.followers[news] = struct{}{}
	ts.mu.Unlock()
	defer func() {
		ts.mu.Lock()
		delete(t.followers, news)
		ts.mu.Unlock()
	}()
	for {
		if rec, err := ts.Get(id); err != nil || rec.State.Terminal() {
			return rec, err
		}
		select {
		case <-news:
		case <-ctx.Done():
			return wire.Task{}, ctx.Err()
		}
	}
}

// List returns the tasks that match, newest first, starting after f.After, with the beginnings of their payloads. It returns
// at most f.Limit of them, or all if f.Limit is 0.
func (ts *Tasks) List(f wire.TaskFilter) wire.TaskListResult {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.placeAll()
	res := wire.TaskListResult{Tasks: []wire.Task{}, Counts: maps.Clone(ts.counts)}
	var match []*task
	for _, t := range ts.all {
		if mayMatch(&f, t) && matchesNow(&f, t) {
			match = append(match, t)
		}
	}
	slices.SortFunc(match, func(a, b *task) int { return cmp.Compare(b.rec.Num, a.rec.Num) })
	res.Total = len(match)
	if f.After > 0 {
		i, _ := slices.BinarySearchFunc(match, f.After-1, func(t *task, num uint64) int { return cmp.Compare(num, t.rec.Num) })
		match = match[i:]
	}
	if f.Limit > 0 && f.Limit < len(match) {
		match, res.Next = match[:f.Limit], match[f.Limit-1].rec.Num
	}
	for _, t := range match {
		res.Tasks = append(res.Tasks, preview(t.rec))
	}
	return res
}

// Counts returns the number of tasks in each state.
func (ts *Tasks) Counts() map[wire.TaskState]int {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return maps.Clone(ts.counts)
}

// mayMatch checks the parts of a filter that concern what never changes in a task.
func mayMatch(f *wire.TaskFilter, t *task) bool {
	rec := &t.rec
	if len(f.IDs) > 0 && !slices.Contains(f.IDs, t.id) ||
		f.Queue != "" && rec.Queue != f.Queue ||
		f.Type != "" && rec.Type != f.Type ||
		f.Parent != "" && rec.Parent != f.Parent ||
		f.Root != "" && !below(t, f.Root) {
		return false
	}
	for k, v := range f.Labels {
		if rec.Labels[k] != v {
			return false
		}
	}
	return true
}

// matchesNow checks the parts of a filter that concern what changes in a task. The caller holds Tasks.mu.
func matchesNow(f *wire.TaskFilter, t *task) bool {
	rec := &t.rec
	if len(f.States) > 0 && !slices.Contains(f.States, rec.State) ||
		f.DeadLetter && !rec.DeadLetter ||
		f.Agent != "" && rec.Agent != f.Agent && (t.run == nil || t.run.rec.Agent != f.Agent) {
		return false
	}
	if f.Query == "" {
		return true
	}
	hay := strings.Join([]string{string(rec.ID), rec.Name, rec.Type, rec.Queue, rec.Input.Text, rec.Message}, "\n")
	return strings.Contains(strings.ToLower(hay), strings.ToLower(f.Query))
}

// below reports whether t is root or below it.
func below(t *task, root wire.TaskID) bool {
	for ; t != nil; t = t.parent {
		if t.id == root {
			return true
		}
	}
	return false
}

// Changes returns the tasks that match and have changed since a moment, oldest first. Tasks that have changed and no longer
// match are among the removed ones.
func (ts *Tasks) Changes(since uint64, f wire.TaskFilter) Changed {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if since == ts.change {
		return ts.changes()
	}
	c := ts.changesOf(&f, since > 0, ts.changedSince(since))
	for i := len(ts.removed) - 1; since > 0 && i >= 0 && ts.removed[i].change > since; i-- {
		c.Removed = append(c.Removed, ts.removed[i].id)
	}
	return c
}

// Resume returns what a client is missing that has seen everything up to the revision cursor of the store: the tasks that
// were stored since or are being stored, and those that are not over, because not all of their changes are stored. If that
// is no longer known, Resume returns all tasks, as for the cursor 0, and false.
func (ts *Tasks) Resume(cursor uint64, f wire.TaskFilter) (Changed, bool) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if cursor == 0 || cursor > ts.stored || cursor < ts.horizon {
		return ts.changesOf(&f, false, maps.Values(ts.all)), cursor == 0
	}
	c := ts.changesOf(&f, true, func(yield func(*task) bool) {
		for _, t := range ts.all {
			if (t.rec.Rev > cursor || !t.rec.State.Terminal() || t.beingStored()) && !yield(t) {
				return
			}
		}
	})
	for _, r := range ts.removed {
		if r.stored >= cursor {
			c.Removed = append(c.Removed, r.id)
		}
	}
	return c, true
}

// beingStored reports whether the record has changes that the store may not have yet, so that they are newer than the
// revision of the record. The caller holds mu.
func (t *task) beingStored() bool { return t.unsaved || len(t.saving) > 0 }

// changes returns an answer without tasks. The caller holds mu.
func (ts *Tasks) changes() Changed {
	return Changed{Now: ts.change, Cursor: ts.cursor(), Counts: maps.Clone(ts.counts)}
}

// changedSince yields the tasks that have changed since a moment, the latest first. It does not visit any others. The caller
// holds mu.
func (ts *Tasks) changedSince(since uint64) iter.Seq[*task] {
	return func(yield func(*task) bool) {
		for e := ts.latest.Back(); e != nil; e = e.Prev() {
			if t := e.Value.(*task); t.change <= since || !yield(t) {
				return
			}
		}
	}
}

// changesOf returns those of the chosen tasks that match, oldest first. If the client may have had the others, it returns
// those as removed. The caller holds mu.
func (ts *Tasks) changesOf(f *wire.TaskFilter, had bool, chosen iter.Seq[*task]) Changed {
	ts.placeAll()
	c := ts.changes() // after placeAll, which changes tasks
	for t := range chosen {
		switch {
		case !mayMatch(f, t):
		case matchesNow(f, t):
			c.Tasks = append(c.Tasks, preview(t.rec))
		case had:
			c.Removed = append(c.Removed, t.id)
		}
	}
	slices.SortFunc(c.Tasks, func(a, b wire.Task) int { return cmp.Compare(a.Num, b.Num) })
	return c
}

// Changed is the result of Changes and Resume.
type Changed struct {
	Tasks   []wire.Task
	Removed []wire.TaskID
	Counts  map[wire.TaskState]int
	Cursor  uint64 // the revision up to which a client that has this answer has seen everything stored
	Now     uint64 // the moment of this answer
}

// Change returns the present moment, for Changes.
func (ts *Tasks) Change() uint64 {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return ts.change
}
