package control_test

import (
	"testing"
	"time"

	"skein.dev/skein/server/control"
	"skein.dev/skein/server/jet"
	"skein.dev/skein/webtransport/wire"
)

// If the clock was set back or forward while Skein was down, no task is held up.
func TestClocksMayJump(t *testing.T) {
	dir := t.TempDir()
	store, err := jet.Open(t.Context(), jet.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	future, past := time.Now().Add(48*time.Hour), time.Now().Add(-48*time.Hour)
	spec := wire.TaskSpec{Type: "echo", Queue: "default", Priority: wire.PriorityNormal, Input: text("x"), Retry: wire.Retry{Max: 3, BackoffMS: 20}}
	patient := spec
	patient.Timeouts.QueueMS = 3_600_000
	retries := wire.Task{ID: "tretries", Num: 1, TaskSpec: spec, State: wire.TaskSubmitted, Attempt: 1, LastTry: 3, NotBefore: &future, CreatedAt: future, StartedAt: &future,
		Runs: []wire.Run{{Attempt: 1, StartedAt: future, EndedAt: &future, Failure: wire.FailTransient}}}
	waits := wire.Task{ID: "twaits", Num: 2, TaskSpec: patient, State: wire.TaskSubmitted, LastTry: 3, CreatedAt: future}
	old := wire.Task{ID: "told", Num: 3, TaskSpec: patient, State: wire.TaskSubmitted, LastTry: 3, CreatedAt: past}
	old.Type = "slow" // so that it can only time out
	for _, rec := range []*wire.Task{&retries, &waits, &old} {
		if err := store.PutTask(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
	}
	store.Close()

	n := open(t, dir, workers, func(o *control.Options) {
		for i := range o.Types {
			if o.Types[i].Name == "slow" {
				o.Types[i].Script = "crash" // never takes a task
			}
		}
	})
	for _, id := range []wire.TaskID{"tretries", "twaits"} {
		if rec := n.over(t, id); rec.State != wire.TaskCompleted || result(rec) != "x" {
			t.Errorf("%s is %s: %s", id, rec.State, rec.Message)
		}
	}
	if rec := n.over(t, "told"); rec.Failure != wire.FailQueueTimeout {
		t.Errorf("the one that is older than its patience is %s: %s", rec.State, rec.Message)
	}
}
