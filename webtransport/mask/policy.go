package mask

import (
	"math"
	"time"
)

// Stats are what a QUIC connection knows of its path, as quic-go counts them.
type Stats struct {
	PacketsSent, PacketsLost, BytesSent uint64
	MinRTT, SmoothedRTT                 time.Duration
}

const (
	// sampleEvery is how often the stats of a connection are sampled.
	sampleEvery = 100 * time.Millisecond
	// hold is how long masking stays on after the last visible loss.
	hold = time.Minute
	// When masking has been on for half of hold without a visible loss, every probe-th packet is sent only once. A loss
	// of a repeated packet is no longer visible; a loss of a probe shows that the path still loses packets. Each such
	// loss halves the sender's window, so there are only as many probes as needed.
	probe = 64

	leastSpacing, mostSpacing = time.Millisecond, 25 * time.Millisecond

	// The losses that remain in spite of masking are counted for the time of window. If their share is above secondCopy,
	// which is what one copy leaves at 4 % of random loss, a second copy is sent, because each loss halves the sender's
	// window. If their share is above wider even with two copies, losses come in bursts, and the copies are sent further
	// apart.
	//
	// A loss while the round trip is long, or within crowdedFor after that, is from a queue that overflowed. Sending more
	// packets would not help there. Other losses are the path's own. Both are counted with a weight that decreases with
	// their age. Masking requires that at least crowdedShare of them are the path's own: with a noisy clock, some of the
	// path's own look like those of a queue, and now and then a loss from a queue comes when the round trip is short
	// again.
	crowdedFor   = 200 * time.Millisecond
	memory       = 20 * time.Second
	crowdedShare = 0.25

	//
	// A flow that sends no more than a share of thin of the ceiling, such as a person who types in a terminal, gets the second copy
	// in any case. It costs next to nothing there, and whoever types sees each loss that is left.
	window     = 2 * time.Second
	secondCopy = 0.002
	wider      = 0.004
	thin       = 1. / 16
)

// policy decides whether one connection is masked. It is not safe for concurrent use.
type policy struct {
	ceiling float64 // bits a second

	last     Stats
	at       time.Time
	rate     float64   // bits a second, smoothed over a second
	lastLoss time.Time // time of the latest loss of the path's own; zero: there was none
	lastLong time.Time // when the round trip was last long
	own      float64   // weight of the losses of the path's own
	crowded  float64   // weight of the losses from a queue
	on       bool

	copies int           // of each packet
	quiet  int           // windows in a row without a remaining loss
	wide   time.Duration // the spacing that bursts need; 0: the path's own
	left   struct {      // losses that remain, in the current window
		begin      time.Time
		sent, lost int64
		masked     bool // throughout the window
	}
}

// verdict is what a policy decides.
type verdict struct {
	on      bool
	copies  int           // 1 or 2
	spacing time.Duration // before each copy
	probe   bool          // some packets are sent once
	reason  string        // why masking is off, for people; empty if it is on
}

// sample takes the current stats.
func (p *policy) sample(now time.Time, s Stats) verdict {
	first := p.at.IsZero()
	dt := now.Sub(p.at)
	sent := int64(s.PacketsSent - p.last.PacketsSent)
	lost := int64(s.PacketsLost) - int64(p.last.PacketsLost) // negative if some packets arrived after all
	bits := 8 * float64(s.BytesSent-p.last.BytesSent)
	p.last, p.at = s, now
	if first || dt <= 0 {
		p.left.begin, p.copies = now, 1
		return verdict{reason: "no loss was seen"}
	}
	if p.rate == 0 {
		p.rate = bits / dt.Seconds()
	}
	p.rate += (bits/dt.Seconds() - p.rate) * min(1, dt.Seconds())
	p.sort(now, dt, s, lost)
	reason := p.against(now, s)
	p.adapt(now, s, sent, lost)
	p.on = reason == ""
	copies := p.copies
	if p.rate <= thin*p.ceiling {
		copies = 2
	}
	return verdict{on: p.on, copies: copies, spacing: p.spacing(s), probe: now.Sub(p.lastLoss) > hold/2, reason: reason}
}

// sort separates the path's own losses from those of a queue that overflowed.
func (p *policy) sort(now time.Time, dt time.Duration, s Stats, lost int64) {
	age := math.Exp(-dt.Seconds() / memory.Seconds())
	p.own *= age
	p.crowded *= age
	if s.SmoothedRTT > s.MinRTT+max(s.MinRTT/4, 5*time.Millisecond) {
		p.lastLong = now
	}
	switch {
	case lost <= 0:
	case !p.lastLong.IsZero() && now.Sub(p.lastLong) <= crowdedFor:
		p.crowded += float64(lost)
	default:
		p.own += float64(lost)
		p.lastLoss = now
	}
}

// against returns what speaks against masking at the moment, or "".
func (p *policy) against(now time.Time, s Stats) string {
	ceiling := p.ceiling
	if p.on {
		ceiling *= 2 // stays on while the connection catches up on what loss has delayed
	}
	switch {
	case p.lastLoss.IsZero():
		return "no loss was seen"
	case now.Sub(p.lastLoss) > hold:
		return "no loss was seen for a minute"
	case p.own < crowdedShare*(p.own+p.crowded):
		return "packets get lost where a queue is full"
	case p.rate > ceiling:
		return "the connection sends too much"
	case s.MinRTT <= 0 || s.SmoothedRTT > s.MinRTT+max(s.MinRTT/2, 10*time.Millisecond):
		return "a queue is building up"
	}
	return ""
}

// spacing returns the time between a packet and its copy, which is a share of the round trip.
func (p *policy) spacing(s Stats) time.Duration {
	own := max(min(s.MinRTT/16, 4*time.Millisecond), leastSpacing)
	return max(own, min(p.wide, s.MinRTT/2, mostSpacing))
}

// adapt adjusts the copies and their spacing to the losses that remain.
func (p *policy) adapt(now time.Time, s Stats, sent, lost int64) {
	w := &p.left
	w.sent += sent
	w.lost += lost
	w.masked = w.masked && p.on
	if now.Sub(w.begin) < window {
		return
	}
	if w.masked && w.sent > 0 {
		switch share := float64(w.lost) / float64(w.sent); {
		case w.lost >= 3 && share > secondCopy && p.copies == 1:
			p.copies = 2
		case w.lost >= 3 && share > wider && p.copies == 2:
			p.wide = min(2*p.spacing(s), mostSpacing)
		case w.lost <= 0 && p.wide > leastSpacing:
			p.wide -= p.wide / 16
		case w.lost <= 0 && p.copies == 2:
			p.quiet++
			if time.Duration(p.quiet)*window > hold {
				p.copies = 1
			}
		}
		if w.lost > 0 {
			p.quiet = 0
		}
	}
	w.begin, w.sent, w.lost, w.masked = now, 0, 0, true
}
