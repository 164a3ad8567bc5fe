package tasks

import (
	"cmp"
	"container/list"
	"context"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// Tasks is the work there is: who asked for it, what it waits for, who does it and how it ended.
//
// The way of a task:
//
//	Submit ── check ──> record in the Store ──> waits: for other tasks, for its next attempt, or in a waitlist
//	schedule ── least loaded agent that can do it, or a new one ──> run ──> the agent (lines.go, process.go)
//	the agent's answer ── end ──> record in the Store ──> dependents, parent, watchers
//
// The record in the Store is the truth: an end is told to nobody before it is stored, and what is stored is picked up
// at the next start. A run that a restart cut off counts as failed by the platform and is tried again, so that a task
// is done at least once; its end is written once.
type Tasks struct {
	// static after New
	o     Options
	fleet Fleet
	log   *slog.Logger

	wake    chan struct{}  // holds one token: there may be something to schedule
	pending sync.WaitGroup // records on their way to the Store
	answers sync.WaitGroup // of agents, whose files are being kept

	mu        sync.Mutex // guards what follows, and the fields of every task and run; the fleet takes its locks behind it
	all       map[wire.TaskID]*task
	byKey     map[string]*task // idempotency key
	byRequest map[string]*task
	nextNum   uint64
	change    uint64         // counts changes over all tasks
	asked     uint64         // counts questions
	latest    list.List      // of *task, by their latest change
	stored    uint64         // the greatest revision
	underway  map[uint64]int // writes to the store that nobody saw the effect of yet, by stored at their begin
	lists     map[string]*waitlist
	workers   map[wire.AgentID]*worker
	processes map[wire.AgentID]*run // of mode process
	starting  map[string]int        // agents being spawned on demand, by type
	counts    map[wire.TaskState]int
	removed   []removedTask
	horizon   uint64 // removals up to this change are no longer in removed
	closed    bool
}

type removedTask struct {
	id     wire.TaskID
	change uint64
	stored uint64
}

// task is one task: its record, and where it stands.
type task struct {
	// static
	id       wire.TaskID
	admitted chan struct{} // closed when the record is stored, or refused; nil: it was there at the start

	saving turn // held around writes to the store, so that an older record never follows a newer one

	// guarded by Tasks.mu
	rec        wire.Task // its slices and pointers are replaced, never written to
	refused    bool
	change     uint64
	place      *list.Element // in Tasks.latest
	unsaved    bool          // a change of rec is not on its way to the store yet
	need       need
	waits      int // tasks that it depends on and that are not completed
	dependents []*task
	parent     *task
	children   []*task
	ordinals   int // of children that are over
	list       *waitlist
	run        *run
	ending     bool // its end is on the way to the store
	ordinal    int  // of that end
	timer      *time.Timer
	queueTimer *time.Timer
	retrying   context.Context // ends when the task is stored as one to be tried again; of the last request for that
	followers  map[chan struct{}]struct{}
}

// New makes tasks that nobody can submit before Open.
func New(o Options, log *slog.Logger) *Tasks {
	o.Keep = cmp.Or(o.Keep, DefaultKeep)
	return &Tasks{o: o, fleet: o.Fleet, log: log, wake: make(chan struct{}, 1), all: map[wire.TaskID]*task{}, byKey: map[string]*task{},
		byRequest: map[string]*task{}, lists: map[string]*waitlist{}, workers: map[wire.AgentID]*worker{},
		processes: map[wire.AgentID]*run{}, starting: map[string]int{}, counts: map[wire.TaskState]int{}, underway: map[uint64]int{}}
}

// stopping reports whether the server stops.
func (ts *Tasks) stopping() bool { return ts.o.Closing.Err() != nil }

// Open reads what the Store knows and goes on with it.
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

// add makes a task known. The caller holds mu.
func (ts *Tasks) add(t *task) {
	rec := &t.rec
	t.need = needOf(&rec.TaskSpec)
	ts.all[t.id] = t
	ts.nextNum = max(ts.nextNum, rec.Num)
	ts.stored = max(ts.stored, rec.Rev)
	ts.counts[rec.State]++
	if t.parent = ts.all[rec.Parent]; t.parent != nil {
		t.parent.children = append(t.parent.children, t)
		t.parent.ordinals = max(t.parent.ordinals, rec.Ordinal)
	}
	ts.touch(t)
}

// resume puts a task of an earlier server where it belongs. The caller holds mu.
func (ts *Tasks) resume(t *task) {
	switch {
	case t.rec.State.Terminal():
	case t.rec.Orchestration != nil:
		ts.evaluate(t)
	case t.rec.State == wire.TaskWorking || t.rec.State == wire.TaskInputRequired:
		ts.endRun(t, runner.TaskResult{Failure: wire.FailServerRestart, Message: "Skein ended with the task in work"})
	default:
		ts.queue(t)
	}
}

// turn is a lock that is held while something waits: a channel, so that a test's clock goes on meanwhile.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

// take waits for the turn; done gives it on.
func (t turn) take() (done func()) {
	t <- struct{}{}
	return func() { <-t }
}

// touch counts a change and wakes those who follow the task. The caller holds mu.
func (ts *Tasks) touch(t *task) {
	ts.change++
	t.change = ts.change
	if t.place == nil {
		t.place = ts.latest.PushBack(t)
	} else {
		ts.latest.MoveToBack(t.place)
	}
	for x := t; x != nil; x = x.parent { // an orchestration's followers wait for its children
		for c := range x.followers {
			select {
			case c <- struct{}{}:
			default:
			}
		}
	}
}

// set changes a record; its state is counted. The caller holds mu.
func (ts *Tasks) set(t *task, f func(rec *wire.Task)) {
	before := t.rec.State
	f(&t.rec)
	if t.rec.State != before {
		ts.counts[before]--
		ts.counts[t.rec.State]++
	}
	ts.touch(t)
}

// saveLater stores the record behind its change. The caller holds mu.
func (ts *Tasks) saveLater(t *task) {
	if t.unsaved || ts.closed {
		return
	}
	t.unsaved = true
	if t.ending { // whoever stores the end sees to it
		return
	}
	ts.pending.Go(func() {
		if err := ts.save(context.Background(), t); err != nil {
			ts.log.Error("a task's record could not be stored; its next change tries again", "task", t.id, "err", err)
		}
	})
}

// save stores the record as it is now, unless that was done meanwhile. While an end is on its way, what was before it
// must not be stored over it.
func (ts *Tasks) save(ctx context.Context, t *task) error {
	defer t.saving.take()()
	ts.mu.Lock()
	if !t.unsaved || t.ending && !ts.closed {
		ts.mu.Unlock()
		return nil
	}
	t.unsaved = false
	rec := t.rec
	ts.mu.Unlock()
	defer ts.writing()()
	return ts.put(ctx, t, &rec)
}

// writing notes a write to the store, until its effect is there for everybody to see: done. Its revision may be lower
// than that of a write that is done before it, so that no cursor may go beyond what was stored at its begin.
func (ts *Tasks) writing() (done func()) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	begin := ts.stored
	ts.underway[begin]++
	return func() {
		ts.mu.Lock()
		defer ts.mu.Unlock()
		if ts.underway[begin]--; ts.underway[begin] == 0 {
			delete(ts.underway, begin)
		}
	}
}

