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
	// else's, and so is one that does not fall below the aim for as many while the limit falls to yielded of what it was, and what
	// is sent, smoothed over them, does too: what the carrier held when the limit began comes out late. Nothing is held back then
	// for freeTime, or for freeTicks if those are longer.
	drainTries = 12
	yielded    = 0.85
	settle     = 6 // looks until it is known what the path carries
	// What the path is taken to carry falls to fallMost before the queue is short again, and never below leastRate.
	fallMost  = 1. / 3
	leastRate = 4 * ShapeChunk
	freeTime  = 5 * time.Second
	freeTicks = 64
	// The delays of a noisy path, as Wi-Fi, look like a queue of the right length. So a limit of less than dipFrom of what was sent
	// without one dips, after dipAfter looks in a row that find a queue: it is dip of what the path carries for dipLooks, of which the
	// first dipSettle don't count. A delay that stays above dipFalls of what it was is somebody else's.
	dipFrom   = 0.9
	dipAfter  = 96
	dip       = 0.65
	dipLooks  = 9
	dipSettle = 3
	dipFalls  = 0.8
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

	waited  bool          // somebody waited since the last look
	carries float64       // the path, in bytes a second; 0: not known
	least   float64       // what it is taken to carry at least
	sending float64       // what is sent under a limit, smoothed, in bytes a second
	long    int           // looks in a row that found the queue too long
	above   int           // looks in a row that found it longer than aimed at
	carried float64       // the path, when those began, as far as that was known by then
	queued  int           // looks in a row that found more than half of that
	usually time.Duration // the delay, smoothed, outside dips
	full    float64       // the path, by what was sent without a limit, until a dip showed that it is less
	dips    int           // looks of the dip that is under way; 0: none is
	dipped  time.Duration // the delays that they found, together
	short   int           // looks in a row that found hardly any queue
	idle    int           // looks in a row before which nobody had waited
	free    time.Time     // nothing is limited until then
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
		tick = max(tick, chunkTime(float64(limit)))
	}
	if passed < tick {
		return
	}
	last := b.queue
	b.queue = queue{at: now, sent: p.sent, over: passed, usual: passed <= longTicks*tick, held: b.waited,
		rate: float64(p.sent-last.sent) / passed.Seconds(), delay: p.rtt - p.minRTT}
	b.waited = false
	if passed > queueStale || p.minRTT < queuePath {
		b.reset()
		return
	}
	if !b.usual || !last.usual || now.Before(b.free) {
		return
	}
	aim := min(max(p.minRTT/8, queueMin), queueMax)
	if b.carries > 0 {
		aim = max(aim, chunkTime(b.carries))
	}
	b.count(aim)
	switch {
	case b.long > drainTries:
		b.release(tick)
	case b.limit.Limit() == rate.Inf && b.long == 0: // and no need for one
	case b.idle == idleTicks, b.short > probeMany:
		b.reset()
	case b.dips > 0, b.queued > dipAfter && b.carries < dipFrom*b.full:
		b.dip(tick)
	default:
		b.estimate(last, aim)
		if b.inVain(aim) {
			b.release(tick)
			return
		}
		share := 1 + float64(aim-b.delay)/float64(2*p.rtt) - drainMore*float64(max(0, b.long-drainFirst))
		b.limit.SetLimit(rate.Limit(max(b.carries*min(max(share, drainLeast), probeMost), leastRate)))
	}
}

// chunkTime is what a chunk takes at a rate.
func chunkTime(bytesPerSecond float64) time.Duration {
	return time.Duration(ShapeChunk / bytesPerSecond * float64(time.Second))
}

// count counts what the look found.
func (b *QueueBound) count(aim time.Duration) {
	if b.limit.Limit() == rate.Inf {
		b.sending = b.rate
	} else {
		b.sending += (b.rate - b.sending) / drainTries
	}
	if b.delay > 2*aim {
		b.long++
	} else if b.long = 0; b.limit.Limit() == rate.Inf {
		return
	}
	if b.held || b.long > 0 {
		b.idle = 0
	} else {
		b.idle++
	}
	if b.delay < aim/2 {
		b.queued = 0
	} else {
		b.queued++
	}
	if b.held && b.delay < aim/2 {
		b.short++
	} else {
		b.short = 0
	}
}

// estimate finds what the path carries, as far as the look tells.
func (b *QueueBound) estimate(last queue, aim time.Duration) {
	switch {
	case b.carries == 0:
		if b.carries = b.rate; b.delay > aim/2 && last.delay > aim/2 {
			b.carries = max(b.rate, last.rate)
		}
	case b.delay > aim/2 && last.delay > aim/2:
		// What went in and did not make the queue longer came out. A look shows the queue of a round trip ago: what was
		// sent until the look before made it so.
		came := last.rate / max(0.5, 1+float64(b.delay-last.delay)/float64(last.over))
		if last.held || came > b.carries { // it was not for want of more that so little went in
			b.carries += (came - b.carries) / 2
		}
	case b.short >= probeAfter:
		b.carries *= probe
	}
	b.carries = max(b.carries, b.least)
	b.full = max(b.full, b.carries)
	b.usually += (b.delay - b.usually) / 16
}

// inVain reports whether the sender holds back and the queue stays.
func (b *QueueBound) inVain(aim time.Duration) bool {
	settled := b.above > settle
	if b.delay <= aim || !settled {
		b.carried = b.carries
	}
	if b.delay <= aim || b.least == 0 {
		b.least = max(b.carries*fallMost, leastRate)
	}
	if b.delay <= aim {
		b.above = 0
		return false
	}
	b.above++
	return settled && b.above > drainTries && max(b.carries, b.sending) < yielded*b.carried
}

// dip writes less for some looks, to see whether that makes the queue shorter.
func (b *QueueBound) dip(tick time.Duration) {
	b.dips++
	if b.dips > dipSettle {
		b.dipped += b.delay
	}
	switch {
	case b.queued > 0 && b.dips < dipLooks:
		b.limit.SetLimit(rate.Limit(max(dip*b.carries, leastRate)))
	case b.queued > 0 && float64(b.dipped)/(dipLooks-dipSettle) > dipFalls*float64(b.usually):
		b.release(tick)
	default: // it is the session's own, and the path carries no more
		b.dips, b.dipped, b.queued, b.short, b.full = 0, 0, 0, 0, b.carries
	}
}

// release ends the limit for a while.
func (b *QueueBound) release(tick time.Duration) {
	b.reset()
	b.free = b.at.Add(max(freeTime, freeTicks*tick))
}

// reset ends the limit.
func (b *QueueBound) reset() {
	b.long, b.above, b.queued, b.dips, b.short, b.idle = 0, 0, 0, 0, 0, 0
	b.carries, b.carried, b.least, b.full, b.usually, b.dipped = 0, 0, 0, 0, 0, 0
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
