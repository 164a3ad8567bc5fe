package netlab

import (
	"math"
	"testing"
	"time"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestLossIsAsSaidAndRepeats(t *testing.T) {
	t.Parallel()
	fate := func(seed uint64, c Conditions) (lost int, all []bool) {
		l := NewLink(seed, Both(c))
		for i := range 400_000 {
			_, ok := l.Pass(start.Add(time.Duration(i)*time.Millisecond), Down, 100, true)
			all = append(all, ok)
		}
		n := l.Counts(Down)
		if n.Passed+n.Lost != 400_000 || n.Bytes != int64(n.Passed)*100 || l.Counts(Up) != (Counts{}) {
			t.Errorf("it counted %+v, up %+v", n, l.Counts(Up))
		}
		return n.Lost, all
	}
	for name, c := range map[string]Conditions{"random": {Loss: 0.02}, "bursts": {Burst: Burst{Loss: 0.02, Mean: 20 * time.Millisecond}}} {
		lost, first := fate(7, c)
		if math.Abs(float64(lost)-8000) > 1500 {
			t.Errorf("%s: %d of 400,000 lost", name, lost)
		}
		_, again := fate(7, c)
		_, other := fate(8, c)
		same, differs := true, false
		runs := 0
		for i := range first {
			same = same && first[i] == again[i]
			differs = differs || first[i] != other[i]
			if i > 0 && first[i-1] && !first[i] {
				runs++
			}
		}
		if !same || !differs {
			t.Errorf("%s: the same seed gives the same fates: %v, another one others: %v", name, same, differs)
		}
		mean := float64(lost) / float64(runs)
		if name == "random" && mean > 1.1 || name == "bursts" && (mean < 12 || mean > 30) {
			t.Errorf("%s: %.1f packets are lost in a row", name, mean)
		}
	}
}

func TestARateHasAQueue(t *testing.T) {
	t.Parallel()
	l := NewLink(1, [2]Conditions{Up: {Rate: 8_000_000, Queue: 10_000, Delay: 25 * time.Millisecond}}) // 1,000 bytes a ms
	var passed []time.Duration
	for range 20 {
		if at, ok := l.Pass(start, Up, 1000, false); ok {
			passed = append(passed, at.Sub(start))
		}
	}
	if len(passed) != 10 || passed[0] != 26*time.Millisecond || passed[9] != 35*time.Millisecond || l.Counts(Up).Dropped != 10 {
		t.Errorf("they come out after %v; %+v", passed, l.Counts(Up))
	}
	if at, ok := l.Pass(start.Add(5*time.Millisecond), Up, 1000, false); !ok || at.Sub(start) != 36*time.Millisecond {
		t.Errorf("when five have left there is room: %v, %v", at.Sub(start), ok)
	}
	if at, ok := l.Pass(start.Add(time.Second), Up, 50_000, false); !ok || at.Sub(start) != 1075*time.Millisecond {
		t.Errorf("one larger than the queue passes an empty one: %v, %v", at.Sub(start), ok)
	}
}

func TestConditionsChangeWhileItRuns(t *testing.T) {
	t.Parallel()
	l := NewLink(1, Both(Conditions{}))
	pass := func(udp bool) bool { _, ok := l.Pass(start, Up, 100, udp); return ok }
	if !pass(true) || !pass(false) {
		t.Error("it does not pass")
	}
	l.Change(func(c *Conditions) { c.NoUDP = true })
	if pass(true) || !pass(false) {
		t.Error("a firewall")
	}
	l.Change(func(c *Conditions) { c.NoUDP, c.Down = false, true })
	if pass(true) || pass(false) {
		t.Error("a link that is down")
	}
	l.Change(func(c *Conditions) { *c = Conditions{Reorder: 1, Delay: time.Millisecond} })
	if at, ok := l.Pass(start, Up, 100, true); !ok || at.Sub(start) != 6*time.Millisecond {
		t.Errorf("one that comes late: %v", at.Sub(start))
	}
	if n := l.Counts(Up); n.Blocked != 3 || n.Passed != 4 || n.Reordered != 1 {
		t.Errorf("%+v", n)
	}
}
