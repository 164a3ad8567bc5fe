// Package tasks is the work that people and agents submit: what it waits for, which agent does it, and how it ends.
// The package does no network I/O. It uses a [Store], which keeps the records, and a [Fleet], which runs the agents.
//
// # Locks
//
// In the order in which they are taken: a goroutine that holds one takes none above it.
//
//	task.saving   around the writes of a task to the Store, so that an older record never follows a newer one
//	Tasks.mu      all maps and counters, and the fields of every task, run, waitlist and worker
//	offered.mu    what programs have offered that dialled in
//	the fleet's   those methods of Fleet that do not wait are called with Tasks.mu held
//
// The Store is never called with Tasks.mu held, and neither are the methods of Fleet that may wait.
package tasks

import (
	"cmp"
	"container/list"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// Tasks holds all tasks: who submitted them, what they wait for, which agents do them and how they ended.
//
// A task passes through these steps:
//
//	Submit ── check ──> record in the Store ──> waits: for other tasks, for its next attempt, or in a waitlist
//	schedule ── least loaded agent that can do it, or a new one ──> run ──> the agent (run.go, process.go)
//	the agent's answer ── end ──> record in the Store ──> dependents, parent, watchers
//
// The record in the Store is authoritative: nobody learns of an end before it is stored, and the next start continues from
// the stored records. An attempt that a restart interrupted counts as a failure of the platform and is followed by another
// one. So a task is done at least once, and its end is written once.
type Tasks struct {
	// static after New
	o     Options
	fleet Fleet
	log   *slog.Logger

	offered offered

	wake    chan struct{}  // holds one token: there may be something to schedule
	looks   atomic.Bool    // the scheduler will be woken, because agents do something else
	pending sync.WaitGroup // writes to the Store, and calls to the fleet
	answers sync.WaitGroup // answers of agents whose files are being kept

	mu        sync.Mutex // guards what follows, and the fields of every task and run
	all       map[wire.TaskID]*task
	byKey     map[string]*task // idempotency key
	byRequest map[string]*task
	needers   map[wire.TaskID][]*task // those that depend on a task, over or not
	nextNum   uint64
	change    uint64         // counts the changes of all tasks
	asked     uint64         // counts questions
	latest    list.List      // of *task, ordered by their latest change
	stored    uint64         // the greatest revision
	underway  map[uint64]int // writes to the store whose effects are not visible yet, by the value of stored when they began
	lists     map[need]*waitlist
	workers   map[wire.AgentID]*worker
	processes map[wire.AgentID]*run // for types with tasks: process
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

// task is one task: its record and its place in the schedule.
type task struct {
	// static
	id       wire.TaskID
	admitted chan struct{} // closed when the record is stored or refused; nil if it was stored before this start

	saving turn // held around writes to the store, so that an older record never follows a newer one

	// guarded by Tasks.mu
	rec        wire.Task // its slices and pointers are replaced, never written to
	refused    bool
	change     uint64
	place      *list.Element // in Tasks.latest
	unsaved    bool          // rec has a change that no write to the store has picked up yet
	need       need
	waits      int // how many of the tasks that it depends on are not completed
	dependents []*task
	parent     *task
	children   []*task
	ordinals   int // the last ordinal given to a child that ended
	list       *waitlist
	run        *run
	ending     bool // its end is being stored
	ordinal    int  // of that end
	timer      *time.Timer
	queueTimer *time.Timer
	retrying   context.Context // ends when the last retry is stored
	followers  map[chan struct{}]struct{}
}

// New returns Tasks without any task. Open reads them from the Store.
func New(o Options, log *slog.Logger) *Tasks {
	o.Keep = cmp.Or(o.Keep, DefaultKeep)
	return &Tasks{o: o, fleet: o.Fleet, log: log, wake: make(chan struct{}, 1), all: map[wire.TaskID]*task{}, byKey: map[string]*task{},
		byRequest: map[string]*task{}, needers: map[wire.TaskID][]*task{}, lists: map[need]*waitlist{}, workers: map[wire.AgentID]*worker{},
		processes: map[wire.AgentID]*run{}, starting: map[string]int{}, counts: map[wire.TaskState]int{}, underway: map[uint64]int{}}
}

// stopping reports whether the server is stopping.
func (ts *Tasks) stopping() bool { return ts.o.Closing.Err() != nil }

// add adds a task whose record is stored. The caller holds mu.
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
	ts.tied(t)
}

// turn is a lock. It is a channel instead of a mutex so that the clock of a test in synctest advances while a goroutine waits
// for it.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

// take takes the turn. The caller calls done to pass it on.
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
	for x := t; x != nil; x = x.parent { // the followers of an orchestration wait for its children
		for c := range x.followers {
			select {
			case c <- struct{}{}:
			default:
			}
		}
	}
}

