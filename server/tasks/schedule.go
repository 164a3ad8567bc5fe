package tasks

import (
	"cmp"
	"container/list"
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"skein.dev/skein/webtransport/wire"
)

const (
	// DefaultOnDemand is how many agents of a type without max_instances the scheduler starts for its tasks.
	DefaultOnDemand = 8
	// fairTurn is how often the task that waits longest goes first, whatever its priority: every so many times. So the
	// low ones are slow beside a flood of high ones, but do not starve.
	fairTurn   = 8
	maxBackoff = 5 * time.Minute
	// maxPlaced bounds the tasks of a waitlist whose place is shown as soon as it changes.
	maxPlaced = 20
	// spawnPause lies between a failed start of an agent on demand and the next attempt.
	spawnPause = 5 * time.Second

	scheduler = "scheduler" // the actor of what it does
)

// need is what a task asks of its agent. Tasks of one need wait in one list, so that a pass of the scheduler costs a
// look at each need, not at each task.
type need struct {
	typ          string
	agent        wire.AgentID
	capabilities string // sorted, joined by a space
}

func needOf(s *wire.TaskSpec) need {
	return need{s.Type, s.Agent, strings.Join(s.Capabilities, " ")}
}

func (n need) key() string { return n.typ + "|" + string(n.agent) + "|" + n.capabilities }

