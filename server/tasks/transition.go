package tasks

import (
	"slices"
	"time"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// This file has all transitions of the record of a task, and nothing else: no lock, no store, no agent, no clock.
//
//	state             event      next
//	submitted         waits      submitted
//	submitted         begins     working, with one more attempt
//	submitted         givesUp    failed, canceled or rejected: no agent was working on it
//	working, asking   assigned   the same: its attempt has an agent
//	working, asking   asks       input_required, which is called asking here
//	working, asking   resumes    working
//	working, asking   says       working, if its agent had asked; else the same
//	working, asking   ends       completed or failed; submitted, if another attempt may succeed and there is one left
//	not over          cancels    canceled
//	working           concludes  completed or failed: an orchestration
//	over, no success  retries    submitted, with as many attempts as at first; no part of an orchestration
//	any               late       the same: an answer came after the end of its attempt

// event is what happens to a task.
type event interface {
	// happen changes the record. It returns false, and leaves the record as it is, if the event can't happen in its state.
	// It replaces slices and the targets of pointers, and never writes to them.
	happen(rec *wire.Task, now time.Time) (effects, bool)
}

// effects are what must follow a change of a record, apart from the notification of watchers.
type effects struct {
	save  bool // the record is to be stored
	queue bool // the task is to be queued
	end   bool // the task is over: the record is to be stored before anybody, including watchers, learns of it
}

// transition returns the record after an event, and the effects that must follow.
func transition(rec wire.Task, e event, now time.Time) (wire.Task, effects, bool) {
	next := rec
	then, ok := e.happen(&next, now)
	if !ok {
		return rec, effects{}, false
	}
	return next, then, true
}

type (
	waits    struct{ why string }
	begins   struct{ run wire.Run }
	assigned struct{ run wire.Run } // the attempt that began, with its agent
	asks     struct{}
	resumes  struct{}
	says     struct {
		progress wire.Progress
		answers  bool // the agent had asked and continues
	}
	ends      struct{ runner.TaskResult }
	concludes struct{ runner.TaskResult }
	cancels   struct{ why string }
	givesUp   struct {
		state   wire.TaskState
		failure wire.FailureReason
		message string
	}
	retries struct{ request string }
	late    struct{ wire.Late }
)

func (e waits) happen(rec *wire.Task, _ time.Time) (effects, bool) {
	if rec.State != wire.TaskSubmitted || rec.Waiting == e.why && rec.Position == 0 && rec.Asking == nil {
		return effects{}, false
	}
	rec.Waiting, rec.Asking, rec.Position = e.why, nil, 0
	return effects{}, true
}

func (e begins) happen(rec *wire.Task, _ time.Time) (effects, bool) {
	if rec.State != wire.TaskSubmitted {
		return effects{}, false
	}
	rec.State, rec.Waiting, rec.Asking, rec.Position, rec.NotBefore = wire.TaskWorking, "", nil, 0, nil
	rec.Attempt, rec.Failure, rec.Message, rec.Progress = e.run.Attempt, "", "", nil
	if rec.StartedAt == nil {
		rec.StartedAt = &e.run.StartedAt
	}
	rec.Runs = append(slices.Clip(rec.Runs), e.run)
	return effects{save: true}, true
}

func (e assigned) happen(rec *wire.Task, _ time.Time) (effects, bool) {
	if !inWork(rec) || len(rec.Runs) == 0 {
		return effects{}, false
	}
	rec.Runs = slices.Clone(rec.Runs)
	rec.Runs[len(rec.Runs)-1] = e.run
	return effects{}, true
}

func (asks) happen(rec *wire.Task, _ time.Time) (effects, bool) {
	if !inWork(rec) {
		return effects{}, false
	}
	rec.State = wire.TaskInputRequired
	return effects{}, true
}

func (resumes) happen(rec *wire.Task, _ time.Time) (effects, bool) {
	if !inWork(rec) {
		return effects{}, false
	}
	rec.State = wire.TaskWorking
	return effects{}, true
}

func (e says) happen(rec *wire.Task, _ time.Time) (effects, bool) {
	if !inWork(rec) {
		return effects{}, false
	}
	all := append(slices.Clip(rec.Progress), e.progress)
	rec.Progress = all[max(0, len(all)-wire.MaxProgress):]
	if e.answers {
		rec.State = wire.TaskWorking
	}
	return effects{}, true
}

func (e ends) happen(rec *wire.Task, now time.Time) (effects, bool) {
	if !inWork(rec) {
		return effects{}, false
	}
	endRuns(rec, now, e.Failure, e.Message)
	if e.Failure == wire.FailServerRestart {
		rec.LastTry++ // an attempt that ended because Skein stopped does not count
	}
	if e.Failure.Transient() && rec.Attempt < rec.LastTry {
		at := now.Add(backoff(rec.Retry.BackoffMS, rec.Attempt))
		rec.State, rec.NotBefore, rec.Failure, rec.Message = wire.TaskSubmitted, &at, e.Failure, noun.Clip(e.Message)
		return effects{save: true, queue: true}, true
	}
	rec.DeadLetter = e.Failure.Transient()
	return over(rec, now, e.TaskResult)
}

func (e concludes) happen(rec *wire.Task, now time.Time) (effects, bool) {
	if rec.Orchestration == nil || rec.State.Terminal() {
		return effects{}, false
	}
	return over(rec, now, e.TaskResult)
}

func (e cancels) happen(rec *wire.Task, now time.Time) (effects, bool) {
	if rec.State.Terminal() {
		return effects{}, false
	}
	if rec.State != wire.TaskSubmitted {
		endRuns(rec, now, "", e.why)
	}
	return gone(rec, now, wire.TaskCanceled, "", e.why)
}

func (e givesUp) happen(rec *wire.Task, now time.Time) (effects, bool) {
	if rec.State != wire.TaskSubmitted {
		return effects{}, false
	}
	return gone(rec, now, e.state, e.failure, e.message)
}

func (e retries) happen(rec *wire.Task, now time.Time) (effects, bool) {
	if !rec.State.Terminal() || rec.State == wire.TaskCompleted || rec.Orchestration != nil || rec.Index != nil {
		return effects{}, false
	}
	rec.State, rec.Failure, rec.Message, rec.DeadLetter, rec.EndedAt, rec.NotBefore = wire.TaskSubmitted, "", "", false, nil, &now
	rec.LastTry, rec.RetryRequest = rec.Attempt+rec.Retry.Max, e.request
	return effects{save: true, queue: true}, true
}

func (e late) happen(rec *wire.Task, _ time.Time) (effects, bool) {
	all := append(slices.Clip(rec.Late), e.Late)
	rec.Late = all[max(0, len(all)-wire.MaxLate):]
	return effects{save: true}, true
}

// inWork reports whether an agent is working on the task. No agent ever works on an orchestration itself.
func inWork(rec *wire.Task) bool {
	return (rec.State == wire.TaskWorking || rec.State == wire.TaskInputRequired) && rec.Orchestration == nil
}

// endRuns ends the present attempt.
func endRuns(rec *wire.Task, now time.Time, failure wire.FailureReason, message string) {
	n := len(rec.Runs)
	if n == 0 {
		return
	}
	rec.Runs = slices.Clone(rec.Runs)
	rec.Runs[n-1].EndedAt, rec.Runs[n-1].Failure, rec.Runs[n-1].Message = &now, failure, noun.Clip(message)
}

// over ends a task with a result.
func over(rec *wire.Task, now time.Time, r runner.TaskResult) (effects, bool) {
	if r.Failure != "" {
		return gone(rec, now, wire.TaskFailed, r.Failure, r.Message)
	}
	p := wire.NewPayload(r.Output)
	rec.Result = &p
	return gone(rec, now, wire.TaskCompleted, "", r.Message)
}

// gone ends a task with a state.
func gone(rec *wire.Task, now time.Time, state wire.TaskState, failure wire.FailureReason, message string) (effects, bool) {
	rec.State, rec.Failure, rec.Message, rec.EndedAt = state, failure, noun.Clip(message), &now
	rec.Waiting, rec.Asking, rec.Position, rec.NotBefore = "", nil, 0, nil
	return effects{end: true}, true
}

const maxBackoff = 5 * time.Minute

// backoff returns the pause after an attempt, which doubles with each one.
func backoff(ms int64, attempt int) time.Duration {
	d := time.Duration(ms) * time.Millisecond << min(max(attempt-1, 0), 20)
	if d < 0 || d > maxBackoff {
		d = maxBackoff
	}
	return d
}
