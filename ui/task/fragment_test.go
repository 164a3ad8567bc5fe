package task

import (
	"strconv"
	"testing"
	"time"

	"skein.dev/skein/ui/frame"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// TestResultsHaveNoGap: a result that is stored before an earlier one waits for it, since the lane goes on behind the last.
func TestResultsHaveNoGap(t *testing.T) {
	var below []wire.Task
	for i, ordinal := range []int{1, 3, 0} {
		b := wire.Task{ID: wire.TaskID("t" + strconv.Itoa(i)), TaskSpec: wire.TaskSpec{Parent: "tx"}, Num: uint64(i), Index: &i, Ordinal: ordinal, State: wire.TaskCompleted}
		if ordinal == 0 {
			b.State = wire.TaskWorking
		}
		below = append(below, b)
	}
	v := NewTaskView(frame.Frame{}, wire.Task{ID: "tx", State: wire.TaskWorking, Orchestration: &wire.Orchestration{Children: 3}}, nil, below, nil)
	if got := lastOrdinal(v.results()); got != 1 {
		t.Errorf("the page goes on behind %d, want 1", got)
	}
}

func TestCellsThatTick(t *testing.T) {
	now := time.Date(2026, 3, 4, 14, 30, 0, 0, time.UTC)
	later, ended := now.Add(5*time.Second), now.Add(-time.Minute)
	waits := wire.Task{State: wire.TaskSubmitted, Attempt: 1, NotBefore: &later, CreatedAt: ended}
	if c := countdown(&waits, now); c["data-tick"] != "left" || c["data-before"] != "Attempt 2 follows in " || c["data-then"] != "Waiting for an agent" || c["data-at"] != words.Iso(later) {
		t.Errorf("what follows ticks as %v", c)
	}
	waits.Position = 1
	if c := countdown(&waits, now); c != nil {
		t.Errorf("what is in line ticks as %v", c)
	}
	if a := ageTick(&waits); a["data-tick"] != "span" || a["data-at"] != words.Iso(ended) {
		t.Errorf("its age ticks as %v", a)
	}
	if a := ageTick(&wire.Task{State: wire.TaskFailed, EndedAt: &ended}); a["data-tick"] != "ago" || a["data-at"] != words.Iso(ended) {
		t.Errorf("the age of what is over ticks as %v", a)
	}
}
