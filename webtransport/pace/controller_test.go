package pace

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

// edge is a transition.
type edge struct{ from, to State }

// table reads the transitions in the package's comment.
func table(t *testing.T) map[edge]bool {
	t.Helper()
	source, err := os.ReadFile("pace.go")
	if err != nil {
		t.Fatal(err)
	}
	edges, states := map[edge]bool{}, map[string][]State{"all but Yield": {Unlimited, Drain, Cruise, Probe, Dip}}
	for s, name := range stateNames {
		states[strings.ToUpper(name[:1])+name[1:]] = []State{State(s)}
	}
	find := func(text string) (all []State) {
		for name := range strings.SplitSeq(strings.TrimSpace(text), ", ") {
			if states[name] == nil {
				t.Fatalf("the comment's table has a state %q", name)
			}
			all = append(all, states[name]...)
		}
		return all
	}
	_, rows, found := strings.Cut(string(source), "//\tfrom           to               when\n")
	for row := range strings.Lines(rows) {
		row, found = strings.CutPrefix(row, "//\t")
		if !found {
			break
		}
		if strings.HasPrefix(row, " ") { // goes on from the line before
			continue
		}
		for _, from := range find(row[:15]) {
			for _, to := range find(row[15:32]) {
				edges[edge{from, to}] = true
			}
		}
	}
	delete(edges, edge{Unlimited, Unlimited})
	return edges
}

// drive gives a controller samples of a path of 80 ms, whose target is 10 ms: a queue of less than 5 ms is short, one of
// more than 20 ms long.
type drive struct {
	t    *testing.T
	c    controller
	now  time.Time
	path Path
	last edge // the states before and after the last sample
}

func newDrive(t *testing.T) *drive {
	d := &drive{t: t, c: controller{limit: rate.Inf}, now: simStart, path: Path{MinRTT: 80 * time.Millisecond}}
	d.samples(2, 0, 100, false) // of which a controller learns when it began
	return d
}

// samples has n samples find a delay, a rate in Mbit/s, and writers that waited or none.
func (d *drive) samples(n int, ms, rate float64, waited bool) {
	d.t.Helper()
	for range n {
		d.path.RTT = d.path.MinRTT + seconds(ms/1000)
		over := d.c.interval(d.path)
		d.sample(over, uint64(rate*mbit*over.Seconds()), waited)
	}
}

// leave has samples find the same until the state is another.
func (d *drive) leave(s State, ms, rate float64, waited bool) {
	d.t.Helper()
	for range 300 {
		if d.samples(1, ms, rate, waited); d.c.state != s {
			return
		}
	}
	d.t.Errorf("it stays in %s", s)
}

func (d *drive) sample(over time.Duration, sent uint64, waited bool) {
	d.t.Helper()
	before := d.c.state
	d.path.Sent += sent
	if d.now = d.now.Add(over); !d.c.sample(d.now, d.path, waited) {
		d.t.Fatalf("a sample after %s was not taken", over)
	}
	d.last = edge{before, d.c.state}
	if limited := d.c.state != Unlimited && d.c.state != Yield; limited != (d.c.limit != rate.Inf) || d.c.limit < rateLeast {
		d.t.Errorf("in %s the limit is %.1f Mbit/s", d.c.state, d.c.limit/mbit)
	}
}

// The delays, in ms.
const (
	short = 2
	mid   = 8  // neither short nor above the target
	above = 15 // the target, and not long
	long  = 30
)

// toCruise has the pacer at its target, at 85 Mbit/s of what was 100 once, after n samples with a queue.
func (d *drive) toCruise(n int) {
	d.samples(1, long, 100, false)
	d.samples(n-1, mid, 85, true)
}

func (d *drive) toProbe() {
	d.samples(1, long, 100, false)
	d.samples(3, short, 85, true)
}

func (d *drive) toDip() { d.toCruise(97) }

