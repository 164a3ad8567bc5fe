package schedules

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

const (
	// lookEvery bounds the time between two looks at the clock: a timer does not notice that the machine slept, or that the clock was set.
	lookEvery = 15 * time.Second
	// retryEvery is the pause before what failed is tried again, and between two looks at a task that a run waits for.
	retryEvery = time.Second
	// atOnce is how many schedules submit at the same time.
	atOnce = 16
)

// Run lets the schedules run until ctx ends.
func (s *Schedules) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-s.wake:
		}
		timer.Reset(s.pass(ctx))
	}
}

// pass goes on with each schedule that has something to do. It returns how long nothing follows.
func (s *Schedules) pass(ctx context.Context) time.Duration {
	now := time.Now()
	var ready []*schedule
	s.mu.Lock()
	for _, sch := range s.all {
		if at := sch.busy(now); !at.IsZero() && !at.After(now) {
			ready = append(ready, sch)
		}
	}
	s.mu.Unlock()
	var work sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for _, sch := range ready {
		slots <- struct{}{}
		work.Go(func() { s.advance(ctx, sch); <-slots })
	}
	work.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	now = time.Now()
	wait := lookEvery
	for _, sch := range s.all {
		if at := sch.busy(now); !at.IsZero() {
			wait = min(wait, max(at.Sub(now), 0))
		}
	}
	return wait
}

// busy is when a schedule has something to do next; zero: it has nothing. The caller holds Schedules.mu.
func (sch *schedule) busy(now time.Time) time.Time {
	at := sch.due
	switch {
	case sch.rec.Waiting != nil:
		at = now
	case sch.fault != "" || sch.rec.Paused:
		return time.Time{}
	case setBack(&sch.rec, now):
		at = now
	}
	if !at.IsZero() && sch.again.After(at) {
		return sch.again
	}
	return at
}

// setBack reports whether the clock was set back so far that runs would be left out until it is there again.
func setBack(rec *wire.Schedule, now time.Time) bool {
	return rec.At == nil && rec.Through.After(now.Add(wire.ScheduleGrace))
}

// advance decides on what is due, and submits the task of a run that may begin.
func (s *Schedules) advance(ctx context.Context, sch *schedule) {
	defer sch.turn.take()()
	now := time.Now()
	s.mu.Lock()
	rec, t, opened, gone := sch.rec, sch.timing, sch.opened, sch.gone
	s.mu.Unlock()
	if gone {
		return
	}
	if opened {
		s.recover(&rec, now)
	}
	if !rec.Paused && t != nil {
		if setBack(&rec, now) {
			s.log.Warn("the clock was set back; a schedule goes on from now", "schedule", rec.ID, "name", rec.Name, "through", rec.Through)
			rec.Through = now
		}
		s.decide(&rec, t, now, false)
	}
	if changed(&sch.rec, &rec) { // only who has the turn writes to sch.rec
		if s.save(ctx, sch, rec) != nil {
			s.later(sch, retryEvery)
			return
		}
	}
	s.mu.Lock()
	sch.opened = false
	s.mu.Unlock()
	if rec.Waiting != nil {
		s.submit(ctx, sch, rec)
	}
}

// changed reports whether a decision was made.
func changed(old, rec *wire.Schedule) bool {
	return !old.Through.Equal(rec.Through) || old.Waiting != rec.Waiting || len(rec.Runs) > 0 && (len(old.Runs) == 0 || &old.Runs[0] != &rec.Runs[0])
}

// later has a schedule tried again after a while.
func (s *Schedules) later(sch *schedule, after time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sch.again = time.Now().Add(after)
}

// recover decides on a run that an earlier server was about to submit. Whether it did so is known from the tasks.
func (s *Schedules) recover(rec *wire.Schedule, now time.Time) {
	w := rec.Waiting
	if w == nil || w.Behind != "" || w.MadeUp > 0 || now.Sub(w.Due) < wire.ScheduleGrace || s.o.Tasks.ByKey(w.Key) {
		return
	}
	rec.Waiting = nil
	s.add(rec, wire.ScheduleRun{Due: w.Due, Time: now.UTC(), Outcome: wire.ScheduleMissed, Reason: missedReason})
	if rec.Missed == wire.MissedOnce {
		rec.Waiting = &wire.ScheduleWait{Due: w.Due, Since: now.UTC(), Key: w.Key, MadeUp: 1}
	}
}

const missedReason = "Skein did not run then, or could not"

// decide accounts for all that was due until now. The run that is on time, or makes up for those that were missed, waits in the record
// from then on. late says that none is on time.
func (s *Schedules) decide(rec *wire.Schedule, t *timing, now time.Time, late bool) {
	var onTime, first, last time.Time
	missed := 0
	for due := t.next(rec.Through); !due.IsZero() && !due.After(now); due = t.next(due) {
		if !late && now.Sub(due) < wire.ScheduleGrace {
			onTime = due
			rec.Through = due
			continue
		}
		if missed++; missed == 1 {
			first = due
		}
		last, rec.Through = due, due
		if missed == wire.MaxMissed { // there may be many more: only the last minute is still looked at
			rec.Through = now.Add(-wire.ScheduleGrace)
			if late {
				rec.Through = now
			}
			due = rec.Through
		}
	}
	if missed > 0 {
		reason := missedReason
		if late {
			reason = "it was paused"
		}
		run := wire.ScheduleRun{Due: last.UTC(), Time: now.UTC(), Outcome: wire.ScheduleMissed, Reason: reason}
		if missed > 1 {
			from := first.UTC()
			run.Count, run.From = missed, &from
		}
		s.add(rec, run)
		if rec.Missed == wire.MissedOnce && onTime.IsZero() && rec.Waiting == nil {
			rec.Waiting = &wire.ScheduleWait{Due: last.UTC(), Since: now.UTC(), Key: key(rec, last), MadeUp: missed}
		}
	}
	if !onTime.IsZero() {
		s.begin(rec, onTime.UTC(), now)
	}
}

