package webtransport

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"skein.dev/skein/e2e/kit"
)

// simPath is a link with a queue, in a bubble's time: a sender with so much in flight at most, as congestion control by
// loss ends up with.
type simPath struct {
	mu       sync.Mutex
	rate     float64              // bytes a second
	base     time.Duration        // least round trip
	foreign  func() time.Duration // what others add to it; nil: nothing
	pace     float64              // bytes a second that the sender sends at most
	next     time.Time            // when it may send again
	window   int                  // bytes in flight, at most
	room     sync.Cond
	inFlight int
	free     time.Time // when what is queued is gone
	rtt      time.Duration
	sent     uint64
	worst    time.Duration // queue since the last time it was asked for
}

func newSimPath(rate float64, base time.Duration, window int) *simPath {
	p := &simPath{rate: rate, base: base, window: window, free: time.Now(), pace: 2 * rate} // two packets for each that arrives
	p.room.L = &p.mu
	return p
}

func (p *simPath) stats() pathStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return pathStats{rtt: p.rtt, minRTT: p.base, sent: p.sent}
}

// write puts a packet after the other into the link.
func (p *simPath) write(n int) {
	const packet = 1310 // 13 of them a chunk, and 4 % on top
	p.mu.Lock()
	defer p.mu.Unlock()
	for ; n > 0; n -= packet {
		for p.inFlight >= p.window {
			p.room.Wait()
		}
		p.next = p.next.Add(time.Duration(packet / p.pace * float64(time.Second)))
		if late := time.Now().Add(-time.Millisecond); p.next.Before(late) {
			p.next = late
		}
		if wait := time.Until(p.next); wait > 0 {
			p.mu.Unlock()
			time.Sleep(wait)
			p.mu.Lock()
		}
		now := time.Now()
		if p.free.Before(now) {
			p.free = now
		}
		p.free = p.free.Add(time.Duration(packet / p.rate * float64(time.Second)))
		queue := p.free.Sub(now)
		p.worst = max(p.worst, queue)
		p.inFlight += packet
		p.sent += packet
		rtt := queue + p.base
		if p.foreign != nil {
			rtt += p.foreign()
		}
		time.AfterFunc(rtt, func() {
			p.mu.Lock()
			p.inFlight -= packet
			if p.rtt == 0 {
				p.rtt = rtt
			}
			p.rtt += (rtt - p.rtt) / 8
			p.mu.Unlock()
			p.room.Broadcast()
		})
	}
}

// over gives the longest queue and what went through, as a share of what the link carries, in some time.
func (p *simPath) over(d time.Duration) (worst time.Duration, share float64) {
	p.mu.Lock()
	p.worst = 0
	sent := p.sent
	p.mu.Unlock()
	time.Sleep(d)
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.worst, float64(p.sent-sent) / (p.rate * d.Seconds())
}

func (p *simPath) change(f func()) {
	p.mu.Lock()
	f()
	p.mu.Unlock()
}

// bulk has writers that write as much as they may, through a bound or none.
func bulk(t *testing.T, p *simPath, b *QueueBound) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	gate := NewGate(8)
	for range 16 {
		all.Go(func() {
			for ctx.Err() == nil {
				b.take(ctx, ShapeChunk)
				gate <- struct{}{}
				p.write(ShapeChunk)
				<-gate
			}
		})
	}
	t.Cleanup(func() {
		cancel()
		p.change(func() { p.window = 1 << 40 })
		p.room.Broadcast()
		all.Wait()
		time.Sleep(time.Hour) // what is under way arrives
	})
}

const mbit = 1e6 / 8

