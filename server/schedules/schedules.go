// Package schedules submits tasks at times that were set before: once, or again and again.
//
//	Set ── record in the Store ──> Run: a run is due ── decide (due.go) ──> the record says that it waits ── submit ──> Tasks
//
// Each due run submits one task, over crashes too: the record names the run and the idempotency key of its task before the task is
// submitted, and its outcome afterwards. After a crash in between, the same key finds the task, or submits it.
//
// # Locks
//
// In the order in which they are taken:
//
//	Schedules.naming   while a schedule is set, so that no two get the same name
//	schedule.turn      while a schedule is changed or submits a task, so that its changes follow one another
//	Schedules.mu       the schedules and their records; nothing is called with it held that waits, or belongs to another package, but Tasks.State
package schedules

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// Store keeps the records of schedules.
type Store interface {
	// PutSchedule stores a record, which is on the disk when it returns.
	PutSchedule(ctx context.Context, s *wire.Schedule) error
	DeleteSchedule(ctx context.Context, id wire.ScheduleID) error
	Schedules(ctx context.Context) ([]wire.Schedule, error)
	// Room returns an error if the disk has no room for anything new.
	Room() error
}

// Tasks are what schedules submit to.
type Tasks interface {
	// Check returns why a task would be refused now.
	Check(spec wire.TaskSpec) error
	Submit(ctx context.Context, by noun.Caller, p wire.SubmitParams) (*wire.SubmitResult, error)
	// State returns the state of a task; "" if there is none.
	State(id wire.TaskID) wire.TaskState
	// ByKey reports whether there is a task with an idempotency key.
	ByKey(key string) bool
}

// Options configure Schedules. Store and Tasks are required.
type Options struct {
	Store   Store
	Tasks   Tasks
	Ran     func(wire.ScheduleOutcome) // called with what became of each run; must not block
	Closing context.Context            // ends when the server begins to stop; nil: never
	Timeout time.Duration              // how long a request waits for a store that does not answer; 0: 10 s
}

// Schedules are the schedules of a node.
type Schedules struct {
	// static after New
	o     Options
	log   *slog.Logger
	zone  string // the server's
	begun string // distinguishes the changes of this server from those of earlier ones

	naming turn
	wake   chan struct{} // holds one token: something is due earlier than it was

	mu      sync.Mutex
	all     map[wire.ScheduleID]*schedule
	changes uint64
	changed chan struct{} // closed, and replaced, with each change
}

// schedule is one schedule.
type schedule struct {
	turn turn

	// guarded by Schedules.mu
	rec    wire.Schedule // its slices and pointers are replaced, never written to
	timing *timing       // nil: fault says why it has none
	fault  string
	due    time.Time // the first run after rec.Through; zero: there is none
	again  time.Time // what failed, or waits for a task, is not tried before
	opened bool      // a run that waits is one of an earlier server
	gone   bool
	next   []time.Time // the coming runs, as they were computed last
}

// turn is a lock. It is a channel instead of a mutex so that the clock of a test in synctest advances while a goroutine waits for it.
type turn chan struct{}

// take takes the turn. The caller calls done to pass it on.
func (t turn) take() (done func()) {
	t <- struct{}{}
	return func() { <-t }
}

// New returns Schedules without any. Open reads them from the Store, and Run lets them run.
func New(o Options, log *slog.Logger) *Schedules {
	o.Timeout = cmp.Or(o.Timeout, 10*time.Second)
	if o.Closing == nil {
		o.Closing = context.Background()
	}
	if o.Ran == nil {
		o.Ran = func(wire.ScheduleOutcome) {}
	}
	return &Schedules{o: o, log: log, zone: LocalZone(), begun: noun.NewID(""), naming: make(turn, 1), wake: make(chan struct{}, 1),
		all: map[wire.ScheduleID]*schedule{}, changed: make(chan struct{})}
}