// among are the agent types that will do.
func (n need) among(types map[string]wire.AgentType) []wire.AgentType {
	var all []wire.AgentType
	for _, t := range types {
		if t.Tasks == wire.TasksNone || n.typ != "" && t.Name != n.typ || !hasAll(t.Capabilities, n.capabilities) {
			continue
		}
		if n.typ == "" && t.Tasks == wire.TasksProcess && len(t.Argv) == 0 {
			continue // such as shell: without a command it can do nothing
		}
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b wire.AgentType) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func hasAll(have []string, want string) bool {
	for _, c := range strings.Fields(want) {
		if !slices.Contains(have, c) {
			return false
		}
	}
	return true
}

// waitlist holds the tasks of one need that could run now, oldest first in each priority.
type waitlist struct {
	need     need
	byPrio   [4]*list.List // of *task
	why      string        // they wait
	turn     int
	paused   time.Time // no agent is started for it before,
	pausedBy string    // because of this
}

func (w *waitlist) len() (n int) {
	for _, l := range w.byPrio {
		n += l.Len()
	}
	return n
}

// next is the task whose turn it is; nil: none waits.
func (w *waitlist) next() *task {
	var first, oldest *task
	for _, l := range w.byPrio {
		if e := l.Front(); e != nil {
			t := e.Value.(*task)
			first = cmp.Or(first, t)
			if oldest == nil || t.rec.Num < oldest.rec.Num {
				oldest = t
			}
		}
	}
	if w.turn%fairTurn == fairTurn-1 {
		return oldest
	}
	return first
}

func (w *waitlist) remove(t *task) {
	l := w.byPrio[t.rec.Priority.Rank()]
	for e := l.Front(); e != nil; e = e.Next() {
		if e.Value == t {
			l.Remove(e)
			return
		}
	}
}

// insert puts a task behind those of its priority that are older.
func (w *waitlist) insert(t *task) {
	l := w.byPrio[t.rec.Priority.Rank()]
	e := l.Back()
	for ; e != nil && e.Value.(*task).rec.Num > t.rec.Num; e = e.Prev() {
	}
	if e == nil {
		l.PushFront(t)
	} else {
		l.InsertAfter(t, e)
	}
}

// queue makes a submitted task wait for what it needs. The caller holds mu.
func (ts *Tasks) queue(t *task) {
	if ms := t.rec.Timeouts.QueueMS; ms > 0 && t.rec.Attempt == 0 && t.queueTimer == nil {
		limit := time.Duration(ms) * time.Millisecond
		from := t.rec.CreatedAt
		if at := t.rec.NotBefore; at != nil { // of a retry, which is not to blame for the time before
			from = *at
		}
		left := min(time.Until(from.Add(limit)), limit) // the clock may have been set back since
		t.queueTimer = time.AfterFunc(max(left, 0), func() { ts.queueTimeout(t) })
	}
	if !ts.ready(t) {
		return
	}
	if left := ts.pauseLeft(t); left > 0 {
		at := time.Now().Add(left)
		ts.wait(t, fmt.Sprintf("attempt %d follows at %s", t.rec.Attempt+1, at.UTC().Format(time.TimeOnly)))
		t.timer = time.AfterFunc(left, func() {
			ts.mu.Lock()
			defer ts.mu.Unlock()
			if t.rec.State == wire.TaskSubmitted && t.list == nil && !t.ending && !ts.closed {
				t.rec.NotBefore = nil
				ts.queue(t)
			}
		})
		return
	}
	key := t.need.key()
	w := ts.lists[key]
	if w == nil {
		w = &waitlist{need: t.need}
		for i := range w.byPrio {
			w.byPrio[i] = list.New()
		}
		ts.lists[key] = w
	}
	t.list = w
	w.insert(t)
	ts.Kick()
}

// pauseLeft is what is left of the pause before a task's next attempt: never more than the pause itself, wherever the
// clock was set meanwhile. The caller holds mu.
func (ts *Tasks) pauseLeft(t *task) time.Duration {
	if t.rec.NotBefore == nil {
		return 0
	}
	return min(time.Until(*t.rec.NotBefore), backoff(t.rec.Retry.BackoffMS, t.rec.Attempt))
}

// ready reports whether everything that a task depends on is completed. The caller holds mu.
func (ts *Tasks) ready(t *task) bool {
	t.waits = 0
	var names []string
	for _, id := range t.rec.DependsOn {
		d := ts.all[wire.TaskID(id)]
		switch {
		case d == nil || d.rec.State == wire.TaskCompleted: // a forgotten one was completed, or this one would be over
		case d.rec.State.Terminal():
			ts.giveUp(t, wire.TaskCanceled, wire.FailDependency, fmt.Sprintf("it depends on %s, which is %s", label(d), d.rec.State))
			return false
		default:
			t.waits++
			names = append(names, label(d))
			if !slices.Contains(d.dependents, t) {
				d.dependents = append(d.dependents, t)
			}
		}
	}
	if t.waits > 0 {
		shown := names[:min(len(names), 3)]
		many := ""
		if len(t.rec.DependsOn) > 1 {
			many = fmt.Sprintf("%d of %d tasks: ", t.waits, len(t.rec.DependsOn))
		}
		ts.wait(t, "for "+many+strings.Join(shown, ", "))
		return false
	}
	return true
}

func label(t *task) string { return cmp.Or(t.rec.Name, string(t.id)) }

func (ts *Tasks) wait(t *task, why string) {
	ts.happens(t, waits{why})
}

// unqueue takes a task from wherever it waits. The caller holds mu.
func (ts *Tasks) unqueue(t *task) {
	stopTimer(t.timer)
	if t.list != nil {
		t.list.remove(t)
		if t.list.len() == 0 {
			delete(ts.lists, t.need.key())
		}
		t.list = nil
	}
	for _, id := range t.rec.DependsOn {
		if d := ts.all[wire.TaskID(id)]; d != nil {
			d.dependents = slices.DeleteFunc(d.dependents, func(x *task) bool { return x == t })
		}
	}
}

func (ts *Tasks) queueTimeout(t *task) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if t.rec.State == wire.TaskSubmitted && t.rec.Attempt == 0 && !t.ending && !ts.closed {
		why := cmp.Or(t.rec.Waiting, "nobody was free")
		ts.giveUp(t, wire.TaskFailed, wire.FailQueueTimeout, fmt.Sprintf("it waited longer than %d ms: %s", t.rec.Timeouts.QueueMS, why))
	}
}