// Each transition of the package's comment, as it is forced. The last sample is the one that makes it.
var transitions = map[string]struct {
	edge
	force func(*drive)
}{
	"a long queue": {edge{Unlimited, Drain}, func(d *drive) { d.samples(1, long, 100, false) }},
	"a queue that is no longer long": {edge{Drain, Cruise}, func(d *drive) {
		d.samples(3, long, 100, true)
		d.samples(1, above, 100, true)
	}},
	"long again": {edge{Cruise, Drain}, func(d *drive) {
		d.toCruise(5)
		d.samples(1, long, 85, true)
	}},
	"long after a probe": {edge{Probe, Drain}, func(d *drive) {
		d.toProbe()
		d.samples(1, long, 100, true)
	}},
	"short for three samples": {edge{Cruise, Probe}, func(d *drive) { d.toProbe() }},
	"a probe that finds a queue": {edge{Probe, Cruise}, func(d *drive) {
		d.toProbe()
		d.samples(1, mid, 100, true)
	}},
	"a probe without writers": {edge{Probe, Cruise}, func(d *drive) {
		d.toProbe()
		d.samples(1, short, 100, false)
	}},
	"a probe that finds nothing": {edge{Probe, Unlimited}, func(d *drive) {
		d.toProbe()
		d.samples(8, short, 100, true)
	}},
	"no writer waits": {edge{Cruise, Unlimited}, func(d *drive) {
		d.toCruise(5)
		d.samples(10, mid, 20, false)
	}},
	"a queue for long": {edge{Cruise, Dip}, func(d *drive) { d.toDip() }},
	"a queue for long, long at last": {edge{Drain, Dip}, func(d *drive) {
		d.toCruise(95)
		d.samples(1, long, 85, true)
		d.samples(1, mid, 85, true)
	}},
	"above the target for long": {edge{Cruise, Dip}, func(d *drive) {
		d.toCruise(10)
		d.samples(25, above, 85, true)
	}},
	"a dip that empties the queue": {edge{Dip, Cruise}, func(d *drive) {
		d.toDip()
		d.samples(4, mid, 60, true)
		d.samples(1, short, 60, true)
	}},
	"a dip that shortens the queue": {edge{Dip, Cruise}, func(d *drive) {
		d.toDip()
		d.samples(2, mid, 60, true) // the delay from before
		d.samples(6, 0.75*mid, 60, true)
	}},
	"a dip that shortens the queue, which was shorter just before": {edge{Dip, Cruise}, func(d *drive) {
		d.toCruise(95)
		d.samples(1, 0.65*mid, 85, true)
		d.samples(1, mid, 85, true)
		d.samples(8, 0.75*mid, 60, true)
	}},
	"a dip that shortens the queue, which is long at last": {edge{Dip, Drain}, func(d *drive) {
		d.toCruise(73)
		d.samples(24, 19, 85, true)
		d.samples(7, 11, 60, true)
		d.samples(1, 21, 60, true)
	}},
	"no writer waits in a dip": {edge{Dip, Unlimited}, func(d *drive) {
		d.toCruise(92)
		d.samples(10, mid, 60, false)
	}},
	"long for 13 samples": {edge{Drain, Yield}, func(d *drive) { d.samples(13, long, 100, true) }},
	"long for 13 samples, and a dip": {edge{Dip, Yield}, func(d *drive) {
		d.toCruise(91)
		d.samples(13, long, 85, true)
	}},
	"less in vain": {edge{Cruise, Yield}, func(d *drive) {
		d.toCruise(10)
		d.samples(7, above, 85, true)
		d.leave(Cruise, above, 40, true)
	}},
	"less in vain, and long before": {edge{Drain, Yield}, func(d *drive) {
		d.toCruise(10)
		d.samples(7, above, 85, true)
		d.samples(4, above, 40, true)
		d.samples(1, long, 40, true)
		d.samples(1, above, 40, true)
	}},
	"a dip in vain": {edge{Dip, Yield}, func(d *drive) {
		d.toDip()
		d.samples(8, mid, 60, true)
	}},
	"a yield ends": {edge{Yield, Unlimited}, func(d *drive) {
		d.samples(13, long, 100, true)
		d.leave(Yield, above, 100, false)
	}},
	"a yield ends, and the queue is long": {edge{Yield, Drain}, func(d *drive) {
		d.samples(13, long, 100, true)
		d.samples(64, long, 100, false)
	}},
	"a yield ends on a shorter path": {edge{Yield, Unlimited}, func(d *drive) {
		d.path.MinRTT = 10 * time.Millisecond
		d.samples(13, 60, 100, true)
		begin := d.now
		d.leave(Yield, 1, 100, false)
		if took := d.now.Sub(begin); took < yieldTime || took > yieldTime+50*time.Millisecond {
			d.t.Errorf("it took %s", took)
		}
	}},
	"stale in a drain": {edge{Drain, Unlimited}, func(d *drive) {
		d.samples(1, long, 100, true)
		d.sample(staleAfter+time.Millisecond, 0, true)
	}},
	"stale in a cruise": {edge{Cruise, Unlimited}, func(d *drive) {
		d.toCruise(5)
		d.sample(staleAfter+time.Millisecond, 0, true)
	}},
	"stale in a probe": {edge{Probe, Unlimited}, func(d *drive) {
		d.toProbe()
		d.sample(staleAfter+time.Millisecond, 0, true)
	}},
	"stale in a dip": {edge{Dip, Unlimited}, func(d *drive) {
		d.toDip()
		d.sample(staleAfter+time.Millisecond, 0, true)
	}},
	"a short path": {edge{Drain, Unlimited}, func(d *drive) {
		d.samples(1, long, 100, true)
		d.path.MinRTT = 999 * time.Microsecond
		d.samples(1, long, 100, true)
	}},
}

