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
	// cancelGrace is how long an agent may take to let go of a task that was canceled, before it is stopped itself.
	cancelGrace = 5 * time.Second
)

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

// begin makes the next attempt of a task that waits; nil: its agent is yet to be started. The caller holds mu.
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

// is notes the agent of a run. The caller holds mu.
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

// loaded shows what an agent has in work. The caller holds mu.
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

// Sign notes a sign of life of every run of an agent.
func (ts *Tasks) Sign(agent wire.AgentID) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if w := ts.workers[agent]; w != nil {
		now := time.Now()
		for _, r := range w.runs {
			r.lastSign = now
		}
	}
}

// Answered ends a run with its agent's answer, once the files that the agent left with it are kept. An answer to a run
// that is over is recorded, not applied. false: there is no such task.
func (ts *Tasks) Answered(agent wire.AgentID, o runner.TaskResult) bool {
	id := o.Task
	r, known := ts.hear(agent, id, o)
	if r != nil {
		ts.answers.Add(1)
		ts.o.Answered(agent, id, func() {
			defer ts.answers.Done()
			ts.mu.Lock()
			defer ts.mu.Unlock()
			if !r.over {
				ts.endRun(r.t, o)
			}
			ts.free(r)
		})
	}
	return known
}

// hear finds the run that an answer ends, and holds it for that; nil: none.
func (ts *Tasks) hear(agent wire.AgentID, id wire.TaskID, o runner.TaskResult) (r *run, known bool) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := ts.all[id]
	if t == nil {
		return nil, false
	}
	if w := ts.workers[agent]; w != nil && w.runs[id] != nil && w.runs[id].over { // it lets go of what was taken from it
		r = w.runs[id]
		ts.late(t, r.rec.Attempt, agent, o)
		stopTimer(r.timer)
		return r, true
	}
	if r = ts.runOf(agent, id); r != nil {
		t.ending = true // nothing else ends it
		stopTimer(r.timer)
		return r, true
	}
	attempt := 0
	for _, r := range t.rec.Runs {
		if r.Agent == agent {
			attempt = r.Attempt
		}
	}
	ts.late(t, attempt, agent, o)
	return nil, true
}

// late records an answer that came after the end of its run. The caller holds mu.
func (ts *Tasks) late(t *task, attempt int, agent wire.AgentID, o runner.TaskResult) {
	text := o.Message
	if o.Failure == "" {
		text = string(wire.NewPayload(o.Output).Cut(wire.MaxProgressText).Bytes())
	}
	ts.log.Info("an answer came after the end of its run", "task", t.id, "attempt", attempt, "agent", agent)
	ts.happens(t, late{wire.Late{Time: time.Now().UTC(), Attempt: attempt, Agent: agent, Failed: o.Failure != "", Text: noun.Clip(text)}})
}

// free gives the agent of a run that is over its place back. The caller holds mu.
func (ts *Tasks) free(r *run) {
	stopTimer(r.timer)
	if r.w != nil && r.w.runs[r.t.id] == r {
		delete(r.w.runs, r.t.id)
		ts.loaded(r.w)
		ts.Kick()
	}
}

// cut ends a run from this side, and makes its agent let go of it.
func (ts *Tasks) cut(r *run, o runner.TaskResult) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if r.t.run != r || r.t.ending || ts.closed {
		return
	}
	ts.endRun(r.t, o)
	ts.letGo(r)
}

// letGo tells the agent of a run that is over to stop working on it. One that does not answer within cancelGrace is
// stopped. The caller holds mu.
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
			ts.fleet.Cancel(r.w.ctx, r.agent, id) // if it does not read, the grace ends it
		})
		r.timer = time.AfterFunc(cancelGrace, func() {
			ts.mu.Lock()
			defer ts.mu.Unlock()
			if r.w.runs[id] == r && !ts.closed {
				ts.log.Warn("an agent did not let go of a task; it is stopped", "agent", r.agent, "task", id)
				ts.stop(r.agent)
			}
		})
	}
}

// stop stops an agent without waiting for it. The caller holds mu.
func (ts *Tasks) stop(agent wire.AgentID) {
	if w := ts.workers[agent]; w != nil {
		w.off = true
	}
	ts.fleet.Stop(agent)
}

