package server

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/webtransport/wire"
)

// network asks a session for its path.
func (p *peer) network(t *testing.T) wire.Network {
	t.Helper()
	return result[wire.Network](t, p.call(t, `"network"`, wire.MethodNetwork, nil))
}

func traffic(t *testing.T, n wire.Network, lane wire.Lane) wire.LaneTraffic {
	t.Helper()
	for _, l := range n.Lanes {
		if l.Lane == lane {
			return l
		}
	}
	t.Fatalf("there is no lane %s in %+v", lane, n.Lanes)
	return wire.LaneTraffic{}
}

// readAll reads a lane to its end, ends it on this side too, and gives its bytes.
func readAll(t *testing.T, s *stream) string {
	t.Helper()
	s.SetReadDeadline(time.Now().Add(patience))
	b, err := io.ReadAll(s)
	if err != nil {
		t.Fatalf("after %d bytes: %v", len(b), err)
	}
	s.Close()
	return string(b)
}

func TestNetworkAddsUp(t *testing.T) {
	t.Parallel()
	n := start(t)
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		p, bystander := n.join(t, tr), n.join(t, tr)
		a := n.script(t, "say "+strings.Repeat("x", 3000))
		kit.Eventually(t, "it has ended", func() bool {
			a, err := n.plane.Get(a.ID)
			return err == nil && a.Status == wire.StatusExited
		})

		header, _ := json.Marshal(wire.Header{Lane: wire.LaneAgent, Agent: a.ID})
		var got int
		for range 2 { // what lanes of one name move counts together
			got += len(readAll(t, open(t, p, string(header))))
		}
		memory := []string{`{"lane":"memory"}`, request("1", wire.MethodMemoryStore, wire.MemoryStoreParams{Namespace: "demo", Key: "k", Value: wire.Payload{Text: strings.Repeat("y", 50_000)}})}
		stored := open(t, p, memory...)
		answer, err := stored.r.Line(1 << 20)
		if err != nil {
			t.Fatal(err)
		}

		v := p.network(t)
		kit.Eventually(t, "the agent lanes have ended", func() bool { v = p.network(t); return traffic(t, v, wire.LaneAgent).Streams == 0 })
		if l := traffic(t, v, wire.LaneAgent); l.BytesIn != uint64(2*(len(header)+1)) || l.BytesOut != uint64(got) || l.Class != "high" || l.Rate != 10e6 {
			t.Errorf("sent were %d bytes, received %d; the lane counts %+v", 2*(len(header)+1), got, l)
		}
		sent := len(strings.Join(memory, "\n")) + 1
		if l := traffic(t, v, wire.LaneMemory); l.BytesIn != uint64(sent) || l.BytesOut != uint64(len(answer)+1) || l.Streams != 1 {
			t.Errorf("sent were %d bytes, received %d; the lane counts %+v", sent, len(answer)+1, l)
		}
		if l := traffic(t, v, wire.LaneControl); l.Streams != 1 || l.BytesIn == 0 || l.BytesOut == 0 {
			t.Errorf("the control lane counts %+v", l)
		}
		if len(v.Lanes) != len(wire.Lanes) {
			t.Errorf("%d lanes", len(v.Lanes))
		}
		if v.Transport != tr || v.Remote == "" || v.BytesReceived < uint64(sent) || v.BytesSent < uint64(got) {
			t.Errorf("sent were more than %d bytes, received %d: %+v", sent, got, v)
		}
		switch tr {
		case wire.WebTransport:
			if v.RTTMS <= 0 || v.MinRTTMS <= 0 || v.CongestionWindow == 0 || v.PacketsSent == 0 || v.PacketsReceived == 0 || v.Mask == nil || v.Mask.On || v.Mask.Reason == "" {
				t.Errorf("%+v, mask %+v", v, v.Mask)
			}
		case wire.WebSocket:
			if v.CongestionWindow+v.PacketsSent+v.PacketsReceived+v.PacketsLost != 0 || v.MinRTTMS != 0 || v.Mask != nil {
				t.Errorf("%+v, mask %+v", v, v.Mask)
			}
		}
		if l := traffic(t, bystander.network(t), wire.LaneMemory); l.BytesIn+l.BytesOut != 0 || l.Streams != 0 {
			t.Errorf("another session's lane counts %+v", l)
		}
	})
}

// A lane is counted while it is open, even an agent lane, which is still read after it was served.
func TestNetworkCountsOpenStreams(t *testing.T) {
	t.Parallel()
	n := start(t)
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		p := n.join(t, tr, withStatus)
		a := n.script(t, "read")
		is := func(lane wire.Lane, want int) {
			t.Helper()
			kit.Eventually(t, "the open streams are counted", func() bool { return traffic(t, p.network(t), lane).Streams == want })
		}
		is(wire.LaneStatus, 1)
		var all []*stream
		for i := range 3 {
			s, _ := p.attach(t, wire.Header{Agent: a.ID, Follow: true})
			all = append(all, s)
			is(wire.LaneAgent, i+1)
		}
		for i, s := range all {
			s.CancelRead(0)
			s.CancelWrite(0)
			is(wire.LaneAgent, 2-i)
		}
	})
}

func TestNetworkTellsOfRatesAndGates(t *testing.T) {
	t.Parallel()
	n := start(t, func(o *Options) {
		o.ConfigFile = write(t, "skein.yaml", "agent_types: {}\nlanes: {memory: 20KB, task: none}\nwriters: {low: 3}\n")
	})
	p := n.join(t, wire.WebSocket)
	v := p.network(t)
	if l := traffic(t, v, wire.LaneTask); l.Rate != 0 {
		t.Errorf("no bound is %+v", l)
	}
	// A burst of pace.Chunk is free; what is over it waits at 20 KB a second.
	s := open(t, p, `{"lane":"memory"}`, request("1", wire.MethodMemoryStore, wire.MemoryStoreParams{Namespace: "demo", Key: "k", Value: wire.Payload{Text: strings.Repeat("y", 20_000)}}))
	if m := s.answerTo(t, "1"); m.Error != nil {
		t.Fatal(m.Error)
	}
	if l := traffic(t, p.network(t), wire.LaneMemory); l.Rate != 20_000 || l.WaitedInMS < 100 || l.WaitedOutMS != 0 {
		t.Errorf("the lane counts %+v", l)
	}
}

func TestNetworkPageWithoutScript(t *testing.T) {
	t.Parallel()
	n := start(t, func(o *Options) {
		o.ConfigFile = write(t, "skein.yaml", "agent_types: {}\nlanes: {memory: 2.5MB, task: none}\nwriters: {low: 3}\n")
	})
	b := n.browser(t)
	doc := n.document(t)
	wants(t, "the page", b.get(t, "/network"), 200, endpoint(t, doc, wire.WebTransport).URL, endpoint(t, doc, wire.WebSocket).URL,
		"UDP, port ", "2.5 MB/s", "unlimited", "0 of 3", "10 MB/s each", `aria-current="page">Network</a>`)

	off := start(t, func(o *Options) { o.Listen = "off"; o.Mask.Off = true })
	page := off.browser(t).get(t, "/network")
	wants(t, "without a WebTransport endpoint", page, 200, "Turned off on this server.")
	if strings.Contains(page.body, "/wt<") {
		t.Error("an endpoint that there is not is shown")
	}
}