// Open loads the schedules.
func (s *Schedules) Open(ctx context.Context) error {
	recs, err := s.o.Store.Schedules(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rec := range recs {
		sch := &schedule{turn: make(turn, 1), opened: rec.Waiting != nil}
		if sch.timing, err = timingOf(&rec); err != nil {
			sch.fault = wire.AsError(err).Message
			s.log.Error("a schedule can't run", "schedule", rec.ID, "name", rec.Name, "err", err)
		}
		sch.set(rec)
		s.all[rec.ID] = sch
	}
	return nil
}

// timingOf returns when a schedule runs.
func timingOf(rec *wire.Schedule) (*timing, error) {
	if rec.At == nil {
		return newTiming(rec.Cron, rec.Zone)
	}
	zone, err := loadZone(rec.Zone)
	return &timing{at: *rec.At, zone: zone}, err
}

// set replaces the record. The caller holds mu.
func (sch *schedule) set(rec wire.Schedule) {
	sch.rec, sch.due, sch.next = rec, time.Time{}, nil
	if sch.fault == "" {
		sch.due = sch.timing.next(rec.Through)
	}
}

// save stores a record, and makes it that of the schedule. The caller has the schedule's turn.
func (s *Schedules) save(ctx context.Context, sch *schedule, rec wire.Schedule) error {
	return s.saveTimed(ctx, sch, rec, nil)
}

// saveTimed is save with other times, if they are not nil.
func (s *Schedules) saveTimed(ctx context.Context, sch *schedule, rec wire.Schedule, t *timing) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.o.Timeout)
	defer cancel()
	if err := s.o.Store.PutSchedule(ctx, &rec); err != nil {
		s.log.Error("a schedule could not be stored", "schedule", rec.ID, "name", rec.Name, "err", err)
		return wire.Errorf(wire.CodeUnavailable, "the schedule could not be stored; the server's log says why")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t != nil {
		sch.timing, sch.fault = t, ""
	}
	sch.set(rec)
	sch.again = time.Time{}
	s.all[rec.ID] = sch
	s.moved()
	return nil
}

// moved counts a change. The caller holds mu.
func (s *Schedules) moved() {
	s.changes++
	close(s.changed)
	s.changed = make(chan struct{})
	s.kick()
}

func (s *Schedules) kick() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// find returns the schedule with an id or a name.
func (s *Schedules) find(id wire.ScheduleID) (*schedule, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sch := s.all[id]; sch != nil {
		return sch, nil
	}
	if sch := s.named(string(id)); sch != nil {
		return sch, nil
	}
	return nil, wire.Errorf(wire.CodeNotFound, "there is no schedule %q", wire.Cut(string(id), wire.MaxScheduleName)).WithField("id")
}

// named returns the schedule with a name, or nil. The caller holds mu.
func (s *Schedules) named(name string) *schedule {
	for _, sch := range s.all {
		if sch.rec.Name == name {
			return sch
		}
	}
	return nil
}

// taken finds a schedule and takes its turn. It returns the record, for the caller to change.
func (s *Schedules) taken(id wire.ScheduleID) (sch *schedule, rec wire.Schedule, done func(), err error) {
	if sch, err = s.find(id); err != nil {
		return nil, rec, nil, err
	}
	done = sch.turn.take()
	s.mu.Lock()
	defer s.mu.Unlock()
	if sch.gone {
		done()
		return nil, rec, nil, wire.Errorf(wire.CodeNotFound, "schedule %s was deleted", sch.rec.ID).WithField("id")
	}
	return sch, sch.rec, done, nil
}

// Zone is the server's time zone, which a schedule has that names none.
func (s *Schedules) Zone() string { return s.zone }

// Get returns a schedule.
func (s *Schedules) Get(id wire.ScheduleID) (*wire.Schedule, error) {
	sch, err := s.find(id)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	rec := s.view(sch, time.Now())
	return &rec, nil
}

