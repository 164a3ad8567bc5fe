// Package netlab is a bad network between two network namespaces of this machine, in user space: packets go through two
// TUN devices and a link with delay, loss, a rate with a queue, reordering, a NAT, and faults that come and go while it
// runs. It needs Linux, root and iproute2, and nothing of the kernel's netem. The same seed and the same packets meet the
// same fate.
package netlab

import (
	"math"
	"math/rand/v2"
	"sync"
	"time"
)

// Conditions are one direction of a link. The zero value passes everything at once.
type Conditions struct {
	Delay time.Duration // of each packet
	Loss  float64       // of packets, at random; 0.01: one in a hundred
	Burst Burst         // loss in bursts, beside Loss
	Rate  int64         // bits a second; 0: no bound
	// Queue is what waits for the rate at most, in bytes; packets beyond are dropped (tail drop). 0: what 100 ms send.
	Queue     int
	Reorder   float64       // of packets that come late, behind others
	ReorderBy time.Duration // how late; 0: 5 ms
	NoUDP     bool          // a firewall that passes no UDP, and says nothing
	Down      bool          // nothing passes
}

// Burst is loss as on a radio link (Gilbert–Elliott): the link is good or bad, for times that are exponentially
// distributed, and loses everything while it is bad.
type Burst struct {
	Loss float64       // share of the time that the link is bad
	Mean time.Duration // of a bad time; 0: no bursts
}

// Both gives both directions the same conditions.
func Both(c Conditions) [2]Conditions { return [2]Conditions{c, c} }

// Direction of a packet.
type Direction int

// The directions of a link.
const (
	Up   Direction = iota // from the client to the server
	Down                  // from the server to the client
)

// Counts are what became of the packets of one direction.
type Counts struct {
	Passed    int   // packets
	Bytes     int64 // of those that passed, with IP headers
	Lost      int   // at random and in bursts
	Dropped   int   // the queue was full
	Blocked   int   // by NoUDP or Down
	Reordered int   // of those that passed
}

// lane is the state of one direction.
type lane struct {
	c      Conditions
	rand   *rand.Rand
	busy   time.Time // until then the rate is taken
	bad    bool
	until  time.Time // that the link is good or bad
	counts Counts
}

// Link decides over packets. It is safe for concurrent use.
type Link struct {
	mu    sync.Mutex
	lanes [2]lane
}

// NewLink makes a link; c is indexed by [Direction].
func NewLink(seed uint64, c [2]Conditions) *Link {
	l := &Link{}
	for d := range l.lanes {
		l.lanes[d].rand = rand.New(rand.NewPCG(seed, uint64(d)))
	}
	l.Set(c)
	return l
}

// Set changes the conditions, of the packets to come.
func (l *Link) Set(c [2]Conditions) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for d := range l.lanes {
		if l.lanes[d].c.Burst != c[d].Burst {
			l.lanes[d].bad, l.lanes[d].until = false, time.Time{}
		}
		l.lanes[d].c = c[d]
	}
}

// Change changes the conditions of both directions.
func (l *Link) Change(f func(*Conditions)) {
	c := l.Conditions()
	for d := range c {
		f(&c[d])
	}
	l.Set(c)
}

// Conditions are those of now.
func (l *Link) Conditions() [2]Conditions {
	l.mu.Lock()
	defer l.mu.Unlock()
	return [2]Conditions{l.lanes[Up].c, l.lanes[Down].c}
}

// Counts are those since the link was made.
func (l *Link) Counts(d Direction) Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lanes[d].counts
}

// Pass says when a packet of so many bytes comes out at the other end, if it does.
func (l *Link) Pass(now time.Time, d Direction, size int, udp bool) (at time.Time, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := &l.lanes[d]
	c := &n.c
	if c.Down || c.NoUDP && udp {
		n.counts.Blocked++
		return at, false
	}
	at = now
	if c.Rate > 0 {
		queue := c.Queue
		if queue == 0 {
			queue = int(c.Rate / 8 / 10)
		}
		if n.busy.Before(now) {
			n.busy = now
		}
		perByte := 8 * float64(time.Second) / float64(c.Rate)
		if waiting := float64(n.busy.Sub(now)) / perByte; waiting+float64(size) > float64(max(queue, size)) {
			n.counts.Dropped++
			return at, false
		}
		n.busy = n.busy.Add(time.Duration(float64(size) * perByte))
		at = n.busy
	}
	// What is lost on the way has taken its share of the rate before.
	if n.isBad(now) || c.Loss > 0 && n.rand.Float64() < c.Loss {
		n.counts.Lost++
		return at, false
	}
	at = at.Add(c.Delay)
	if c.Reorder > 0 && n.rand.Float64() < c.Reorder {
		by := c.ReorderBy
		if by == 0 {
			by = 5 * time.Millisecond
		}
		at = at.Add(by)
		n.counts.Reordered++
	}
	n.counts.Passed++
	n.counts.Bytes += int64(size)
	return at, true
}

// isBad moves the burst model to now.
func (n *lane) isBad(now time.Time) bool {
	b := n.c.Burst
	if b.Mean <= 0 || b.Loss <= 0 {
		return false
	}
	if n.until.IsZero() {
		n.until = now.Add(n.spell(false))
	}
	for !now.Before(n.until) {
		n.bad = !n.bad
		n.until = n.until.Add(n.spell(n.bad))
	}
	return n.bad
}

// spell is how long the link stays good or bad.
func (n *lane) spell(bad bool) time.Duration {
	mean := float64(n.c.Burst.Mean)
	if !bad {
		mean *= (1 - n.c.Burst.Loss) / n.c.Burst.Loss
	}
	return time.Duration(max(1, min(n.rand.ExpFloat64()*mean, math.MaxInt64/4)))
}
