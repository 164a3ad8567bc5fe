package tasks

import (
	"cmp"
	"container/list"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

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

func noTask(id wire.TaskID) error {
	return wire.Errorf(wire.CodeNotFound, "there is no task %q", id).WithField("id")
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

// tree lists a task and all below it, parents first. The caller holds mu.
func tree(t *task) []*task {
	all := []*task{t}
	for i := 0; i < len(all); i++ {
		all = append(all, all[i].children...)
	}
	return all
}

func stopTimer(t *time.Timer) {
	if t != nil {
		t.Stop()
	}
}

// run is one attempt of a task. Its fields are guarded by Tasks.mu.
type run struct {
	t        *task
	agent    wire.AgentID // "": it is being started for this run
	w        *worker      // nil: mode process, the agent is the run
	rec      wire.Run
	lastSign time.Time
	timer    *time.Timer   // of timeouts.run, then of cancelGrace
	sent     chan struct{} // closed when its agent has the task, or could not be given it
	out      []byte        // mode process: what the process printed so far
	more     bool          // mode process: it printed more than a result may have
	stderr   []byte        // mode process: the end of what it wrote there, at most stderrTail bytes
	question *question     // what its agent asks a person; nil: nothing
	over     bool          // its agent need only let go of it
}

// runOf is the run of a task that an agent has in work; nil: it has it not, or no longer. The caller holds mu.
func (ts *Tasks) runOf(agent wire.AgentID, id wire.TaskID) *run {
	t := ts.all[id]
	if t == nil || t.run == nil || t.run.agent != agent || t.ending {
		return nil
	}
	return t.run
}

// question is what an agent asks a person for one of its tasks.
type question struct {
	num  uint64 // those of all agents are counted as they are asked
	text string
}

// questions lists what an agent asks now, the oldest first.
func (ts *Tasks) questions(agent wire.AgentID) (all []*question) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if w := ts.workers[agent]; w != nil {
		for _, r := range w.runs {
			if r.works() && r.question != nil {
				all = append(all, r.question)
			}
		}
	}
	slices.SortFunc(all, func(a, b *question) int { return cmp.Compare(a.num, b.num) })
	return all
}

// showQuestions shows on an agent what its tasks ask, if they do: of several questions the oldest.
func (ts *Tasks) showQuestions(agent wire.AgentID) {
	ts.fleet.Asks(agent, func() string {
		if open := ts.questions(agent); len(open) > 0 {
			return open[0].text
		}
		return ""
	})
}

// works reports whether the run still counts. The caller holds mu.
func (r *run) works() bool { return r.t.run == r && !r.t.ending }

// Kick makes the scheduler look. It does not wait.
func (ts *Tasks) Kick() {
	select {
	case ts.wake <- struct{}{}:
	default:
	}
}

// undoGap lies between two tries to remove a refused task.
const undoGap = time.Second
