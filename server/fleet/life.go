package fleet

import (
	"cmp"
	"context"
	"time"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/server/runner/lines"
	"skein.dev/skein/webtransport/wire"
)

// wanted is what an agent is started with.
type wanted struct {
	typ    wire.AgentType
	params wire.SpawnParams
	actor  string
	key    string // of the program that has dialled in; "": none has
}

// start runs an admitted agent: its record is stored before anything exists, so that nothing runs unknown.
func (a *agent) start(ctx context.Context, w wanted) error {
	begin := time.Now()
	run, err := a.launch(ctx, w)
	if a.core.o.Spawned != nil {
		a.core.o.Spawned(w.typ.Kind, time.Since(begin), err == nil)
	}
	if err != nil {
		close(a.started)
		a.exited(wire.ReasonFailed, wire.Exit{Code: -1, Message: wire.AsError(err).Message})
		return err
	}
	a.runs(run)
	close(a.started)
	go a.watch(run)
	return nil
}

func (a *agent) launch(ctx context.Context, w wanted) (runner.Session, error) {
	rec := a.update(true, func(rec *wire.Agent) { rec.Status = wire.StatusStarting })
	if err := a.save(ctx); err != nil {
		a.core.log.Error("a spawn was refused: its record could not be stored", "agent", a.id, "err", err)
		return nil, wire.Errorf(wire.CodeUnavailable, "the agent's record could not be stored, so it was not started; the server's log says why")
	}
	a.event(wire.EventSpawned, w.actor, wire.EventData{Size: rec.TTY})
	if rec.Desired == wire.DesiredStop {
		return nil, wire.Errorf(wire.CodeSpawnFailed, "stopped before it was started")
	}
	rec, err := a.prepare(ctx, w.typ, w.params.Base, rec)
	if err != nil {
		return nil, err
	}
	env := merge(w.typ.Env, w.params.Env)
	env = merge(env, a.core.o.Hooks.env(rec))
	a.launched = runner.Launch{
		Agent: a.id, Instance: a.core.o.Instance, Argv: rec.Argv, Env: env, Cwd: rec.Cwd, NoInput: rec.NoInput,
		CreateCwd: rec.Folder != nil && rec.Folder.Mode == wire.FolderFresh, Script: cmp.Or(w.params.Script, w.typ.Script), TTY: rec.TTY,
		Mode: w.typ.Mode, Options: w.typ.Options, Model: w.typ.Model, AsksFirst: w.typ.Permissions != nil,
		Key: w.key, Lease: leaseOf(w.typ), Closing: a.core.o.Closing,
	}
	if offer := a.core.o.Offer; offer != nil {
		a.launched.Tools, a.launched.MCP = offer(rec, w.typ)
	}
	if rec.TTY != nil {
		a.launched.Env = merge(terminalEnv, env)
		c := newConsole(a.core.ctx, *rec.TTY, a.forConsole())
		a.mu.Lock()
		a.console = c
		a.mu.Unlock()
	}
	return a.run(ctx)
}

// forConsole is what the agent's terminal needs of it.
func (a *agent) forConsole() consoleOf {
	return consoleOf{
		quiet: a.core.o.Quiet,
		input: func(ctx context.Context, b []byte) error {
			to, ok := runner.As[runner.Inputter](a.process())
			if !ok {
				return runner.ExitedError(0, len(b))
			}
			return to.Input(ctx, b, false)
		},
		resized: func(size wire.Size) error {
			a.update(true, func(rec *wire.Agent) { rec.TTY = &size })
			a.core.saves.later(a)
			a.event(wire.EventResize, "", wire.EventData{Size: &size})
			if to, ok := runner.As[runner.Resizer](a.process()); ok {
				return to.Resize(size)
			}
			return nil
		},
		acts: func(act wire.Activity, question string) {
			if a.record().Status == wire.StatusRunning {
				a.acts(act, question)
			}
		},
		titled: func(title string, progress *wire.Progressing) {
			same := func(p *wire.Progressing) bool { return p == progress || p != nil && progress != nil && *p == *progress }
			if rec := a.record(); (rec.Title != title || !same(rec.Progress)) && rec.Status.Alive() {
				a.update(true, func(rec *wire.Agent) { rec.Title, rec.Progress = title, progress })
			}
		},
		line: func(last string) {
			if a.record().LastLine != last {
				a.update(true, func(rec *wire.Agent) { rec.LastLine = last })
			}
		},
	}
}