// cursor is a revision up to which everything stored can be seen. The caller holds mu.
func (ts *Tasks) cursor() uint64 {
	c := ts.stored
	for begin := range ts.underway {
		c = min(c, begin)
	}
	return c
}

// put stores a record. The caller holds t.saving.
func (ts *Tasks) put(ctx context.Context, t *task, rec *wire.Task) error {
	ts.mu.Lock()
	rec.Rev = t.rec.Rev
	ts.mu.Unlock()
	stored := *rec
	stored.Waiting, stored.Position = "", 0
	ctx, cancel := context.WithTimeout(ctx, ts.o.Timeout)
	defer cancel()
	if err := ts.o.Store.PutTask(ctx, &stored); err != nil {
		return fmt.Errorf("store task %s: %w", t.id, err)
	}
	rec.Rev = stored.Rev
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t.rec.Rev = stored.Rev
	ts.stored = max(ts.stored, stored.Rev)
	return nil
}

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

func noTask(id wire.TaskID) error {
	return wire.Errorf(wire.CodeNotFound, "there is no task %q", id).WithField("id")
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

// preview cuts the payloads of a record that is one of many.
func preview(rec wire.Task) wire.Task {
	rec.Input = rec.Input.Cut(wire.TaskPreview)
	if rec.Result != nil {
		r := rec.Result.Cut(wire.TaskPreview)
		rec.Result = &r
	}
	return rec
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
// since, and, for not all that changes in them is stored, the tasks that are not over. false: that is not known any
// more, and all tasks are given, as with the cursor 0.
func (ts *Tasks) Resume(cursor uint64, f wire.TaskFilter) (Changed, bool) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if cursor == 0 || cursor > ts.stored || cursor < ts.horizon {
		return ts.changesOf(&f, false, maps.Values(ts.all)), cursor == 0
	}
	c := ts.changesOf(&f, true, func(yield func(*task) bool) {
		for _, t := range ts.all {
			if (t.rec.Rev > cursor || !t.rec.State.Terminal()) && !yield(t) {
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

// Forget removes the oldest tasks that are over, beyond what is kept. A tree goes as a whole.
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

// drop needs mu.
func (ts *Tasks) drop(t *task) {
	delete(ts.all, t.id)
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

// tree lists a task and all below it, parents first. The caller holds mu.
func tree(t *task) []*task {
	all := []*task{t}
	for i := 0; i < len(all); i++ {
		all = append(all, all[i].children...)
	}
	return all
}

// settled reports whether a tree is over, and nothing waits for it. The caller holds mu.
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

// Close waits for answers that are being heard, stops what would write later, and waits for what is on its way. No agent
// runs any more.
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

func stopTimer(t *time.Timer) {
	if t != nil {
		t.Stop()
	}
}
