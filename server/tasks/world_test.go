package tasks

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// world simulates the surroundings of Tasks: a store that fails at times, and agents that answer, ask, fail, die, are slow
// or ignore messages. It keeps its own account of what happened, and reports what may not happen. It runs in a synctest
// bubble.
type world struct {
	t  *testing.T
	ts *Tasks

	mu      sync.Mutex // guards the fields below; no method of Tasks is called while it is held
	rand    *rand.Rand
	calm    bool // whether failures have ended
	rev     uint64
	records map[wire.TaskID]wire.Task
	agents  map[wire.AgentID]*actor
	num     uint32
	results map[wire.TaskID]map[string]bool // the results that agents returned
	stopped sync.WaitGroup
}

// actor is an agent.
type actor struct {
	rec    wire.Agent
	alive  bool
	work   map[wire.TaskID]int // its tasks, with their attempt
	cancel map[wire.TaskID]chan struct{}
	doing  []wire.TaskID // the tasks that its record shows
	gone   chan struct{}
	ended  bool
}

func (w *world) chance(percent int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.calm && w.rand.IntN(100) < percent
}

func (w *world) pause(most time.Duration) {
	w.mu.Lock()
	d := time.Duration(w.rand.Int64N(int64(most)))
	w.mu.Unlock()
	time.Sleep(d)
}

// Store.

func (w *world) PutTask(ctx context.Context, t *wire.Task) error {
	for range w.some(20) { // no time may pass while a lock is held
		runtime.Gosched()
	}
	if w.chance(5) {
		return wire.Errorf(wire.CodeUnavailable, "the disk is full")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if old := w.records[t.ID]; old.Rev != t.Rev {
		w.t.Errorf("task %s: revision %d is stored over %d", t.ID, t.Rev, old.Rev)
	} else if old.State.Terminal() && t.State == wire.TaskCompleted && old.State == wire.TaskCompleted && string(old.Result.Bytes()) != string(t.Result.Bytes()) {
		w.t.Errorf("task %s has a second result", t.ID)
	}
	w.rev++
	t.Rev = w.rev
	w.records[t.ID] = *t
	return nil
}

func (w *world) DeleteTask(_ context.Context, id wire.TaskID) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.records, id)
	return nil
}

func (w *world) Tasks(context.Context) ([]wire.Task, uint64, error) { return nil, 0, nil }
func (w *world) Room() error                                        { return nil }

// Fleet.

func (w *world) Agent(id wire.AgentID) (wire.Agent, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if a := w.agents[id]; a != nil && a.alive {
		return a.rec, nil
	}
	return wire.Agent{}, wire.Errorf(wire.CodeNotFound, "there is no agent %q", id)
}

func (w *world) Alive(typ string) (of, all int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.agents {
		if a.alive {
			all++
			if a.rec.Type == typ {
				of++
			}
		}
	}
	return of, all
}

func (w *world) Asking(string) []wire.AgentID       { return nil }
func (w *world) Closed(string) string               { return "" }
func (w *world) Occupied(wire.SpawnParams) string   { return "" }
func (w *world) CheckFolder(wire.SpawnParams) error { return nil }