// Exited ends what an agent had in work whose process ended.
func (ts *Tasks) Exited(agent wire.Agent, exit wire.Exit) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	stopped := agent.Desired == wire.DesiredStop
	if w := ts.workers[agent.ID]; w != nil {
		ts.gone(w, exit, stopped)
	}
	if r := ts.processes[agent.ID]; r != nil {
		ts.processEnded(r, ts.verdict(r, agent.Type, exit, stopped))
	}
}

// gone ends the runs of an agent that ended. The caller holds mu.
func (ts *Tasks) gone(w *worker, exit wire.Exit, stopped bool) {
	delete(ts.workers, w.agent.ID)
	w.stop()
	o := runner.TaskResult{Failure: wire.FailAgentLost, Message: "its agent ended: " + cmp.Or(exit.Message, "for no known reason")}
	switch {
	case stopped && ts.stopping():
		o = runner.TaskResult{Failure: wire.FailServerRestart, Message: "Skein was stopped"}
	case stopped:
		o = runner.TaskResult{Failure: wire.FailAgentStopped, Message: "its agent was stopped"}
	}
	for _, r := range w.runs {
		if r.t.run == r && !r.t.ending {
			ts.endRun(r.t, o)
		}
		stopTimer(r.timer)
	}
	clear(w.runs)
	ts.loaded(w)
	ts.Kick()
}

// endRun ends the attempt of a task: with its end, or with a further attempt. The caller holds mu.
func (ts *Tasks) endRun(t *task, o runner.TaskResult) {
	t.ending = false
	if t.run != nil && t.run.agent != "" {
		ts.tellAgent(t, o)
	}
	t.run = nil
	ts.happens(t, ends{o})
}

// tellAgent puts the end of a run into its agent's log. The caller holds mu.
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

// giveUp ends a task that no agent has. The caller holds mu.
func (ts *Tasks) giveUp(t *task, state wire.TaskState, why wire.FailureReason, message string) {
	ts.unqueue(t)
	ts.happens(t, givesUp{state, why, message})
}

// happens makes an event happen to a task, with what follows. false: it can't happen now. The caller holds mu.
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

// end makes rec, which is terminal, the truth: it is stored first, and told to all when it is. The caller holds mu.
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
	t.unsaved = false // rec has it all
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

// storeEnd stores an end for as long as it takes, such as on a full disk: until then the task is shown as it was.
// false: Skein stops; the next start finds the run cut off.
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

// settled lets everybody know who waits for a task's end. The caller holds mu.
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

// Cancel ends tasks, each with all below it. Those that are over are left out.
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

// cancelTree needs mu.
func (ts *Tasks) cancelTree(root *task, why string) (canceled []wire.TaskID) {
	for _, t := range tree(root) {
		if ts.cancel(t, why) {
			canceled = append(canceled, t.id)
		}
	}
	return canceled
}

// cancel needs mu.
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

// Retry gives a task that ended without success new attempts, and returns its record as one that was just submitted. A
// request that did so before is not carried out again, and returns the record as it is by now.
func (ts *Tasks) Retry(by noun.Caller, id wire.TaskID) (*wire.Task, error) {
	rec, stored, err := ts.again(by, id)
	if err != nil {
		return nil, err
	}
	select {
	case <-stored:
	case <-time.After(ts.o.Timeout):
		return nil, errUnsureRetry
	case <-ts.o.Closing.Done():
		return nil, errUnsureRetry
	}
	return &rec, nil
}

var errUnsureRetry = wire.Errorf(wire.CodeOutcomeUnknown, "the store does not answer, so that it is not known yet whether the task is tried again. The same request again tells")

// again makes a task that is over a submitted one, and has it stored: then it is scheduled.
func (ts *Tasks) again(by noun.Caller, id wire.TaskID) (rec wire.Task, stored <-chan struct{}, err error) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := ts.all[id]
	if t == nil {
		return rec, nil, noTask(id)
	}
	if by.Request != "" && t.rec.RetryRequest == by.Request {
		return t.rec, t.retrying.Done(), nil
	}
	if err := t.retriable(); err != nil {
		return rec, nil, err
	}
	spec := t.rec.TaskSpec
	if err := ts.checkDoer(&spec); err != nil { // its agent may be gone
		return rec, nil, err
	}
	if ts.closed {
		return rec, nil, noun.ErrClosing
	}
	again, _, _ := transition(t.rec, retries{by.Request}, time.Now().UTC()) // stored first, then queued
	ts.set(t, func(rec *wire.Task) { *rec = again })
	t.unsaved = true
	done, finish := context.WithCancel(context.Background())
	t.retrying = done
	ts.pending.Go(func() { ts.storeRetry(t); finish() })
	return t.rec, done.Done(), nil
}

