package pace

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"
)

// limited is a pacer whose limit stays as it is.
func limited(chunksPerSecond float64) *Pacer {
	p := New(func() Path { panic("nobody asks") })
	p.limiter.SetLimit(rate.Limit(chunksPerSecond * Chunk))
	p.c.at = time.Now().Add(24 * time.Hour) // of the last sample
	return p
}

func TestWritersTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, begin := limited(16), time.Now()
		waits := make(chan time.Duration, 10)
		var all sync.WaitGroup
		for range cap(waits) {
			all.Go(func() {
				waited := p.Wait(t.Context(), Chunk)
				if since := time.Since(begin); waited != since {
					t.Errorf("a writer waited %s, and says %s", since, waited)
				}
				waits <- waited
			})
		}
		all.Wait()
		for i := range cap(waits) { // the first two are the burst
			if got, want := <-waits, time.Duration(max(0, i-1))*time.Second/16; got.Round(time.Microsecond) != want {
				t.Errorf("writer %d waited %s, want %s", i, got, want)
			}
		}
		if !p.waited {
			t.Error("no wait was counted")
		}
	})
}

// Those who wait have reserved nothing, so that a limit that rises lets them go.
func TestWritersFollowALimitThatRises(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, begin := limited(1), time.Now()
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() { p.Wait(t.Context(), Chunk) })
		}
		time.Sleep(500 * time.Millisecond)
		p.limiter.SetLimit(rate.Limit(1000 * Chunk))
		all.Wait()
		if took := time.Since(begin); took > 1200*time.Millisecond {
			t.Errorf("100 writers took %s", took)
		}
	})
}

func TestAWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := limited(1. / 60)
		p.Wait(t.Context(), 2*Chunk) // the burst
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var all sync.WaitGroup
		for range 3 { // one for the limiter, two for their turn
			all.Go(func() {
				if waited := p.Wait(ctx, Chunk); waited != time.Second {
					t.Errorf("it waited %s", waited)
				}
			})
		}
		all.Wait()
		begin := time.Now()
		p.Wait(t.Context(), Chunk)
		if took := time.Since(begin); took < time.Minute || took > 2*time.Minute {
			t.Errorf("after them it took %s", took)
		}
	})
}

// Samples are taken by whoever writes. Here the path's queue is somebody else's.
func TestWritersSampleThePathTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		samples := 0 // the race detector sees two at once
		p := New(func() Path {
			samples++
			return Path{RTT: 60 * time.Millisecond, MinRTT: 20 * time.Millisecond, Sent: uint64(samples) * 100_000}
		})
		var mu sync.Mutex
		seen, waits := map[State]bool{}, time.Duration(0)
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				for end := time.Now().Add(3 * time.Second); time.Now().Before(end); {
					waited, state := p.Wait(t.Context(), Chunk), p.State()
					mu.Lock()
					seen[state] = true
					waits += waited
					mu.Unlock()
					time.Sleep(10 * time.Millisecond)
				}
			})
		}
		all.Wait()
		if !seen[Unlimited] || !seen[Drain] || !seen[Yield] || waits == 0 {
			t.Errorf("%d samples, states %v, waits of %s", samples, seen, waits)
		}
	})
}

func TestAPathThatIsNotKnownIsNotLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var none *Pacer
		for name, p := range map[string]*Pacer{"no pacer": none, "no least round trip": New(func() Path { return Path{RTT: time.Second} })} {
			for range 1000 {
				if waited := p.Wait(t.Context(), Chunk); waited > 0 {
					t.Fatalf("%s: it waited %s", name, waited)
				}
				time.Sleep(time.Millisecond)
			}
		}
	})
}

// A limiter that is not the pacer's moves more than its burst in parts.
func TestAWaitMayBeForMoreThanTheBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := rate.NewLimiter(1000, 100)
		if waited := Wait(t.Context(), l, 1100); waited != time.Second {
			t.Errorf("1100 bytes at 1000 a second, with a burst of 100, took %s", waited)
		}
		if waited := Wait(t.Context(), nil, 1<<30); waited != 0 {
			t.Errorf("without a limiter it waited %s", waited)
		}
	})
}
