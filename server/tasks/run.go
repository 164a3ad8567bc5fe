package tasks

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

const (
	// cancelGrace is how long an agent may take to acknowledge the cancellation of a task before it is stopped itself.
	cancelGrace = 5 * time.Second
)

// begin makes the next attempt at a task that waits. If w is nil, the agent is yet to be started. The caller holds mu.
func (ts *Tasks) begin(t *task, w *worker) *run {
	ts.unqueue(t)
	stopTimer(t.queueTimer)
	now := time.Now()
	r := &run{t: t, w: w, lastSign: now, sent: make(chan struct{}), rec: wire.Run{Attempt: t.rec.Attempt + 1, Node: ts.o.Node, StartedAt: now.UTC(), LeaseMS: t.rec.Timeouts.HeartbeatMS}}
	if w != nil {
		r.is(w.agent)
	}
	t.run = r
	ts.happens(t, begins{r.rec})
	if ms := t.rec.Timeouts.RunMS; ms > 0 {
		r.timer = time.AfterFunc(time.Duration(ms)*time.Millisecond, func() {
			ts.cut(r, runner.TaskResult{Failure: wire.FailRunTimeout, Message: fmt.Sprintf("it took longer than %d ms", ms)})
		})
	}
	return r
}

// is sets the agent of an attempt. The caller holds mu.
func (r *run) is(a wire.Agent) { r.agent, r.rec.Agent, r.rec.AgentName = a.ID, a.ID, a.Name }

// startRun gives a task to an agent. The caller holds mu.
func (ts *Tasks) startRun(t *task, w *worker) {
	r := ts.begin(t, w)
	w.runs[t.id] = r
	ts.loaded(w)
	rec := t.rec
	ts.pending.Go(func() { ts.deliver(r, &rec) })
}

// deliver writes the task to its agent.
func (ts *Tasks) deliver(r *run, rec *wire.Task) {
	ts.fleet.Tell(r.agent, scheduler, wire.EventData{Task: rec.ID, State: wire.TaskWorking, Text: rec.Name})
	err := ts.fleet.Deliver(r.w.ctx, r.agent, rec)
	close(r.sent)
	if err != nil {
		ts.cut(r, runner.TaskResult{Failure: wire.FailDelivery, Message: "the agent did not take the task: " + wire.AsError(err).Message})
	}
}

// loaded tells the fleet which tasks an agent is working on. The caller holds mu.
func (ts *Tasks) loaded(w *worker) {
	ids := make([]wire.TaskID, 0, len(w.runs))
	for id := range w.runs {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	if len(ids) == 0 {
		w.since = time.Now()
	}
	ts.fleet.Works(w.agent.ID, ids)
}

// free frees the place of an attempt that is over at its agent. The caller holds mu.
func (ts *Tasks) free(r *run) {
	stopTimer(r.timer)
	if r.w != nil && r.w.runs[r.t.id] == r {
		delete(r.w.runs, r.t.id)
		ts.loaded(r.w)
		ts.Kick()
	}
}

// cut ends an attempt, and tells its agent to stop working on it.
func (ts *Tasks) cut(r *run, o runner.TaskResult) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if r.t.run != r || r.t.ending || ts.closed {
		return
	}
	ts.endRun(r.t, o)
	ts.letGo(r)
}

// letGo tells the agent of an attempt that is over to stop working on it. An agent that does not answer within cancelGrace
// is stopped; while it can't be reached, that time does not run. The caller holds mu.
func (ts *Tasks) letGo(r *run) {
	if r.over {
		return
	}
	r.over = true
	stopTimer(r.timer)
	switch {
	case r.agent == "":
	case r.w == nil:
		ts.stop(r.agent)
	default:
		id := r.t.id
		ts.pending.Go(func() {
			<-r.sent
			ts.showQuestions(r.agent)
			ts.fleet.Cancel(r.w.ctx, r.agent, id) // an agent that does not read this is stopped after the grace
		})
		r.timer = time.AfterFunc(cancelGrace, func() { ts.keptOn(r) })
		if r.w.held {
			r.timer.Stop()
		}
	}
}

// keptOn stops an agent that did not let go of a task.
func (ts *Tasks) keptOn(r *run) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if r.w.runs[r.t.id] == r && !r.w.held && !ts.closed {
		ts.log.Warn("an agent did not let go of a task; it is stopped", "agent", r.agent, "task", r.t.id)
		ts.stop(r.agent)
	}
}

// stop begins to stop an agent. The caller holds mu.
func (ts *Tasks) stop(agent wire.AgentID) {
	if w := ts.workers[agent]; w != nil {
		w.off = true
	}
	ts.fleet.Stop(agent)
}

// endRun ends the present attempt at a task. Then the task is over or waits for another attempt. The caller holds mu.
func (ts *Tasks) endRun(t *task, o runner.TaskResult) {
	t.ending = false
	if t.run != nil && t.run.agent != "" {
		ts.tellAgent(t, o)
	}
	t.run = nil
	ts.happens(t, ends{o})
}

