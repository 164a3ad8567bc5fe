package webtransport

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// The queue that is aimed at is an eighth of the path's round trip, within these bounds, or what a chunk takes, where that is
	// longer; twice as much is too long.
	queueMin = 4 * time.Millisecond
	queueMax = 12 * time.Millisecond

	// queuePath is the round trip of the shortest path that is limited: below, delay tells of the machines, not of a queue.
	queuePath = time.Millisecond

	// queueTick is the least time between two looks; on a longer path it is the round trip, after which what was changed shows.
	// A look after more than longTicks finds what a pause left behind, and changes nothing.
	queueTick = 20 * time.Millisecond
	longTicks = 4
	// queueStale is how long a limit is kept without a look.
	queueStale = 10 * time.Second

	// The limit is a share of what the path carries: from drainLeast, where its queue is long, to probeMost, where there is
	// none. Where there is none for probeAfter looks, the path is taken to carry probe times as much with each, and after
	// probeMany the limit ends.
	drainLeast = 0.3
	probeMost  = 1.1
	probe      = 1.1
	probeAfter = 3
	probeMany  = 10
	// After drainFirst looks at a queue that stays long it is less by drainMore with each: some was written before, and is
	// yet to come.
	drainFirst = 2
	drainMore  = 0.05
	// A queue of one's own is short again after a few round trips of less. One that is too long for drainTries looks is somebody
	// else's, and so is one that does not fall below the aim for as many while the limit falls to yielded of what it was: nothing
	// is held back then for freeTime, or for freeTicks if those are longer.
	drainTries = 12
	yielded    = 0.85
	settle     = 6 // looks until it is known what the path carries
	// What the path is taken to carry falls to fallMost before the queue is short again, and never below leastRate.
	fallMost  = 1. / 3
	leastRate = 4 * ShapeChunk
	freeTime  = 5 * time.Second
	freeTicks = 64
	// idleTicks without a wait for the limit end it: something else bounds what is sent.
	idleTicks = 10
)

// QueueBound keeps the queue short that a session's bulk builds on its path, so that what is urgent does not stand behind
// it: congestion control by loss alone (RFC 9002, section 7) fills whatever queue there is. It limits the rate of writes by
// the delay that it sees, as LEDBAT does (RFC 6817), but gives way to no other sender: where writing less makes no queue
// shorter, the queue is not the session's, and it writes as much as it may for a while.
//
// Carriers that don't know their path's least round trip are not limited.
type QueueBound struct {
	path  func() pathStats
	turn  chan struct{} // held by whoever waits for limit
	limit *rate.Limiter // of all the session's bulk, in bytes a second; Inf: none

	mu    sync.Mutex
	queue // as the last look found it

	waited  bool      // somebody waited since the last look
	carries float64   // the path, in bytes a second; 0: not known
	long    int       // looks in a row that found the queue too long
	short   int       // looks in a row that found hardly any
	above   int       // looks in a row that found it longer than aimed at
	before  float64   // what the path carried when they began, as far as that was known by then
	least   float64   // what it is taken to carry at least
	idle    int       // looks in a row before which nobody had waited
	free    time.Time // nothing is limited until then
}

// queue is what a look finds.
type queue struct {
	at    time.Time
	sent  uint64        // bytes, of the session's whole connection
	over  time.Duration // since the look before
	usual bool          // that was no pause
	held  bool          // somebody waited in that time
	rate  float64       // in that time, in bytes a second
	delay time.Duration // in the path's queues
}

// NewQueueBound makes one for what is written to a session.
func NewQueueBound(s Session) *QueueBound {
	path := func() pathStats { return pathStats{} }
	if p, ok := s.(interface{ path() pathStats }); ok {
		path = p.path
	}
	return newQueueBound(path)
}

func newQueueBound(path func() pathStats) *QueueBound {
	return &QueueBound{path: path, turn: make(chan struct{}, 1), limit: rate.NewLimiter(rate.Inf, 2*ShapeChunk)}
}

