package tasks

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// oracle has the state of a task after each event, written down independently of the code. "" means that the event can't happen.
func oracle(rec *wire.Task, e event) wire.TaskState {
	inWork := rec.Orchestration == nil && slices.Contains([]wire.TaskState{wire.TaskWorking, wire.TaskInputRequired}, rec.State)
	ended := slices.Contains([]wire.TaskState{wire.TaskCompleted, wire.TaskFailed, wire.TaskCanceled, wire.TaskRejected}, rec.State)
	switch e := e.(type) {
	case late:
		return rec.State
	case waits:
		if rec.State == wire.TaskSubmitted && (rec.Waiting != e.why || rec.Position != 0) {
			return wire.TaskSubmitted
		}
	case begins:
		if rec.State == wire.TaskSubmitted {
			return wire.TaskWorking
		}
	case givesUp:
		if rec.State == wire.TaskSubmitted {
			return e.state
		}
	case cancels:
		if !ended {
			return wire.TaskCanceled
		}
	case retries:
		if ended && rec.State != wire.TaskCompleted && rec.Orchestration == nil && rec.Index == nil {
			return wire.TaskSubmitted
		}
	case concludes:
		switch {
		case rec.Orchestration == nil || ended:
		case e.Failure == "":
			return wire.TaskCompleted
		default:
			return wire.TaskFailed
		}
	}
	if !inWork {
		return ""
	}
	switch e := e.(type) {
	case assigned:
		return rec.State
	case asks:
		return wire.TaskInputRequired
	case resumes:
		return wire.TaskWorking
	case says:
		if e.answers {
			return wire.TaskWorking
		}
		return rec.State
	case ends:
		left := rec.LastTry - len(rec.Runs)
		switch {
		case e.Failure == "":
			return wire.TaskCompleted
		case e.Failure == wire.FailServerRestart, e.Failure.Transient() && left > 0:
			return wire.TaskSubmitted
		}
		return wire.TaskFailed
	}
	return ""
}

// holds checks the invariants of every record.
func holds(t *testing.T, rec *wire.Task) {
	t.Helper()
	check := func(what string, ok bool) {
		if !ok {
			t.Errorf("%s: %+v", what, rec)
		}
	}
	inWork := rec.Orchestration == nil && (rec.State == wire.TaskWorking || rec.State == wire.TaskInputRequired)
	check("it has a time of its end if it has ended", (rec.EndedAt != nil) == rec.State.Terminal())
	check("it has a result if it is completed", (rec.Result != nil) == (rec.State == wire.TaskCompleted))
	check("only what is submitted waits", rec.State == wire.TaskSubmitted || rec.NotBefore == nil && rec.Waiting == "" && rec.Asking == nil && rec.Position == 0)
	check("each attempt is a run", rec.Attempt == len(rec.Runs) && rec.Attempt <= rec.LastTry)
	check("dead letters failed", !rec.DeadLetter || rec.State == wire.TaskFailed && rec.Failure.Transient())
	check("what completed has no failure", rec.State != wire.TaskCompleted || rec.Failure == "")
	check("it is bounded", len(rec.Progress) <= wire.MaxProgress && len(rec.Late) <= wire.MaxLate)
	for i, r := range rec.Runs {
		check("runs are counted", r.Attempt == i+1)
		check("all runs have ended, but for the last of a task in work", (r.EndedAt == nil) == (inWork && i == len(rec.Runs)-1))
	}
}

func TestTransitionsAreThoseOfTheOracle(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 11))
	failures := []wire.FailureReason{"", "", wire.FailAgentError, wire.FailAgentLost, wire.FailTransient, wire.FailServerRestart, wire.FailRunTimeout, wire.FailTooLarge, wire.FailHeartbeat}
	was, seen := map[wire.TaskState]int{}, map[string]int{}
	for walk := range 400 {
		now := time.Unix(1_700_000_000, 0).UTC()
		rec := wire.Task{ID: "t", State: wire.TaskSubmitted, LastTry: 1 + r.IntN(4)}
		rec.Retry = wire.Retry{Max: rec.LastTry, BackoffMS: 10}
		if walk%5 == 0 {
			rec.State, rec.Orchestration = wire.TaskWorking, &wire.Orchestration{}
		} else if walk%5 == 1 {
			rec.Index = new(int)
		}
		for range 60 {
			now = now.Add(time.Second)
			run := wire.Run{Attempt: rec.Attempt + 1, StartedAt: now}
			result := runner.TaskResult{Failure: failures[r.IntN(len(failures))], Message: "so", Output: []byte("out")}
			current := wire.Run{Attempt: rec.Attempt, Agent: "a"}
			all := []event{waits{"for x"}, waits{""}, begins{run}, assigned{current}, asks{}, resumes{}, says{wire.Progress{Text: "half"}, r.IntN(2) == 0},
				ends{result}, ends{result}, cancels{"enough"}, givesUp{[]wire.TaskState{wire.TaskFailed, wire.TaskCanceled, wire.TaskRejected}[r.IntN(3)], wire.FailQueueTimeout, "no"},
				retries{"r"}, late{wire.Late{Text: "still"}}, concludes{result}, begins{run}}
			e := all[r.IntN(len(all))]
			before, copied := rec, deepCopy(rec)
			next, then, ok := transition(rec, e, now)
			want := oracle(&before, e)
			if ok != (want != "") || ok && next.State != want {
				t.Fatalf("%T%+v of a task that is %s (attempt %d of %d) makes it %s (%v); the oracle says %q", e, e, before.State, before.Attempt, before.LastTry, next.State, ok, want)
			}
			if !ok && !reflect.DeepEqual(next, before) || !reflect.DeepEqual(rec, copied) {
				t.Fatalf("%T changed a record that it may not change", e)
			}
			if ok && then.end != (next.State.Terminal() && !before.State.Terminal()) || then.queue != (ok && next.State == wire.TaskSubmitted && before.State != wire.TaskSubmitted) {
				t.Fatalf("%T of a task that is %s has the effects %+v", e, before.State, then)
			}
			holds(t, &next)
			if t.Failed() {
				t.Fatalf("after %T%+v of %+v", e, e, before)
			}
			if ok {
				was[next.State]++
				seen[reflect.TypeOf(e).Name()]++
			}
			rec = next
		}
	}
	if len(was) != len(wire.TaskStates) || len(seen) != 12 {
		t.Errorf("it saw the states %v and the events %v", was, seen)
	}
}

// deepCopy copies a record with its slices and pointers.
func deepCopy(rec wire.Task) wire.Task {
	rec.Runs, rec.Progress, rec.Late = slices.Clone(rec.Runs), slices.Clone(rec.Progress), slices.Clone(rec.Late)
	for i := range rec.Runs {
		if at := rec.Runs[i].EndedAt; at != nil {
			c := *at
			rec.Runs[i].EndedAt = &c
		}
	}
	return rec
}
