package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

const (
	// lossNotice is the share of lost packets from which there is a warning, if at least lossLeast packets were sent.
	lossNotice = 0.01
	lossLeast  = 2
	// stallNotice is how many milliseconds a round trip over TCP may take in addition to four usual ones.
	stallNotice = 250
	// probeGrace is how long a probe may continue after the handshake.
	probeGrace = 500 * time.Millisecond
	// fullPacket is the largest packet that this side sends.
	fullPacket = 1452
)

// status is what arrived of the status that the server sends.
type status struct {
	datagrams int
	last      uint64 // number of the last datagram
	updates   int    // full records on the status lane, each of which was sent as a datagram too
}

// measure measures an open session: round trips, loss, datagrams and packet sizes.
func (d *diagnosis) measure(ctx context.Context, sess webtransport.Session, ctrl *client.Control, rep *Endpoint, ways []udpWay) {
	d.begin(CheckLoss, CheckDatagrams, CheckMTU)
	reading, stop := context.WithCancel(ctx)
	defer stop()
	var st status
	var readers sync.WaitGroup
	readers.Go(func() { st.readDatagrams(reading, sess) })
	readers.Go(func() { st.readLane(reading, sess) })
	d.train(ctx, sess, ctrl, rep)
	info := sess.Info()
	path, _ := webtransport.PathOf(sess)
	stop()
	readers.Wait()
	rep.PacketsSent, rep.PacketsLost, rep.Datagrams = info.PacketsSent, info.PacketsLost, st.datagrams
	rep.MTU, rep.MaxDatagram = path.MTU, min(path.MaxDatagram, info.MaxDatagramSize)
	d.putEndpoint(*rep, rep.judge(CheckWebTransport), loss(rep), st.judge(path), mtu(rep, ways[0].answer))
}

func loss(rep *Endpoint) Check {
	share := float64(rep.PacketsLost) / float64(max(1, rep.PacketsSent))
	c := Check{Name: CheckLoss, Verdict: OK, Found: fmt.Sprintf("%d of %d packets were lost (%.1f %%)", rep.PacketsLost, rep.PacketsSent, 100*share)}
	if rep.PacketsLost >= lossLeast && share >= lossNotice {
		c.Verdict, c.Means = Warning, "Over WebSocket everything waits for a packet that was lost; WebTransport masks it on thin connections."
		c.Do = "Look at the link (Wi-Fi, a full uplink); keep UDP open, and loss masking on."
	}
	return c
}

func (st *status) judge(path webtransport.Path) Check {
	c := Check{Name: CheckDatagrams, Verdict: OK}
	switch {
	case path.MaxDatagram == 0:
		c.Verdict, c.Found, c.Means, c.Do = Failed, "the server takes no datagrams", "Another server answers on the UDP port.", "Check where the UDP port leads."
	case st.datagrams > 0:
		c.Found = fmt.Sprintf("%d of %d status datagrams came", st.datagrams, st.last)
	case st.updates > 0:
		c.Verdict, c.Found = Warning, "agents changed, and no datagram came"
		c.Means, c.Do = "Status is shown late: it comes with the next full record.", "Look at the link for loss; update the server."
	default:
		c.Found = "both sides take them; none was due, for no agent changed"
	}
	return c
}

func mtu(rep *Endpoint, probe webtransport.Probe) Check {
	c := Check{Name: CheckMTU, Verdict: OK}
	c.Found = fmt.Sprintf("packets of %d bytes pass, datagrams of up to %d", max(rep.MTU, probe.Size), rep.MaxDatagram)
	if size := max(rep.MTU, probe.Size); size < fullPacket-20 { // the search for the MTU ends this close to it
		c.Found = fmt.Sprintf("packets of %d bytes pass, larger ones were not seen to; datagrams of up to %d", size, rep.MaxDatagram)
	}
	return c
}

// readDatagrams counts the status datagrams.
func (st *status) readDatagrams(ctx context.Context, sess webtransport.Session) {
	for {
		b, err := sess.ReceiveDatagram(ctx)
		if err != nil {
			return
		}
		if s, err := wire.ParseStatusDatagram(b); err == nil {
			st.datagrams++
			st.last = max(st.last, s.Seq)
		}
	}
}

// readLane counts the full records of the status lane.
func (st *status) readLane(ctx context.Context, sess webtransport.Session) {
	str, err := sess.AcceptStream(ctx)
	if err != nil {
		return
	}
	reset := func() {
		str.CancelRead(uint32(wire.StreamCanceled))
		str.CancelWrite(uint32(wire.StreamCanceled))
	}
	defer context.AfterFunc(ctx, reset)()
	defer reset()
	r := wire.NewReader(str)
	if h, err := r.Header(); err != nil || h.Lane != wire.LaneStatus {
		return
	}
	for {
		line, err := r.Line(16 << 20)
		if err != nil {
			return
		}
		var m wire.Message
		var u wire.Update
		if json.Unmarshal(line, &m) == nil && m.Method == wire.NoteUpdate && json.Unmarshal(m.Params, &u) == nil {
			st.updates += len(u.Agents)
		}
	}
}
