package schedules

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// disk is a Store in memory: what it gives is never what it got.
type disk struct {
	mu   sync.Mutex
	all  map[wire.ScheduleID][]byte
	puts int
	fail func(put int, s *wire.Schedule) error // nil: no put fails
}

func (d *disk) PutSchedule(_ context.Context, s *wire.Schedule) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.puts++
	if d.fail != nil {
		if err := d.fail(d.puts, s); err != nil {
			return err
		}
	}
	b, err := json.Marshal(s)
	d.all[s.ID] = b
	return err
}

// breaks has puts fail as f says.
func (d *disk) breaks(f func(put int, s *wire.Schedule) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = f
}

func (d *disk) DeleteSchedule(_ context.Context, id wire.ScheduleID) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.all, id)
	return nil
}

func (d *disk) Schedules(context.Context) (all []wire.Schedule, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, b := range d.all {
		var s wire.Schedule
		if err := json.Unmarshal(b, &s); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

func (d *disk) Room() error { return nil }

// work are Tasks in memory: a task works until a test ends it.
type work struct {
	mu     sync.Mutex
	all    []wire.Task
	states map[wire.TaskID]wire.TaskState
	keys   map[string]int // by idempotency key: where it is in all
	submit func() error   // before a task is made; nil: none fails
}

func (w *work) Check(s wire.TaskSpec) error {
	if s.Type == "" {
		return noun.Bad("type", "say who can do it: type, agent or capabilities")
	}
	return nil
}

func (w *work) Submit(_ context.Context, by noun.Caller, p wire.SubmitParams) (*wire.SubmitResult, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	spec := p.Tasks[0]
	if i, ok := w.keys[spec.IdempotencyKey]; ok {
		return &wire.SubmitResult{Tasks: []wire.Task{w.all[i]}}, nil
	}
	if w.submit != nil {
		if err := w.submit(); err != nil {
			return nil, err
		}
	}
	t := wire.Task{ID: wire.TaskID(fmt.Sprintf("t%d", len(w.all)+1)), TaskSpec: spec, Actor: by.Actor, CreatedAt: time.Now().UTC()}
	w.keys[spec.IdempotencyKey], w.states[t.ID] = len(w.all), wire.TaskWorking
	w.all = append(w.all, t)
	return &wire.SubmitResult{Tasks: []wire.Task{t}}, nil
}

func (w *work) State(id wire.TaskID) wire.TaskState {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.states[id]
}

func (w *work) ByKey(key string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, ok := w.keys[key]
	return ok
}

// refuses has each task refused with the error that f returns.
func (w *work) refuses(f func() error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.submit = f
}

func (w *work) end(ids ...wire.TaskID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range ids {
		w.states[id] = wire.TaskCompleted
	}
}

// times are when the tasks were submitted, as hours and minutes, and seconds that are not 0.
func (w *work) times() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for _, t := range w.all {
		all = append(all, strings.TrimSuffix(t.CreatedAt.Format("15:04:05"), ":00"))
	}
	return strings.Join(all, " ")
}

// node is what a test works on. Its clock begins at midnight, UTC, of 1 January 2000.
type node struct {
	*testing.T
	*Schedules
	disk *disk
	work *work
	stop func() // the server
}

func start(t *testing.T) *node {
	n := &node{T: t, disk: &disk{all: map[wire.ScheduleID][]byte{}}, work: &work{states: map[wire.TaskID]wire.TaskState{}, keys: map[string]int{}}}
	n.open()
	return n
}

// open starts a server on what the disk has, and the tasks.
func (n *node) open() {
	n.Helper()
	n.Schedules = New(Options{Store: n.disk, Tasks: n.work}, slog.New(slog.DiscardHandler))
	if err := n.Open(n.Context()); err != nil {
		n.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { n.Schedules.Run(ctx); close(done) }()
	n.stop = sync.OnceFunc(func() { cancel(); <-done })
	n.Cleanup(n.stop)
}

func daily(name string, edit ...func(*wire.ScheduleSetParams)) wire.ScheduleSetParams {
	p := wire.ScheduleSetParams{Name: name, Task: wire.TaskSpec{Type: "shell", Argv: []string{"true"}}, ScheduleTime: wire.ScheduleTime{Cron: "0 * * * *", Zone: "UTC"}}
	for _, e := range edit {
		e(&p)
	}
	return p
}

func (n *node) set(p wire.ScheduleSetParams) *wire.Schedule {
	n.Helper()
	s, err := n.Set(n.Context(), noun.Caller{Actor: "test"}, p)
	if err != nil {
		n.Fatal(err)
	}
	return s
}

// pass lets time pass, and waits for what happens meanwhile.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// runs tells of the runs of the only schedule, the oldest first.
func (n *node) runs() string {
	n.Helper()
	all, err := n.List(n.Context(), wire.ScheduleListParams{})
	if err != nil || len(all.Schedules) != 1 {
		n.Fatalf("%d schedules (%v)", len(all.Schedules), err)
	}
	var told []string
	for _, r := range slices.Backward(all.Schedules[0].Runs) {
		s := string(r.Outcome) + " " + r.Due.Format("15:04")
		if r.Count > 1 {
			s += fmt.Sprintf(" (%d from %s)", r.Count, r.From.Format("15:04"))
		}
		told = append(told, s)
	}
	return strings.Join(told, ", ")
}

func (n *node) want(what, got, want string) {
	n.Helper()
	if got != want {
		n.Errorf("%s: %s\nwant %s", what, got, want)
	}
}

func TestItRunsWhenItIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t)
		s := n.set(daily("report"))
		if len(s.Next) != wire.ScheduleNext || s.Words != "every hour, on the hour" || s.Zone != "UTC" || s.Overlap != wire.OverlapSkip || s.Missed != wire.MissedSkip || s.Revision != 1 {
			t.Errorf("%+v", s)
		}
		pass(time.Hour)
		n.work.end("t1")
		pass(time.Hour)
		n.want("tasks", n.work.times(), "01:00 02:00")
		n.want("runs", n.runs(), "submitted 01:00, submitted 02:00")
		task := n.work.all[0]
		if task.Name != "report" || task.Labels[Label] != "report" || task.Actor != "schedule report" {
			t.Errorf("%+v", task)
		}
		s, _ = n.Get("report")
		if s.Last != "t2" || s.State != wire.TaskWorking || !s.Next[0].Equal(time.Date(2000, 1, 1, 3, 0, 0, 0, time.UTC)) {
			t.Errorf("%+v", s)
		}
	})
}

func TestItRunsOnceAtAnInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t)
		s := n.set(daily("once", func(p *wire.ScheduleSetParams) { p.Cron, p.At, p.Zone = "", "2000-01-01T13:00:01", "Europe/Berlin" }))
		n.want("words", s.Words, "once, on 1 January 2000 at 13:00:01")
		pass(48 * time.Hour)
		n.want("tasks", n.work.times(), "12:00:01")
		if s, _ = n.Get(s.ID); len(s.Next) != 0 {
			t.Error(s.Next)
		}
		if _, err := n.Set(t.Context(), noun.Caller{}, daily("late", func(p *wire.ScheduleSetParams) { p.Cron, p.At = "", "2000-01-01T13:00" })); err == nil || !strings.Contains(err.Error(), "is past") {
			t.Error(err)
		}
		just := time.Now().Add(-30 * time.Second)
		n.set(daily("just", func(p *wire.ScheduleSetParams) { p.Cron, p.At = "", just.Format(time.RFC3339) }))
		pass(time.Second)
		n.want("tasks", n.work.times(), "12:00:01 00:00")
	})
}

func TestARunThatIsDueWhileTheLastOneWorks(t *testing.T) {
	for overlap, want := range map[wire.Overlap]struct{ times, runs string }{
		wire.OverlapSkip:  {"01:00 04:00", "submitted 01:00, skipped 03:00 (2 from 02:00), submitted 04:00"},
		wire.OverlapQueue: {"01:00 03:30:01 04:00", "submitted 01:00, skipped 03:00, submitted 02:00, submitted 04:00"},
	} {
		t.Run(string(overlap), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := start(t)
				n.set(daily("long", func(p *wire.ScheduleSetParams) { p.Overlap = overlap }))
				pass(2*time.Hour + 15*time.Minute)
				if s, _ := n.Get("long"); overlap == wire.OverlapQueue && (s.Waiting == nil || s.Waiting.Behind != "t1") {
					t.Errorf("nothing waits: %+v", s.Waiting)
				}
				pass(75*time.Minute + 500*time.Millisecond)
				n.work.end("t1")
				pass(time.Minute)
				n.work.end("t1", "t2")
				pass(time.Hour)
				n.want("tasks", n.work.times(), want.times)
				n.want("runs", n.runs(), want.runs)
			})
		})
	}
}