func (w *world) Admit(s wire.SpawnParams, task wire.TaskID) (wire.Agent, func() error, error) {
	if w.chance(5) {
		return wire.Agent{}, nil, wire.Errorf(wire.CodeExhausted, "no room")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.num++
	a := &actor{alive: true, work: map[wire.TaskID]int{}, cancel: map[wire.TaskID]chan struct{}{}, gone: make(chan struct{}),
		rec: wire.Agent{ID: wire.AgentID(fmt.Sprintf("a%d", w.num)), Num: w.num, Type: s.Type, OnDemand: true, Status: wire.StatusRunning, Desired: wire.DesiredRun, ForTask: task}}
	w.agents[a.rec.ID] = a
	return a.rec, func() error {
		w.pause(50 * time.Millisecond)
		if w.chance(5) || w.stops(a) {
			w.exit(a, wire.Exit{Code: -1}, true)
			return runner.SpawnError("it could not be started")
		}
		if task == "" {
			w.ts.Started(a.rec)
		} else {
			w.stopped.Go(func() { w.process(a, task) })
		}
		return nil
	}, nil
}

// process is an agent that is the process of a task.
func (w *world) process(a *actor, task wire.TaskID) {
	if env := w.ts.Env(a.rec); env[EnvTask] != string(task) && !w.stops(a) {
		w.t.Errorf("the process of task %s is told of %v", task, env)
	}
	w.check(task)
	out := fmt.Sprintf("%s by %s", task, a.rec.ID)
	select {
	case <-a.gone:
		return
	case <-time.After(w.some(2 * time.Second)):
	}
	w.gives(task, out)
	w.ts.Output(a.rec.ID, wire.EventStdout, []byte(out))
	exit := wire.Exit{}
	switch {
	case w.chance(10):
		exit.Code = 1
	case w.chance(15):
		exit.Code = wire.ExitTempFail
	case w.chance(10):
		exit.Signal = "SIGKILL"
	}
	w.exit(a, exit, false)
}

func (w *world) stops(a *actor) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return a.rec.Desired == wire.DesiredStop
}

func (w *world) some(most time.Duration) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Duration(w.rand.Int64N(int64(most)))
}

// exit ends an agent. With failedStart it never ran, and nobody is told.
func (w *world) exit(a *actor, exit wire.Exit, failedStart bool) {
	w.mu.Lock()
	if a.ended {
		w.mu.Unlock()
		return
	}
	a.ended = true
	close(a.gone)
	rec := a.rec
	w.mu.Unlock()
	if !failedStart {
		w.ts.Exited(rec, exit)
	}
	w.mu.Lock()
	a.alive = false
	w.mu.Unlock()
}

func (w *world) Stop(id wire.AgentID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.agents[id]
	if a == nil || a.rec.Desired == wire.DesiredStop {
		return
	}
	a.rec.Desired = wire.DesiredStop
	w.stopped.Go(func() { w.pause(time.Second); w.exit(a, wire.Exit{Code: -1}, false) })
}

func (w *world) Works(id wire.AgentID, on []wire.TaskID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if a := w.agents[id]; a != nil {
		if a.doing = on; len(on) > 2 {
			w.t.Errorf("agent %s has %d tasks", id, len(on))
		}
	}
}

func (w *world) Did(wire.AgentID)                            {}
func (w *world) Asks(_ wire.AgentID, question func() string) { question() }
func (w *world) Tell(wire.AgentID, string, wire.EventData)   {}
func (w *world) Feed(wire.AgentID, []byte)                   {}

// check reports a task that begins although it may not.
func (w *world) check(id wire.TaskID) {
	rec, err := w.ts.Get(id)
	if err != nil || rec.State.Terminal() && rec.State != wire.TaskCanceled && rec.State != wire.TaskFailed {
		w.t.Errorf("task %s begins, which is %s, %v", id, rec.State, err)
	}
	for _, d := range rec.DependsOn {
		if dep, err := w.ts.Get(wire.TaskID(d)); err != nil || dep.State != wire.TaskCompleted {
			w.t.Errorf("task %s begins before %s, which is %s", id, d, dep.State)
		}
	}
}

func (w *world) gives(id wire.TaskID, out string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.results[id] == nil {
		w.results[id] = map[string]bool{}
	}
	w.results[id][out] = true
}

func (w *world) Deliver(ctx context.Context, id wire.AgentID, t *wire.Task) error {
	w.pause(10 * time.Millisecond)
	if w.chance(4) || ctx.Err() != nil {
		return wire.Errorf(wire.CodeTimeout, "it does not read")
	}
	w.mu.Lock()
	a := w.agents[id]
	if a == nil || a.ended {
		w.mu.Unlock()
		return wire.Errorf(wire.CodePrecondition, "it does not run")
	}
	if _, has := a.work[t.ID]; has {
		w.t.Errorf("agent %s gets task %s twice", id, t.ID)
	}
	a.work[t.ID] = t.Attempt
	stop := make(chan struct{})
	a.cancel[t.ID] = stop
	w.mu.Unlock()
	w.check(t.ID)
	w.stopped.Go(func() { w.works(a, t.ID, t.Attempt, stop) })
	return nil
}