// set changes a record and counts its state. The caller holds mu.
func (ts *Tasks) set(t *task, f func(rec *wire.Task)) {
	before := t.rec.State
	f(&t.rec)
	if t.rec.State != before {
		ts.counts[before]--
		ts.counts[t.rec.State]++
	}
	ts.touch(t)
}

// saveLater stores the record asynchronously. The caller holds mu.
func (ts *Tasks) saveLater(t *task) {
	if t.unsaved || ts.closed {
		return
	}
	t.unsaved = true
	if t.ending { // end saves it after the end
		return
	}
	ts.pending.Go(func() {
		if err := ts.save(context.Background(), t); err != nil {
			ts.log.Error("a task's record could not be stored; its next change tries again", "task", t.id, "err", err)
		}
	})
}

// save stores the present record, unless that was done meanwhile. While the end of a task is being stored, save does nothing,
// because an earlier record must not overwrite the end.
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

// writing notes a write to the store that has begun. The caller calls done when the effect of the write is visible. The
// revision of the write may be lower than that of another one that is visible earlier, so that until then no cursor may
// exceed the revision that was stored when the write began.
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

// cursor returns a revision up to which all that is stored is visible. The caller holds mu.
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
	stored.Waiting, stored.Asking, stored.Position = "", nil, 0
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

// preview shortens the payloads of a record for a list.
func preview(rec wire.Task) wire.Task {
	rec.Input = rec.Input.Cut(wire.TaskPreview)
	if rec.Result != nil {
		r := rec.Result.Cut(wire.TaskPreview)
		rec.Result = &r
	}
	return rec
}

// tree returns a task and all tasks below it, parents first. The caller holds mu.
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

// run is one attempt at a task. Its fields are guarded by Tasks.mu.
type run struct {
	t        *task
	agent    wire.AgentID // "" while it is being started for this attempt
	w        *worker      // nil if the agent is a process for this attempt alone (tasks: process)
	rec      wire.Run
	lastSign time.Time
	timer    *time.Timer   // for timeouts.run, and then for cancelGrace
	sent     chan struct{} // closed when the task was delivered to its agent, or the delivery failed
	out      []byte        // tasks: process: the standard output so far
	more     bool          // tasks: process: it printed more than a result may have
	stderr   []byte        // tasks: process: the end of standard error, at most stderrTail bytes
	question *question     // what its agent asks a person; nil: nothing
	over     bool          // the attempt has ended, and its agent has yet to acknowledge that
}

// runOf returns the present attempt at a task if it is the agent's, and otherwise nil. The caller holds mu.
func (ts *Tasks) runOf(agent wire.AgentID, id wire.TaskID) *run {
	t := ts.all[id]
	if t == nil || t.run == nil || t.run.agent != agent || t.ending {
		return nil
	}
	return t.run
}

// question is what an agent asks a person for one of its tasks.
type question struct {
	num  uint64 // the order in which all agents asked
	text string
}

// questions returns the open questions of an agent, the oldest first.
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

// showQuestions shows the oldest open question of an agent's tasks on the agent, if there is one.
func (ts *Tasks) showQuestions(agent wire.AgentID) {
	ts.fleet.Asks(agent, func() string {
		if open := ts.questions(agent); len(open) > 0 {
			return open[0].text
		}
		return ""
	})
}

// works reports whether the attempt is still the present one of its task. The caller holds mu.
func (r *run) works() bool { return r.t.run == r && !r.t.ending }

// Kick wakes the scheduler. It does not wait.
func (ts *Tasks) Kick() {
	select {
	case ts.wake <- struct{}{}:
	default:
	}
}

// lookPause is how long the scheduler waits before it says anew what tasks wait for. Agents may begin and end to ask far more often than
// anybody can read.
const lookPause = 50 * time.Millisecond

// Look wakes the scheduler within lookPause, because agents that tasks wait for have begun or ended to ask a person. It neither waits
// nor takes a lock.
func (ts *Tasks) Look() {
	if ts.looks.CompareAndSwap(false, true) {
		time.AfterFunc(lookPause, func() {
			ts.looks.Store(false)
			ts.Kick()
		})
	}
}

// undoGap is the pause between two attempts to store a retry or to remove a refused task.
const undoGap = time.Second
