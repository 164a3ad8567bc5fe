package fleet

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// lostAfter is how many heartbeat intervals an agent may be silent before it is lost: it is killed, and started again if
// its policy says so.
const lostAfter = 3

// beat updates the heartbeat and usage of a running agent, and notices when it is silent.
func (a *agent) beat(now time.Time) {
	a.mu.Lock()
	run, status := a.running, a.rec.Status
	if run == nil || status != wire.StatusRunning && status != wire.StatusStopping && status != wire.StatusUnknown {
		a.mu.Unlock()
		return
	}
	now = now.UTC()
	typ := a.core.o.Types[a.typ]
	heard := *a.rec.StartedAt
	if last := time.Unix(0, a.signed.Load()); last.After(heard) { // by output or a message
		heard = last
	}
	silent := now.Sub(heard)
	seen, observed := runner.As[runner.Observed](run)
	if observed {
		a.rec.Usage = seen.Usage()
	}
	if typ.HeartbeatMS == 0 || silent < time.Duration(typ.HeartbeatMS)*time.Millisecond {
		a.rec.LastHeartbeat = &now
	}
	note := a.judge(typ, silent)
	if observed {
		note = cmp.Or(a.suspended(seen.Suspended()), note)
	}
	full := note != ""
	if full {
		a.edits++
	}
	a.touch(full)
	lost := a.lost != "" && status == wire.StatusUnknown
	a.mu.Unlock()
	if note != "" {
		a.core.log.Info("an agent's health changed", "agent", a.id, "health", note)
		a.event(wire.EventHealth, "server", wire.EventData{Text: note})
	}
	if lost {
		a.core.running.Go(func() { run.Stop(context.Background(), 0) })
	}
}

// judge updates the health of an agent after a silence and describes the change; "" if nothing changed. The caller holds mu.
func (a *agent) judge(typ wire.AgentType, silent time.Duration) string {
	rec := &a.rec
	if rec.Frozen() {
		return "" // it can't give a sign of life
	}
	shown := silent.Round(time.Second)
	if beat := time.Duration(typ.HeartbeatMS) * time.Millisecond; beat > 0 && rec.Status != wire.StatusStopping {
		switch {
		case a.away:
			return ""
		case silent > lostAfter*beat && a.lost == "":
			a.lost = "lost: it gave no sign of life, and was killed"
			rec.Status = wire.StatusUnknown
			return fmt.Sprintf("lost: no sign of life for %s; it is killed", shown)
		case silent > beat && rec.Status == wire.StatusRunning:
			rec.Status = wire.StatusUnknown
			return fmt.Sprintf("unknown: no sign of life for %s", shown)
		case silent <= beat && rec.Status == wire.StatusUnknown && a.lost == "":
			rec.Status = wire.StatusRunning
			return "it is back"
		}
	}
	stall := time.Duration(typ.StallMS) * time.Millisecond
	works := !typ.Tasks.Shared() || len(rec.Tasks) > 0
	stalled := stall > 0 && silent > stall && works && rec.Activity != wire.ActivityRequiresAction && rec.Status != wire.StatusStopping
	if stalled == rec.Stalled {
		return ""
	}
	rec.Stalled, rec.StalledSince = stalled, nil
	if stalled {
		since := time.Now().Add(-silent).UTC()
		rec.StalledSince = &since
		return fmt.Sprintf("stalled: no output for %s", shown)
	}
	return "it goes on"
}

// suspended notes whether a signal has stopped its process. The caller holds mu.
func (a *agent) suspended(now bool) string {
	if now == a.rec.Suspended {
		return ""
	}
	a.rec.Suspended = now
	if now {
		return "suspended: its process is stopped by a signal, and goes on at SIGCONT"
	}
	return "its process goes on"
}

// lastWord returns how an agent ended, with a message if it was lost.
func (a *agent) lastWord(exit wire.Exit) wire.Exit {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.lost != "" {
		exit.Message = a.lost
	}
	return exit
}

// again starts a failed agent again, as often as its type's restart policy allows. It returns nil if the agent stays ended,
// with its last exit.
func (a *agent) again(exit wire.Exit) (runner.Session, wire.Exit) {
	policy := a.core.o.Types[a.typ].Restart
	for policy != nil {
		wait, ok := a.mayRestart(policy, time.Now())
		if !ok || !a.pause(exit, wait) {
			break
		}
		run, next, ok := a.startAgain(exit)
		if !ok {
			break
		}
		if exit = next; run != nil {
			return run, exit
		}
	}
	return nil, exit
}

// startAgain starts another process of the agent. run is nil if it could not start, for the reason that exit has then. It returns false if
// the agent is to stop.
func (a *agent) startAgain(last wire.Exit) (run runner.Session, exit wire.Exit, ok bool) {
	started, ok := a.startsAgain(last.Leftovers)
	if !ok {
		return nil, last, false
	}
	defer close(started)
	if c := a.terminal(); c != nil {
		c.restarted()
	}
	run, err := a.run(a.core.ctx)
	if err != nil {
		return nil, wire.Exit{Code: -1, Message: wire.AsError(err).Message}, true
	}
	a.runs(run)
	return run, last, true
}

