package fleet

import (
	"context"
	"time"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// maxReason bounds why an agent is paused, in bytes.
const maxReason = 200

// Pause keeps agents from getting prompts and tasks until they are resumed, also over restarts by their policy. What they do goes on, unless
// p.Freeze is set: then their processes are stopped.
func (f *Fleet) Pause(ctx context.Context, by noun.Caller, p wire.PauseParams) (*wire.PauseResult, error) {
	if len(p.Reason) > maxReason {
		return nil, noun.Bad("reason", "longer than %d bytes", maxReason)
	}
	if err := wire.CheckNames("reason", p.Reason); err != nil {
		return nil, err
	}
	return f.eachOf(p.IDs, func(a *agent) error {
		return a.hold(&wire.Pause{Since: time.Now().UTC(), By: by.Actor, Reason: p.Reason, Frozen: p.Freeze})
	})
}

// Resume lets paused agents go on. One that is not paused, but waits to start again after a failure, starts at once.
func (f *Fleet) Resume(ctx context.Context, by noun.Caller, p wire.ResumeParams) (*wire.PauseResult, error) {
	return f.eachOf(p.IDs, func(a *agent) error { return a.goOn(by.Actor) })
}

// eachOf does something with agents, one after the other, and reports on each.
func (f *Fleet) eachOf(ids []wire.AgentID, do func(*agent) error) (*wire.PauseResult, error) {
	if len(ids) == 0 || len(ids) > wire.MaxBatch {
		return nil, noun.Bad("ids", "name 1 to %d agents in ids", wire.MaxBatch)
	}
	res := &wire.PauseResult{Reports: make([]wire.PauseReport, len(ids))}
	for i, id := range ids {
		a, err := f.agent(id)
		if err == nil {
			err = do(a)
		}
		res.Reports[i] = wire.PauseReport{ID: id}
		if a != nil {
			res.Reports[i].Pause = a.record().Paused
		}
		if err != nil {
			res.Reports[i].Error = wire.AsError(err)
		}
	}
	return res, nil
}

// hold pauses an agent. One that is paused already is frozen, or no longer, if that is another wish than before.
func (a *agent) hold(p *wire.Pause) error {
	a.pausing.Lock()
	defer a.pausing.Unlock()
	before := a.record()
	switch {
	case !before.Status.Alive() || before.Status == wire.StatusStopping:
		return wire.Errorf(wire.CodePrecondition, "agent %s is %s: there is nothing to pause", a.id, before.Status)
	case before.Paused != nil && before.Paused.Frozen == p.Frozen:
		return nil
	}
	rec := a.update(true, func(rec *wire.Agent) { rec.Paused = p }) // before it falls silent, so that it is not taken for lost
	if err := a.freeze(p.Frozen, before.Frozen()); err != nil {
		a.update(true, func(rec *wire.Agent) { rec.Paused = before.Paused })
		return err
	}
	a.applyPause()
	a.core.saves.later(a)
	what := "paused: it gets no more prompts and tasks"
	if p.Frozen {
		what = "frozen: its processes are stopped, and it gets no more prompts and tasks"
	}
	if p.Reason != "" {
		what += ": " + p.Reason
	}
	a.core.log.Info("an agent was paused", "agent", rec.ID, "by", p.By, "frozen", p.Frozen, "reason", p.Reason)
	a.event(wire.EventHealth, p.By, wire.EventData{Text: what})
	return nil
}

// freeze stops the processes of an agent, or lets them go on, if that is not so already.
func (a *agent) freeze(on, before bool) error {
	if on == before {
		return nil
	}
	f, ok := runner.As[runner.Freezer](a.process())
	if !ok && on {
		return wire.Errorf(wire.CodePrecondition, "agent %s has no processes here that could be frozen: pause it without freezing", a.id).WithField("freeze")
	}
	if !ok {
		return nil // it has ended
	}
	return f.Freeze(on)
}

// goOn ends a pause, or the wait before the next start.
func (a *agent) goOn(actor string) error {
	a.pausing.Lock()
	defer a.pausing.Unlock()
	before := a.record()
	if before.Paused == nil {
		a.hurry(actor)
		return nil
	}
	if err := a.freeze(false, before.Frozen()); err != nil {
		return err
	}
	a.update(true, func(rec *wire.Agent) { rec.Paused = nil })
	a.signed.Store(time.Now().UnixNano()) // its silence until now was not its own
	a.applyPause()
	a.core.saves.later(a)
	a.event(wire.EventHealth, actor, wire.EventData{Text: "resumed"})
	return nil
}
