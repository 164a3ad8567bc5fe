package control

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

const (
	deliverTimeout = 10 * time.Second
	// cancelGrace is how long an agent may take to let go of a task that was canceled, before it is stopped itself.
	cancelGrace = 5 * time.Second
)

// run is one attempt of a task. Its fields are guarded by Tasks.mu.
type run struct {
	t        *task
	a        *agent // nil: it is being started for this run
	w        *worker
	rec      wire.Run
	lastSign time.Time
	timer    *time.Timer   // of timeouts.run, then of cancelGrace
	sent     chan struct{} // closed when its agent has the task, or could not be given it
	out      *outcome      // mode process: what the process printed so far
	stderr   []byte        // mode process: the end of what it wrote there, at most stderrTail bytes
	question *question     // what its agent asks a person; nil: nothing
	over     bool          // its agent need only let go of it
}

// outcome is how a run ended. failure "": it completed, with output.
type outcome struct {
	output    []byte
	failure   wire.FailureReason
	message   string
	truncated bool // there was more output than a result may have
}

// begin makes the next attempt of a task that waits. The caller holds mu.
func (ts *Tasks) begin(t *task, a *agent) *run {
	ts.unqueue(t)
	stopTimer(t.queueTimer)
	now := time.Now()
	r := &run{t: t, a: a, lastSign: now, sent: make(chan struct{}), rec: wire.Run{Attempt: t.rec.Attempt + 1, Node: ts.p.o.Node, StartedAt: now.UTC(), LeaseMS: t.rec.Timeouts.HeartbeatMS}}
	if a != nil {
		r.rec.Agent, r.rec.AgentName = a.id, a.record().Name
	}
	t.run = r
	ts.set(t, func(rec *wire.Task) {
		rec.State, rec.Waiting, rec.Position, rec.NotBefore = wire.TaskWorking, "", 0, nil
		rec.Attempt, rec.Failure, rec.Message, rec.Progress = r.rec.Attempt, "", "", nil
		if rec.StartedAt == nil {
			rec.StartedAt = &r.rec.StartedAt
		}
		rec.Runs = append(slices.Clip(rec.Runs), r.rec)
	})
	ts.saveLater(t)
	if ms := t.rec.Timeouts.RunMS; ms > 0 {
		r.timer = time.AfterFunc(time.Duration(ms)*time.Millisecond, func() {
			ts.cut(r, outcome{failure: wire.FailRunTimeout, message: fmt.Sprintf("it took longer than %d ms", ms)})
		})
	}
	return r
}

// startRun gives a task to an agent. The caller holds mu.
func (ts *Tasks) startRun(t *task, w *worker) {
	r := ts.begin(t, w.a)
	r.w = w
	w.runs[t.id] = r
	ts.loaded(w)
	rec := t.rec
	ts.pending.Go(func() { ts.deliver(r, &rec) })
}

// deliver writes the task to its agent.
func (ts *Tasks) deliver(r *run, rec *wire.Task) {
	r.a.event(wire.EventTask, scheduler, wire.EventData{Task: rec.ID, State: wire.TaskWorking, Text: rec.Name})
	err := r.a.send(r.w.ctx, lineRun(rec))
	close(r.sent)
	if err != nil {
		ts.cut(r, outcome{failure: wire.FailDelivery, message: "the agent did not take the task: " + wire.AsError(err).Message})
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
	w.a.update(true, func(rec *wire.Agent) { rec.Tasks = ids })
}

// sign notes a sign of life of every run of an agent.
func (ts *Tasks) sign(a *agent) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if w := ts.workers[a]; w != nil {
		now := time.Now()
		for _, r := range w.runs {
			r.lastSign = now
		}
	}
}