// terminalEnv is what a program is told of its terminal. COLORTERM is how programs learn of colours of 24 bits.
var terminalEnv = map[string]string{"TERM": "xterm-256color", "COLORTERM": "truecolor"}

// run starts the agent's process, for the first time or again.
func (a *agent) run(ctx context.Context) (runner.Session, error) {
	kind, ok := a.core.o.Kinds[a.core.o.Types[a.typ].Kind]
	if !ok {
		return nil, runner.SpawnError("this server cannot run agents of kind %q", a.core.o.Types[a.typ].Kind)
	}
	if c := a.terminal(); c != nil {
		size := c.term.Size()
		a.launched.TTY = &size
	}
	a.launched.Session, a.launched.Fork, a.launched.Again, a.launched.OrNew = a.goesOn, a.forks, false, a.orNew
	if now := a.record().Session; now != "" { // of an agent that was in one, a new one will do
		a.launched.Session, a.launched.Fork, a.launched.Again = now, false, true
	}
	if a.takes && kind.Capabilities().Lines {
		kind = lines.Over(kind)
	}
	run, err := kind.Start(ctx, a.launched, a.heard)
	if err != nil {
		a.core.log.Info("an agent could not be started", "agent", a.id, "err", err)
	}
	return run, err
}

// runs sets the process of the agent, which has just started.
func (a *agent) runs(run runner.Session) {
	now := time.Now().UTC()
	a.mu.Lock()
	a.running = run
	a.rec.StartedAt, a.rec.LastHeartbeat = &now, &now
	if seen, ok := runner.As[runner.Observed](run); ok {
		a.rec.Process, a.rec.Containment = seen.Process(), seen.Containment()
	}
	process, c := a.rec.Process, a.console
	a.rec.Status, a.rec.RestartAt = wire.StatusRunning, nil
	stopped := a.rec.Desired == wire.DesiredStop
	if stopped {
		a.rec.Status = wire.StatusStopping
	}
	if a.rec.Activity == wire.ActivityNone {
		a.rec.Activity = wire.ActivityRunning
	}
	a.edits++
	a.touch(true)
	a.mu.Unlock()
	a.renewed()
	if c != nil {
		c.works()
	}
	a.core.saves.later(a)
	a.event(wire.EventStarted, "", wire.EventData{Process: process})
	if rec := a.record(); !stopped {
		a.core.o.Hooks.started(rec)
		if rec.Paused != nil {
			a.applyPause()
		}
		if f, ok := runner.As[runner.Freezer](run); ok && rec.Frozen() {
			f.Freeze(true)
		}
	}
}

// watch waits for the end of the agent's process, restarts the agent as long as its policy allows, and stores the end. It runs
// on a goroutine of its own, which is counted in Fleet.running.
func (a *agent) watch(run runner.Session) {
	var exit wire.Exit
	for run != nil {
		<-run.Done()
		exit = a.lastWord(run.Exit())
		rec := a.record()
		a.core.o.Hooks.exited(rec, exit)
		switch {
		case a.renewing():
			run, exit = a.startsAnew(exit)
		case failed(exit) && rec.Desired != wire.DesiredStop && a.forTask == "":
			run, exit = a.again(exit)
		default:
			run = nil
		}
	}
	exit = a.withEarlier(exit)
	reason := wire.ReasonFailed
	switch {
	case a.record().Desired == wire.DesiredStop:
		reason = wire.ReasonStopped
	case !failed(exit):
		reason = wire.ReasonCompleted
	}
	a.exited(reason, exit)
}

