package client

import (
	"context"
	"net"
	"net/netip"
	"time"

	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

// A dead path gives no sign: a NAT forgot the mapping, a Wi-Fi network was left, UDP is blocked from now on. The watchdog
// sends a probe when a session falls silent. If that is not answered, it opens the next session while the old one may
// still recover, and the first of them that works is used.
const (
	watchEvery = 50 * time.Millisecond
	// silence is how long a session that was active may receive nothing before it is probed.
	silence = 200 * time.Millisecond
	// On UDP, where nothing waits for a lost packet, a probe must be answered within quicPatience or some round trips.
	// TCP may need longer to retransmit a lost segment.
	quicPatience = 350 * time.Millisecond
	tcpPatience  = 2 * time.Second
	// lateTick is the time between two checks after which this program itself was delayed. Silence proves nothing then.
	lateTick = 3 * watchEvery
	// settle is how long after a reply further packets count as part of it.
	settle = 200 * time.Millisecond
	// takeoverTimeout bounds one attempt to open the next session. It is short because a new attempt starts with fresh
	// packets.
	takeoverTimeout = 1500 * time.Millisecond
	migrateTimeout  = 2 * time.Second
)

// watchdog is what is known of the path of a session.
type watchdog struct {
	c *Client
	l *link

	ticked         time.Time // time of the last check
	received, sent uint64    // so far
	heard          time.Time // when received last grew
	sentThen       uint64    // value of sent at that time
	asked          time.Time // when the probe was sent that waits for a reply; zero: there is none
	repeated       bool      // the probe was repeated
	answered       time.Time // when a probe was answered last
	quiet          bool      // a probe has shown that the path works and the session is idle
	ping           *registered
}

// check updates what is known, and reports whether something was received.
func (w *watchdog) check(now time.Time) bool {
	info := w.l.sess.Info()
	received, sent := info.PacketsReceived, info.PacketsSent
	if w.l.kind == wire.WebSocket {
		received, sent = info.BytesReceived, info.BytesSent
	}
	w.sent = sent
	late := !w.ticked.IsZero() && now.Sub(w.ticked) > lateTick
	if w.ticked = now; late {
		w.heard = now
		if !w.asked.IsZero() {
			w.asked = now
		}
	}
	if received == w.received && !w.heard.IsZero() {
		return false
	}
	w.received, w.heard, w.sentThen = received, now, sent
	switch {
	case !w.asked.IsZero():
		w.asked, w.answered, w.quiet = time.Time{}, now, true
	case now.Sub(w.answered) > settle:
		w.quiet = false
	}
	if w.ping != nil {
		w.c.calls.forget(*w.ping)
		w.ping = nil
	}
	return true
}

// due reports whether it is time to send a probe.
func (w *watchdog) due(now time.Time) bool {
	return w.asked.IsZero() && now.Sub(w.heard) >= silence && (!w.quiet || w.sent > w.sentThen)
}

// missing reports whether the reply to a probe is overdue.
func (w *watchdog) missing(now time.Time) bool {
	return !w.asked.IsZero() && now.Sub(w.asked) >= w.patience()
}

func (w *watchdog) patience() time.Duration {
	if w.l.kind == wire.WebTransport {
		return max(quicPatience, 4*w.l.sess.Info().RTT)
	}
	return max(tcpPatience, 8*w.l.connection().RTT)
}

// probe sends what the server must react to: a datagram, which QUIC acknowledges, or a ping.
func (w *watchdog) probe(now time.Time) {
	if w.asked.IsZero() {
		w.asked, w.repeated = now, false
	}
	if w.l.kind == wire.WebTransport {
		w.l.sess.SendDatagram([]byte{wire.DatagramProbe})
		return
	}
	if p, err := w.c.calls.requestOn(wire.LaneHealth, wire.MethodPing, nil); err == nil {
		w.ping = &p
	}
}

// watch guards a session until ctx ends, when it returns nil, or until it has opened another session in its place.
func (c *Client) watch(ctx context.Context, l *link) (next *link) {
	w := &watchdog{c: c, l: l}
	defer func() {
		if w.ping != nil {
			c.calls.forget(*w.ping)
		}
	}()
	from := sourceOf(l)
	t := time.NewTicker(watchEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.network:
			if now := sourceOf(l); now != from && now.IsValid() {
				c.log.Info("the network changed", "from", from, "to", now)
				from = now
				c.cache.keepChoice("") // it was about another network
				c.migrate(ctx, l)
				if w.asked.IsZero() {
					w.probe(time.Now())
				}
			}
			continue
		case <-t.C:
		}
		now := time.Now()
		switch {
		case w.check(now):
		case w.due(now):
			w.probe(now)
		case w.missing(now):
			if next := w.replace(ctx); next != nil {
				return next
			}
		case !w.asked.IsZero() && !w.repeated && l.kind == wire.WebTransport && now.Sub(w.asked) > w.patience()/2:
			w.repeated = true
			w.probe(now)
		}
	}
}

// migrate moves a session to a new socket, if its transport can do that. It does not wait for the outcome.
func (c *Client) migrate(ctx context.Context, l *link) {
	m, ok := l.sess.(webtransport.Migrator)
	if !ok {
		return
	}
	go func() {
		ctx, cancel := context.WithTimeout(ctx, migrateTimeout)
		defer cancel()
		if err := m.Migrate(ctx); err != nil {
			c.log.Debug("the session did not move", "err", err)
			return
		}
		c.log.Info("the session moved to another socket")
	}()
}

// replace tries to open the next session until it succeeds, or until the old one works again, when it returns nil. The
// old session is also moved to a new socket, which may be all that it needs.
func (w *watchdog) replace(ctx context.Context) *link {
	w.c.log.Info("the server is silent; looking for another way", "transport", w.l.kind, "for", time.Since(w.heard).Round(time.Millisecond))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w.c.migrate(ctx, w.l)
	found := make(chan *link, 1)
	go func() {
		defer close(found)
		for wait := 100 * time.Millisecond; ctx.Err() == nil; wait = min(2*wait, 2*time.Second) {
			attempt, done := context.WithTimeout(ctx, max(takeoverTimeout, 8*w.l.connection().RTT))
			l, _, err := w.c.connect(attempt)
			done()
			if err == nil {
				l.reason += ", after the session before fell silent"
				found <- l
				return
			}
			w.c.log.Debug("no other way yet", "err", err)
			select {
			case <-time.After(wait):
			case <-ctx.Done():
			}
		}
	}()
	drop := func() {
		cancel()
		if l := <-found; l != nil {
			l.sess.Close(uint32(wire.CloseNormal), "the session before is well")
		}
	}
	t := time.NewTicker(watchEvery)
	defer t.Stop()
	for {
		select {
		case l := <-found:
			if l != nil && w.check(time.Now()) && w.l.sess.Context().Err() == nil {
				l.sess.Close(uint32(wire.CloseNormal), "the session before is well")
				return nil
			}
			return l
		case <-ctx.Done():
			drop()
			return nil
		case now := <-t.C:
			if w.check(now) {
				w.c.log.Info("the server speaks again")
				go drop()
				return nil
			}
		}
	}
}

// sourceOf returns the local address from which packets to the server of a session are sent now.
func sourceOf(l *link) netip.Addr {
	to := l.sess.Info().RemoteAddr
	if to == nil {
		return netip.Addr{}
	}
	conn, err := net.Dial("udp", to.String()) // sends nothing
	if err != nil {
		return netip.Addr{}
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
}
