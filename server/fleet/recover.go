package fleet

import (
	"context"
	"fmt"
	"time"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// Open reads the records in the Store, and ends the processes that a crash left running. The caller calls Close when done.
func (f *Fleet) Open(ctx context.Context) error {
	if err := f.recover(ctx); err != nil {
		return err
	}
	var err error
	if f.changes, err = f.o.Store.Admission(ctx); err != nil {
		return err
	}
	if len(f.changes) > 0 {
		f.admission = f.changes[0]
	}
	return nil
}

// Begin starts the work that continues until Close.
func (f *Fleet) Begin() {
	f.o.Store.Drops(f.dropped)
	f.saving.Go(func() { f.saves.run(f.ctx) })
	f.clearLeftovers()
	f.detect()
	if f.o.Folders != nil {
		f.running.Go(f.tidyFolders)
	}
}

// detect warns of types whose agents can't start on this machine.
func (f *Fleet) detect() {
	for name, t := range f.o.Types {
		kind := f.o.Kinds[t.Kind]
		if kind == nil || f.can(t).Command && len(t.Argv) == 0 { // its command comes with the spawn
			continue
		}
		if _, err := kind.Detect(runner.Launch{Argv: t.Argv, Env: t.Env, Cwd: t.Cwd, Script: t.Script, Model: t.Model}); err != nil {
			f.log.Warn("agents of a type can't start on this machine", "type", name, "err", wire.AsError(err).Message)
		}
	}
}

// recover loads the records of earlier runs. An agent that was alive then is an orphan: its processes are ended, if they are of this
// node, and it is exited (failed). A store has one server at a time, so that no other node's agents are alive either.
func (f *Fleet) recover(ctx context.Context) error {
	records, err := f.o.Store.Agents(ctx)
	if err != nil {
		return err
	}
	known := map[wire.AgentID]*wire.Process{}
	for _, rec := range records {
		if rec.Status.Alive() && rec.Node == f.o.Node {
			known[rec.ID] = rec.Process
		}
	}
	var left map[wire.AgentID][]wire.Leftover
	if f.o.Orphans != nil {
		left = f.o.Orphans(ctx, known)
	}
	for _, rec := range records {
		a := newAgent(&f.core, rec)
		if rec.Status.Alive() {
			why := "orphaned: Skein ended without stopping it"
			if rec.Node != f.o.Node { // its processes are another machine's: none of this one's is looked for by their numbers
				why = fmt.Sprintf("lost: it ran on node %s, which has left this store to node %s", rec.Node, f.o.Node)
			}
			if err := a.orphaned(ctx, why, left[rec.ID]); err != nil {
				return err
			}
		} else if len(left[rec.ID]) > 0 { // it was said to be gone
			a.keepLeftovers(left[rec.ID])
		}
		delete(left, rec.ID)
		if err := a.loadEnd(ctx); err != nil {
			return err
		}
		f.agents.add(a)
		if rec.Request != "" {
			f.byRequest[rec.Request] = a
		}
		f.nextNum = max(f.nextNum, rec.Num)
	}
	for id, procs := range left {
		f.log.Error("processes of an agent that is not known any more could not be ended", "agent", id, "processes", procs)
	}
	if len(known) > 0 {
		f.log.Warn("an earlier Skein ended without stopping its agents; they were reaped", "agents", len(known))
	}
	return nil
}

// orphaned ends the record of an agent that an earlier Skein left behind. It runs before the plane does.
func (a *agent) orphaned(ctx context.Context, why string, left []wire.Leftover) error {
	now := time.Now().UTC()
	exit := wire.Exit{Code: -1, Message: why, Leftovers: left}
	rec := a.update(true, func(rec *wire.Agent) {
		rec.Status, rec.Reason, rec.Activity, rec.Question = wire.StatusExited, wire.ReasonFailed, wire.ActivityNone, ""
		rec.Prompts = nil
		rec.Tasks, rec.RestartAt, rec.Stalled, rec.StalledSince, rec.Suspended = nil, nil, false, nil, false
		rec.Paused, rec.Progress = nil, nil
		rec.Exit, rec.ExitedAt, rec.Usage = &exit, &now, wire.Usage{CPUTime: rec.Usage.CPUTime}
	})
	if err := a.save(ctx); err != nil {
		return err
	}
	done := make(chan struct{})
	a.eventThen(wire.EventExited, "server", wire.EventData{Reason: rec.Reason, Exit: &exit}, func() { close(done) })
	select {
	case <-done:
		close(a.started)
		close(a.ended)
		return a.findLastLine(ctx)
	case <-ctx.Done():
		return fmt.Errorf("store the end of agent %s: %w", a.id, ctx.Err())
	}
}

// findLastLine reads it from the log: the record of an agent that was not ended in order does not know it.
func (a *agent) findLastLine(ctx context.Context) error {
	f := &Follower{a: a, last: a.record().LastSeq}
	after, err := f.back(ctx, pageEvents/8)
	if err != nil {
		return err
	}
	events, err := a.core.o.Store.Events(ctx, a.id, after, pageEvents, pageBytes)
	if err != nil {
		return err
	}
	a.mu.Lock()
	for _, e := range events {
		a.lastLine(&e)
	}
	a.edits++
	a.touch(true)
	a.mu.Unlock()
	return a.save(ctx)
}

// loadEnd reads where the log of an agent of an earlier server ends.
func (a *agent) loadEnd(ctx context.Context) error {
	_, last, err := a.core.o.Store.FirstLast(ctx, a.id)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rec.LastSeq, a.tailAfter = last, last
	a.tail, a.tailSize = nil, 0
	return nil
}

// clearLeftovers checks for processes that ended agents of earlier servers left behind. It does not wait, because a process
// that does not end takes the grace and longer.
func (f *Fleet) clearLeftovers() {
	for _, a := range f.all() {
		if rec := a.record(); rec.Status.Alive() || !rec.LeftBehind() {
			continue
		}
		f.running.Go(func() { a.clearLeftovers(f.o.Closing, a.stopGrace(nil)) })
	}
}
