package pace

import (
	"testing"
	"time"

	"golang.org/x/time/rate"
)

func TestBulksOwnQueueStaysShort(t *testing.T) {
	for name, c := range map[string]struct {
		rate    float64
		base    time.Duration
		window  time.Duration // of the link's rate
		settle  time.Duration
		watched time.Duration
		bound   time.Duration
	}{
		"home":          {50 * mbit, 20 * time.Millisecond, 40 * time.Millisecond, time.Second, 20 * time.Second, 9 * time.Millisecond},
		"bloated":       {20 * mbit, 30 * time.Millisecond, time.Second, 15 * time.Second, 20 * time.Second, 14 * time.Millisecond},
		"slow":          {2 * mbit, 50 * time.Millisecond, 400 * time.Millisecond, 10 * time.Second, 20 * time.Second, 170 * time.Millisecond}, // a chunk takes 66 ms
		"far":           {50 * mbit, 200 * time.Millisecond, 400 * time.Millisecond, 15 * time.Second, 20 * time.Second, 50 * time.Millisecond},
		"fast and near": {300 * mbit, 2 * time.Millisecond, 30 * time.Millisecond, time.Second, 5 * time.Second, 9 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			path := simPath{rate: c.rate, base: c.base, window: int(c.rate * c.window.Seconds())}
			s := newSim(path, 0)
			s.pacer = nil
			s.run(c.settle)
			if longest, share := s.run(time.Second); longest < 2*c.bound || share < 0.95 {
				t.Errorf("without a pacer: a queue of %s, %.3f of the link", longest, share)
			}
			s = newSim(path, 0)
			s.run(c.settle)
			longest, share := s.run(c.watched)
			t.Logf("a queue of %s, %.3f of the link", longest, share)
			if longest > c.bound || share < 0.97 {
				t.Errorf("a queue of %s (%s allowed), %.3f of the link", longest, c.bound, share)
			}
		})
	}
}

func TestAPacerFollowsThePath(t *testing.T) {
	s := newSim(simPath{rate: 50 * mbit, base: 20 * time.Millisecond, window: 250_000}, 0)
	s.run(time.Second)
	for _, rate := range []float64{10 * mbit, 50 * mbit} {
		s.path.rate, s.ours.window = rate, rate*0.04
		s.run(4 * time.Second)
		longest, share := s.run(10 * time.Second)
		t.Logf("%.0f Mbit/s: a queue of %s, %.3f of the link", rate/mbit, longest, share)
		if longest > 26*time.Millisecond || share < 0.95 {
			t.Errorf("at %.0f Mbit/s: a queue of %s, %.3f of the link", rate/mbit, longest, share)
		}
	}
}

// A link that carries less has a longer queue, until that is known. It is not taken for others' for good.
func TestALinkThatSlowsIsNotLeftToItsQueue(t *testing.T) {
	for name, c := range map[string]struct {
		before, then float64 // Mbit/s
		base, window time.Duration
	}{
		"half":              {30, 15, 20 * time.Millisecond, 40 * time.Millisecond},
		"half of less":      {15, 8, 20 * time.Millisecond, 80 * time.Millisecond},
		"a fifth":           {100, 20, 10 * time.Millisecond, 40 * time.Millisecond},
		"a tenth":           {50, 5, 20 * time.Millisecond, 100 * time.Millisecond},
		"a tenth, far away": {100, 10, 50 * time.Millisecond, 100 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSim(simPath{rate: c.before * mbit, base: c.base, window: int(c.before * mbit * c.window.Seconds())}, 0)
			s.run(2 * time.Second)
			s.path.rate, s.ours.window = c.then*mbit, c.then*mbit*c.window.Seconds()
			s.run(20 * time.Second)
			longest, share := s.run(20 * time.Second)
			t.Logf("a queue of %s, %.3f of the link", longest, share)
			if bound := 2 * chunkTime(s.path.rate); longest > bound || share < 0.97 {
				t.Errorf("a queue of %s (%s allowed), %.3f of the link", longest, bound, share)
			}
		})
	}
}

