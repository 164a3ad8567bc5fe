package fleet

import (
	"context"
	"time"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// Restart ends the process of an agent and starts another one in its place, which goes on with its conversation where the agent can. The
// agent keeps its id, its log, its folder and its environment. One that waits to start again after a failure starts at once. In place of
// one that has ended, whose log is closed, an agent is spawned that is like it. A restart that has begun continues when ctx ends.
func (f *Fleet) Restart(ctx context.Context, by noun.Caller, p wire.RestartParams) (*wire.RestartResult, error) {
	if p.GraceMS != nil && (*p.GraceMS < 0 || *p.GraceMS > maxGrace.Milliseconds()) {
		return nil, noun.Bad("grace_ms", "the grace must be between 0 and %d ms", maxGrace.Milliseconds())
	}
	a, err := f.agent(p.ID)
	if err != nil {
		return nil, err
	}
	switch rec := a.record(); {
	case rec.Kind == wire.KindRemote:
		return nil, wire.Errorf(wire.CodePrecondition, "agent %s is a program that dials in: whoever runs it starts it again", a.id).WithField("id")
	case a.forTask != "" || rec.ForTask != "":
		return nil, wire.Errorf(wire.CodePrecondition, "agent %s is the process of task %s: retry the task", a.id, rec.ForTask).WithField("id")
	case !rec.Status.Alive():
		return f.respawn(ctx, by, a)
	}
	return a.restart(ctx, by.Actor, a.stopGrace(p.GraceMS))
}

// respawn spawns an agent like one that has ended, in its conversation if it had one.
func (f *Fleet) respawn(ctx context.Context, by noun.Caller, a *agent) (*wire.RestartResult, error) {
	res := f.spawned(by, 1)
	if res == nil {
		a.mu.Lock()
		spec, rec := a.spec, a.rec
		a.mu.Unlock()
		if spec == nil {
			return nil, wire.Errorf(wire.CodePrecondition, "agent %s has ended, and Skein was restarted since: its environment is not kept. Spawn one like it", a.id).WithField("id")
		}
		s := *spec
		s.Name, s.Count, s.TTY = rec.Name, 1, rec.TTY
		if rec.Session != "" {
			s.Session, s.Fork, s.Cwd, s.Folder, s.Base = rec.Session, false, "", "", "" // it works where that was
			s.Share = true
		}
		b, err := f.admit(by, s, origin{again: true})
		if err != nil {
			return nil, err
		}
		if res, err = f.startAll(context.WithoutCancel(ctx), b); err != nil {
			return nil, err
		}
	}
	if len(res.Agents) == 0 {
		return nil, res.Failed[0].Error
	}
	return &wire.RestartResult{Agent: res.Agents[0], Spawned: true}, nil
}

// restart restarts an agent that is alive. If somebody has asked for that already, it waits for that restart.
func (a *agent) restart(ctx context.Context, actor string, grace time.Duration) (*wire.RestartResult, error) {
	a.process() // waits for a start in progress
	r, first, err := a.renew()
	if err != nil {
		return nil, err
	}
	if first {
		a.core.log.Info("an agent is restarted", "agent", a.id, "by", actor)
		a.event(wire.EventHealth, actor, wire.EventData{Text: "restarting: its process ends, and another one takes its place"})
		a.core.running.Go(func() {
			if run := a.process(); run != nil {
				run.Stop(context.Background(), grace)
			}
			a.hurry(actor) // if it waits, after a failure
		})
	}
	select {
	case <-r.over:
	case <-ctx.Done():
		return nil, wire.Errorf(wire.CodeTimeout, "the agent is still being restarted")
	}
	rec := a.record()
	if !rec.Status.Alive() || rec.Desired == wire.DesiredStop {
		return nil, wire.Errorf(wire.CodePrecondition, "agent %s has ended while it was restarted", a.id).WithField("id")
	}
	return &wire.RestartResult{Agent: rec}, nil
}
