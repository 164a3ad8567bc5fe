package control_test

import (
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// TestARepeatedChangeOfAdmissionUndoesNothing sends one again after another one's change, and after a restart.
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

// TestARepeatedRetryIsOne sends one again when the attempts that it gave are used up.
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

// TestARetryAnswersWithTheSubmittedTask has the scheduler start the task while the answer is made.
func TestARetryAnswersWithTheSubmittedTask(t *testing.T) {
	n := open(t, t.TempDir(), workers)
	id := n.submit(t, wire.TaskSpec{Type: "refuse", Input: text("x"), Retry: wire.Retry{Max: 1}})[0].ID
	for range 30 {
		before := n.over(t, id)
		rec, err := n.Tasks.Retry(noun.Caller{Actor: "tester"}, id)
		if err != nil {
			t.Fatal(err)
		}
		if rec.State != wire.TaskSubmitted || rec.Attempt != before.Attempt || rec.LastTry != before.Attempt+1 {
			t.Fatalf("answered %s, attempt %d of %d, after attempt %d", rec.State, rec.Attempt, rec.LastTry, before.Attempt)
		}
	}
}