// startsAnew starts another process because somebody asked for that, whatever the policy is. If it can't start, the policy decides.
func (a *agent) startsAnew(exit wire.Exit) (runner.Session, wire.Exit) {
	run, exit, ok := a.startAgain(exit)
	if run != nil || !ok {
		return run, exit
	}
	a.renewed()
	return a.again(exit)
}

// mayRestart counts a failure and returns how long to wait before the next start.
func (a *agent) mayRestart(policy *wire.RestartPolicy, now time.Time) (wait time.Duration, ok bool) {
	interval := time.Duration(policy.IntervalMS) * time.Millisecond
	delay := time.Duration(policy.DelayMS) * time.Millisecond
	a.mu.Lock()
	defer a.mu.Unlock()
	kept := a.failures[:0]
	for _, t := range a.failures {
		if now.Sub(t) < interval {
			kept = append(kept, t)
		}
	}
	a.failures = append(kept, now)
	loop := len(a.failures) > policy.Attempts
	a.rec.CrashLoop = loop
	switch {
	case !loop:
		return delay, true
	case policy.Mode == wire.RestartDelay:
		return max(delay, a.failures[0].Add(interval).Sub(now)), true
	}
	return 0, false
}

// shortly formats a duration without needless digits.
func shortly(d time.Duration) string {
	if d >= 10*time.Second {
		return d.Round(time.Second).String()
	}
	return d.Round(time.Millisecond).String()
}

// pause waits for the next start. It returns false if the agent or the server is stopped.
func (a *agent) pause(exit wire.Exit, wait time.Duration) bool {
	at := time.Now().Add(wait).UTC()
	now := make(chan struct{})
	rec := a.update(true, func(rec *wire.Agent) {
		if rec.Desired == wire.DesiredStop {
			return
		}
		if a.startNow = sync.OnceFunc(func() { close(now) }); a.renewal != nil {
			a.startNow()
		}
		rec.Status, rec.Activity, rec.Question, rec.RestartAt = wire.StatusPending, wire.ActivityNone, "", &at
		rec.Prompts = nil
		rec.Process, rec.Stalled, rec.StalledSince, rec.Suspended, rec.Exit = nil, false, nil, false, &exit
		rec.Usage = wire.Usage{CPUTime: rec.Usage.CPUTime}
	})
	a.mu.Lock()
	a.running = nil
	a.mu.Unlock()
	if rec.Desired == wire.DesiredStop {
		return false
	}
	a.core.saves.later(a)
	a.event(wire.EventCrashed, "", wire.EventData{Exit: &exit, Text: "it starts again in " + shortly(wait)})
	a.core.log.Info("an agent failed and will be started again", "agent", a.id, "in", wait, "message", exit.Message)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-now:
	case <-a.halted:
		return false
	}
	return true
}

// hurry lets an agent start at once that waits to start again.
func (a *agent) hurry(actor string) {
	a.mu.Lock()
	start := a.startNow
	waits := a.rec.RestartAt != nil && start != nil
	a.mu.Unlock()
	if waits {
		a.event(wire.EventHealth, actor, wire.EventData{Text: "it starts again now"})
		start()
	}
}

// startsAgain makes stops of the agent wait for the start that follows, until the returned channel is closed. It keeps the
// processes that the last one left behind. It returns false if the agent is stopped already.
func (a *agent) startsAgain(left []wire.Leftover) (started chan struct{}, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.rec.Desired == wire.DesiredStop {
		return nil, false
	}
	a.rec.Status, a.rec.RestartAt, a.rec.Exit = wire.StatusStarting, nil, nil
	a.rec.Generation++
	a.rec.Restarts++
	a.lost, a.away, a.asks, a.lines = "", false, false, lastLines{}
	a.waits, a.forTasks = nil, ""
	a.left = append(a.left, left...)
	a.started = make(chan struct{})
	a.edits++
	a.touch(true)
	return a.started, true
}

// renew notes that the agent is to be restarted. first is false if that is so already.
func (a *agent) renew() (r *renewal, first bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.rec.Desired == wire.DesiredStop || !a.rec.Status.Alive():
		return nil, false, wire.Errorf(wire.CodePrecondition, "agent %s is %s: it is being stopped", a.id, a.rec.Status).WithField("id")
	case a.renewal != nil:
		return a.renewal, false, nil
	}
	a.renewal = &renewal{over: make(chan struct{})}
	if a.running != nil {
		a.rec.Status, a.rec.Activity, a.rec.Question, a.rec.Prompts = wire.StatusStopping, wire.ActivityNone, "", nil
		a.edits++
		a.touch(true)
	}
	return a.renewal, true, nil
}

// renewed ends a restart: the agent runs again, or has ended.
func (a *agent) renewed() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.renewal != nil {
		close(a.renewal.over)
		a.renewal = nil
	}
}

// renewing reports whether the process that has ended is to be replaced because somebody asked for that.
func (a *agent) renewing() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.renewal != nil && a.rec.Desired != wire.DesiredStop
}
