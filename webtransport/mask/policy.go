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
	// lookEvery is how often a connection's stats are looked at.
	lookEvery = 100 * time.Millisecond
	// hold is how long masking stays on after the last loss that was seen.
	hold = time.Minute
	// probe is every which packet goes out once when masking has been on for half of hold without a loss that was seen.
	// Losses of the others are not seen any more; those of the probes tell that there still are some. Each costs the
	// sender half its window, so that there are no more of them than that takes.
	probe = 64

	leastSpacing, mostSpacing = time.Millisecond, 25 * time.Millisecond

	// window is how long losses are counted that masking left. A share of them that one copy leaves at 4 % of random
	// loss asks for a second one: each loss halves the sender's window, which then is what makes packets late. A share
	// that even two leave asks for more time between them, since losses come in bursts.
	// A loss while the round trip is long, or was until just before, is a queue's that overflowed: whose link is full gets
	// no more packets for it. Other losses are the path's own. Both are counted with less weight the older they are; masking
	// needs that at least crowdedShare of them are the path's own, for a noisy clock makes some of those look like a
	// queue's, and now and then a queue's comes when the round trip is short again.
	crowdedFor   = 200 * time.Millisecond
	memory       = 20 * time.Second
	crowdedShare = 0.25

	window     = 2 * time.Second
	secondCopy = 0.002
	wider      = 0.004
)

// policy decides about one connection. It is not safe for concurrent use.
type policy struct {
	ceiling float64 // bits a second

	last     Stats
	at       time.Time
	rate     float64   // bits a second, smoothed over a second
	lastLoss time.Time // of the path's own; zero: none yet
	lastLong time.Time // when the round trip was long
	own      float64   // losses of the path's own
	crowded  float64   // losses of a queue's
	on       bool

	copies int           // of a packet
	quiet  int           // windows without a loss that was left
	wide   time.Duration // the spacing that bursts asked for; 0: the path's own
	left   struct {      // what masking left in the window of now
		begin      time.Time
		sent, lost int64
		masked     bool // all the time
	}
}

// verdict is what a policy says.
type verdict struct {
	on      bool
	copies  int           // 1 or 2
	spacing time.Duration // before each copy
	probe   bool          // some packets are to go out once
	reason  string        // why not, in words for a person; empty: on
}

// look takes the stats of now.
func (p *policy) look(now time.Time, s Stats) verdict {
	first := p.at.IsZero()
	dt := now.Sub(p.at)
	sent := int64(s.PacketsSent - p.last.PacketsSent)
	lost := int64(s.PacketsLost) - int64(p.last.PacketsLost) // less than 0: some arrived after all
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
	return verdict{on: p.on, copies: p.copies, spacing: p.spacing(s), probe: now.Sub(p.lastLoss) > hold/2, reason: reason}
}

// sort tells the path's own losses from those of a queue that overflowed.
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

// against says what speaks against masking now.
func (p *policy) against(now time.Time, s Stats) string {
	ceiling := p.ceiling
	if p.on {
		ceiling *= 2 // once on it stays on while it catches up on what loss held back
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

// spacing is the time between a packet and its copy: a share of the round trip.
func (p *policy) spacing(s Stats) time.Duration {
	own := max(min(s.MinRTT/16, 4*time.Millisecond), leastSpacing)
	return max(own, min(p.wide, s.MinRTT/2, mostSpacing))
}

// adapt fits the copies and their spacing to the losses that masking leaves.
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
