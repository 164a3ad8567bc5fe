package fleet

import (
	"slices"
	"time"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// acts shows what the agent does now.
func (a *agent) acts(act wire.Activity, question string) {
	if a.meanwhile(act) {
		return
	}
	changed := false
	a.update(true, func(rec *wire.Agent) {
		changed = rec.Activity != act || rec.Question != question
		if rec.Question != question {
			rec.AskedAt = nil
		}
		rec.Activity, rec.Question = act, question
		if !rec.Status.Alive() {
			rec.Activity, rec.Question = wire.ActivityNone, ""
		}
	})
	if changed {
		a.core.o.Hooks.activity(a.id, act)
		a.event(wire.EventActivity, "", wire.EventData{Activity: act, Text: question})
		a.core.o.Asks.Shows(a.question)
	}
}

// An agent waits for a person either as a whole, as a script does, or, on the line protocol, with some of its tasks
// while it goes on with others. Both show as its activity. A question of the line protocol stays until somebody writes
// to the agent, or the agent goes on with the task; what its runtime sees of it meanwhile, such as that it is idle,
// comes to light afterwards.

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
		if a.rec.Question != question {
			a.rec.AskedAt = a.askedFirst()
		}
		a.rec.Activity, a.rec.Question = act, question
		a.edits++
		a.touch(true)
	}
	a.mu.Unlock()
	if news {
		a.event(wire.EventActivity, "", wire.EventData{Activity: act, Text: question})
		a.core.o.Asks.Shows(a.question)
	}
}

// question returns what the agent asks in words: not a permission.
func (a *agent) question() (rec wire.Agent, question string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.rec.Activity == wire.ActivityRequiresAction && len(a.waits) == 0 {
		question = a.rec.Question
	}
	return a.rec, question
}

// waiting is a request for permission.
type waiting struct {
	key, text string
	task      wire.TaskID
	since     time.Time
}

// askedFirst is since when the oldest request for permission waits; nil: none does. The caller holds mu.
func (a *agent) askedFirst() *time.Time {
	if len(a.waits) == 0 {
		return nil
	}
	since := a.waits[0].since
	return &since
}

// asksPermission asks people for a permission, unless the policy of the agent's type answers.
func (a *agent) asksPermission(p runner.Permission) {
	a.mu.Lock()
	a.waits = append(slices.Clone(a.waits), waiting{p.Key, noun.Clip(p.Text), p.Task, time.Now().UTC()})
	rec := a.rec
	a.mu.Unlock()
	answer := p.Answer
	p.Answer = func(said *wire.AskAnswer) {
		a.waitsNoMore(p.Key)
		answer(said)
	}
	if !a.core.o.Asks.Request(rec, p) {
		return
	}
	a.waitsMu.Lock()
	defer a.waitsMu.Unlock()
	if a.waitsFor(func(w waiting) bool { return w.key == p.Key && w.task != "" }) { // it may have been answered already
		a.core.o.Work.Ask(a.id, p.Task, noun.Clip(p.Text))
	}
	a.showWaiting()
}

func (a *agent) waitsNoMore(key string) {
	a.waitsMu.Lock()
	defer a.waitsMu.Unlock()
	a.mu.Lock()
	a.waits = slices.DeleteFunc(slices.Clone(a.waits), func(w waiting) bool { return w.key == key })
	a.mu.Unlock()
	if a.takes && !a.waitsFor(func(w waiting) bool { return w.task != "" }) {
		a.core.o.Work.Asked(a.id)() // first: what its tasks wait for is no question in words
	}
	a.showWaiting()
}

// waitsFor reports whether a request for permission waits that matches.
func (a *agent) waitsFor(match func(waiting) bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.ContainsFunc(a.waits, match)
}

// showWaiting shows what the agent asks: the oldest request for permission, or else what it asks for its tasks.
func (a *agent) showWaiting() {
	a.asksMu.Lock()
	defer a.asksMu.Unlock()
	a.showWhatItAsks()
}

// showWhatItAsks is called with asksMu held.
func (a *agent) showWhatItAsks() {
	a.mu.Lock()
	text := a.forTasks
	if len(a.waits) > 0 {
		text = a.waits[0].text
	}
	a.mu.Unlock()
	a.asksFor(text)
}

// shown refuses an input if its writer was shown another question than the agent asks, so that an input always answers what
// its writer saw. An input with a nil question is for whatever the agent asks.
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

// meanwhile notes what the runtime reports about an agent that asks. It returns false if the agent does not ask.
func (a *agent) meanwhile(act wire.Activity) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.asks {
		a.meant = act
	}
	return a.asks
}
