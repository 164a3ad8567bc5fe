package mask

import (
	"testing"
	"time"
)

// path is a connection whose stats the test moves on.
type path struct {
	p   policy
	s   Stats
	now time.Time
}

func newPath() *path {
	return &path{p: policy{ceiling: 2_000_000}, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		s: Stats{MinRTT: 50 * time.Millisecond, SmoothedRTT: 51 * time.Millisecond}}
}

// run sends so many packets of so many bytes between samples, for a while, and loses every nth (0: none). It gives the last
// verdict.
func (p *path) run(d time.Duration, packets, size, every uint64) (v verdict) {
	for range d / sampleEvery {
		p.now = p.now.Add(sampleEvery)
		for range packets {
			p.s.PacketsSent++
			if every > 0 && p.s.PacketsSent%every == 0 {
				p.s.PacketsLost++
			}
		}
		p.s.BytesSent += packets * size
		v = p.p.sample(p.now, p.s)
	}
	return v
}

func (p *path) is(t *testing.T, v verdict, reason string) {
	t.Helper()
	if v.on != (reason == "") || v.reason != reason {
		t.Errorf("it is on: %v, because %q; want %q", v.on, v.reason, reason)
	}
}

func TestMaskingFollowsLoss(t *testing.T) {
	t.Parallel()
	p := newPath()
	p.is(t, p.run(time.Minute, 10, 300, 0), "no loss was seen")
	p.is(t, p.run(10*time.Second, 10, 300, 100), "")
	p.is(t, p.run(hold-time.Second, 10, 300, 0), "")
	p.is(t, p.run(2*time.Second, 10, 300, 0), "no loss was seen for a minute")
	p.is(t, p.run(time.Second, 10, 300, 20), "")
}

// Packets go out once, for losses to be seen, only when none has been seen for long.
func TestProbesComeLate(t *testing.T) {
	t.Parallel()
	p := newPath()
	if v := p.run(10*time.Second, 10, 300, 100); !v.on || v.probe {
		t.Errorf("while losses are seen: %+v", v)
	}
	if v := p.run(hold/2-2*time.Second, 10, 300, 0); !v.on || v.probe {
		t.Errorf("soon after them: %+v", v)
	}
	if v := p.run(4*time.Second, 10, 300, 0); !v.on || !v.probe {
		t.Errorf("long after them: %+v", v)
	}
}

// A full link loses packets where its queue overflows, and the round trip is long there; a competitor's sawtooth makes it
// short again in between. None of that is the path's own loss.
func TestLossesOfAFullQueueAreNone(t *testing.T) {
	t.Parallel()
	p := newPath()
	var v verdict
	for range 60 {
		p.s.SmoothedRTT = 95 * time.Millisecond
		p.run(300*time.Millisecond, 10, 300, 5)
		p.s.SmoothedRTT = 58 * time.Millisecond
		if v = p.run(1700*time.Millisecond, 10, 300, 0); v.on {
			t.Fatalf("on at a full queue: %+v", v)
		}
	}
	p.is(t, v, "no loss was seen")

	// One that comes late, when the round trip is short again, changes nothing; a path that loses packets by itself does.
	p.run(200*time.Millisecond, 10, 300, 20)
	p.is(t, p.run(200*time.Millisecond, 10, 300, 0), "packets get lost where a queue is full")
	p.is(t, p.run(20*time.Second, 10, 300, 50), "")
	// Also where the clock is noisy, and the round trip samples long every other time.
	for range 50 {
		p.s.SmoothedRTT = 66 * time.Millisecond
		p.run(300*time.Millisecond, 10, 300, 50)
		p.s.SmoothedRTT = 52 * time.Millisecond
		v = p.run(500*time.Millisecond, 10, 300, 50)
	}
	p.is(t, v, "")
}

func TestAThickFlowIsNotMasked(t *testing.T) {
	t.Parallel()
	p := newPath()
	p.is(t, p.run(5*time.Second, 40, 1000, 100), "the connection sends too much") // 3.2 Mbit/s
	p.is(t, p.run(5*time.Second, 20, 1000, 100), "")                              // 1.6
	p.is(t, p.run(5*time.Second, 45, 1000, 100), "")                              // 3.6: it catches up
	p.is(t, p.run(5*time.Second, 60, 1000, 100), "the connection sends too much") // 4.8
	p.is(t, p.run(5*time.Second, 40, 1000, 100), "the connection sends too much") // over the ceiling it does not begin again
}

func TestAThinFlowHasTwoCopies(t *testing.T) {
	t.Parallel()
	p := newPath()
	if v := p.run(5*time.Second, 2, 300, 100); !v.on || v.copies != 2 { // 48 kbit/s
		t.Errorf("a thin one: %+v", v)
	}
	if v := p.run(5*time.Second, 20, 300, 1000); !v.on || v.copies != 1 { // 480
		t.Errorf("one that sends ten times as much: %+v", v)
	}
}

func TestAQueueEndsMasking(t *testing.T) {
	t.Parallel()
	p := newPath()
	p.is(t, p.run(5*time.Second, 10, 300, 100), "")
	p.s.SmoothedRTT = 80 * time.Millisecond
	p.is(t, p.run(sampleEvery, 10, 300, 100), "a queue is building up")
	p.s.SmoothedRTT = 55 * time.Millisecond
	p.is(t, p.run(sampleEvery, 10, 300, 100), "")
	p.s.MinRTT, p.s.SmoothedRTT = 300*time.Microsecond, 5*time.Millisecond // a busy machine is no queue
	p.is(t, p.run(sampleEvery, 10, 300, 100), "")
}

func TestLossesThatArrivedAfterAllAreNone(t *testing.T) {
	t.Parallel()
	p := newPath()
	p.run(time.Second, 10, 300, 0)
	p.s.PacketsLost++
	p.is(t, p.run(sampleEvery, 10, 300, 0), "")
	p.s.PacketsLost--
	p.is(t, p.run(hold+time.Second, 10, 300, 0), "no loss was seen for a minute")
}

func TestTheSpacingFitsThePathAndItsBursts(t *testing.T) {
	t.Parallel()
	p := newPath()
	if v := p.run(30*time.Second, 100, 100, 1600); v.spacing != 50*time.Millisecond/16 {
		t.Errorf("at random loss it is %s", v.spacing)
	}
	v := p.run(30*time.Second, 100, 100, 300) // of 5 %, one copy leaves as much
	if v.copies != 2 || v.spacing != 50*time.Millisecond/16 {
		t.Errorf("at much random loss there are %d copies after %s", v.copies, v.spacing)
	}
	v = p.run(30*time.Second, 100, 100, 100) // 1 %, although masked
	if v.copies != 2 || v.spacing != 25*time.Millisecond {
		t.Errorf("in bursts it is %s", v.spacing)
	}
	for range 10 {
		v = p.run(30*time.Second, 100, 100, 0)
		p.run(sampleEvery, 100, 100, 50) // else it would end
	}
	if v.copies != 2 || v.spacing >= 25*time.Millisecond/2 {
		t.Errorf("when they are over there are %d copies after %s", v.copies, v.spacing)
	}
	for rtt, want := range map[time.Duration]time.Duration{time.Millisecond: leastSpacing, 500 * time.Millisecond: 4 * time.Millisecond} {
		q := newPath()
		q.s.MinRTT, q.s.SmoothedRTT = rtt, rtt
		if v := q.run(10*time.Second, 100, 100, 1600); v.spacing != want {
			t.Errorf("at %s it is %s", rtt, v.spacing)
		}
	}
}