func TestABulksOwnQueueStaysShort(t *testing.T) {
	for name, c := range map[string]struct {
		rate   float64
		base   time.Duration
		window time.Duration // of the link's rate
		settle time.Duration
		bound  time.Duration
	}{
		"home":          {50 * mbit, 20 * time.Millisecond, 40 * time.Millisecond, time.Second, 12 * time.Millisecond},
		"bloated":       {20 * mbit, 30 * time.Millisecond, time.Second, 15 * time.Second, 20 * time.Millisecond},
		"slow":          {2 * mbit, 50 * time.Millisecond, 400 * time.Millisecond, 10 * time.Second, 150 * time.Millisecond}, // a chunk takes 66 ms
		"far":           {50 * mbit, 200 * time.Millisecond, 400 * time.Millisecond, 15 * time.Second, 60 * time.Millisecond},
		"fast and near": {300 * mbit, 2 * time.Millisecond, 30 * time.Millisecond, time.Second, 12 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newSimPath(c.rate, c.base, int(c.rate*c.window.Seconds()))
				var none *QueueBound
				bulk(t, p, none)
				time.Sleep(c.settle)
				if worst, share := p.over(5 * time.Second); worst <= c.bound || share < 0.9 {
					t.Errorf("without the bound: a queue of %s, %.2f of the link", worst, share)
				}
			})
			synctest.Test(t, func(t *testing.T) {
				p := newSimPath(c.rate, c.base, int(c.rate*c.window.Seconds()))
				bulk(t, p, newQueueBound(p.stats))
				time.Sleep(c.settle)
				worst, share := p.over(kit.Less(20*time.Second, 8*time.Second))
				t.Logf("a queue of %s, %.3f of the link", worst, share)
				if worst > c.bound || share < 0.93 {
					t.Errorf("a queue of %s (%s allowed), %.2f of the link", worst, c.bound, share)
				}
			})
		})
	}
}

func TestAQueueBoundFollowsThePath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newSimPath(50*mbit, 20*time.Millisecond, 250_000)
		bulk(t, p, newQueueBound(p.stats))
		time.Sleep(time.Second)
		for _, rate := range []float64{10 * mbit, 50 * mbit} {
			p.change(func() { p.rate, p.window, p.pace = rate, int(rate*0.04), 2*rate })
			time.Sleep(4 * time.Second)
			worst, share := p.over(10 * time.Second)
			t.Logf("%.0f Mbit/s: a queue of %s, %.3f of the link", rate/mbit, worst, share)
			if worst > 30*time.Millisecond || share < 0.9 {
				t.Errorf("at %.0f Mbit/s: a queue of %s, %.2f of the link", rate/mbit, worst, share)
			}
		}
	})
}

// A delay that others cause, of whatever kind, is nothing to give way to for long.
func TestOthersDelaysAreNotYieldedTo(t *testing.T) {
	for name, c := range map[string]struct {
		base   time.Duration
		others func() time.Duration
	}{
		"a long queue":           {20 * time.Millisecond, func() time.Duration { return 60 * time.Millisecond }},
		"a short one":            {20 * time.Millisecond, func() time.Duration { return 7 * time.Millisecond }},
		"hardly any":             {20 * time.Millisecond, func() time.Duration { return 5 * time.Millisecond }},
		"one on a short path":    {2 * time.Millisecond, func() time.Duration { return 7 * time.Millisecond }},
		"Wi-Fi":                  {5 * time.Millisecond, func() time.Duration { return rand.N(20 * time.Millisecond) }},
		"a mobile network":       {40 * time.Millisecond, func() time.Duration { return rand.N(40 * time.Millisecond) }},
		"a machine that is busy": {200 * time.Microsecond, func() time.Duration { return rand.N(30 * time.Millisecond) }},
		"one that comes and goes": {20 * time.Millisecond, func() time.Duration {
			return time.Duration(time.Now().UnixMilli()/500%2) * 30 * time.Millisecond
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newSimPath(50*mbit, c.base, 1<<40)
				p.foreign = c.others
				p.pace = 20 * mbit // its share: the congestion control's
				bulk(t, p, newQueueBound(p.stats))
				time.Sleep(time.Second)
				_, share := p.over(kit.Less(60*time.Second, 20*time.Second))
				t.Logf("%.3f of the link", share)
				if share < 0.85*20/50 {
					t.Errorf("%.2f of the link, of 0.40 that it has without a bound", share)
				}
			})
		})
	}
}

