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

// Get finds a task. Its error is CodeNotFound.
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

// List gives the tasks that match, newest first, with the beginnings of their payloads, behind f.After: all, or f.Limit.
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

// Counts gives the number of tasks by state.
func (ts *Tasks) Counts() map[wire.TaskState]int {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return maps.Clone(ts.counts)
}

// mayMatch looks at what never changes in a task.
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

// matchesNow looks at what does. It needs Tasks.mu.
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

// below reports whether t is root, or one of its children's children.
func below(t *task, root wire.TaskID) bool {
	for ; t != nil; t = t.parent {
		if t.id == root {
			return true
		}
	}
	return false
}

// Changes gives the tasks that match and changed after a moment, oldest first. Those that changed and do not match any more
// are among the removed.
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

// Resume gives what completes what a client had that saw everything up to the store's revision cursor: what was stored
// since or is being stored, and, for not all that changes in them is stored, the tasks that are not over. false: that is
// not known any more, and all tasks are given, as with the cursor 0.
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

// beingStored reports whether the record has what the store may not have yet: its revision then says less than it shows. The
// caller holds mu.
func (t *task) beingStored() bool { return t.unsaved || len(t.saving) > 0 }

// changes is an answer without tasks. The caller holds mu.
func (ts *Tasks) changes() Changed {
	return Changed{Now: ts.change, Cursor: ts.cursor(), Counts: maps.Clone(ts.counts)}
}

// changedSince gives the tasks that changed after a moment, the latest first. It looks at no others. The caller holds mu.
func (ts *Tasks) changedSince(since uint64) iter.Seq[*task] {
	return func(yield func(*task) bool) {
		for e := ts.latest.Back(); e != nil; e = e.Prev() {
			if t := e.Value.(*task); t.change <= since || !yield(t) {
				return
			}
		}
	}
}

// changesOf gives the chosen tasks, oldest first, and, to somebody who may have had them, those that left the filter. The
// caller holds mu.
func (ts *Tasks) changesOf(f *wire.TaskFilter, had bool, chosen iter.Seq[*task]) Changed {
	ts.placeAll()
	c := ts.changes() // after placeAll, which makes changes
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

// Changed is what Changes and Resume give.
type Changed struct {
	Tasks   []wire.Task
	Removed []wire.TaskID
	Counts  map[wire.TaskState]int
	Cursor  uint64 // revision of the store: a client that has seen this has seen all that was stored up to there
	Now     uint64 // the moment of this answer
}

// Change is the present moment for Changes.
func (ts *Tasks) Change() uint64 {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return ts.change
}