func TestRunsThatWereMissed(t *testing.T) {
	down := func(n *node) { n.stop(); pass(3*time.Hour + 30*time.Minute); n.open() }
	paused := func(n *node) {
		if _, err := n.Pause(n.Context(), noun.Caller{}, "m", true); err != nil {
			n.Fatal(err)
		}
		pass(3*time.Hour + 30*time.Minute)
		if s, _ := n.Get("m"); len(s.Next) != 0 || !s.Paused {
			n.Errorf("it is paused, and would run at %s", s.Next)
		}
		if _, err := n.Pause(n.Context(), noun.Caller{}, "m", false); err != nil {
			n.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		away        func(*node)
		missed      wire.Missed
		times, runs string
	}{
		"down, left out":   {down, wire.MissedSkip, "01:00 05:00", "submitted 01:00, missed 04:00 (3 from 02:00), submitted 05:00"},
		"down, made up":    {down, wire.MissedOnce, "01:00 04:45 05:00", "submitted 01:00, missed 04:00 (3 from 02:00), submitted 04:00, submitted 05:00"},
		"paused, left out": {paused, wire.MissedSkip, "01:00 05:00", "submitted 01:00, missed 04:00 (3 from 02:00), submitted 05:00"},
		"paused, made up":  {paused, wire.MissedOnce, "01:00 04:45 05:00", "submitted 01:00, missed 04:00 (3 from 02:00), submitted 04:00, submitted 05:00"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := start(t)
				n.set(daily("m", func(p *wire.ScheduleSetParams) { p.Missed = c.missed }))
				pass(75 * time.Minute)
				n.work.end("t1")
				c.away(n)
				pass(5 * time.Minute)
				n.work.end("t2")
				pass(25 * time.Minute)
				n.want("tasks", n.work.times(), c.times)
				n.want("runs", n.runs(), c.runs)
			})
		})
	}
}

func TestLateByLessThanAMinuteIsOnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t)
		n.set(daily("m"))
		pass(59 * time.Minute)
		n.stop()
		pass(time.Minute + 59*time.Second)
		n.open()
		pass(time.Second)
		n.want("tasks", n.work.times(), "01:00:59")
		n.want("runs", n.runs(), "submitted 01:00")
	})
}

// TestACrashBetweenTheRecordAndTheTask stops the server at each of its writes in turn, before or after it took effect. Each run happens
// once all the same.
func TestACrashBetweenTheRecordAndTheTask(t *testing.T) {
	for crash := 2; crash <= 3; crash++ { // 1 is of the schedule itself
		for _, took := range []bool{false, true} {
			t.Run(fmt.Sprintf("write %d, took effect %t", crash, took), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n := start(t)
					off := errors.New("the machine is off")
					n.disk.breaks(func(put int, s *wire.Schedule) error {
						if put < crash {
							return nil
						}
						if put == crash && took {
							n.disk.all[s.ID], _ = json.Marshal(s)
						}
						if crash == 2 {
							n.work.refuses(func() error { return wire.Errorf(wire.CodeUnavailable, "%v", off) })
						}
						return off
					})
					n.set(daily("m"))
					pass(time.Hour + 100*time.Millisecond)
					n.stop()
					n.disk.breaks(nil)
					n.work.refuses(nil)
					pass(20 * time.Second)
					n.open()
					pass(time.Second)
					n.want("runs", n.runs(), "submitted 01:00")
					if len(n.work.all) != 1 {
						t.Errorf("%d tasks", len(n.work.all))
					}
				})
			})
		}
	}
}

// TestACrashAndALongTime is about a server that starts again hours later: what it submitted before is no missed run.
func TestACrashAndALongTime(t *testing.T) {
	for _, submitted := range []bool{true, false} {
		t.Run(fmt.Sprint(submitted), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := start(t)
				n.set(daily("m"))
				n.disk.breaks(func(put int, s *wire.Schedule) error {
					if put > 2 {
						return errors.New("the machine is off")
					}
					return nil
				})
				if !submitted {
					n.work.refuses(func() error { return wire.Errorf(wire.CodeOutcomeUnknown, "the machine is off") })
				}
				pass(time.Hour + time.Second)
				n.stop()
				n.disk.breaks(nil)
				n.work.refuses(nil)
				pass(10 * time.Minute)
				n.open()
				pass(time.Second)
				want := "missed 01:00"
				if submitted {
					want = "submitted 01:00"
				}
				n.want("runs", n.runs(), want)
			})
		})
	}
}

func TestATaskThatIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t)
		n.set(daily("m"))
		n.work.refuses(func() error { return wire.Errorf(wire.CodeNotFound, "there is no agent type shell") })
		pass(time.Hour)
		n.work.refuses(func() error { return wire.Errorf(wire.CodeUnavailable, "the disk is full") })
		pass(time.Hour)
		if s, _ := n.Get("m"); s.Waiting == nil {
			t.Error("it is not tried again")
		}
		pass(2 * time.Minute)
		n.work.refuses(nil)
		pass(time.Hour)
		n.want("runs", n.runs(), "failed 01:00, failed 02:00, submitted 03:00")
		s, _ := n.Get("m")
		n.want("reason", s.Runs[2].Reason, "there is no agent type shell")
	})
}

func TestRunNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t)
		n.set(daily("m", func(p *wire.ScheduleSetParams) { p.Paused = true }))
		by := noun.Caller{Actor: "ann", Request: "r1"}
		a, err := n.RunNow(t.Context(), by, "m")
		b, err2 := n.RunNow(t.Context(), by, "m")
		if err != nil || err2 != nil || a.ID != b.ID {
			t.Errorf("a request is carried out twice: %v %v, %v %v", a, b, err, err2)
		}
		if _, err := n.RunNow(t.Context(), noun.Caller{Actor: "ann", Request: "r2"}, "m"); err != nil {
			t.Error(err)
		}
		n.want("runs", n.runs(), "submitted 00:00, submitted 00:00")
		if s, _ := n.Get("m"); s.Runs[0].By != "ann" || s.Revision != 1 {
			t.Errorf("%+v", s)
		}
	})
}

func TestAClockThatIsSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t)
		s := n.set(daily("m"))
		pass(time.Hour)
		n.work.end("t1")
		n.stop()
		rec := n.all[s.ID].rec // as if the clock had been set on by a year meanwhile
		rec.Through = rec.Through.AddDate(1, 0, 0)
		if err := n.disk.PutSchedule(t.Context(), &rec); err != nil {
			t.Fatal(err)
		}
		n.open()
		pass(time.Hour)
		n.want("tasks", n.work.times(), "01:00 02:00")
	})
}

func TestAYearIsMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t)
		n.set(daily("m", func(p *wire.ScheduleSetParams) { p.Cron, p.Missed = "* * * * *", wire.MissedOnce }))
		n.stop()
		pass(365*24*time.Hour + 30*time.Second)
		n.open()
		pass(time.Second)
		n.want("runs", n.runs(), "missed 16:40 (1000 from 00:01), submitted 00:00")
	})
}

func TestSettingASchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t)
		n.set(daily("a"))
		edit := func(f func(*wire.ScheduleSetParams)) wire.ScheduleSetParams { return daily("b", f) }
		for what, p := range map[string]wire.ScheduleSetParams{
			"conflict name":                       daily("a"),
			"invalid_params name":                 edit(func(p *wire.ScheduleSetParams) { p.Name = " " }),
			"invalid_params  name":                edit(func(p *wire.ScheduleSetParams) { p.Name = "a\nb" }),
			"invalid_params   name":               edit(func(p *wire.ScheduleSetParams) { p.Name = strings.Repeat("ä", 101) }),
			"invalid_params cron":                 edit(func(p *wire.ScheduleSetParams) { p.Cron = "" }),
			"invalid_params at":                   edit(func(p *wire.ScheduleSetParams) { p.At = "2030-01-01T00:00" }),
			"invalid_params zone":                 edit(func(p *wire.ScheduleSetParams) { p.Zone = "Nowhere" }),
			"invalid_params overlap":              edit(func(p *wire.ScheduleSetParams) { p.Overlap = "both" }),
			"invalid_params missed":               edit(func(p *wire.ScheduleSetParams) { p.Missed = "all" }),
			"invalid_params tasks.type":           edit(func(p *wire.ScheduleSetParams) { p.Task.Type = "" }),
			"invalid_params task.idempotency_key": edit(func(p *wire.ScheduleSetParams) { p.Task.IdempotencyKey = "k" }),
			"invalid_params task.depends_on":      edit(func(p *wire.ScheduleSetParams) { p.Task.DependsOn = []string{"t1"} }),
			"invalid_params task.labels":          edit(func(p *wire.ScheduleSetParams) { p.Task.Labels = map[string]string{Label: "x"} }),
			"not_found id":                        edit(func(p *wire.ScheduleSetParams) { p.ID = "c" }),
			"conflict if_revision":                daily("a", func(p *wire.ScheduleSetParams) { p.ID, p.IfRevision = "a", 7 }),
		} {
			_, err := n.Set(t.Context(), noun.Caller{Actor: "test"}, p)
			e := wire.AsError(err)
			code, field, _ := strings.Cut(what, " ")
			if err == nil || e.Code.String() != code || e.Data.Field != strings.Replace(strings.TrimSpace(field), "tasks.", "task.", 1) {
				t.Errorf("%s: %v (%+v)", what, err, e.Data)
			}
		}
		s := n.set(daily("b", func(p *wire.ScheduleSetParams) { p.ID, p.IfRevision, p.Cron = "a", 1, "30 * * * *" }))
		if s.Name != "b" || s.Revision != 2 || s.Words != "every hour at minute 30" {
			t.Errorf("%+v", s)
		}
		pass(time.Hour)
		n.want("tasks", n.work.times(), "00:30")
		if err := n.Delete(t.Context(), "b"); err != nil {
			t.Error(err)
		}
		if _, err := n.Get("b"); wire.AsError(err).Code != wire.CodeNotFound {
			t.Error(err)
		}
		pass(2 * time.Hour)
		n.want("tasks", n.work.times(), "00:30")
	})
}

func TestARepeatedRequestMakesOneSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t)
		by := noun.Caller{Actor: "test", Request: "r"}
		a, err := n.Set(t.Context(), by, daily("a"))
		n.stop()
		n.open()
		b, err2 := n.Set(t.Context(), by, daily("a"))
		if err != nil || err2 != nil || a.ID != b.ID || b.Revision != 1 {
			t.Errorf("%v %v, %v %v", a, b, err, err2)
		}
	})
}

func TestThereIsABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t)
		for i := range wire.MaxSchedules {
			n.set(daily(fmt.Sprint(i)))
		}
		if _, err := n.Set(t.Context(), noun.Caller{}, daily("more")); wire.AsError(err).Code != wire.CodePrecondition {
			t.Error(err)
		}
		pass(time.Hour)
		if len(n.work.all) != wire.MaxSchedules {
			t.Errorf("%d of %d ran", len(n.work.all), wire.MaxSchedules)
		}
		seen, after := 0, ""
		for {
			all, err := n.List(t.Context(), wire.ScheduleListParams{After: after})
			if err != nil {
				t.Fatal(err)
			}
			page := all.Page(300)
			seen += len(page.Schedules)
			if after = page.Next; after == "" {
				break
			}
		}
		if seen != wire.MaxSchedules {
			t.Errorf("%d are on the pages", seen)
		}
	})
}

func TestAListThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t)
		n.set(daily("m"))
		waits := func() (wire.ScheduleListResult, time.Duration) {
			now, _ := n.List(t.Context(), wire.ScheduleListParams{})
			began := time.Now()
			next, err := n.List(t.Context(), wire.ScheduleListParams{Since: now.Position, WaitMS: 20_000})
			if err != nil {
				t.Fatal(err)
			}
			if next.Position == now.Position {
				t.Error("nothing has changed")
			}
			return next, time.Since(began)
		}
		pass(time.Hour - 10*time.Second)
		if r, took := waits(); took != 10*time.Second || r.Schedules[0].Waiting == nil && r.Schedules[0].Last == "" {
			t.Errorf("after %s: %+v", took, r.Schedules[0])
		}
		synctest.Wait()
		time.AfterFunc(5*time.Second, func() { n.work.end("t1") })
		if r, took := waits(); took > 10*time.Second || r.Schedules[0].State != wire.TaskCompleted {
			t.Errorf("after %s: %+v", took, r.Schedules[0])
		}
	})
}

func TestAZoneThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t)
		s := n.set(daily("m"))
		n.stop()
		rec := n.all[s.ID].rec
		rec.Zone = "Mars/Olympus"
		if err := n.disk.PutSchedule(t.Context(), &rec); err != nil {
			t.Fatal(err)
		}
		n.open()
		pass(2 * time.Hour)
		s, err := n.Get("m")
		if err != nil || !strings.Contains(s.Fault, "Mars/Olympus") || len(s.Next) > 0 {
			t.Errorf("%+v (%v)", s, err)
		}
		if _, err := n.RunNow(t.Context(), noun.Caller{Actor: "ann"}, "m"); err != nil {
			t.Error(err)
		}
		n.work.end("t1")
		n.set(daily("m", func(p *wire.ScheduleSetParams) { p.ID = "m" }))
		pass(time.Hour)
		n.want("tasks", n.work.times(), "02:00 03:00")
	})
}