// works simulates an agent that works on a task.
func (w *world) works(a *actor, id wire.TaskID, attempt int, stop chan struct{}) {
	var r runner.TaskResult
	wait := func() bool {
		select {
		case <-a.gone:
			return false
		case <-stop:
			if w.chance(20) { // it ignores the message
				<-a.gone
				return false
			}
			r = runner.Failed(id, "let go", false)
			return true
		case <-time.After(w.some(2 * time.Second)):
			return true
		}
	}
	if w.chance(30) {
		w.ts.Progress(a.rec.ID, id, "half", 0.5)
	}
	if !wait() {
		return
	}
	if r.Task == "" && w.chance(20) {
		w.ts.Ask(a.rec.ID, id, "may I?")
		if !wait() {
			return
		}
		w.ts.Asked(a.rec.ID)()
	}
	if r.Task == "" {
		switch out := fmt.Sprintf("%s by %s at %d", id, a.rec.ID, attempt); {
		case w.chance(8):
			w.exit(a, wire.Exit{Code: 3}, false)
			return
		case w.chance(10):
			r = runner.Failed(id, "no", false)
		case w.chance(15):
			r = runner.Failed(id, "later", true)
		case w.chance(3):
			<-a.gone // it sends nothing more
			return
		default:
			w.gives(id, out)
			r = runner.Completed(id, []byte(out))
		}
	}
	w.mu.Lock()
	delete(a.work, id)
	ended := a.ended
	w.mu.Unlock()
	if !ended && !w.ts.Answered(a.rec.ID, r) {
		w.t.Errorf("there is no task %s any more", id)
	}
}

func (w *world) Cancel(_ context.Context, id wire.AgentID, task wire.TaskID) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if a := w.agents[id]; a != nil && a.cancel[task] != nil {
		select {
		case <-a.cancel[task]:
		default:
			close(a.cancel[task])
		}
	}
	return nil
}

// client sends random requests, sensible or not.
func (w *world) client(by noun.Caller, steps int) {
	var mine []wire.TaskID
	pick := func() wire.TaskID {
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(mine) == 0 {
			return "t000000000000"
		}
		return mine[w.rand.IntN(len(mine))]
	}
	for i := range steps {
		w.pause(2 * time.Second)
		w.mu.Lock()
		what, n := w.rand.IntN(20), 1+w.rand.IntN(3)
		w.mu.Unlock()
		spec := wire.TaskSpec{Type: []string{"lines", "process"}[i%2], Retry: wire.Retry{Max: n, BackoffMS: int64(n) * 100}, Priority: wire.Priorities[i%4],
			Timeouts: wire.Timeouts{RunMS: 20_000, HeartbeatMS: 10_000}}
		switch {
		case what == 0:
			w.ts.Cancel(by, wire.TaskCancelParams{IDs: []wire.TaskID{pick()}})
		case what == 1:
			w.ts.Retry(noun.Caller{Actor: by.Actor, Request: fmt.Sprintf("%s-%d", by.Actor, i)}, pick())
		case what == 2:
			agents, _, _ := w.ts.Halt(by, []wire.TaskID{pick()})
			for _, a := range agents {
				w.Stop(a)
			}
		case what == 3 && i%5 == 0:
			w.ts.HaltWide(by, "lines", nil)
		case what < 6:
			mode := wire.AggregateModes[i%3]
			p := wire.OrchestrateParams{Task: spec, Inputs: make([]wire.Payload, 1+n), Mode: mode, FailFast: n == 2}
			if mode == wire.AggregateQuorum {
				p.Quorum = 1 + n/2
			}
			if t, err := w.ts.Orchestrate(context.Background(), by, p); err == nil {
				mine = append(mine, t.ID)
			}
		default:
			if what > 14 {
				spec.DependsOn = []string{string(pick())}
			}
			specs := slices.Repeat([]wire.TaskSpec{spec}, n)
			if res, err := w.ts.Submit(context.Background(), by, wire.SubmitParams{Tasks: specs}); err == nil {
				for _, t := range res.Tasks {
					mine = append(mine, t.ID)
				}
			}
		}
	}
}

