package qmux

import "time"

// heart keeps a session alive, measures its round trip and detects that the peer is gone. Session.mu guards it.
type heart struct {
	timer    *time.Timer // for the sooner of the next ping and the idle deadline
	idle     time.Duration
	interval time.Duration // between pings; 0: none
	nextPing time.Time
	// active is the last sign of life: a record from the peer, or the first record sent after it. Records sent later do
	// not count, because otherwise this side's own pings would keep a dead peer alive (RFC 9000, section 10.1).
	active       time.Time
	sentSinceGot bool

	pings    uint64 // number of pings sent, which is the sequence of the next one
	pingSent time.Time
	pingOpen bool // the latest ping was not answered yet
	rtt      time.Duration

	pong uint64 // the sequence to answer if duePong is set
	got  uint64 // one more than the highest sequence that the peer sent
}

// startHeart starts the timer, which calls beat.
func (h *heart) startHeart(idle time.Duration, beat func()) {
	h.active = time.Now()
	h.idle, h.interval = idle, 0 // pings are sent once the peer's parameters are known
	h.timer = time.AfterFunc(time.Hour, beat)
	h.rearm(h.active)
}

// meet applies the idle timeout of the peer. The first ping is sent at once and the next one after the interval.
func (h *heart) meet(peer *params, cfg *Config) {
	if theirs := time.Duration(min(peer.maxIdleTimeout, 1<<40)) * time.Millisecond; theirs > 0 {
		h.idle = theirs
		if cfg.IdleTimeout > 0 {
			h.idle = min(theirs, cfg.IdleTimeout)
		}
	}
	h.interval = cfg.KeepAlive
	if h.idle > 0 && h.interval > 0 {
		h.interval = min(h.interval, h.idle/3)
	}
	now := time.Now()
	h.nextPing = now.Add(h.interval)
	h.rearm(now)
}

// silent reports whether the peer gave no sign of life for the idle timeout.
func (h *heart) silent(now time.Time) bool { return h.idle > 0 && now.Sub(h.active) >= h.idle }

// takeTurn reports whether it is time for a ping, and if so sets the time of the next one.
func (h *heart) takeTurn(now time.Time) bool {
	if h.interval <= 0 || now.Before(h.nextPing) {
		return false
	}
	h.nextPing = now.Add(h.interval)
	return true
}

// rearm sets the timer. A sign of life does not move the timer: it notices when it fires.
func (h *heart) rearm(now time.Time) {
	next := now.Add(time.Hour)
	if h.idle > 0 {
		next = h.active.Add(h.idle)
	}
	if h.interval > 0 && h.nextPing.Before(next) {
		next = h.nextPing
	}
	h.timer.Reset(next.Sub(now))
}

func (h *heart) heard() { h.active, h.sentSinceGot = time.Now(), false }

func (h *heart) spoke() {
	if !h.sentSinceGot {
		h.active, h.sentSinceGot = time.Now(), true
	}
}

// ping returns the sequence of the next ping.
func (h *heart) ping() uint64 {
	h.pings++
	h.pingSent, h.pingOpen = time.Now(), true
	return h.pings - 1
}

// gotPong measures the round trip if the reply is to the latest ping.
func (h *heart) gotPong(seq uint64) error {
	if seq >= h.pings {
		return fault(ProtocolViolation, typePong, "an answer to ping %d, which was not sent", seq)
	}
	if !h.pingOpen || seq != h.pings-1 {
		return nil
	}
	h.pingOpen = false
	sample := max(time.Since(h.pingSent), 1)
	if h.rtt == 0 {
		h.rtt = sample
	}
	h.rtt += (sample - h.rtt) / 8 // weight as in RFC 9002, section 5.3
	return nil
}
