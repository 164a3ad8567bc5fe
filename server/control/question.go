package control

import (
	"slices"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// An agent waits for a person either as a whole, as a script does, or, on the line protocol, with some of its tasks
// while it goes on with others. Both show as its activity. A question of the line protocol stays until somebody writes
// to the agent, or the agent goes on with the task; what its runtime sees of it meanwhile, such as that it is idle,
// comes to light afterwards.

// question is what an agent asks a person for one of its tasks.
type question struct{ text string }

// ask makes a task wait for a person. false: there is no such task.
func (ts *Tasks) ask(a *agent, id wire.TaskID, text string) bool {
	ts.mu.Lock()
	r := ts.runOf(a, id)
	if r == nil {
		defer ts.mu.Unlock()
		return ts.all[id] != nil
	}
	r.question, r.lastSign = &question{text}, time.Now()
	ts.set(r.t, func(rec *wire.Task) { rec.State = wire.TaskInputRequired })
	ts.mu.Unlock()
	ts.showQuestions(a)
	return true
}

// questions lists what an agent asks now.
func (ts *Tasks) questions(a *agent) (all []*question) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if w := ts.workers[a]; w != nil {
		for _, r := range w.runs {
			if r.works() && r.question != nil {
				all = append(all, r.question)
			}
		}
	}
	return all
}

// replied makes the tasks go on whose questions these are. Those that the agent asked since are still open.
func (ts *Tasks) replied(a *agent, questions []*question) {
	if len(questions) == 0 {
		return
	}
	ts.mu.Lock()
	if w := ts.workers[a]; w != nil {
		for _, r := range w.runs {
			if r.works() && r.question != nil && slices.Contains(questions, r.question) {
				r.question, r.lastSign = nil, time.Now()
				ts.set(r.t, func(rec *wire.Task) { rec.State = wire.TaskWorking })
			}
		}
	}
	ts.mu.Unlock()
	ts.showQuestions(a)
}

// showQuestions shows on an agent what its tasks ask, if they do: of several questions always the same.
func (ts *Tasks) showQuestions(a *agent) {
	a.asksMu.Lock()
	defer a.asksMu.Unlock()
	text := ""
	for _, q := range ts.questions(a) {
		if text == "" || q.text < text {
			text = q.text
		}
	}
	a.asksFor(text)
}

// works reports whether the run still counts. The caller holds mu.
func (r *run) works() bool { return r.t.run == r && !r.t.ending }

// activity makes the tasks of an agent that waits for a person wait for input, and back.
func (ts *Tasks) activity(a *agent, act wire.Activity) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	w := ts.workers[a]
	if w == nil {
		return
	}
	state := wire.TaskWorking
	if act == wire.ActivityRequiresAction {
		state = wire.TaskInputRequired
	}
	for _, r := range w.runs {
		if r.works() && r.t.rec.State != state {
			r.lastSign = time.Now()
			ts.set(r.t, func(rec *wire.Task) { rec.State = state })
		}
	}
}

// asksFor makes an agent wait for a person's answer; "": for none any more.
func (a *agent) asksFor(question string) {
	a.mu.Lock()
	asked := a.asks
	if a.asks = question != ""; a.asks && !asked {
		a.meant = a.rec.Activity
	}
	act := a.meant
	if a.asks {
		act = wire.ActivityRequiresAction
	}
	runs := a.rec.Status == wire.StatusRunning || a.rec.Status == wire.StatusUnknown
	news := runs && (a.asks || asked) && (a.rec.Activity != act || a.rec.Question != question)
	if news {
		a.rec.Activity, a.rec.Question = act, question
		a.edits++
		a.touch(true)
	}
	a.mu.Unlock()
	if news {
		a.event(wire.EventActivity, "", wire.EventData{Activity: act, Text: question})
	}
}

// shown refuses an input of somebody who was shown another question than the agent asks, so that a line answers what its
// writer saw. nil: it is for whatever the agent asks.
func (a *agent) shown(question *string) error {
	if question == nil {
		return nil
	}
	now := ""
	if rec := a.record(); rec.Activity == wire.ActivityRequiresAction {
		now = rec.Question
	}
	switch {
	case now == *question:
		return nil
	case now == "":
		return wire.Errorf(wire.CodeConflict, "agent %s does not ask that any more", a.id).WithField("question")
	}
	return wire.Errorf(wire.CodeConflict, "agent %s asks: %s", a.id, now).WithField("question")
}

// meanwhile keeps what the runtime sees of an agent that asks. false: it does not ask.
func (a *agent) meanwhile(act wire.Activity) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.asks {
		a.meant = act
	}
	return a.asks
}