// A limit that has been low for long dips; whether the delay falls then tells whose the queue is.
func TestADipTellsWhoseTheQueueIs(t *testing.T) {
	for name, c := range map[string]struct {
		delay time.Duration // in the dip
		ends  bool
	}{
		"as long as before": {9 * time.Millisecond, true},
		"hardly shorter":    {8 * time.Millisecond, true},
		"shorter":           {6 * time.Millisecond, false},
		"hardly any":        {time.Millisecond, false},
	} {
		t.Run(name, func(t *testing.T) {
			now, p := time.Now(), pathStats{minRTT: 20 * time.Millisecond, rtt: 29 * time.Millisecond}
			b := newQueueBound(func() pathStats { return p })
			look := func() {
				p.sent += 50_000
				b.waited = true
				now = now.Add(30 * time.Millisecond)
				b.look(now)
			}
			look()
			look()
			b.carries, b.full, b.usually, b.queued = 15*mbit, 20*mbit, 9*time.Millisecond, dipAfter
			b.limit.SetLimit(15 * mbit)
			look()
			if got := b.limit.Limit(); got != dip*15*mbit {
				t.Fatalf("a limit of %.1f Mbit/s in the dip", float64(got)/mbit)
			}
			p.rtt = p.minRTT + c.delay
			for i := 0; b.dips > 0 && i < dipLooks; i++ {
				look()
			}
			if ended := b.limit.Limit() == rate.Inf; ended != c.ends || b.dips > 0 || ended != b.free.After(now) || !ended && b.full != b.carries {
				t.Errorf("the limit ended: %v; %d looks, %v of %v", ended, b.dips, b.carries, b.full)
			}
		})
	}
}

// What a carrier holds when a limit begins comes out late: for that long the queue stays, and is the session's own. These looks
// are a start over WebSocket in a lab on a busy machine: 30 Mbit/s, 21 ms.
func TestAQueueOfWhatWasWrittenBeforeIsNotOthers(t *testing.T) {
	now, p := time.Now(), pathStats{minRTT: 20705 * time.Microsecond}
	b := newQueueBound(func() pathStats { return p })
	for i, at := range []struct {
		over  time.Duration // ms
		rate  float64       // Mbit/s
		delay float64       // ms
	}{
		{30, 10, 1.4}, {30, 20, 1.4}, {27, 35.97, 1.2}, {44, 54.91, 13.4}, {55, 29.6, 19.6}, {102, 32.25, 13.1}, {55, 29.42, 9.9}, {26, 29.75, 5.7},
		{53, 29.81, 6.9}, {50, 31.42, 8.3}, {56, 28.28, 14.4}, {52, 30.06, 12}, {53, 29.55, 13.2}, {55, 29.31, 16.2}, {36, 29.39, 14.5},
		{41, 29.74, 15.5}, {38, 20.24, 16}, {33, 16.16, 5.7}, {29, 27.27, 4.8}, {30, 26.37, 3.2},
	} {
		at.over *= time.Millisecond
		now, b.waited = now.Add(at.over), i > 4
		p.sent += uint64(at.rate * mbit * at.over.Seconds())
		p.rtt = p.minRTT + time.Duration(at.delay*float64(time.Millisecond))
		b.look(now)
		if b.free.After(now) {
			t.Fatalf("look %d took the queue for others'", i)
		}
	}
	if limit := float64(b.limit.Limit()) / mbit; limit < 20 || limit > 33 {
		t.Errorf("in the end the limit is %.1f Mbit/s", limit)
	}
}

func TestASenderWithLittleToSendIsNotLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newSimPath(50*mbit, 20*time.Millisecond, 250_000)
		b := newQueueBound(p.stats)
		for range 500 {
			if waited := b.take(t.Context(), ShapeChunk); waited > 0 {
				t.Fatalf("it waited %s", waited)
			}
			p.write(ShapeChunk)
			time.Sleep(10 * time.Millisecond) // 13 Mbit/s
		}
		time.Sleep(time.Hour)
	})
}

func TestAPathThatIsNotKnownIsNotLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newQueueBound(func() pathStats { return pathStats{rtt: time.Second} })
		for range 1000 {
			if waited := b.take(t.Context(), ShapeChunk); waited > 0 {
				t.Fatalf("it waited %s", waited)
			}
			time.Sleep(time.Millisecond)
		}
	})
}
