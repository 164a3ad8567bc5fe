package doctor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"slices"
	"strings"
	"testing"

	"skein.dev/skein/server"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/doctor"
	"skein.dev/skein/webtransport/wire"
)

func TestExamineAServerThatIsWell(t *testing.T) {
	t.Parallel()
	n := serve(t, func(o *server.Options) { o.RaceDelay = patience }) // however busy the machine, WebTransport comes first
	c := dial(t, n)
	talking := wire.SpawnParams{Type: "scripted", Script: "repeat forever\nsay x\nwait 20ms\nend"} // so that there are status datagrams
	if _, err := c.Spawn(t.Context(), talking); err != nil {
		t.Fatal(err)
	}
	var saw []string
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	o := n.options()
	o.Version = "this"
	r, err := doctor.Examine(ctx, o, func(underWay []string) { saw = append(saw, underWay...) })
	if err != nil {
		t.Fatal(err)
	}
	judged(t, r, "name=ok tcp=ok tls=ok http=ok clock=ok login=ok protocol=ok udp=ok quic=ok webtransport=ok loss=ok datagrams=ok mtu=ok")
	if r.Endpoint != wire.WebTransport || r.Better != "" || r.Node != "test" || r.Server != "test" || r.Program != "this" || r.Protocol != wire.Version {
		t.Errorf("%+v", r)
	}
	for _, d := range r.Endpoints {
		if !d.Open || d.HelloMS <= 0 || d.RTTMS <= 0 || d.SlowestMS < d.RTTMS || d.Pings == 0 || d.Answered != d.Pings {
			t.Errorf("%+v", d)
		}
	}
	if d := r.Endpoints[0]; d.Transport != wire.WebTransport || d.QUIC != "v1" || d.PacketsSent < uint64(d.Pings)/2 || d.PacketsLost > d.PacketsSent ||
		d.Datagrams == 0 || d.MTU < 1200 || d.MaxDatagram < wire.MaxStatusDatagram {
		t.Errorf("%+v", d)
	}
	for _, name := range doctor.Checks {
		if name != doctor.CheckProtocol && !slices.Contains(saw, name) {
			t.Errorf("%s was never under way", name)
		}
	}
	if b, err := json.Marshal(r); err != nil || !bytes.Contains(b, []byte(`"door":"webtransport"`)) {
		t.Errorf("%s, %v", b, err)
	}
	if conn, _ := c.Connection(); conn.Transport != r.Endpoint {
		t.Errorf("a client uses %s", conn.Transport)
	}
}

func TestExamineGoesByTheTransportThatIsAskedFor(t *testing.T) {
	t.Parallel()
	n := serve(t, func(o *server.Options) { o.Listen = "off" })
	o := n.options()
	o.Transport = client.WebTransport
	if r := examine(t, wellInTime, o); r.Endpoint != "" || !strings.Contains(r.Better, "--listen") {
		t.Errorf("%s because %q: %q", r.Endpoint, r.Why, r.Better)
	}
	o.Transport = client.WebSocket
	if r := examine(t, wellInTime, o); r.Endpoint != wire.WebSocket || r.Better != "" {
		t.Errorf("%s because %q: %q", r.Endpoint, r.Why, r.Better)
	}
}

func TestExamineRefusesOptionsThatMakeNoSense(t *testing.T) {
	for _, u := range []string{"", "localhost:4480", "ftp://localhost", "http://", "http://a b"} {
		if _, err := doctor.Examine(t.Context(), client.Options{URL: u}, nil); err == nil {
			t.Errorf("%q was taken", u)
		}
	}
}

func TestExamineIsInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	at := listening(t, func(net.Conn) { cancel() })
	long, end := context.WithTimeout(ctx, 1000*patience) // a part of which is longer than this test may take
	defer end()
	r, err := doctor.Examine(long, client.Options{URL: "http://" + at, Token: "x"}, nil)
	if err != nil || r.Endpoint != "" || long.Err() != context.Canceled {
		t.Errorf("%v: %+v, %v", long.Err(), r, err)
	}
}
