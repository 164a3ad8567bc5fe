package client_test

import (
	"encoding/binary"
	"sync/atomic"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/webtransport/wire"
)

// Where UDP is blocked a client knocks, which costs a packet, and the first knock that is answered is enough to return.
func TestAnAnsweredKnockBringsBackWebTransport(t *testing.T) {
	t.Parallel()
	n, udp := behindUDP(t)
	var open atomic.Bool
	var knocks, largest, tries atomic.Int64 // to the server, since open changed
	udp.Guard(func(_ *kit.UDPFlow, toServer bool, b []byte) bool {
		if toServer && len(b) > 5 && b[0]&0x80 != 0 {
			if v := binary.BigEndian.Uint32(b[1:]); v&0x0f0f0f0f == 0x0a0a0a0a { // no version at all (RFC 9000, section 15)
				knocks.Add(1)
				largest.Store(max(largest.Load(), int64(len(b))))
			} else {
				tries.Add(1)
			}
		}
		return open.Load()
	})
	c := dial(t, n)
	k := count(t, c)
	if conn, _ := c.Connection(); conn.Transport != wire.WebSocket {
		t.Fatalf("%+v", conn)
	}
	kit.Eventually(t, "knocks", func() bool { return knocks.Load() >= 2 })
	if got := largest.Load(); got > 1280 {
		t.Errorf("a knock of %d bytes", got)
	}
	knocks.Store(0)
	tries.Store(0)
	open.Store(true)
	kit.Eventually(t, "WebTransport", func() bool {
		conn, _ := c.Connection()
		return conn.Transport == wire.WebTransport
	})
	if knocks.Load() > 1 && !kit.Quick || tries.Load() == 0 { // a busy machine takes longer for the answer than a knock waits
		t.Errorf("%d knocks and %d other long headers until it was back", knocks.Load(), tries.Load())
	}
	k.goesOn(t)
}
