package pace

import "time"

// flow is what a sender has under way. Its window is that of TCP: CUBIC's, where that is Reno's (RFC 9438, section 4.3).
type flow struct {
	window     float64       // bytes
	fixed      bool          // it stays as it is
	enough     float64       // slow start ends there, in bytes
	inFlight   int           // bytes
	limited    bool          // the window kept it from sending
	next       time.Duration // when it sent the last packet, by its own pacing
	recovering time.Duration // the loss of what was sent before that makes the window no smaller
	arrived    uint64        // bytes
}

// ack is what a sender learns of a packet, a round trip after it was sent.
type ack struct {
	at, rtt time.Duration
	of      *flow
	lost    bool
}

func newFlow() flow { return flow{window: 10 * packet, enough: 1 << 40} }

// full reports whether the window keeps the sender from sending.
//
//go:norace
func (f *flow) full() bool {
	full := f.inFlight >= int(f.window)
	f.limited = f.limited || full
	return full
}

// learn takes an acknowledgement, or the lack of one.
//
//go:norace
func (f *flow) learn(a ack) {
	f.inFlight -= packet
	if !a.lost {
		f.arrived += packet
	}
	switch {
	case f.fixed, a.lost && a.at-a.rtt < f.recovering:
	case a.lost:
		f.window, f.recovering = max(0.7*f.window, 2*packet), a.at
		f.enough = f.window
	case !f.limited: // what is not used is forgotten (RFC 7661), but found again soon
		f.enough = max(f.enough, 0.75*f.window)
		f.window -= max(0, f.window-float64(f.inFlight+packet)) / 50
	case f.window < f.enough:
		f.window += packet
	default:
		f.window += 0.53 * packet / 2 * packet / f.window
	}
	f.limited = false
}
