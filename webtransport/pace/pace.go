// Package pace limits the rate of a session's bulk writes, so that bulk builds no long queue on the session's path and
// urgent messages are not delayed by it.
//
// Congestion control by loss (RFC 9002, section 7) fills whatever queue the path has. A [Pacer] reads the queueing delay,
// the smoothed round trip less the least one, as LEDBAT (RFC 6817) does, and limits the rate of writes to an estimate of
// the bottleneck's bandwidth, which it raises and lowers as BBR does in ProbeBW and Drain. It is no congestion control:
// the carrier below it has that, and the pacer only ever writes less. Unlike LEDBAT it gives way to no other sender:
// where writing less makes no queue shorter, the queue is somebody else's, and the pacer stops limiting for a while.
//
// A pacer samples its path once a round trip, and after each sample is in one of six states:
//
//	state      limit                         duty
//	Unlimited  none                          wait for a queue that is too long
//	Drain      0.3 to 1 of the estimate      empty a queue that is too long, and learn what comes out of it
//	Cruise     around the estimate           hold the queue at its target, in proportion to the difference
//	Probe      1.1 of the estimate at most   raise an estimate that leaves no queue, by a tenth with each sample
//	Dip        0.65 of the estimate          find whose a standing queue is: a queue of one's own gets shorter
//	Yield      none                          leave the path alone, for the queue is somebody else's
//
// The transitions, where short is a delay of less than half the target and long one of more than twice the target:
//
//	from           to               when
//	Unlimited      Drain            the queue is long
//	Drain          Cruise           the queue is no longer long
//	Cruise, Probe  Drain            the queue is long
//	Cruise         Probe            the queue was short, and writers waited, for 3 samples in a row
//	Probe          Cruise           the queue is not short, or no writer waited
//	Probe          Unlimited        the queue was short for 11 samples in a row: nothing needs a limit
//	Cruise         Unlimited        no writer waited for 10 samples in a row: something else bounds them
//	Cruise, Drain  Dip              the estimate is a tenth below its highest, and the queue was not short for 97 samples in a row,
//	                                or above the target of the highest estimate for 25
//	Dip            Cruise, Drain    the queue got shorter, so it was the session's own; Drain if it is long at the end
//	Dip            Unlimited        no writer waited for 10 samples in a row
//	Drain, Dip     Yield            the queue was long for 13 samples in a row
//	Cruise, Drain  Yield            the queue stays above its target though less is sent
//	Dip            Yield            the queue did not get shorter
//	Yield          Unlimited        5 s have passed, or the time of 64 samples if that is longer
//	Yield          Drain            the same, and the queue is long
//	all but Yield  Unlimited        there was no sample for 10 s, or the path turns out to be shorter than 1 ms
//
// docs/pacing.md has the reasons and the evidence.
//
// # Locks
//
// There is one, Pacer.mu, which guards the controller. It is held while path is called. A writer that waits for the
// limiter holds the place in Pacer.turn instead, so that writers wait one after the other.
package pace

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Chunk is how many bytes of a write are sent at once. The queue that a pacer aims at holds at least one chunk.
const Chunk = 16 << 10

// Path is what a carrier knows of its path. The zero value is an unknown path, which is not limited.
type Path struct {
	RTT, MinRTT time.Duration // smoothed and least round trip; 0: unknown
	Sent        uint64        // bytes that the whole connection has sent
}

// Pacer limits the rate of a session's bulk writes. A nil Pacer limits nothing. It is safe for concurrent use.
type Pacer struct {
	path    func() Path
	turn    chan struct{} // has a value while a writer waits for the limiter
	limiter *rate.Limiter // of all bulk writes of the session, in bytes per second

	mu     sync.Mutex // guards what follows; path is called with it held
	c      controller
	waited bool // a writer waited since the last sample
}

// New returns a pacer for a path. It reads the path by calling path, never from two goroutines at once.
func New(path func() Path) *Pacer {
	return &Pacer{path: path, turn: make(chan struct{}, 1), limiter: rate.NewLimiter(rate.Inf, 2*Chunk), c: controller{limit: rate.Inf}}
}

// State returns the state that the last sample led to.
func (p *Pacer) State() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.c.state
}

// Wait waits until n bytes may be written, or ctx ends.
func (p *Pacer) Wait(ctx context.Context, n int) (waited time.Duration) {
	if p == nil {
		return 0
	}
	p.sample(time.Now())
	if p.limiter.Limit() == rate.Inf {
		return 0
	}
	// Writers wait one at a time. A reservation keeps the rate at which it was made, so several of them would not follow
	// the limit.
	begin := time.Now()
	select {
	case p.turn <- struct{}{}:
		Wait(ctx, p.limiter, n)
		<-p.turn
	case <-ctx.Done():
	}
	if waited = time.Since(begin); waited > time.Millisecond {
		p.mu.Lock()
		p.waited = true
		p.mu.Unlock()
	}
	return waited
}

// sample reads the path and sets the limit if a sample is due.
func (p *Pacer) sample(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.c.at) < sampleEvery { // reading the path may take a system call
		return
	}
	if !p.c.sample(now, p.path(), p.waited) {
		return
	}
	p.waited = false
	if p.limiter.Limit() != p.c.limit {
		p.limiter.SetLimitAt(now, p.c.limit)
	}
}

// Wait waits until the limiter lets n bytes pass, which may be more than its burst. If ctx ends first, it returns early,
// and the caller must not write the bytes. A nil limiter lets everything pass.
func Wait(ctx context.Context, l *rate.Limiter, n int) (waited time.Duration) {
	if l == nil {
		return 0
	}
	var begin time.Time
	for n > 0 {
		part := min(n, l.Burst())
		n -= part
		r := l.ReserveN(time.Now(), part)
		d := r.Delay()
		if d == 0 {
			continue
		}
		if begin.IsZero() {
			begin = time.Now()
		}
		timer := time.NewTimer(d)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
		waited = time.Since(begin)
	}
	return waited
}
