package schedules

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// Set makes a schedule, or replaces one. It is on the disk when Set returns.
func (s *Schedules) Set(ctx context.Context, by noun.Caller, p wire.ScheduleSetParams) (*wire.Schedule, error) {
	t, zone, at, err := s.readTime(p.ScheduleTime)
	if err == nil {
		err = s.check(&p)
	}
	if err != nil {
		return nil, err
	}
	defer s.naming.take()()
	sch, rec, done, err := s.toSet(by, &p)
	if err != nil {
		return nil, err
	}
	defer done()
	if by.Request != "" && rec.Request == by.Request { // it was carried out before
		return s.Get(rec.ID)
	}
	now := time.Now().UTC()
	old := rec
	rec.Name, rec.Task, rec.At, rec.Cron, rec.Zone = p.Name, p.Task, at, strings.TrimSpace(p.Cron), zone
	rec.Overlap, rec.Missed, rec.Paused = p.Overlap, p.Missed, p.Paused
	if rec.CreatedAt.IsZero() || !sameTime(&old, &rec) {
		if at != nil && now.Sub(*at) >= wire.ScheduleGrace {
			return nil, noun.Bad("at", "%s is past", at.In(t.zone).Format("2006-01-02 15:04:05 MST"))
		}
		rec.Through = now
		if at != nil && !at.After(now) { // less than a minute ago, it is not too late
			rec.Through = at.Add(-1)
		}
	} else if old.Paused && !rec.Paused {
		s.decide(&rec, t, now, true)
	}
	if rec.CreatedAt.IsZero() {
		rec.CreatedAt = now
		if err := s.o.Store.Room(); err != nil {
			return nil, err
		}
	}
	rec.Revision++
	rec.UpdatedAt, rec.Actor, rec.Request = now, by.Actor, by.Request
	s.dropQueued(&rec, now)
	if err := s.saveTimed(ctx, sch, rec, t); err != nil {
		return nil, err
	}
	return s.Get(rec.ID)
}

// toSet returns the schedule that p replaces, or a new one, with its turn taken.
func (s *Schedules) toSet(by noun.Caller, p *wire.ScheduleSetParams) (sch *schedule, rec wire.Schedule, done func(), err error) {
	s.mu.Lock()
	n, other := len(s.all), s.named(p.Name)
	s.mu.Unlock()
	if p.ID == "" && other != nil && by.Request != "" && other.rec.Request == by.Request {
		return s.taken(other.rec.ID)
	}
	if p.ID == "" {
		switch {
		case other != nil:
			return nil, rec, nil, wire.Errorf(wire.CodeConflict, "there is a schedule %q already: choose another name, or change that one", p.Name).WithField("name")
		case n >= wire.MaxSchedules:
			return nil, rec, nil, wire.Errorf(wire.CodePrecondition, "there are %d schedules, which is the most: delete some that are over or not needed", n).WithField("name")
		}
		sch = &schedule{turn: make(turn, 1)}
		return sch, wire.Schedule{ID: wire.ScheduleID(noun.NewID("s"))}, sch.turn.take(), nil
	}
	if sch, rec, done, err = s.taken(p.ID); err != nil {
		return nil, rec, nil, err
	}
	switch {
	case p.IfRevision != 0 && p.IfRevision != rec.Revision:
		err = wire.Errorf(wire.CodeConflict, "schedule %q was changed meanwhile, by %s: it has revision %d", rec.Name, rec.Actor, rec.Revision).WithField("if_revision")
	case other != nil && other != sch:
		err = wire.Errorf(wire.CodeConflict, "there is another schedule %q: choose another name", p.Name).WithField("name")
	}
	if err != nil {
		done()
	}
	return sch, rec, done, err
}

// sameTime reports whether two records mean the same times.
func sameTime(a, b *wire.Schedule) bool {
	return a.Cron == b.Cron && a.Zone == b.Zone && (a.At == nil) == (b.At == nil) && (a.At == nil || a.At.Equal(*b.At))
}

// readTime reads when a schedule runs. at is nil for an expression.
func (s *Schedules) readTime(p wire.ScheduleTime) (t *timing, zone string, at *time.Time, err error) {
	if zone = strings.TrimSpace(p.Zone); zone == "" {
		zone = s.zone
	}
	switch cron, once := strings.TrimSpace(p.Cron), strings.TrimSpace(p.At); {
	case cron != "" && once != "":
		return nil, "", nil, noun.Bad("at", "give at or cron, not both")
	case cron == "" && once == "":
		return nil, "", nil, noun.Bad("cron", "say when it runs: at, for one instant, or cron, such as 0 9 * * 1-5")
	case cron != "":
		t, err = newTiming(cron, zone)
		return t, zone, nil, err
	default:
		loc, err := loadZone(zone)
		if err != nil {
			return nil, "", nil, err
		}
		instant, err := parseAt(once, loc)
		if err != nil {
			return nil, "", nil, err
		}
		return &timing{at: instant, zone: loc}, zone, &instant, nil
	}
}