// Kick makes the scheduler look. It does not wait.
func (ts *Tasks) Kick() {
	select {
	case ts.wake <- struct{}{}:
	default:
	}
}

// Schedule is the scheduler: whenever something changed, tasks that wait go to agents that are free.
func (ts *Tasks) Schedule(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-ts.wake:
			ts.pass()
		}
	}
}

// pass gives every list its turns, for as long as there are agents for it.
func (ts *Tasks) pass() {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.closed {
		return
	}
	lists := make([]*waitlist, 0, len(ts.lists))
	for _, w := range ts.lists {
		lists = append(lists, w)
	}
	// The list with the most urgent task goes first: lists compete where a node's or a type's cap is reached.
	slices.SortFunc(lists, func(a, b *waitlist) int {
		x, y := a.next(), b.next()
		return cmp.Or(cmp.Compare(x.rec.Priority.Rank(), y.rec.Priority.Rank()), cmp.Compare(x.rec.Num, y.rec.Num))
	})
	for _, w := range lists {
		before := w.len()
		for t := w.next(); t != nil; t = w.next() {
			if !ts.assign(w, t) {
				break
			}
			w.turn++
		}
		if w.len() != before || w.len() > 0 && before > 0 {
			ts.place(w)
		}
	}
}

// place says what the tasks of a list wait for, and where. The caller holds mu.
func (ts *Tasks) place(w *waitlist) {
	n := 0
	for _, l := range w.byPrio {
		for e := l.Front(); e != nil; e = e.Next() {
			n++
			t := e.Value.(*task)
			switch {
			case t.rec.Waiting == w.why && t.rec.Position == n:
			case n <= maxPlaced || t.rec.Waiting != w.why && t.rec.Position == 0:
				ts.set(t, func(rec *wire.Task) { rec.Waiting, rec.Position = w.why, n })
			default:
				t.rec.Waiting, t.rec.Position = w.why, n
			}
		}
	}
}

// placeAll needs mu.
func (ts *Tasks) placeAll() {
	for _, w := range ts.lists {
		ts.place(w)
	}
}

// assign gives a task to an agent, or sees to it that there will be one. false: none is free; w.why says why. The
// caller holds mu.
func (ts *Tasks) assign(w *waitlist, t *task) bool {
	if w.need.agent != "" {
		return ts.assignTo(w, t)
	}
	types := w.need.among(ts.o.Types)
	var best *worker
	for _, wk := range ts.workers {
		if wk.free(t) && slices.ContainsFunc(types, func(at wire.AgentType) bool { return at.Name == wk.typ.Name }) && (best == nil || wk.before(best)) {
			best = wk
		}
	}
	var reasons []string
	for _, at := range types {
		if why := ts.fleet.Closed(at.Name); why != "" {
			reasons = append(reasons, why)
			continue
		}
		if best != nil && at.Name == best.typ.Name {
			ts.startRun(t, best)
			return true
		}
		if at.Tasks == wire.TasksProcess {
			why := ts.room(at, w)
			if why == "" {
				ts.startProcess(t, at)
				return true
			}
			reasons = append(reasons, why)
			continue
		}
		reasons = append(reasons, ts.demand(at, w))
	}
	w.why = strings.Join(reasons, "; ")
	return false
}

// assignTo waits for one agent and no other. The caller holds mu.
func (ts *Tasks) assignTo(w *waitlist, t *task) bool {
	a, err := ts.fleet.Agent(w.need.agent)
	if err != nil || !a.Status.Alive() {
		ts.giveUp(t, wire.TaskRejected, wire.FailAgentLost, fmt.Sprintf("it was for agent %s, which is gone", w.need.agent))
		ts.Kick()
		return false
	}
	if why := ts.fleet.Closed(a.Type); why != "" {
		w.why = why
		return false
	}
	wk := ts.workers[a.ID]
	if wk == nil || !wk.free(t) {
		w.why = fmt.Sprintf("agent %s is busy", a.Name)
		return false
	}
	ts.startRun(t, wk)
	return true
}

