package pace

import (
	"time"

	"golang.org/x/time/rate"
)

// When samples are taken.
const (
	// sampleEvery is the least time between two samples. On a longer path it is the round trip, which is how long a
	// change of the rate takes to show.
	sampleEvery = 20 * time.Millisecond
	// A sample later than pauseIntervals intervals after the previous one shows the effect of a pause. It and the next
	// one change nothing.
	pauseIntervals = 4
	// After staleAfter without a sample, what was known of the path is forgotten.
	staleAfter = 10 * time.Second
	// shortestPath is the least round trip of a path that is limited. On a shorter one, the delay shows the load of the
	// machines and not a queue.
	shortestPath = time.Millisecond
)

// The target delay is an eighth of the least round trip within these bounds, or the time that a chunk takes if that is longer.
const (
	targetMin = 4 * time.Millisecond
	targetMax = 12 * time.Millisecond
)

// The limit in Cruise, Drain and Probe, as shares of the estimate, and the bounds of the estimate.
const (
	shareLeast = 0.3 // where the queue is long: some of a limit is needed to see the delay at all
	shareMost  = 1.1 // where there is no queue
	// The estimate falls to fallMost of what it was before the queue is short again, and never below rateLeast, in bytes a
	// second: noise looks like an ever slower path.
	fallMost  = 1. / 3
	rateLeast = 4 * Chunk
)

// Probe.
const (
	probeAfter = 3   // samples in a row with a short queue; one or two are noise
	probeGain  = 1.1 // of the estimate, with each sample
	probeTries = 10  // samples in a row with a short queue, after which the limit is useless
)

// Drain.
const (
	// After drainPatience samples with a long queue, the limit decreases by drainMore of the estimate with each sample.
	// The first samples still show what was written before there was a limit.
	drainPatience = 2
	drainMore     = 0.05
	// A queue of one's own is short again after a few round trips. One that stays long for more samples than drainTries is
	// somebody else's.
	drainTries = 12
)

// Unlimited, from Cruise: after idleTries samples in a row before which no writer waited, something else bounds the writers.
const idleTries = 10

// Yield. A queue that stays above its target for more samples than drainTries is somebody else's only if the estimate and the
// sending rate have both fallen below vainShare of what the estimate was after settleSamples, when it was first known well: what
// the carrier held when the limit began comes out late.
const (
	settleSamples = 6
	vainShare     = 0.85
	// The pacer yields for yieldTime, or for yieldIntervals if those are longer.
	yieldTime      = 5 * time.Second
	yieldIntervals = 64
)

// Dip. The delays of a noisy path, such as Wi-Fi, look like a queue at its target, and a limit comes to rest below what
// the path carries. Likewise others' queue becomes the target of an estimate that falls, since a chunk then takes as long: a
// queue of 40 ms at 3.3 Mbit/s.
const (
	dipAfter    = 96   // samples in a row without a short queue,
	dipAbove    = 24   // or above the target that the highest estimate has
	dipFrom     = 0.9  // of the highest estimate: a limit above that costs little, and does not dip
	dipShare    = 0.65 // of the estimate is the limit
	dipSamples  = 9    // is the length of a dip
	dipSettle   = 3    // of which the first don't count, as they show the delay before it
	dipFalls    = 0.8  // of the usual delay: if the mean stays above that, the queue is somebody else's
	usualWeight = 16   // samples over which the usual delay is smoothed
)

// controller computes the limit from samples of the path. It reads no clock and takes no lock.
type controller struct {
	state State
	limit rate.Limit // bytes a second; Inf: none
	until time.Time  // end of Yield

	sampled // as of the last sample
	streaks
	estimate
	dip
}

// sampled is what a sample measured.
type sampled struct {
	at      time.Time
	sent    uint64        // bytes, as Path has them
	over    time.Duration // since the sample before
	timely  bool          // there was no pause before it
	limited bool          // a writer waited in that time, so that the limit is what bounded the rate
	rate    float64       // in that time, in bytes a second
	rtt     time.Duration
	delay   time.Duration // in the path's queues
}