// look sees to the limit, if it is time.
func (b *QueueBound) look(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	passed := now.Sub(b.at)
	if passed < queueTick {
		return
	}
	p := b.path()
	tick := max(queueTick, p.rtt)
	if limit := b.limit.Limit(); limit != rate.Inf {
		tick = max(tick, time.Duration(ShapeChunk/float64(limit)*float64(time.Second)))
	}
	if passed < tick {
		return
	}
	before, waited, usual := b.queue, b.waited, passed <= longTicks*tick
	b.queue = queue{at: now, sent: p.sent, over: passed, usual: usual, held: waited, rate: float64(p.sent-before.sent) / passed.Seconds(), delay: p.rtt - p.minRTT}
	b.waited = false
	if passed > queueStale || p.minRTT < queuePath {
		b.reset()
		return
	}
	if !usual || !before.usual || now.Before(b.free) {
		return
	}
	aim := min(max(p.minRTT/8, queueMin), queueMax)
	if b.carries > 0 {
		aim = max(aim, time.Duration(ShapeChunk/b.carries*float64(time.Second)))
	}
	switch {
	case b.delay <= 2*aim:
		b.long = 0
	case b.long == drainTries:
		b.release(now, tick)
		return
	default:
		b.long++
	}
	switch {
	case b.limit.Limit() == rate.Inf && b.long == 0:
		return
	case waited || b.long > 0:
		b.idle = 0
	default:
		if b.idle++; b.idle == idleTicks {
			b.reset()
			return
		}
	}
	switch {
	case b.delay >= aim/2 || !waited:
		b.short = 0
	case b.short == probeMany:
		b.reset()
		return
	default:
		b.short++
	}
	switch {
	case b.delay > aim/2 && before.delay > aim/2:
		// What went in and did not make the queue longer came out. A look shows the queue of a round trip ago: what was
		// sent until the look before made it so.
		carried := before.rate / max(0.5, 1+float64(b.delay-before.delay)/float64(before.over))
		switch {
		case b.carries == 0:
			b.carries = max(b.rate, before.rate)
		case before.held || carried > b.carries: // and it was not for want of more that so little went in
			b.carries += (carried - b.carries) / 2
		}
	case b.carries == 0:
		b.carries = b.rate
	case b.short >= probeAfter:
		b.carries *= probe
	}
	b.carries = max(b.carries, b.least)
	switch {
	case b.delay <= aim:
		b.above, b.before, b.least = 0, b.carries, max(b.carries*fallMost, leastRate)
	case b.above <= settle:
		if b.before = b.carries; b.least == 0 {
			b.least = max(b.carries*fallMost, leastRate)
		}
		fallthrough
	default:
		if b.above++; b.above > drainTries && b.carries < yielded*b.before {
			b.release(now, tick)
			return
		}
	}
	share := 1 + float64(aim-b.delay)/float64(2*p.rtt) - drainMore*float64(max(0, b.long-drainFirst))
	b.limit.SetLimit(rate.Limit(max(b.carries*min(max(share, drainLeast), probeMost), leastRate)))
}

// release ends the limit for a while.
func (b *QueueBound) release(now time.Time, tick time.Duration) {
	b.reset()
	b.free = now.Add(max(freeTime, freeTicks*tick))
}

// reset ends the limit.
func (b *QueueBound) reset() {
	b.long, b.short, b.idle, b.above, b.carries, b.before, b.least = 0, 0, 0, 0, 0, 0, 0
	b.limit.SetLimit(rate.Inf)
}

// take waits until n bytes may be written.
func (b *QueueBound) take(ctx context.Context, n int) (waited time.Duration) {
	if b == nil {
		return 0
	}
	b.look(time.Now())
	if b.limit.Limit() == rate.Inf {
		return 0
	}
	// One at a time: whoever waits does so at a rate that nothing changes any more.
	begin := time.Now()
	select {
	case b.turn <- struct{}{}:
		take(ctx, b.limit, n)
		<-b.turn
	case <-ctx.Done():
	}
	if waited = time.Since(begin); waited > time.Millisecond {
		b.mu.Lock()
		b.waited = true
		b.mu.Unlock()
	}
	return waited
}
