package fleet

import "skein.dev/skein/webtransport/wire"

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