// streaks count samples in a row, while there is a limit.
type streaks struct {
	long   int // the queue was too long
	above  int // it was longer than the target
	queued int // it was not short
	grown  int // it was longer than the target that the highest estimate has
	short  int // it was short, and a writer waited
	idle   int // no writer waited, and the queue was not too long
}

// estimate is what is known of the path while there is a limit. Rates are in bytes a second; 0: not known.
type estimate struct {
	carries float64       // what the path can carry
	least   float64       // what it can carry at least
	highest float64       // the highest value of carries, until a dip showed that it is less
	settled float64       // the value of carries when the queue was last at its target or had settled
	sending float64       // what is sent, smoothed over drainTries samples
	usually time.Duration // the delay, smoothed, outside dips
}

// dip is what a dip found so far.
type dip struct {
	samples int
	delays  time.Duration // the sum of those that count
}

// sample takes a sample of the path and returns true, unless it is too early for one. waited reports whether a writer has
// waited since the last sample.
func (c *controller) sample(now time.Time, p Path, waited bool) (taken bool) {
	passed, interval := now.Sub(c.at), c.interval(p)
	if passed < interval {
		return false
	}
	last := c.sampled
	c.sampled = sampled{at: now, sent: p.Sent, over: passed, timely: passed <= pauseIntervals*interval, limited: waited,
		rate: float64(p.Sent-last.sent) / passed.Seconds(), rtt: p.RTT, delay: p.RTT - p.MinRTT}
	if c.state == Yield {
		if now.Before(c.until) {
			return true
		}
		c.state = Unlimited
	}
	switch {
	case passed > staleAfter || p.MinRTT < shortestPath:
		c.unlimit(Unlimited)
	case c.timely && last.timely:
		c.step(last, p, interval)
	}
	return true
}

// interval returns the least time from the last sample to the next.
func (c *controller) interval(p Path) time.Duration {
	interval := max(sampleEvery, p.RTT)
	if c.limit != rate.Inf {
		interval = max(interval, chunkTime(float64(c.limit)))
	}
	return interval
}

// target returns the delay that the limit aims at for a path that can carry a rate; 0: the rate is unknown.
func target(p Path, rate float64) time.Duration {
	target := min(max(p.MinRTT/8, targetMin), targetMax)
	if rate > 0 {
		target = max(target, chunkTime(rate))
	}
	return target
}

// chunkTime returns the time that a chunk takes at a rate.
func chunkTime(bytesPerSecond float64) time.Duration {
	return time.Duration(Chunk / bytesPerSecond * float64(time.Second))
}

// step enters the state that follows from the sample and performs the duty of that state.
func (c *controller) step(last sampled, p Path, interval time.Duration) {
	target, least := target(p, c.carries), target(p, c.highest)
	c.count(target, least)
	before := c.state
	c.state = c.next()
	switch {
	case c.state == Unlimited:
		c.unlimit(Unlimited)
	case c.state == Dip:
		c.limit = atLeast(dipShare * c.carries)
	case c.state != Yield && before != Dip: // the last delay of a dip results from the rate of the dip and says nothing of the estimate
		c.measure(last, target)
		if c.inVain(target) {
			c.state = Yield
		} else {
			c.limit = atLeast(c.carries * c.share(target))
		}
	}
	if c.state == Yield {
		c.unlimit(Yield)
		c.until = c.at.Add(max(yieldTime, yieldIntervals*interval))
	}
}

// next returns the state that follows from the delays of the sample.
func (c *controller) next() State {
	switch {
	case c.long > drainTries:
		return Yield
	case c.state == Unlimited && c.long == 0, c.idle == idleTries, c.short > probeTries:
		return Unlimited
	case c.state == Dip, (c.queued > dipAfter || c.grown > dipAbove) && c.carries < dipFrom*c.highest:
		return c.dips()
	}
	return c.regulated()
}