// room says why no agent of a type may be started now; "": there is room. The caller holds mu.
func (ts *Tasks) room(at wire.AgentType, w *waitlist) string {
	if wait := time.Until(w.paused); wait > 0 {
		return fmt.Sprintf("no %s could be started: %s", at.Name, w.pausedBy)
	}
	limit := at.MaxInstances
	if limit == 0 {
		limit = max(DefaultOnDemand, 2*runtime.NumCPU())
	}
	alive, all := ts.fleet.Alive(at.Name)
	switch {
	case alive >= limit:
		return fmt.Sprintf("%d of %d %s busy", alive, limit, at.Name)
	case ts.o.MaxAgents > 0 && all >= ts.o.MaxAgents:
		return fmt.Sprintf("this node runs %d of %d agents", all, ts.o.MaxAgents)
	}
	return ""
}

// demand starts an agent for the tasks of a list, unless enough of them start already, and says what they wait for.
// The caller holds mu.
func (ts *Tasks) demand(at wire.AgentType, w *waitlist) string {
	if n := ts.starting[at.Name]; n >= w.len() {
		return fmt.Sprintf("%d %s starting", n, at.Name)
	}
	if why := ts.room(at, w); why != "" {
		return why
	}
	_, start, err := ts.fleet.Admit(wire.SpawnParams{Type: at.Name}, "")
	if err != nil {
		return ts.pause(w, at, err)
	}
	ts.starting[at.Name]++
	ts.pending.Go(func() {
		err := start()
		ts.mu.Lock()
		defer ts.mu.Unlock()
		ts.starting[at.Name]--
		if err != nil {
			ts.pause(w, at, err)
		}
		ts.Kick()
	})
	ts.Kick() // for the next agent, if one is not enough
	return fmt.Sprintf("%d %s starting", ts.starting[at.Name], at.Name)
}

// pause keeps a list from starting agents for a while: the last attempt failed. The caller holds mu.
func (ts *Tasks) pause(w *waitlist, at wire.AgentType, err error) string {
	ts.log.Warn("no agent could be started for waiting tasks", "type", at.Name, "err", err)
	w.paused, w.pausedBy = time.Now().Add(spawnPause), wire.AsError(err).Message
	time.AfterFunc(spawnPause, ts.Kick)
	return fmt.Sprintf("no %s could be started: %s", at.Name, w.pausedBy)
}

// worker is an agent that takes tasks.
type worker struct {
	agent wire.Agent      // as it started
	ctx   context.Context // ends with its process, of which an agent may have several, one after the other
	stop  context.CancelFunc
	typ   wire.AgentType
	runs  map[wire.TaskID]*run // guarded by Tasks.mu; a canceled one stays until its agent lets go of it
	since time.Time            // it has had none
	off   bool                 // it is being stopped
}

// free reports whether an agent can be given a task. One that has yet to let go of an earlier run of it can not: its answer to that
// would be taken for one to this.
func (w *worker) free(t *task) bool {
	return !w.off && len(w.runs) < max(1, w.typ.MaxTasks) && w.runs[t.id] == nil
}

// before orders workers: the least loaded first.
func (w *worker) before(o *worker) bool {
	if len(w.runs) != len(o.runs) {
		return len(w.runs) < len(o.runs)
	}
	return w.agent.Num < o.agent.Num
}

// Started makes an agent whose process runs known to the scheduler.
func (ts *Tasks) Started(agent wire.Agent) {
	typ := ts.o.Types[agent.Type]
	if typ.Tasks != wire.TasksLines {
		return
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	w := &worker{agent: agent, typ: typ, runs: map[wire.TaskID]*run{}, since: time.Now()}
	w.ctx, w.stop = context.WithCancel(context.Background())
	ts.workers[agent.ID] = w
	ts.Kick()
}

// Stopping takes an agent that is being stopped out of the choice.
func (ts *Tasks) Stopping(agent wire.AgentID) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if w := ts.workers[agent]; w != nil {
		w.off = true
	}
}