// view returns the record with what is computed. The caller holds mu.
func (s *Schedules) view(sch *schedule, now time.Time) wire.Schedule {
	rec := sch.rec
	rec.Fault = sch.fault
	rec.State = s.o.Tasks.State(rec.Last)
	if sch.fault != "" {
		return rec
	}
	rec.Words = sch.timing.words()
	if rec.Paused {
		return rec
	}
	if len(sch.next) == 0 || !sch.next[0].After(now) {
		sch.next = sch.timing.upcoming(now, wire.ScheduleNext)
	}
	rec.Next = sch.next
	return rec
}

// statesEvery is how often a list that waits for a change looks at the tasks.
const statesEvery = 2 * time.Second

// List returns the schedules that match, by name. If p names the position of an earlier list, it waits for a change, or the end of ctx.
func (s *Schedules) List(ctx context.Context, p wire.ScheduleListParams) (wire.ScheduleListResult, error) {
	if p.WaitMS < 0 || p.WaitMS > wire.MaxAskWait.Milliseconds() {
		return wire.ScheduleListResult{}, noun.Bad("wait_ms", "must be between 0 and %d", wire.MaxAskWait.Milliseconds())
	}
	late := time.NewTimer(time.Duration(p.WaitMS) * time.Millisecond)
	defer late.Stop()
	look := time.NewTicker(statesEvery)
	defer look.Stop()
	for {
		s.mu.Lock()
		changed := s.changed
		if p.WaitMS == 0 || s.position() != p.Since {
			defer s.mu.Unlock()
			return s.list(p), nil
		}
		s.mu.Unlock()
		select {
		case <-changed:
		case <-look.C:
		case <-late.C:
			p.WaitMS = 0
		case <-ctx.Done(): // the server stops: its client asks the next one, which it would not do after an error
			p.WaitMS = 0
		}
	}
}

// Position is that of a list from now.
func (s *Schedules) Position() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.position()
}

// list is called with mu held.
func (s *Schedules) list(p wire.ScheduleListParams) wire.ScheduleListResult {
	r := wire.ScheduleListResult{Schedules: []wire.Schedule{}, Zone: s.zone, Position: s.position()}
	now, query := time.Now(), strings.ToLower(p.Query)
	for _, sch := range s.all {
		if strings.Contains(strings.ToLower(sch.rec.Name), query) {
			rec := s.view(sch, now)
			rec.Task.Input = rec.Task.Input.Cut(wire.TaskPreview)
			r.Schedules = append(r.Schedules, rec)
		}
	}
	slices.SortFunc(r.Schedules, func(a, b wire.Schedule) int { return byName(a.Name, b.Name) })
	r.Total = len(r.Schedules)
	if p.After != "" {
		i, _ := slices.BinarySearchFunc(r.Schedules, p.After, func(a wire.Schedule, after string) int { return cmp.Or(byName(a.Name, after), -1) })
		r.Schedules = r.Schedules[i:]
	}
	return r
}

// byName orders names without regard to case.
func byName(a, b string) int {
	return cmp.Or(cmp.Compare(strings.ToLower(a), strings.ToLower(b)), cmp.Compare(a, b))
}

// position identifies what the schedules, and their last tasks, are now. The caller holds mu.
func (s *Schedules) position() string {
	states := uint64(0)
	for id, sch := range s.all {
		h := fnv.New64a()
		h.Write([]byte(string(id) + string(s.o.Tasks.State(sch.rec.Last))))
		states ^= h.Sum64() // in whichever order
	}
	return fmt.Sprintf("%s.%d.%x", s.begun, s.changes, states)
}

// Preview returns when a schedule would run.
func (s *Schedules) Preview(p wire.ScheduleTime) (*wire.SchedulePreview, error) {
	t, zone, _, err := s.readTime(p)
	if err != nil {
		return nil, err
	}
	r := &wire.SchedulePreview{Words: t.words(), Zone: zone, Next: t.upcoming(time.Now(), wire.ScheduleNext)}
	if len(r.Next) == 0 {
		return nil, noun.Bad("at", "%s is past", t.at.In(t.zone).Format("2006-01-02 15:04:05 MST"))
	}
	return r, nil
}