// regulated returns the state of a limit that follows the delay.
func (c *controller) regulated() State {
	switch {
	case c.long > 0:
		return Drain
	case c.short >= probeAfter:
		return Probe
	}
	return Cruise
}

// dips starts a dip, continues it, or ends it.
func (c *controller) dips() State {
	c.dip.samples++
	if c.dip.samples > dipSettle {
		c.delays += c.delay
	}
	switch {
	case c.queued > 0 && c.dip.samples < dipSamples:
		return Dip
	case c.queued > 0 && float64(c.delays)/(dipSamples-dipSettle) > dipFalls*float64(c.usually):
		return Yield
	}
	// The queue is the session's own, and the path carries no more.
	c.dip, c.queued, c.grown, c.short, c.highest = dip{}, 0, 0, 0, c.carries
	return c.regulated()
}

// count updates the streaks. least is the target for the highest estimate.
func (c *controller) count(target, least time.Duration) {
	if c.state == Unlimited {
		c.sending = c.rate
	} else {
		c.sending += (c.rate - c.sending) / drainTries
	}
	long, short := c.delay > 2*target, c.delay < target/2
	if c.long = next(c.long, long); c.state == Unlimited && !long {
		return
	}
	c.idle = next(c.idle, !c.limited && !long)
	c.queued = next(c.queued, !short)
	c.grown = next(c.grown, c.delay > least)
	c.short = next(c.short, c.limited && short)
}

// next returns the length of a streak after one more sample.
func next(streak int, goesOn bool) int {
	if goesOn {
		return streak + 1
	}
	return 0
}

// measure updates what the path can carry, as far as the sample shows it.
func (c *controller) measure(last sampled, target time.Duration) {
	queue := c.delay > target/2 && last.delay > target/2
	switch {
	case c.carries == 0 && queue:
		c.carries = max(c.rate, last.rate)
	case c.carries == 0:
		c.carries = c.rate
	case queue:
		c.follow(last)
	case c.state == Probe:
		c.carries *= probeGain
	}
	c.carries = max(c.carries, c.least)
	c.highest = max(c.highest, c.carries)
	c.usually += (c.delay - c.usually) / usualWeight
}

// follow moves the estimate towards what left the queue, which is what was sent and did not make it longer. A sample
// shows the queue of a round trip ago, so this is what was sent until the previous sample. If no writer had to wait,
// little was sent because there was little to send, and the estimate only rises.
func (c *controller) follow(last sampled) {
	out := last.rate / max(0.5, 1+float64(c.delay-last.delay)/float64(last.over))
	if last.limited || out > c.carries {
		c.carries += (out - c.carries) / 2
	}
}

// inVain reports whether the queue stays although the sender holds back.
func (c *controller) inVain(target time.Duration) bool {
	settled := c.above > settleSamples
	atTarget := c.delay <= target
	if atTarget || !settled {
		c.settled = c.carries
	}
	if atTarget || c.least == 0 {
		c.least = max(c.carries*fallMost, rateLeast)
	}
	c.above = next(c.above, !atTarget)
	return settled && c.above > drainTries && max(c.carries, c.sending) < vainShare*c.settled
}

// share returns the share of the estimate that may be sent: more if the delay is below the target, less if it is above.
func (c *controller) share(target time.Duration) float64 {
	share := 1 + float64(target-c.delay)/float64(2*c.rtt) - drainMore*float64(max(0, c.long-drainPatience))
	return min(max(share, shareLeast), shareMost)
}

func atLeast(bytesPerSecond float64) rate.Limit { return rate.Limit(max(bytesPerSecond, rateLeast)) }

// unlimit removes the limit and forgets what it was computed from.
func (c *controller) unlimit(s State) {
	c.state, c.limit = s, rate.Inf
	c.streaks, c.estimate, c.dip = streaks{}, estimate{}, dip{}
}
