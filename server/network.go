package server

import (
	"net"
	"net/http"
	"strconv"
	"time"

	"skein.dev/skein/ui/network"
	"skein.dev/skein/webtransport/wire"
)

// network is what the server knows of the session's path now.
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
	n.Lanes = c.s.limits.lanes()
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

// lanes lists every lane with its bounds.
func (l LaneLimits) lanes() (all []wire.LaneTraffic) {
	for _, lane := range wire.Lanes {
		class := lane.Class()
		all = append(all, wire.LaneTraffic{Lane: lane, Class: class.String(), Rate: l.Rates[lane], MaxWriters: l.Writers[class]})
	}
	return all
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// networkPage shows what is known without a session: the doors, the addresses, and the bounds of the lanes.
func (s *Server) networkPage(w http.ResponseWriter, r *http.Request) {
	v := network.NetworkView{Frame: s.frame(r), Remote: r.RemoteAddr, Lanes: s.limits.lanes(), MaskOff: s.o.Mask.Off}
	if url := s.quicDoor(r, pageOrigin(r)); url != "" {
		v.Doors = append(v.Doors, network.Door{Transport: wire.WebTransport, URL: url, Over: "UDP, port " + strconv.Itoa(s.quicPort())})
	}
	url := s.socketDoor(r)
	over := "TCP"
	if _, port, err := net.SplitHostPort(r.Host); err == nil {
		over += ", port " + port
	}
	v.Doors = append(v.Doors, network.Door{Transport: wire.WebSocket, URL: url, Over: over})
	s.page(w, r, http.StatusOK, network.Network(v))
}