// TestTasksInAWorldThatFails runs the scheduler against a world that does whatever a world may, on a virtual clock, and
// then lets it calm down: each submitted task ends once, as in the store, with a result that one of its runs returned.
func TestTasksInAWorldThatFails(t *testing.T) {
	t.Parallel()
	for seed := range kit.Less(uint64(12), 3) {
		synctest.Test(t, func(t *testing.T) {
			w := &world{t: t, rand: rand.New(rand.NewPCG(seed, 5)), records: map[wire.TaskID]wire.Task{}, agents: map[wire.AgentID]*actor{}, results: map[wire.TaskID]map[string]bool{}}
			closing, close := context.WithCancel(context.Background())
			w.ts = New(Options{Store: w, Fleet: w, Node: "n", Timeout: time.Minute, Closing: closing,
				Answered: func(_ wire.AgentID, _ wire.TaskID, then func()) { go func() { w.pause(time.Millisecond); then() }() },
				Types: map[string]wire.AgentType{"lines": {Name: "lines", Tasks: wire.TasksLines, Argv: []string{"x"}, MaxInstances: 3, MaxTasks: 2, IdleStopMS: 5000},
					"process": {Name: "process", Tasks: wire.TasksProcess, Argv: []string{"x"}, MaxInstances: 4}},
			}, slog.New(slog.NewTextHandler(io.Discard, nil)))
			if err := w.ts.Open(t.Context()); err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(context.Background())
			var all sync.WaitGroup
			all.Go(func() { w.ts.Schedule(ctx) })
			all.Go(func() {
				for ctx.Err() == nil {
					time.Sleep(time.Second)
					w.ts.Beat(time.Now())
				}
			})
			var clients sync.WaitGroup
			for i := range 4 {
				clients.Go(func() { w.client(noun.Caller{Actor: fmt.Sprintf("c%d", i)}, 60) })
			}
			clients.Wait()
			w.mu.Lock()
			w.calm = true
			w.mu.Unlock()
			time.Sleep(time.Hour)
			w.verify()
			close()
			w.mu.Lock()
			agents := make([]wire.AgentID, 0, len(w.agents))
			for id, a := range w.agents {
				if a.alive {
					agents = append(agents, id)
				}
			}
			w.mu.Unlock()
			for _, id := range agents {
				w.Stop(id)
			}
			w.stopped.Wait()
			w.ts.Close()
			stop()
			all.Wait()
		})
	}
}

// verify checks the final state.
func (w *world) verify() {
	tasks := w.ts.List(wire.TaskFilter{}).Tasks
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(tasks) < 100 || len(tasks) != len(w.records) {
		w.t.Errorf("there are %d tasks, %d are stored", len(tasks), len(w.records))
	}
	states := map[wire.TaskState]int{}
	for _, rec := range tasks {
		states[rec.State]++
		if !rec.State.Terminal() {
			w.t.Errorf("task %s is %s (%s) in the end: %+v", rec.ID, rec.State, rec.Waiting, rec)
		}
		holds(w.t, &rec)
		if s := w.records[rec.ID]; s.State != rec.State || s.Attempt != rec.Attempt || s.Rev != rec.Rev || s.Message != rec.Message {
			w.t.Errorf("task %s is %s (attempt %d, revision %d), and stored as %s (%d, %d)", rec.ID, rec.State, rec.Attempt, rec.Rev, s.State, s.Attempt, s.Rev)
		}
		if rec.State == wire.TaskCompleted && rec.Orchestration == nil && !w.results[rec.ID][strings.TrimSpace(rec.Result.Text)] {
			w.t.Errorf("task %s has a result that no run of it gave: %q", rec.ID, rec.Result.Text)
		}
	}
	for _, s := range []wire.TaskState{wire.TaskCompleted, wire.TaskFailed, wire.TaskCanceled} {
		if states[s] == 0 {
			w.t.Errorf("no task is %s: %v", s, states)
		}
	}
	for id, a := range w.agents {
		if a.alive && len(a.doing) > 0 {
			w.t.Errorf("agent %s still has %v", id, a.doing)
		}
	}
}
