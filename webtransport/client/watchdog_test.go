package client_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// counter follows an agent that counts, and fails the test when a line is lost or comes twice.
type counter struct {
	mu   sync.Mutex
	n    int       // lines so far
	last time.Time // when the last one came
	gap  time.Duration
}

func count(t *testing.T, c *client.Client) *counter {
	t.Helper()
	a := script(t, c, "repeat forever\nsay line ${i}\nwait 20ms\nend")
	k := &counter{last: time.Now()}
	ctx, cancel := context.WithCancel(t.Context())
	var reading sync.WaitGroup
	t.Cleanup(func() { cancel(); reading.Wait() })
	reading.Go(func() {
		for e, err := range c.Events(ctx, a.ID, client.EventOptions{Follow: true}) {
			if err != nil {
				if ctx.Err() == nil {
					t.Error(err)
				}
				return
			}
			if e.Type != wire.EventStdout {
				continue
			}
			k.mu.Lock()
			k.gap, k.last = max(k.gap, time.Since(k.last)), time.Now()
			for line := range strings.Lines(e.Data.Text) {
				if k.n++; line != fmt.Sprintf("line %d\n", k.n) {
					t.Errorf("%q, want line %d", line, k.n)
				}
			}
			k.mu.Unlock()
		}
	})
	k.goesOn(t)
	return k
}

func (k *counter) lines() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.n
}

// goesOn waits for lines that are written from now on, and gives the longest time without any.
func (k *counter) goesOn(t *testing.T) time.Duration {
	t.Helper()
	from := k.lines()
	kit.Eventually(t, "lines come", func() bool { return k.lines() > from+50 })
	k.mu.Lock()
	defer k.mu.Unlock()
	gap := k.gap
	k.gap = 0
	return gap
}

// pings alone would need ten seconds. A busy machine with the race detector may need them too.
const soon = 8 * time.Second

// The old path is dead for ever; packets from a fresh socket pass: the session moves there and lives on.
func TestADeadPathIsLeft(t *testing.T) {
	t.Parallel()
	l := behindRelays(t)
	c := dial(t, l.node, over(client.WebTransport), at(l.tcp.url()))
	k := count(t, c)
	before, _ := c.Connection()
	for range 3 {
		l.udp.Cut()
		gap := k.goesOn(t)
		t.Logf("a gap of %s", gap.Round(time.Millisecond))
		if gap > soon && !kit.Quick {
			t.Errorf("the silence lasted %s", gap)
		}
	}
	if after, _ := c.Connection(); after.Session != before.Session {
		t.Logf("session %s became %s", before.Session, after.Session)
	}
}

// UDP is dead altogether: the session goes on over WebSocket.
func TestADeadUDPIsLeft(t *testing.T) {
	t.Parallel()
	l := behindRelays(t)
	c := dial(t, l.node, at(l.tcp.url()))
	k := count(t, c)
	l.udp.Lose(1)
	kit.Until(t, "it is on WebSocket", func() client.Connection { conn, _ := c.Connection(); return conn }, func(conn client.Connection) bool {
		return conn.Transport == wire.WebSocket
	})
	k.goesOn(t)
}

// A proxy lets nothing more through, and says nothing.
func TestASilentProxyIsLeft(t *testing.T) {
	t.Parallel()
	l := behindRelays(t)
	c := dial(t, l.node, over(client.WebSocket), at(l.tcp.url()))
	k := count(t, c)
	l.tcp.stall()
	gap := k.goesOn(t)
	t.Logf("a gap of %s", gap.Round(time.Millisecond))
	if gap > soon && !kit.Quick {
		t.Errorf("the silence lasted %s", gap)
	}
}

// A silence that is a healthy one is left alone, and costs a few packets: so many a second, which make soak looks at.
func TestAQuietSessionIsLeftAloneAtScale(t *testing.T) {
	if kit.Quick {
		t.Skip("it counts packets a second, and a busy machine repeats some")
	}
	t.Parallel()
	overBoth(t, func(t *testing.T, tr string) {
		t.Parallel()
		n := serve(t)
		c := dial(t, n, over(tr), func(o *client.Options) { o.NoStatus = true })
		before, _ := c.Connection()
		time.Sleep(2 * time.Second)
		from := c.Session().Info()
		time.Sleep(8 * time.Second)
		to := c.Session().Info()
		after, _ := c.Connection()
		if after.Session != before.Session {
			t.Error("a healthy session was left")
		}
		// In eight seconds: two pings with their streams, and what makes sure after them.
		if sent, bytes := to.PacketsSent-from.PacketsSent, to.BytesSent-from.BytesSent; sent > 40 || bytes > 4000 {
			t.Errorf("a quiet session sent %d packets, %d bytes in 8 s", sent, bytes)
		}
	})
}

// A path that loses a quarter of its packets is slow, not dead.
func TestALossyPathIsKept(t *testing.T) {
	t.Parallel()
	l := behindRelays(t, func(o *server.Options) { o.KeepExited = 1 })
	c := dial(t, l.node, over(client.WebTransport), at(l.tcp.url()))
	k := count(t, c)
	before, _ := c.Connection()
	l.udp.Lose(4)
	for range 6 {
		k.goesOn(t)
	}
	if after, _ := c.Connection(); after.Session != before.Session {
		t.Errorf("the session was left: %+v", after)
	}
}