// answered ends a run with its agent's answer, once the files that the agent left with it are kept. An answer to a run
// that is over is recorded, not applied. false: there is no such task.
func (ts *Tasks) answered(a *agent, id wire.TaskID, o outcome) bool {
	r, known := ts.hear(a, id, o)
	if r != nil {
		ts.p.running.Add(1) // the agent's own is there: its process is being heard
		ts.p.Artifacts.Answered(a.id, id, func() {
			defer ts.p.running.Done()
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
func (ts *Tasks) hear(a *agent, id wire.TaskID, o outcome) (r *run, known bool) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := ts.all[id]
	if t == nil {
		return nil, false
	}
	if w := ts.workers[a]; w != nil && w.runs[id] != nil && w.runs[id].over { // it lets go of what was taken from it
		r = w.runs[id]
		ts.late(t, r.rec.Attempt, a, o)
		stopTimer(r.timer)
		return r, true
	}
	if r = ts.runOf(a, id); r != nil {
		t.ending = true // nothing else ends it
		stopTimer(r.timer)
		return r, true
	}
	attempt := 0
	for _, r := range t.rec.Runs {
		if r.Agent == a.id {
			attempt = r.Attempt
		}
	}
	ts.late(t, attempt, a, o)
	return nil, true
}

// late records an answer that came after the end of its run. The caller holds mu.
func (ts *Tasks) late(t *task, attempt int, a *agent, o outcome) {
	text := o.message
	if o.failure == "" {
		text = string(wire.NewPayload(o.output).Cut(wire.MaxProgressText).Bytes())
	}
	ts.p.log.Info("an answer came after the end of its run", "task", t.id, "attempt", attempt, "agent", a.id)
	ts.set(t, func(rec *wire.Task) {
		late := append(slices.Clip(rec.Late), wire.Late{Time: time.Now().UTC(), Attempt: attempt, Agent: a.id, Failed: o.failure != "", Text: clip(text)})
		rec.Late = late[max(0, len(late)-wire.MaxLate):]
	})
	ts.saveLater(t)
}

// free gives the agent of a run that is over its place back. The caller holds mu.
func (ts *Tasks) free(r *run) {
	stopTimer(r.timer)
	if r.w != nil && r.w.runs[r.t.id] == r {
		delete(r.w.runs, r.t.id)
		ts.loaded(r.w)
		ts.kick()
	}
}

// cut ends a run from this side, and makes its agent let go of it.
func (ts *Tasks) cut(r *run, o outcome) {
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
	case r.a == nil:
	case r.w == nil: // mode process: the agent is the run
		ts.stopAgent(r.a)
	default:
		id := r.t.id
		ts.pending.Go(func() {
			<-r.sent
			ts.showQuestions(r.a)
			r.a.send(r.w.ctx, lineCancel(id)) // if it does not read, the grace ends it
		})
		r.timer = time.AfterFunc(cancelGrace, func() {
			ts.mu.Lock()
			defer ts.mu.Unlock()
			if r.w.runs[id] == r && !ts.closed {
				ts.p.log.Warn("an agent did not let go of a task; it is stopped", "agent", r.a.id, "task", id)
				ts.stopAgent(r.a)
			}
		})
	}
}

// stopAgent stops an agent without waiting for it. One that somebody stops already is left to him: his grace may be
// longer. The caller holds mu.
func (ts *Tasks) stopAgent(a *agent) {
	if w := ts.workers[a]; w != nil {
		w.off = true
	}
	if a.record().Desired == wire.DesiredStop {
		return
	}
	ts.p.running.Go(func() { a.halt(scheduler, nil) })
}

// gone ends the runs of an agent that ended.
func (ts *Tasks) gone(a *agent, exit wire.Exit, stopped bool) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	w := ts.workers[a]
	if w == nil {
		return
	}
	delete(ts.workers, a)
	w.stop()
	o := outcome{failure: wire.FailAgentLost, message: "its agent ended: " + cmp.Or(exit.Message, "for no known reason")}
	switch {
	case stopped && ts.p.stopping():
		o = outcome{failure: wire.FailServerRestart, message: "Skein was stopped"}
	case stopped:
		o = outcome{failure: wire.FailAgentStopped, message: "its agent was stopped"}
	}
	for _, r := range w.runs {
		if r.t.run == r && !r.t.ending {
			ts.endRun(r.t, o)
		}
		stopTimer(r.timer)
	}
	clear(w.runs)
	ts.loaded(w)
	ts.kick()
}

// endRun ends the attempt of a task: with its end, or with a further attempt. The caller holds mu.
func (ts *Tasks) endRun(t *task, o outcome) {
	t.ending = false
	now := time.Now().UTC()
	rec := t.rec
	rec.Runs = slices.Clone(rec.Runs)
	if n := len(rec.Runs); n > 0 {
		rec.Runs[n-1].EndedAt, rec.Runs[n-1].Failure, rec.Runs[n-1].Message = &now, o.failure, clip(o.message)
	}
	rec.Failure, rec.Message = o.failure, clip(o.message)
	if t.run != nil && t.run.a != nil {
		ts.tellAgent(t, o)
	}
	t.run = nil
	if o.failure == wire.FailServerRestart {
		rec.LastTry++ // that Skein was stopped uses up no attempt
	}
	if o.failure.Transient() && rec.Attempt < rec.LastTry {
		at := now.Add(backoff(rec.Retry.BackoffMS, rec.Attempt))
		rec.State, rec.NotBefore = wire.TaskSubmitted, &at
		ts.set(t, func(r *wire.Task) { *r = rec })
		ts.saveLater(t)
		ts.queue(t)
		return
	}
	rec.State = wire.TaskFailed
	if o.failure == "" {
		p := wire.NewPayload(o.output)
		rec.State, rec.Result = wire.TaskCompleted, &p
	}
	rec.DeadLetter = o.failure.Transient()
	ts.end(t, rec)
}

// tellAgent puts the end of a run into its agent's log. The caller holds mu.
func (ts *Tasks) tellAgent(t *task, o outcome) {
	a, state := t.run.a, wire.TaskFailed
	if o.failure == "" {
		state = wire.TaskCompleted
		a.update(true, func(rec *wire.Agent) { rec.Done++ })
	}
	id, text := t.id, clip(o.message)
	ts.pending.Go(func() {
		a.event(wire.EventTask, "", wire.EventData{Task: id, State: state, Text: text})
		ts.showQuestions(a)
	})
}

// backoff is the pause behind an attempt: doubled with each one.
func backoff(ms int64, attempt int) time.Duration {
	d := time.Duration(ms) * time.Millisecond << min(max(attempt-1, 0), 20)
	if d < 0 || d > maxBackoff {
		d = maxBackoff
	}
	return d
}

// endUnrun ends a task that no agent has. The caller holds mu.
func (ts *Tasks) endUnrun(t *task, state wire.TaskState, why wire.FailureReason, message string) {
	ts.unqueue(t)
	rec := t.rec
	rec.State, rec.Failure, rec.Message = state, why, clip(message)
	ts.end(t, rec)
}

// end makes rec, which is terminal, the truth: it is stored first, and told to all when it is. The caller holds mu.
func (ts *Tasks) end(t *task, rec wire.Task) {
	t.ending = true
	stopTimer(t.timer)
	stopTimer(t.queueTimer)
	t.queueTimer = nil
	now := time.Now().UTC()
	rec.EndedAt, rec.Waiting, rec.Position, rec.NotBefore = &now, "", 0, nil
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
	t.saveMu.Lock()
	defer t.saveMu.Unlock()
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := ts.put(context.Background(), t, rec)
		if err == nil {
			return true
		}
		ts.p.log.Error("the end of a task could not be stored; trying again", "task", t.id, "err", err, "wait", wait)
		select {
		case <-time.After(wait):
		case <-ts.p.closing:
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
	rec := t.rec
	if r := t.run; r != nil {
		now := time.Now().UTC()
		rec.Runs = slices.Clone(rec.Runs)
		rec.Runs[len(rec.Runs)-1].EndedAt, rec.Runs[len(rec.Runs)-1].Message = &now, clip(why)
		t.run = nil
		ts.letGo(r)
	}
	rec.State, rec.Failure, rec.Message = wire.TaskCanceled, "", clip(why)
	ts.end(t, rec)
	return true
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
	case <-time.After(ts.p.o.StoreTimeout):
		return nil, errUnsureRetry
	case <-ts.p.closing:
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
		return rec, nil, errClosing
	}
	now := time.Now().UTC()
	ts.set(t, func(rec *wire.Task) {
		rec.State, rec.Failure, rec.DeadLetter, rec.EndedAt, rec.NotBefore = wire.TaskSubmitted, "", false, nil, &now
		rec.Message, rec.LastTry, rec.RetryRequest = "", rec.Attempt+rec.Retry.Max, by.Request
	})
	t.unsaved = true
	done, finish := context.WithCancel(context.Background())
	t.retrying = done
	ts.pending.Go(func() { ts.storeRetry(t); finish() })
	return t.rec, done.Done(), nil
}

// storeRetry stores a task that is to be tried again, for as long as it takes, and schedules it.
func (ts *Tasks) storeRetry(t *task) {
	for {
		err := ts.save(ts.p.closingCtx, t)
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
		ts.p.log.Error("a task that is to be tried again could not be stored; trying again", "task", t.id, "err", err)
		select {
		case <-time.After(undoGap):
		case <-ts.p.closing: // the next start finds what was stored
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

// beat ends runs whose agents are silent for longer than the lease, and stops idle agents that the scheduler started.
func (ts *Tasks) beat(now time.Time) {
	ts.mu.Lock()
	var silent []*run
	look := func(r *run) {
		if ms := r.rec.LeaseMS; ms > 0 && !r.over && r.t.run == r && r.t.rec.State == wire.TaskWorking && now.Sub(r.lastSign) > time.Duration(ms)*time.Millisecond {
			silent = append(silent, r)
		}
	}
	for r := range ts.processes {
		look(r)
	}
	for _, w := range ts.workers {
		for _, r := range w.runs {
			look(r)
		}
		if ms := w.typ.IdleStopMS; ms > 0 && len(w.runs) == 0 && !w.off && now.Sub(w.since) > time.Duration(ms)*time.Millisecond && w.a.record().OnDemand {
			ts.stopAgent(w.a)
		}
	}
	ts.mu.Unlock()
	for _, r := range silent {
		ts.cut(r, outcome{failure: wire.FailHeartbeat, message: fmt.Sprintf("no sign of life for more than %d ms", r.rec.LeaseMS)})
	}
}

func clip(s string) string {
	p := wire.Payload{Text: s}.Cut(wire.MaxProgressText)
	return p.Text
}
