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

// This file has the methods by which the fleet reports on its agents.

// Started tells the scheduler of an agent whose process is running.
func (ts *Tasks) Started(agent wire.Agent) {
	typ := ts.o.Types[agent.Type]
	if !typ.Tasks.Shared() {
		return
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.offered.add(agent.Capabilities)
	w := &worker{agent: agent, typ: typ, can: slices.Concat(typ.Capabilities, agent.Capabilities), runs: map[wire.TaskID]*run{}, since: time.Now()}
	w.held = agent.Paused != nil
	w.ctx, w.stop = context.WithCancel(context.Background())
	ts.workers[agent.ID] = w
	ts.Kick()
}

// Stopping tells the scheduler to give no more tasks to an agent, because it is being stopped.
func (ts *Tasks) Stopping(agent wire.AgentID) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if w := ts.workers[agent]; w != nil {
		w.off = true
	}
}

// Hold keeps an agent from getting more tasks, because it can't be reached, or ends that.
func (ts *Tasks) Hold(agent wire.AgentID, hold bool) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	w := ts.workers[agent]
	if w == nil {
		return
	}
	w.held = hold
	for _, r := range w.runs {
		switch {
		case !r.over || r.timer == nil:
		case hold:
			r.timer.Stop()
		default:
			r.timer.Reset(cancelGrace)
		}
	}
	ts.Kick()
}

// Drain gives an agent no more tasks. When it returns, the agent was told of those that it has.
func (ts *Tasks) Drain(agent wire.AgentID) {
	ts.mu.Lock()
	var told []chan struct{}
	if w := ts.workers[agent]; w != nil {
		w.off = true
		for _, r := range w.runs {
			told = append(told, r.sent)
		}
		ts.Kick() // what waits for it waits for another one now, and says so
	}
	ts.mu.Unlock()
	for _, sent := range told {
		<-sent
	}
}

// Exited ends the attempts of an agent whose process has ended.
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

// Sign notes a sign of life for every attempt of an agent.
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

// Answered ends an attempt with the answer of its agent, once the files that the agent left with it are kept. An answer to
// an attempt that is over is recorded but not applied. Answered returns false if there is no such task.
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

// hear returns the attempt that an answer ends, after it has made sure that nothing else ends it. It returns a nil run if
// the answer came too late, and known is false if there is no such task.
func (ts *Tasks) hear(agent wire.AgentID, id wire.TaskID, o runner.TaskResult) (r *run, known bool) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := ts.all[id]
	if t == nil {
		return nil, false
	}
	if w := ts.workers[agent]; w != nil && w.runs[id] != nil && w.runs[id].over { // the agent acknowledges a cancellation
		r = w.runs[id]
		ts.late(t, r.rec.Attempt, agent, o)
		stopTimer(r.timer)
		r.timer = nil
		return r, true
	}
	if r = ts.runOf(agent, id); r != nil {
		t.ending = true // so that nothing else ends it
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

// late records an answer that came after the end of its attempt. The caller holds mu.
func (ts *Tasks) late(t *task, attempt int, agent wire.AgentID, o runner.TaskResult) {
	text := o.Message
	if o.Failure == "" {
		text = string(wire.NewPayload(o.Output).Cut(wire.MaxProgressText).Bytes())
	}
	ts.log.Info("an answer came after the end of its run", "task", t.id, "attempt", attempt, "agent", agent)
	ts.happens(t, late{wire.Late{Time: time.Now().UTC(), Attempt: attempt, Agent: agent, Failed: o.Failure != "", Text: noun.Clip(text)}})
}

// Progress records what an agent reports about its task: a text, and the fraction that is done, from 0 to 1. It returns false
// if there is no such task.
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

// Ask makes a task wait for an answer from a person. It returns false if there is no such task.
func (ts *Tasks) Ask(agent wire.AgentID, id wire.TaskID, text string) bool {
	ts.mu.Lock()
	r := ts.runOf(agent, id)
	if r == nil {
		defer ts.mu.Unlock()
		return ts.all[id] != nil
	}
	if r.question == nil || r.question.text != text {
		ts.asked++
		r.question = &question{ts.asked, text}
	}
	r.lastSign = time.Now()
	ts.happens(r.t, asks{})
	ts.mu.Unlock()
	ts.showQuestions(agent)
	return true
}

// Asked notes the open questions of an agent. replied marks these as answered, so that their tasks continue; questions that
// the agent has asked since stay open.
func (ts *Tasks) Asked(agent wire.AgentID) (replied func()) {
	questions := ts.questions(agent)
	return func() { ts.replied(agent, questions) }
}

// replied resumes the tasks with these questions.
func (ts *Tasks) replied(agent wire.AgentID, questions []*question) {
	if len(questions) == 0 {
		return
	}
	ts.mu.Lock()
	if w := ts.workers[agent]; w != nil {
		for _, r := range w.runs {
			if r.works() && r.question != nil && slices.Contains(questions, r.question) {
				r.question, r.lastSign = nil, time.Now()
				ts.happens(r.t, resumes{})
			}
		}
	}
	ts.mu.Unlock()
	ts.showQuestions(agent)
}

// Activity sets the tasks of an agent that waits for a person to input_required, and back to working when it continues.
func (ts *Tasks) Activity(agent wire.AgentID, act wire.Activity) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	w := ts.workers[agent]
	if w == nil {
		return
	}
	var news event = resumes{}
	state := wire.TaskWorking
	if act == wire.ActivityRequiresAction {
		news, state = asks{}, wire.TaskInputRequired
	}
	for _, r := range w.runs {
		if r.works() && r.t.rec.State != state {
			r.lastSign = time.Now()
			ts.happens(r.t, news)
		}
	}
}

// gone ends the attempts of an agent that has ended. The caller holds mu.
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

// Beat ends the attempts whose agents have been silent for longer than the lease, and stops idle agents that the scheduler
// started.
func (ts *Tasks) Beat(now time.Time) {
	ts.mu.Lock()
	var silent []*run
	check := func(r *run) {
		if ms := r.rec.LeaseMS; ms > 0 && !r.over && r.t.run == r && r.t.rec.State == wire.TaskWorking && now.Sub(r.lastSign) > time.Duration(ms)*time.Millisecond {
			silent = append(silent, r)
		}
	}
	for _, r := range ts.processes {
		check(r)
	}
	for _, w := range ts.workers {
		for _, r := range w.runs {
			if w.held { // it may be unable to give one
				r.lastSign = now
			}
			check(r)
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