func TestTheTableOfTransitionsIsTrue(t *testing.T) {
	said, forced := table(t), map[edge]bool{}
	for name, c := range transitions {
		t.Run(name, func(t *testing.T) {
			d := newDrive(t)
			if c.force(d); d.last != c.edge {
				t.Errorf("the last sample led from %s to %s, want from %s to %s", d.last.from, d.last.to, c.from, c.to)
			}
			forced[c.edge] = true
		})
	}
	if !maps.Equal(said, forced) {
		t.Errorf("the comment has %v\nforced were %v", said, forced)
	}
}

// Whatever a path does, no transition happens that the table lacks.
func TestNoOtherTransitionHappens(t *testing.T) {
	said := table(t)
	for seed := range uint64(30) {
		for d := newWalk(t, seed); d.steps < 3000 && !t.Failed(); d.walk() {
			if d.last.from != d.last.to && !said[d.last] {
				t.Errorf("seed %d, sample %d: from %s to %s", seed, d.steps, d.last.from, d.last.to)
			}
		}
	}
}

// walker is a path that changes at random, and writers that write as much as the limit lets them.
type walker struct {
	*drive
	*rand.Rand
	steps                              int
	carries, queue, demand, noise, add float64 // bytes a second, bytes, of what it carries, seconds, seconds
}

func newWalk(t *testing.T, seed uint64) *walker {
	r := rand.New(rand.NewPCG(seed, 0))
	w := &walker{drive: newDrive(t), Rand: r, carries: (1 + 100*r.Float64()) * mbit, demand: 2}
	w.path.MinRTT = time.Duration(1+r.ExpFloat64()*30) * time.Millisecond
	return w
}

func (w *walker) walk() {
	w.steps++
	if w.IntN(200) == 0 {
		w.demand, w.noise, w.add = 2*w.Float64(), 0.04*w.Float64(), 0.08*w.Float64()
		w.demand, w.noise, w.add = w.demand*float64(w.IntN(4)), w.noise*float64(w.IntN(2)), w.add*float64(w.IntN(2))
		w.carries *= 0.5 + w.Float64()
	}
	over := seconds(w.c.interval(w.path).Seconds() * (1 + w.Float64()/2))
	if w.IntN(400) == 0 {
		over = seconds(15*w.Float64()*w.Float64()) + over
	}
	in := min(w.demand*w.carries, float64(w.c.limit))
	w.queue = min(max(0, w.queue+(in-w.carries)*over.Seconds()), 0.1*w.carries)
	delay := w.queue/w.carries + w.add + w.noise*w.Float64()
	w.path.RTT = w.path.MinRTT + seconds(delay)
	w.sample(max(over, w.c.interval(w.path)), uint64(min(in, w.carries)*over.Seconds()), in == float64(w.c.limit))
}

