package client

import (
	"context"
	"net"
	"net/netip"
	"time"

	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

// A path that died says nothing: a NAT that forgot the mapping, a Wi-Fi that was left, UDP that is blocked from now on.
// The watchdog asks when a session falls silent, and when that gets no answer it opens the next session while the old one
// still may come back. Whichever speaks first is used.
const (
	watchEvery = 50 * time.Millisecond
	// silence is how long nothing comes before a session that was talking is asked.
	silence = 200 * time.Millisecond
	// An answer on UDP, where nothing waits for a lost packet, is missed after quicPatience or some round trips; TCP may
	// take its time to send a lost segment again.
	quicPatience = 350 * time.Millisecond
	tcpPatience  = 2 * time.Second
	// lateTick is the time between two looks after which this program itself was held up: silence is no evidence then.
	lateTick = 3 * watchEvery
	// settle is how long what comes after an answer belongs to it.
	settle = 200 * time.Millisecond
	// takeoverTimeout bounds one attempt for the next session: a new one begins with fresh packets.
	takeoverTimeout = 1500 * time.Millisecond
	migrateTimeout  = 2 * time.Second
)

// watchdog is what is known of a session's path.
type watchdog struct {
	c *Client
	l *link

	ticked         time.Time // when it was looked at last
	received, sent uint64    // so far
	heard          time.Time // when received last grew
	mark           uint64    // sent, at that time
	asked          time.Time // when the question went out that waits for its answer; zero: none does
	repeated       bool      // it went out again
	answered       time.Time // when the last one was answered
	quiet          bool      // the silence is known to be a healthy one
	ping           *registered
}

// look updates what is known. true: something came.
func (w *watchdog) look(now time.Time) bool {
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
	w.received, w.heard, w.mark = received, now, sent
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

// due reports whether it is time to ask.
func (w *watchdog) due(now time.Time) bool {
	return w.asked.IsZero() && now.Sub(w.heard) >= silence && (!w.quiet || w.sent > w.mark)
}

// missing reports whether an answer has been waited for too long.
func (w *watchdog) missing(now time.Time) bool {
	return !w.asked.IsZero() && now.Sub(w.asked) >= w.patience()
}

func (w *watchdog) patience() time.Duration {
	if w.l.kind == wire.WebTransport {
		return max(quicPatience, 4*w.l.sess.Info().RTT)
	}
	return max(tcpPatience, 8*w.l.connection().RTT)
}

// ask sends what wants an answer: a datagram, which QUIC acknowledges, or a ping.
func (w *watchdog) ask(now time.Time) {
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

// watch guards a session until ctx ends, or until another took its place: next.
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
				c.cache.keepChoice("") // of another network
				c.migrate(ctx, l)
				if w.asked.IsZero() {
					w.ask(time.Now())
				}
			}
			continue
		case <-t.C:
		}
		now := time.Now()
		switch {
		case w.look(now):
		case w.due(now):
			w.ask(now)
		case w.missing(now):
			if next := w.replace(ctx); next != nil {
				return next
			}
		case !w.asked.IsZero() && !w.repeated && l.kind == wire.WebTransport && now.Sub(w.asked) > w.patience()/2:
			w.repeated = true
			w.ask(now)
		}
	}
}

// migrate moves a session to a fresh socket, if it can, beside what else goes on.
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

// replace looks for the next session until there is one, or the old one speaks again: nil. A fresh socket may be all that
// the old one needs.
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
			if l != nil && w.look(time.Now()) && w.l.sess.Context().Err() == nil {
				l.sess.Close(uint32(wire.CloseNormal), "the session before is well")
				return nil
			}
			return l
		case <-ctx.Done():
			drop()
			return nil
		case now := <-t.C:
			if w.look(now) {
				w.c.log.Info("the server speaks again")
				go drop()
				return nil
			}
		}
	}
}

// sourceOf is the local address from which packets to a session's server go out now.
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