// Beside a bulk transfer of somebody else's the pacer soon leaves the queue to that one: no limit comes to rest there, and it
// costs little throughput.
func TestBulkKeepsItsShareBesideAnother(t *testing.T) {
	const seeds = 4
	path := simPath{rate: 15 * mbit, base: 20 * time.Millisecond, queue: 40 * time.Millisecond, rival: true, others: upTo(300 * time.Microsecond)}
	share := func(s *sim) float64 { return float64(s.ours.arrived) / (path.rate * s.now.Seconds()) / seeds }
	var without, with float64 // of the link
	for seed := range uint64(seeds) {
		s := newSim(path, seed)
		s.pacer = nil
		s.run(time.Minute)
		without += share(s)
		s = newSim(path, seed)
		limited := s.limited(time.Minute)
		with += share(s)
		if t.Logf("limited for %s at a time, at most", limited); limited > 7*time.Second {
			t.Errorf("seed %d: limited for %s", seed, limited)
		}
	}
	if t.Logf("%.3f of the link, %.3f without a pacer", with, without); with < 0.78*without {
		t.Errorf("%.3f of the link, %.3f without a pacer", with, without)
	}
}

// A delay that others cause, of whatever kind, is nothing to give way to for long.
func TestOthersDelaysAreNotYieldedTo(t *testing.T) {
	const seeds = 3
	for name, c := range map[string]struct {
		base   time.Duration
		others func(*sim) time.Duration
		seeds  uint64
	}{
		"a long queue":            {20 * time.Millisecond, always(60 * time.Millisecond), 1},
		"a short one":             {20 * time.Millisecond, always(7 * time.Millisecond), 1},
		"hardly any":              {20 * time.Millisecond, always(5 * time.Millisecond), 1},
		"one on a short path":     {2 * time.Millisecond, always(7 * time.Millisecond), 1},
		"one that comes and goes": {20 * time.Millisecond, everySecond(30 * time.Millisecond), 1},
		"Wi-Fi":                   {5 * time.Millisecond, upTo(20 * time.Millisecond), seeds},
		"a mobile network":        {40 * time.Millisecond, upTo(40 * time.Millisecond), seeds},
		"a machine that is busy":  {200 * time.Microsecond, upTo(30 * time.Millisecond), seeds},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range c.seeds {
				// What the congestion control has of the link is all that there is to have.
				s := newSim(simPath{rate: 50 * mbit, base: c.base, send: 20 * mbit, others: c.others}, seed)
				_, share := s.run(time.Minute)
				t.Logf("%.3f of the link", share)
				if share < 0.85*0.4 {
					t.Errorf("seed %d: %.3f of the link, of 0.400 without a pacer", seed, share)
				}
			}
		})
	}
}

func always(d time.Duration) func(*sim) time.Duration { return func(*sim) time.Duration { return d } }

// upTo is noise.
func upTo(d time.Duration) func(*sim) time.Duration {
	return func(s *sim) time.Duration { return time.Duration(s.random.Int64N(int64(d))) }
}

// everySecond is a delay in the second half of each second.
func everySecond(d time.Duration) func(*sim) time.Duration {
	return func(s *sim) time.Duration { return s.now / (time.Second / 2) % 2 * d }
}

func TestASenderWithLittleToSendIsNotLimited(t *testing.T) {
	s := newSim(simPath{rate: 50 * mbit, base: 20 * time.Millisecond, window: 250_000}, 0)
	s.idle, s.once = 0, true
	for range 1000 {
		s.idle = 1
		s.run(10 * time.Millisecond) // 13 Mbit/s
		if s.pacer.State() != Unlimited || s.pacer.limiter.Limit() != rate.Inf {
			t.Fatalf("after %s it is in %s, with a limit of %.1f Mbit/s", s.now, s.pacer.State(), s.pacer.limiter.Limit()/mbit)
		}
	}
	if want := 1000 * perChunk * packet; s.sent != uint64(want) {
		t.Errorf("%d bytes were sent, of %d", s.sent, want)
	}
}