// Whether the delay falls in a dip tells whose the queue is.
func TestADipTellsWhoseTheQueueIs(t *testing.T) {
	for name, c := range map[string]struct {
		delay float64 // in the dip, of the one before
		then  State
	}{
		"as long as before": {1, Yield},
		"hardly shorter":    {0.85, Yield},
		"shorter":           {0.7, Cruise},
		"hardly any":        {0.1, Cruise},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDrive(t)
			d.toDip()
			carries := d.c.carries
			if got, want := d.c.limit, rate.Limit(dipShare*carries); d.c.state != Dip || got != want {
				t.Fatalf("in %s, with a limit of %.1f Mbit/s, want %.1f", d.c.state, got/mbit, want/mbit)
			}
			for i := 1; d.c.state == Dip && i < dipSamples; i++ {
				d.samples(1, c.delay*mid, 60, true)
			}
			if d.c.state != c.then {
				t.Errorf("after the dip it is in %s", d.c.state)
			}
			if c.then == Cruise && (d.c.highest != carries || d.c.carries != carries) {
				t.Errorf("the path carries %.1f Mbit/s, at its highest %.1f; it was %.1f before", d.c.carries/mbit, d.c.highest/mbit, carries/mbit)
			}
		})
	}
}

// What a carrier holds when a limit begins comes out late: for that long the queue stays, and is the session's own. These samples
// are a start over WebSocket in a lab on a busy machine: 30 Mbit/s, 21 ms.
func TestAQueueOfWhatWasWrittenBeforeIsNotOthers(t *testing.T) {
	d := &drive{t: t, c: controller{limit: rate.Inf}, now: simStart, path: Path{MinRTT: 20705 * time.Microsecond}}
	for i, at := range []struct{ over, rate, delay float64 }{ // ms, Mbit/s, ms
		{30, 10, 1.4}, {30, 20, 1.4}, {27, 35.97, 1.2}, {44, 54.91, 13.4}, {55, 29.6, 19.6}, {102, 32.25, 13.1}, {55, 29.42, 9.9}, {26, 29.75, 5.7},
		{53, 29.81, 6.9}, {50, 31.42, 8.3}, {56, 28.28, 14.4}, {52, 30.06, 12}, {53, 29.55, 13.2}, {55, 29.31, 16.2}, {36, 29.39, 14.5},
		{41, 29.74, 15.5}, {38, 20.24, 16}, {33, 16.16, 5.7}, {29, 27.27, 4.8}, {30, 26.37, 3.2},
	} {
		d.path.RTT = d.path.MinRTT + seconds(at.delay/1000)
		d.path.Sent += uint64(at.rate * mbit * at.over / 1000)
		d.now = d.now.Add(seconds(at.over / 1000))
		d.c.sample(d.now, d.path, i > 4) // some come too early
		if d.c.state == Yield {
			t.Fatalf("sample %d took the queue for others'", i)
		}
	}
	if limit := float64(d.c.limit) / mbit; limit < 20 || limit > 33 {
		t.Errorf("in the end the limit is %.1f Mbit/s", limit)
	}
}

// A pause tells nothing of the queue: the sample after it, and the one after that, change neither state nor limit.
func TestAPauseChangesNothing(t *testing.T) {
	d := newDrive(t)
	d.toCruise(20)
	limit := d.c.limit
	d.path.RTT = d.path.MinRTT + seconds(long/1000.)
	d.sample(pauseIntervals*d.c.interval(d.path)+1, 1000, true)
	d.samples(1, long, 1, true)
	if d.c.state != Cruise || d.c.limit != limit {
		t.Errorf("after a pause it is in %s, with a limit of %.1f Mbit/s; it was %.1f", d.c.state, d.c.limit/mbit, limit/mbit)
	}
	if d.samples(1, long, 85, true); d.c.state != Drain {
		t.Errorf("the sample after that led to %s", d.c.state)
	}
}

func TestStatesHaveNames(t *testing.T) {
	var all []string
	for s := Unlimited; s <= Yield+1; s++ {
		all = append(all, s.String())
	}
	if want := append(slices.Clone(stateNames[:]), "State(6)"); fmt.Sprint(all) != fmt.Sprint(want) {
		t.Errorf("%v", all)
	}
}