// storeRetry stores a task that is to be tried again, for as long as it takes, and schedules it.
func (ts *Tasks) storeRetry(t *task) {
	for {
		err := ts.save(ts.o.Closing, t)
		ts.mu.Lock()
		if err == nil {
			if t.rec.State == wire.TaskSubmitted && t.list == nil && t.run == nil && !t.ending && !ts.closed {
				ts.queue(t)
			}
			ts.mu.Unlock()
			return
		}
		t.unsaved = true
		ts.mu.Unlock()
		ts.log.Error("a task that is to be tried again could not be stored; trying again", "task", t.id, "err", err)
		select {
		case <-time.After(undoGap):
		case <-ts.o.Closing.Done(): // the next start finds what was stored
			return
		}
	}
}

// retriable needs Tasks.mu.
func (t *task) retriable() error {
	switch state := t.rec.State; {
	case !state.Terminal() || t.ending:
		return wire.Errorf(wire.CodePrecondition, "task %s is %s: there is nothing to retry", t.id, state).WithField("id")
	case state == wire.TaskCompleted:
		return wire.Errorf(wire.CodePrecondition, "task %s is completed: submit it again for another result", t.id).WithField("id")
	case t.rec.Orchestration != nil || t.rec.Index != nil:
		return wire.Errorf(wire.CodePrecondition, "task %s is part of an orchestration: orchestrate again", t.id).WithField("id")
	}
	return nil
}

// Beat ends runs whose agents are silent for longer than the lease, and stops idle agents that the scheduler started.
func (ts *Tasks) Beat(now time.Time) {
	ts.mu.Lock()
	var silent []*run
	look := func(r *run) {
		if ms := r.rec.LeaseMS; ms > 0 && !r.over && r.t.run == r && r.t.rec.State == wire.TaskWorking && now.Sub(r.lastSign) > time.Duration(ms)*time.Millisecond {
			silent = append(silent, r)
		}
	}
	for _, r := range ts.processes {
		look(r)
	}
	for _, w := range ts.workers {
		for _, r := range w.runs {
			look(r)
		}
		if ms := w.typ.IdleStopMS; ms > 0 && len(w.runs) == 0 && !w.off && now.Sub(w.since) > time.Duration(ms)*time.Millisecond && w.agent.OnDemand {
			ts.stop(w.agent.ID)
		}
	}
	ts.mu.Unlock()
	for _, r := range silent {
		ts.cut(r, runner.TaskResult{Failure: wire.FailHeartbeat, Message: fmt.Sprintf("no sign of life for more than %d ms", r.rec.LeaseMS)})
	}
}

// Progress shows what an agent says of its task: a text, and how much of it is done, of 0 to 1. false: there is no such task.
func (ts *Tasks) Progress(agent wire.AgentID, id wire.TaskID, text string, fraction float64) bool {
	ts.mu.Lock()
	r := ts.runOf(agent, id)
	if r == nil {
		defer ts.mu.Unlock()
		return ts.all[id] != nil
	}
	asked := r.question != nil
	r.question = nil
	ts.happens(r.t, says{wire.Progress{Time: time.Now().UTC(), Text: noun.Clip(text), Fraction: min(max(fraction, 0), 1)}, asked})
	ts.mu.Unlock()
	if asked {
		ts.showQuestions(agent)
	}
	return true
}

// runOf is the run of a task that an agent has in work; nil: it has it not, or no longer. The caller holds mu.
func (ts *Tasks) runOf(agent wire.AgentID, id wire.TaskID) *run {
	t := ts.all[id]
	if t == nil || t.run == nil || t.run.agent != agent || t.ending {
		return nil
	}
	return t.run
}