// exited stores the end of the agent: first the record, then the event, which is the last one of the agent.
func (a *agent) exited(reason wire.Reason, exit wire.Exit) {
	exit.Message = noun.Clip(exit.Message)
	a.core.census.died(a.id)
	defer a.renewed()
	a.core.o.Work.Kick() // its place is free only now, and the scheduler may have run since its process ended
	now := time.Now().UTC()
	saved := a.update(true, func(rec *wire.Agent) {
		rec.Status, rec.Reason, rec.Activity, rec.Question = wire.StatusExited, reason, wire.ActivityNone, ""
		rec.Prompts = nil
		if a.lost != "" && reason == wire.ReasonFailed {
			rec.Status = wire.StatusLost
		}
		rec.Exit, rec.ExitedAt, rec.RestartAt, rec.Stalled, rec.StalledSince, rec.Suspended = &exit, &now, nil, false, nil, false
		rec.Paused, rec.Progress = nil, nil
		rec.Usage.CPU, rec.Usage.RSS, rec.Usage.Processes = 0, 0, 0
	})
	if err := a.save(context.Background()); err != nil {
		a.core.log.Error("the end of an agent could not be stored; trying again with its next change", "agent", a.id, "err", err)
		a.core.saves.later(a)
	}
	a.core.log.Info("agent exited", "agent", a.id, "reason", reason, "code", exit.Code, "signal", exit.Signal, "message", exit.Message)
	if c := a.terminal(); c != nil {
		c.over()
	}
	a.eventThen(wire.EventExited, "", wire.EventData{Reason: reason, Exit: &exit}, func() {
		a.mu.Lock()
		a.running, a.console = nil, nil                         // who looks from now on gets what the log has
		a.tail, a.tailSize, a.tailAfter = nil, 0, a.rec.LastSeq // late readers find the log in the store
		close(a.ended)
		a.tell()
		late := a.rec.LastLine != saved.LastLine // the log had not answered for it when the record was stored
		if late {
			a.edits++
		}
		a.mu.Unlock()
		if late {
			a.core.saves.later(a)
		}
		go func() {
			a.leavesFolder(a.core.o.Closing)
			a.core.running.Done()
		}()
	})
}

// stopGrace is what was asked for, or the type's.
func (a *agent) stopGrace(askedMS *int64) time.Duration {
	if askedMS != nil {
		return time.Duration(*askedMS) * time.Millisecond
	}
	if t, ok := a.core.o.Types[a.typ]; ok {
		return t.StopGrace()
	}
	return DefaultStopGrace
}

// halt stops one agent and reports on it when its end is in the log.
func (a *agent) halt(actor string, graceMS *int64) wire.StopReport {
	begin := time.Now()
	asked := false
	rec := a.update(true, func(rec *wire.Agent) {
		if !rec.Status.Alive() {
			return
		}
		if asked = rec.Desired != wire.DesiredStop; asked {
			rec.Desired, rec.StoppedBy = wire.DesiredStop, actor
		}
		if rec.Status == wire.StatusRunning || rec.Status == wire.StatusUnknown {
			rec.Status, rec.Activity, rec.Question = wire.StatusStopping, wire.ActivityNone, ""
			rec.Prompts = nil
		}
	})
	if !rec.Status.Alive() {
		rep := a.clearLeftovers(a.core.o.Closing, a.stopGrace(graceMS))
		return reportOn(a.record(), begin, rep)
	}
	a.haltOnce.Do(func() { close(a.halted) })
	if asked {
		a.core.o.Hooks.stopping(a.id)
		a.core.saves.later(a)
		a.event(wire.EventStopping, actor, wire.EventData{})
	}
	var rep wire.StopReport
	if run := a.process(); run != nil {
		rep.Forced, _ = run.Stop(context.Background(), a.stopGrace(graceMS))
	}
	<-a.ended
	rec = a.record()
	if rec.LeftBehind() {
		rep.Leftovers = rec.Exit.Leftovers
		a.core.log.Error("processes outlived SIGKILL", "agent", a.id, "processes", rep.Leftovers)
	}
	return reportOn(rec, begin, rep)
}

// process waits for a start in progress, and returns the running process, or nil if there is none. After a stop, no process is
// started.
func (a *agent) process() runner.Session {
	a.mu.Lock()
	started := a.started
	a.mu.Unlock()
	<-started
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.running
}

func reportOn(rec wire.Agent, begin time.Time, rep wire.StopReport) wire.StopReport {
	rep.ID, rep.Status, rep.Reason, rep.TookMS = rec.ID, rec.Status, rec.Reason, time.Since(begin).Milliseconds()
	if rep.Forced && rec.Kind == wire.KindRemote && rec.Exit != nil {
		rep.Note = rec.Exit.Message
	}
	return rep
}
