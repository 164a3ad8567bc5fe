package control_test

import (
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// ran returns the schedule when it has run so often, and its last task is over.
func (n *node) ran(t *testing.T, id wire.ScheduleID, runs int) (s *wire.Schedule) {
	t.Helper()
	kit.Eventually(t, "the schedule has run", func() bool {
		var err error
		s, err = n.Schedules.Get(id)
		return err == nil && len(s.Runs) == runs && s.State.Terminal()
	})
	return s
}

func TestAScheduleRunsItsTaskOnceOverARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := open(t, dir, workers)
	at := time.Now().Add(20 * time.Millisecond).UTC()
	s, err := n.Schedules.Set(t.Context(), noun.Caller{Actor: "ann"}, wire.ScheduleSetParams{Name: "soon", Task: wire.TaskSpec{Type: "command", Argv: []string{"echo", "it came"}},
		ScheduleTime: wire.ScheduleTime{At: at.Format(time.RFC3339Nano)}})
	if err != nil {
		t.Fatal(err)
	}
	s = n.ran(t, s.ID, 1)
	if s.State != wire.TaskCompleted || !s.Runs[0].Due.Equal(at) || len(s.Next) != 0 {
		t.Errorf("%+v", s)
	}
	task, err := n.Tasks.Get(s.Last)
	if err != nil || string(task.Result.Bytes()) != "it came\n" || task.Labels["schedule"] != "soon" {
		t.Errorf("%+v (%v)", task, err)
	}
	if _, err := n.Schedules.RunNow(t.Context(), noun.Caller{Actor: "bob", Request: "r"}, "soon"); err != nil {
		t.Fatal(err)
	}
	n.ran(t, s.ID, 2)

	n.close()
	n = open(t, dir, workers)
	s = n.ran(t, s.ID, 2)
	if s.Runs[0].By != "bob" || s.Runs[1].Task != task.ID {
		t.Errorf("%+v", s.Runs)
	}
	if _, err := n.Schedules.RunNow(t.Context(), noun.Caller{Actor: "bob", Request: "r"}, "soon"); err != nil {
		t.Fatal(err)
	}
	if all := n.Tasks.List(wire.TaskFilter{}); all.Total != 2 {
		t.Errorf("there are %d tasks, of 2 runs", all.Total)
	}
	if err := n.Schedules.Delete(t.Context(), "soon"); err != nil {
		t.Fatal(err)
	}
	n.close()
	n = open(t, dir, workers)
	if all, err := n.Schedules.List(t.Context(), wire.ScheduleListParams{}); err != nil || all.Total != 0 {
		t.Errorf("%d are left (%v)", all.Total, err)
	}
}

// TestARunThatWasBegunEndsAfterARestart is about a record that says that a run is about to be submitted: its task may be there or not.
func TestARunThatWasBegunEndsAfterARestart(t *testing.T) {
	t.Parallel()
	for name, submitted := range map[string]bool{"its task is there": true, "it is not": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			n := open(t, dir, workers)
			task := wire.TaskSpec{Type: "command", Argv: []string{"true"}}
			s, err := n.Schedules.Set(t.Context(), noun.Caller{Actor: "ann"}, wire.ScheduleSetParams{Name: "s", Task: task, ScheduleTime: wire.ScheduleTime{Cron: "0 0 1 1 *", Zone: "UTC"}})
			if err != nil {
				t.Fatal(err)
			}
			due := time.Now().UTC()
			s.Waiting = &wire.ScheduleWait{Due: due, Since: due, Key: "schedule/key"}
			var first wire.TaskID
			if submitted {
				task.IdempotencyKey = s.Waiting.Key
				res, err := n.Tasks.Submit(t.Context(), noun.Caller{Actor: "schedule s"}, wire.SubmitParams{Tasks: []wire.TaskSpec{task}})
				if err != nil {
					t.Fatal(err)
				}
				first = res.Tasks[0].ID
			}
			if err := n.store.PutSchedule(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			n.close()
			n = open(t, dir, workers)
			s = n.ran(t, s.ID, 1)
			if s.Waiting != nil || s.Runs[0].Outcome != wire.ScheduleSubmitted || first != "" && s.Last != first {
				t.Errorf("%+v", s)
			}
			if all := n.Tasks.List(wire.TaskFilter{}); all.Total != 1 {
				t.Errorf("%d tasks", all.Total)
			}
		})
	}
}

func TestAScheduleWhoseTaskWouldBeRefused(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir(), workers)
	for field, task := range map[string]wire.TaskSpec{
		"task.type":  {Type: "nobody"},
		"task.argv":  {Type: "command"},
		"task.queue": {Type: "command", Argv: []string{"true"}, Queue: "A B"},
	} {
		_, err := n.Schedules.Set(t.Context(), noun.Caller{Actor: "ann"}, wire.ScheduleSetParams{Name: "s", Task: task, ScheduleTime: wire.ScheduleTime{Cron: "@daily"}})
		if e := wire.AsError(err); err == nil || e.Data == nil || e.Data.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}
