package session

import (
	"time"

	"skein.dev/skein/webtransport/wire"
)

// network returns what the server knows about the session's path.
func (c *conn) network() wire.Network {
	info := c.sess.Info()
	n := wire.Network{
		Transport: wire.Transport(info.Transport), RTTMS: milliseconds(info.RTT), MinRTTMS: milliseconds(info.MinRTT), CongestionWindow: info.CongestionWindow,
		BytesSent: info.BytesSent, BytesReceived: info.BytesReceived,
		PacketsSent: info.PacketsSent, PacketsReceived: info.PacketsReceived, PacketsLost: info.PacketsLost,
	}
	if info.RemoteAddr != nil {
		n.Remote = info.RemoteAddr.String()
	}
	if n.Transport == wire.WebTransport {
		m := info.Mask
		n.Mask = &wire.Mask{On: m.On, Repeated: m.Repeated, Reason: m.Reason}
		if m.On {
			n.Mask.Copies, n.Mask.SpacingMS = m.Copies, milliseconds(m.Spacing)
		}
	}
	n.Lanes = c.s.Limits.Lanes()
	c.shapers.mu.Lock()
	defer c.shapers.mu.Unlock()
	for i := range n.Lanes {
		l := &n.Lanes[i]
		if u := c.shapers.lanes[l.Lane]; u != nil {
			l.Streams, l.Writers = int(u.streams.Load()), len(u.gate)
			l.BytesIn, l.BytesOut = u.in.Load(), u.out.Load()
			l.WaitedInMS, l.WaitedOutMS = milliseconds(time.Duration(u.waitedIn.Load())), milliseconds(time.Duration(u.waitedOut.Load()))
		}
	}
	return n
}

// Lanes lists every lane with its limits.
func (l Limits) Lanes() (all []wire.LaneTraffic) {
	for _, lane := range wire.Lanes {
		class := lane.Class()
		all = append(all, wire.LaneTraffic{Lane: lane, Class: class.String(), Rate: l.Rates[lane], MaxWriters: l.Writers[class]})
	}
	return all
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
