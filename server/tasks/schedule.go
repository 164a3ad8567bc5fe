package tasks

import (
	"cmp"
	"container/list"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"skein.dev/skein/webtransport/wire"
)

const (
	// maxPlaced bounds the tasks of a waitlist whose changed positions are reported at once.
	maxPlaced = 20
	// spawnPause is the time between a failed start of an agent on demand and the next one.
	spawnPause = 5 * time.Second

	scheduler = "scheduler" // the actor of the actions of the scheduler
)

// queue makes a submitted task wait for what it needs. The caller holds mu.
func (ts *Tasks) queue(t *task) {
	if ms := t.rec.Timeouts.QueueMS; ms > 0 && t.rec.Attempt == 0 && t.queueTimer == nil {
		limit := time.Duration(ms) * time.Millisecond
		from := t.rec.CreatedAt
		if at := t.rec.NotBefore; at != nil { // for a retry, the time before it does not count
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
	w := ts.lists[t.need]
	if w == nil {
		w = &waitlist{need: t.need}
		for i := range w.byPrio {
			w.byPrio[i] = list.New()
		}
		ts.lists[t.need] = w
	}
	t.list = w
	w.insert(t)
	ts.Kick()
}

// pauseLeft returns what is left of the pause before the next attempt at a task. It never exceeds the pause itself, even if
// the clock was set back meanwhile. The caller holds mu.
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
		case d == nil || d.rec.State == wire.TaskCompleted: // a dependency that was forgotten was completed; otherwise this task would be over
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

// maxLabel bounds how much of a command a label has, in bytes.
const maxLabel = 60

// label is what others call a task: its name, its command, or its id.
func label(t *task) string {
	return cmp.Or(t.rec.Name, wire.Cut(strings.Join(t.rec.Argv, " "), maxLabel), string(t.id))
}

func (ts *Tasks) wait(t *task, why string) {
	ts.happens(t, waits{why})
}

// unqueue takes a task from wherever it waits. The caller holds mu.
func (ts *Tasks) unqueue(t *task) {
	stopTimer(t.timer)
	if t.list != nil {
		t.list.remove(t)
		if t.list.len() == 0 {
			delete(ts.lists, t.need)
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

// Schedule runs the scheduler, which assigns waiting tasks to free agents whenever something has changed, until ctx ends.
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

// pass assigns the tasks of every list as long as there are agents for them.
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
	// The list with the most urgent task goes first, because lists compete when the limit of a node or a type is reached.
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

// place sets what the tasks of a list wait for, and their positions. The caller holds mu.
func (ts *Tasks) place(w *waitlist) {
	n := 0
	for _, l := range w.byPrio {
		for e := l.Front(); e != nil; e = e.Next() {
			n++
			t := e.Value.(*task)
			same := t.rec.Waiting == w.why && slices.Equal(t.rec.Asking, w.asking)
			switch {
			case same && t.rec.Position == n:
			case n <= maxPlaced || !same && t.rec.Position == 0:
				ts.set(t, func(rec *wire.Task) { rec.Waiting, rec.Asking, rec.Position = w.why, w.asking, n })
			default:
				t.rec.Waiting, t.rec.Asking, t.rec.Position = w.why, w.asking, n
			}
		}
	}
}

// placeAll calls place for all lists. The caller holds mu.
func (ts *Tasks) placeAll() {
	for _, w := range ts.lists {
		ts.place(w)
	}
}

// assign assigns a task to an agent or starts a process for it. If no agent is free, it starts one if possible, sets w.why
// and w.asking, and returns false. The caller holds mu.
func (ts *Tasks) assign(w *waitlist, t *task) bool {
	w.asking = nil
	if w.need.agent != "" {
		return ts.assignTo(w, t)
	}
	types := ts.doers(w.need)
	var best *worker
	for _, wk := range ts.workers {
		if wk.free(t) && wk.offers(w.need) && (best == nil || wk.before(best)) {
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
		if at.Kind == wire.KindRemote {
			if why := ts.dialled(at, w); why != "" {
				reasons = append(reasons, why)
			}
			continue
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
	w.why = cmp.Or(strings.Join(reasons, "; "), "nobody is here with "+w.need.capabilities)
	return false
}

// assignTo assigns a task that is for one agent and no other. The caller holds mu.
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
		w.held(a)
		return false
	}
	ts.startRun(t, wk)
	return true
}

// demand starts an agent for the tasks of a list, unless enough agents are being started, and returns what the tasks wait for.
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
	ts.Kick() // to start another agent if one is not enough
	return fmt.Sprintf("%d %s starting", ts.starting[at.Name], at.Name)
}

// pause keeps a list from starting agents for a while, because the last start failed. The caller holds mu.
func (ts *Tasks) pause(w *waitlist, at wire.AgentType, err error) string {
	ts.log.Warn("no agent could be started for waiting tasks", "type", at.Name, "err", err)
	w.paused, w.pausedBy = time.Now().Add(spawnPause), wire.AsError(err).Message
	time.AfterFunc(spawnPause, ts.Kick)
	return fmt.Sprintf("no %s could be started: %s", at.Name, w.pausedBy)
}
