package doctor

import (
	"testing"
	"time"
)

func TestOnlyPingsThatHadTimeAreOverdue(t *testing.T) {
	t.Parallel()
	now := time.Now()
	const half = 5 * trainGap // of a train of ten
	sent := make([]time.Time, 10)
	for i, ago := range []time.Duration{20 * half, 10 * half, half + 1, half, half / 2, 0} { // the last four were not sent
		sent[i] = now.Add(-ago)
	}
	answered := make([]bool, 10)
	if n := overdue(sent, answered, now); n != 3 {
		t.Errorf("%d are overdue, want 3", n)
	}
	answered[0], answered[5] = true, true
	if n := overdue(sent, answered, now); n != 2 {
		t.Errorf("%d are overdue, want 2", n)
	}
}