// key is the idempotency key of the task of a run.
func key(rec *wire.Schedule, due time.Time) string {
	return fmt.Sprintf("schedule/%s/%d/%s", rec.ID, rec.Revision, due.UTC().Format(time.RFC3339Nano))
}

// begin decides on a run that is due.
func (s *Schedules) begin(rec *wire.Schedule, due, now time.Time) {
	skipped := wire.ScheduleRun{Due: due, Time: now.UTC(), Outcome: wire.ScheduleSkipped}
	for i := range rec.Runs { // the clock was set back
		if r := &rec.Runs[i]; r.Outcome == wire.ScheduleSubmitted && r.Due.Equal(due) && r.By == "" {
			return
		}
	}
	works := s.works(rec.Last)
	switch {
	case rec.Waiting != nil:
		skipped.Reason = "the run before still waits"
		s.add(rec, skipped)
	case works && rec.Overlap != wire.OverlapQueue:
		skipped.Task, skipped.Reason = rec.Last, fmt.Sprintf("task %s, of the run before, was still at work", rec.Last)
		s.add(rec, skipped)
	default:
		rec.Waiting = &wire.ScheduleWait{Due: due, Since: now.UTC(), Key: key(rec, due)}
		if works {
			rec.Waiting.Behind = rec.Last
		}
	}
}

// works reports whether a task is not over.
func (s *Schedules) works(id wire.TaskID) bool {
	state := s.o.Tasks.State(id)
	return state != "" && !state.Terminal()
}

// add puts a run at the head of the record's, or counts it with the one before if that ended in the same way.
func (s *Schedules) add(rec *wire.Schedule, run wire.ScheduleRun) {
	s.o.Ran(run.Outcome)
	rest := rec.Runs
	if len(rest) > 0 {
		if last := rest[0]; last.Outcome == run.Outcome && last.Reason == run.Reason && last.Task == run.Task && run.By == "" && run.Outcome != wire.ScheduleSubmitted {
			from := last.Due
			if last.From != nil {
				from = *last.From
			}
			run.From, run.Count = &from, min(max(last.Count, 1)+max(run.Count, 1), wire.MaxMissed)
			rest = rest[1:]
		}
	}
	rec.Runs = append([]wire.ScheduleRun{run}, rest[:min(len(rest), wire.MaxScheduleRuns-1)]...)
}

// submit submits the task of the run that waits, if it need not wait for another one. The caller has the schedule's turn.
func (s *Schedules) submit(ctx context.Context, sch *schedule, rec wire.Schedule) {
	w := *rec.Waiting
	now := time.Now()
	run := wire.ScheduleRun{Due: w.Due, Time: now.UTC(), Outcome: wire.ScheduleSubmitted}
	switch known := s.o.Tasks.ByKey(w.Key); {
	case known || !s.works(rec.Last):
	case rec.Overlap == wire.OverlapQueue:
		if w.Behind != rec.Last {
			w.Behind = rec.Last
			rec.Waiting = &w
			s.save(ctx, sch, rec)
		}
		s.later(sch, retryEvery)
		return
	default:
		run.Outcome, run.Task, run.Reason = wire.ScheduleSkipped, rec.Last, fmt.Sprintf("task %s, of the run before, was still at work", rec.Last)
		s.end(ctx, sch, rec, run)
		return
	}
	res, err := s.o.Tasks.Submit(ctx, noun.Caller{Actor: actor(&rec)}, wire.SubmitParams{Tasks: []wire.TaskSpec{taskOf(&rec, w.Key)}})
	if err != nil {
		e := wire.AsError(err)
		unsure := e.Code == wire.CodeOutcomeUnknown || e.Code == wire.CodeTimeout
		if unsure || ctx.Err() != nil || s.o.Closing.Err() != nil || e.Code == wire.CodeUnavailable && now.Sub(w.Since) < wire.ScheduleGrace {
			s.later(sch, retryEvery)
			return
		}
		s.log.Warn("a schedule's task was refused", "schedule", rec.ID, "name", rec.Name, "err", err)
		run.Outcome, run.Reason = wire.ScheduleFailed, noun.Clip(e.Message)
		s.end(ctx, sch, rec, run)
		return
	}
	run.Task = res.Tasks[0].ID
	if w.MadeUp > 0 {
		run.Reason = fmt.Sprintf("made up for %d missed", w.MadeUp)
	}
	rec.Last = run.Task
	s.end(ctx, sch, rec, run)
}

// end records what became of the run that waited. If that can't be stored, the task's key finds it the next time.
func (s *Schedules) end(ctx context.Context, sch *schedule, rec wire.Schedule, run wire.ScheduleRun) {
	rec.Waiting = nil
	s.add(&rec, run)
	if s.save(ctx, sch, rec) != nil {
		s.later(sch, retryEvery)
	}
}

// Label is the label by which tasks name their schedule.
const Label = "schedule"

// taskOf is the task of a run.
func taskOf(rec *wire.Schedule, key string) wire.TaskSpec {
	t := rec.Task
	t.IdempotencyKey = key
	t.Capabilities = slices.Clone(t.Capabilities) // they are sorted
	t.Labels = maps.Clone(t.Labels)
	if t.Labels == nil {
		t.Labels = map[string]string{}
	}
	t.Labels[Label] = rec.Name
	if t.Name == "" {
		t.Name = rec.Name
	}
	return t
}

// actor is who submits the tasks of a schedule.
func actor(rec *wire.Schedule) string { return "schedule " + rec.Name }