// tellAgent adds the end of the present attempt to the log of its agent. The caller holds mu.
func (ts *Tasks) tellAgent(t *task, o runner.TaskResult) {
	agent, state := t.run.agent, wire.TaskFailed
	if o.Failure == "" {
		state = wire.TaskCompleted
		ts.fleet.Did(agent)
	}
	id, text := t.id, noun.Clip(o.Message)
	ts.pending.Go(func() {
		ts.fleet.Tell(agent, "", wire.EventData{Task: id, State: state, Text: text})
		ts.showQuestions(agent)
	})
}

// giveUp ends a task that no agent is working on. The caller holds mu.
func (ts *Tasks) giveUp(t *task, state wire.TaskState, why wire.FailureReason, message string) {
	ts.unqueue(t)
	ts.happens(t, givesUp{state, why, message})
}

// happens applies an event to a task, with its effects. It returns false if the event can't happen in the state of the task.
// The caller holds mu.
func (ts *Tasks) happens(t *task, e event) bool {
	rec, then, ok := transition(t.rec, e, time.Now().UTC())
	if !ok {
		return false
	}
	if then.end {
		ts.end(t, rec)
		return true
	}
	ts.set(t, func(r *wire.Task) { *r = rec })
	if then.save {
		ts.saveLater(t)
	}
	if then.queue {
		ts.queue(t)
	}
	return true
}

// end ends a task with rec, which is terminal. rec is stored first, and becomes visible after that. The caller holds mu.
func (ts *Tasks) end(t *task, rec wire.Task) {
	t.ending = true
	stopTimer(t.timer)
	stopTimer(t.queueTimer)
	t.queueTimer = nil
	if t.parent != nil && rec.Index != nil && rec.Ordinal == 0 {
		t.parent.ordinals++
		rec.Ordinal = t.parent.ordinals
		t.ordinal = rec.Ordinal
	}
	if ts.closed {
		return
	}
	t.unsaved = false // rec includes all changes
	ts.pending.Go(func() {
		defer ts.writing()()
		if !ts.storeEnd(t, &rec) {
			return
		}
		ts.mu.Lock()
		defer ts.mu.Unlock()
		t.ending = false
		rec.Late, rec.Rev = t.rec.Late, t.rec.Rev
		ts.set(t, func(r *wire.Task) { *r = rec })
		if t.unsaved { // a late answer
			t.unsaved = false
			ts.saveLater(t)
		}
		ts.settled(t)
	})
}

// storeEnd tries to store an end until that succeeds, such as on a full disk. Until then the task is shown as it was. It
// returns false if Skein is stopping; the next start finds an interrupted attempt then.
func (ts *Tasks) storeEnd(t *task, rec *wire.Task) bool {
	defer t.saving.take()()
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := ts.put(context.Background(), t, rec)
		if err == nil {
			return true
		}
		ts.log.Error("the end of a task could not be stored; trying again", "task", t.id, "err", err, "wait", wait)
		select {
		case <-time.After(wait):
		case <-ts.o.Closing.Done():
			return false
		}
	}
}

// settled notifies the dependents and the parent of a task that has ended. The caller holds mu.
func (ts *Tasks) settled(t *task) {
	waiting := t.dependents
	t.dependents = nil
	for _, d := range waiting {
		if d.rec.State == wire.TaskSubmitted && !d.ending && d.list == nil {
			ts.queue(d)
		}
	}
	if t.parent != nil {
		ts.evaluate(t.parent)
	}
}

// Cancel cancels tasks, each with all tasks below it. Tasks that are over are left out.
func (ts *Tasks) Cancel(by noun.Caller, p wire.TaskCancelParams) (*wire.TaskCancelResult, error) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if len(p.IDs) == 0 {
		return nil, noun.Bad("ids", "name the tasks to cancel in ids")
	}
	for _, id := range p.IDs {
		if ts.all[id] == nil {
			return nil, noTask(id)
		}
	}
	res := &wire.TaskCancelResult{Canceled: []wire.TaskID{}}
	for _, id := range p.IDs {
		res.Canceled = append(res.Canceled, ts.cancelTree(ts.all[id], cmp.Or(p.Reason, "canceled by "+by.Actor))...)
	}
	return res, nil
}

// cancelTree cancels a task and all tasks below it. The caller holds mu.
func (ts *Tasks) cancelTree(root *task, why string) (canceled []wire.TaskID) {
	for _, t := range tree(root) {
		if ts.cancel(t, why) {
			canceled = append(canceled, t.id)
		}
	}
	return canceled
}

// cancel cancels a task. It returns false if the task is over or its end is being stored. The caller holds mu.
func (ts *Tasks) cancel(t *task, why string) bool {
	if t.rec.State.Terminal() || t.ending {
		return false
	}
	ts.unqueue(t)
	if r := t.run; r != nil {
		t.run = nil
		ts.letGo(r)
	}
	return ts.happens(t, cancels{why})
}
