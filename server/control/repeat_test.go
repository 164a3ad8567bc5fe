package control_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/control"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// TestARepeatedChangeOfAdmissionUndoesNothing repeats a change after another client's change, and after a restart.
func TestARepeatedChangeOfAdmissionUndoesNothing(t *testing.T) {
	dir := t.TempDir()
	n := open(t, dir)
	closing := wire.AdmissionParams{Closed: true, Reason: "mine"}
	by := noun.Caller{Actor: "tester", Request: "1"}
	first, err := n.SetAdmission(t.Context(), by, closing)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.SetAdmission(t.Context(), noun.Caller{Actor: "other", Request: "2"}, wire.AdmissionParams{}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if again, err := n.SetAdmission(t.Context(), by, closing); err != nil || !kit.SameJSON(t, again, first) {
			t.Errorf("answered %+v, %v; the first answer was %+v", again, err, first)
		}
		if a := n.Admission(); a.Closed || a.Actor != "other" {
			t.Errorf("admission is %+v", a)
		}
		n.close()
		n = open(t, dir)
	}
}

// refusing is a store that fails to store the first change of admission.
type refusing struct {
	control.Store
	left atomic.Int32
}

func (s *refusing) PutAdmission(ctx context.Context, changes []wire.Admission) error {
	if s.left.Add(-1) >= 0 {
		return errors.New("refused")
	}
	return s.Store.PutAdmission(ctx, changes)
}

// TestAChangeOfAdmissionIsStoredUntilItIs checks that the answer comes once the change is stored, and that the next start has it.
func TestAChangeOfAdmissionIsStoredUntilItIs(t *testing.T) {
	t.Parallel()
	dir, s := t.TempDir(), new(refusing)
	s.left.Store(1)
	n := open(t, dir, workers, func(o *control.Options) { s.Store, o.Store = o.Store, s })
	if _, err := n.SetAdmission(t.Context(), noun.Caller{Actor: "tester"}, wire.AdmissionParams{Closed: true}); err != nil {
		t.Error(err)
	}
	n.close()
	if a := open(t, dir, workers).Admission(); !a.Closed {
		t.Errorf("after a restart admission is %+v", a)
	}
}

// TestARepeatedRetryIsOne repeats a retry after the attempts that it started are used up.
func TestARepeatedRetryIsOne(t *testing.T) {
	dir := t.TempDir()
	n := open(t, dir, workers)
	id := n.submit(t, wire.TaskSpec{Type: "refuse", Input: text("x"), Retry: wire.Retry{Max: 1}})[0].ID
	n.over(t, id)
	by := noun.Caller{Actor: "tester", Request: "1"}
	for range 3 {
		if _, err := n.Tasks.Retry(by, id); err != nil {
			t.Fatal(err)
		}
		if task := n.over(t, id); task.Attempt != 2 {
			t.Errorf("%d attempts", task.Attempt)
		}
		n.close()
		n = open(t, dir, workers)
	}
}

// TestARetryAnswersWithTheSubmittedTask lets the scheduler start tasks while the answers are made, so often and with so
// many at once that an answer with the task's later state would be caught.
func TestARetryAnswersWithTheSubmittedTask(t *testing.T) {
	n := open(t, t.TempDir(), workers)
	for i := range kit.Less(24, 8) {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			id := n.submit(t, wire.TaskSpec{Type: "refuse", Input: text("x"), Retry: wire.Retry{Max: 1}})[0].ID
			for range kit.Less(30, 12) {
				before := n.over(t, id)
				rec, err := n.Tasks.Retry(noun.Caller{Actor: "tester"}, id)
				if err != nil {
					t.Fatal(err)
				}
				if rec.State != wire.TaskSubmitted || rec.Attempt != before.Attempt || rec.LastTry != before.Attempt+1 {
					t.Fatalf("answered %s, attempt %d of %d, after attempt %d", rec.State, rec.Attempt, rec.LastTry, before.Attempt)
				}
			}
		})
	}
}
