package qmux

import "time"

// heart keeps a session alive, measures its round trip and notices when the peer is gone. Guarded by Session.mu.
type heart struct {
	timer    *time.Timer // for the sooner of the next ping and the idle deadline
	idle     time.Duration
	interval time.Duration // between pings; 0: none
	nextPing time.Time
	// active is the last sign of life: a record from the peer, or the first one sent after it. Later ones sent do not
	// count, else this side's own pings would keep a dead peer alive (RFC 9000, section 10.1).
	active       time.Time
	sentSinceGot bool

	pings    uint64 // sent so far; the next one's sequence
	pingSent time.Time
	pingOpen bool // the latest ping awaits its answer
	rtt      time.Duration

	pong uint64 // the sequence to answer, when duePong is set
	got  uint64 // one more than the highest sequence that the peer sent
}

func (s *Session) startHeart() {
	s.active = time.Now()
	s.idle, s.interval = s.cfg.IdleTimeout, 0 // pings wait for the peer's parameters
	s.timer = time.AfterFunc(time.Hour, s.beat)
	s.rearm(s.active)
}

// meet applies the peer's idle timeout and sends the first ping.
func (s *Session) meet() {
	if peer := time.Duration(min(s.peer.maxIdleTimeout, 1<<40)) * time.Millisecond; peer > 0 {
		s.idle = peer
		if s.cfg.IdleTimeout > 0 {
			s.idle = min(peer, s.cfg.IdleTimeout)
		}
	}
	s.interval = s.cfg.KeepAlive
	if s.idle > 0 && s.interval > 0 {
		s.interval = min(s.interval, s.idle/3)
	}
	s.due |= duePing
	now := time.Now()
	s.nextPing = now.Add(s.interval)
	s.rearm(now)
}

// beat is the timer's: it sends a ping or ends a silent session.
func (s *Session) beat() {
	s.mu.Lock()
	now := time.Now()
	over := s.cause == nil && s.idle > 0 && now.Sub(s.active) >= s.idle
	if over {
		s.gone = true
		s.end(ErrIdleTimeout, false, nil)
	} else if s.cause == nil {
		if s.interval > 0 && !now.Before(s.nextPing) {
			s.nextPing = now.Add(s.interval)
			s.due |= duePing
			s.work.Signal()
		}
		s.rearm(now)
	}
	s.mu.Unlock()
	if over {
		s.hangUp()
	}
}

// rearm sets the timer. A sign of life does not move it: it finds out when it fires.
func (s *Session) rearm(now time.Time) {
	next := now.Add(time.Hour)
	if s.idle > 0 {
		next = s.active.Add(s.idle)
	}
	if s.interval > 0 && s.nextPing.Before(next) {
		next = s.nextPing
	}
	s.timer.Reset(next.Sub(now))
}

func (h *heart) heard() { h.active, h.sentSinceGot = time.Now(), false }

func (h *heart) spoke() {
	if !h.sentSinceGot {
		h.active, h.sentSinceGot = time.Now(), true
	}
}

// ping gives the next ping's sequence.
func (h *heart) ping() uint64 {
	h.pings++
	h.pingSent, h.pingOpen = time.Now(), true
	return h.pings - 1
}

// gotPing notes a ping to answer. Only the highest is answered when several wait, as the draft allows (section 4.3): so
// pings cannot pile up at a peer that does not read.
func (s *Session) gotPing(seq uint64) error {
	if s.cfg.Version == Draft02 && seq < s.got {
		return fault(ProtocolViolation, typePing, "ping %d comes after ping %d", seq, s.got-1)
	}
	s.got = max(s.got, seq+1)
	if s.due&duePong == 0 || seq > s.pong {
		s.pong = seq
	}
	s.due |= duePong
	s.work.Signal()
	return nil
}

// gotPong takes a round trip if it answers the latest ping.
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
	h.rtt += (sample - h.rtt) / 8 // the weight of RFC 9002, section 5.3
	return nil
}

// RTT is the smoothed round trip of QX_PING; 0: not measured yet. It is measured when the session starts and at every
// keep-alive, and includes the time that the peer's writer takes to send the answer.
func (s *Session) RTT() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rtt
}