// check validates the rest, and fills in the defaults.
func (s *Schedules) check(p *wire.ScheduleSetParams) error {
	p.Name = strings.TrimSpace(p.Name)
	switch {
	case p.Name == "":
		return noun.Bad("name", "give it a name")
	case utf8.RuneCountInString(p.Name) > wire.MaxScheduleName:
		return noun.Bad("name", "the name is longer than %d characters", wire.MaxScheduleName)
	case p.Overlap != "" && p.Overlap != wire.OverlapSkip && p.Overlap != wire.OverlapQueue:
		return noun.Bad("overlap", "overlap is skip or queue, not %.40q", p.Overlap)
	case p.Missed != "" && p.Missed != wire.MissedSkip && p.Missed != wire.MissedOnce:
		return noun.Bad("missed", "missed is skip or once, not %.40q", p.Missed)
	}
	if err := wire.CheckNames("name", p.Name); err != nil {
		return err
	}
	if p.Overlap == "" {
		p.Overlap = wire.OverlapSkip
	}
	if p.Missed == "" {
		p.Missed = wire.MissedSkip
	}
	t := &p.Task
	switch {
	case t.IdempotencyKey != "" || t.Key != "":
		return noun.Bad("task.idempotency_key", "each run has an idempotency key of its own: give none, and no key")
	case len(t.DependsOn) > 0 || t.Parent != "":
		return noun.Bad("task.depends_on", "the task of a schedule depends on no other, and has no parent")
	case t.Labels[Label] != "":
		return noun.Bad("task.labels", "the label %s is the schedule's name", Label)
	}
	if err := s.o.Tasks.Check(taskOf(&wire.Schedule{Name: p.Name, Task: *t}, "")); err != nil {
		return wire.AsError(err).In("task", true)
	}
	return nil
}

// dropQueued gives up a run that waits for the end of a task, if the schedule is paused or queues no more.
func (s *Schedules) dropQueued(rec *wire.Schedule, now time.Time) {
	w := rec.Waiting
	if w == nil || w.Behind == "" || !rec.Paused && rec.Overlap == wire.OverlapQueue {
		return
	}
	reason := "the schedule was changed while it waited"
	if rec.Paused {
		reason = "the schedule was paused while it waited"
	}
	rec.Waiting = nil
	s.add(rec, wire.ScheduleRun{Due: w.Due, Time: now, Outcome: wire.ScheduleSkipped, Reason: reason})
}

// Pause keeps a schedule from running, or lets it run again. The runs that were due meanwhile count as missed.
func (s *Schedules) Pause(ctx context.Context, by noun.Caller, id wire.ScheduleID, paused bool) (*wire.Schedule, error) {
	sch, rec, done, err := s.taken(id)
	if err != nil {
		return nil, err
	}
	defer done()
	if rec.Paused == paused {
		return s.Get(rec.ID)
	}
	now := time.Now().UTC()
	if sch.timing != nil && sch.fault == "" { // it changes only with the turn
		s.decide(&rec, sch.timing, now, !paused)
	}
	rec.Paused = paused
	rec.Revision++
	rec.UpdatedAt, rec.Actor = now, by.Actor
	s.dropQueued(&rec, now)
	if err := s.save(ctx, sch, rec); err != nil {
		return nil, err
	}
	return s.Get(rec.ID)
}

// RunNow submits the task of a schedule at once, whether it is paused, or its last task still works.
func (s *Schedules) RunNow(ctx context.Context, by noun.Caller, id wire.ScheduleID) (*wire.Task, error) {
	sch, rec, done, err := s.taken(id)
	if err != nil {
		return nil, err
	}
	defer done()
	request := by.Request
	if request == "" {
		request = noun.NewID("")
	}
	key := fmt.Sprintf("schedule/%s/run/%s", rec.ID, request)
	known := s.o.Tasks.ByKey(key)
	res, err := s.o.Tasks.Submit(ctx, noun.Caller{Actor: by.Actor}, wire.SubmitParams{Tasks: []wire.TaskSpec{taskOf(&rec, key)}})
	if err != nil {
		return nil, err
	}
	t := &res.Tasks[0]
	now := time.Now().UTC()
	if known && len(rec.Runs) > 0 && rec.Runs[0].Task == t.ID {
		return t, nil
	}
	rec.Last = t.ID
	s.add(&rec, wire.ScheduleRun{Due: now, Time: now, Outcome: wire.ScheduleSubmitted, Task: t.ID, By: by.Actor})
	s.save(ctx, sch, rec) // the task is submitted, even if the schedule's record does not tell of it
	return t, nil
}

// Delete removes a schedule. Its tasks stay.
func (s *Schedules) Delete(ctx context.Context, id wire.ScheduleID) error {
	sch, rec, done, err := s.taken(id)
	if err != nil {
		return err
	}
	defer done()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.o.Timeout)
	defer cancel()
	if err := s.o.Store.DeleteSchedule(ctx, rec.ID); err != nil {
		s.log.Error("a schedule could not be deleted", "schedule", rec.ID, "name", rec.Name, "err", err)
		return wire.Errorf(wire.CodeUnavailable, "the schedule could not be deleted; the server's log says why")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sch.gone = true
	delete(s.all, rec.ID)
	s.moved()
	return nil
}
