package doctor_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server"
	"skein.dev/skein/webtransport/wire"
)

// closedPort is one that no other test gets.
const closedPort = 1

// What it says of the endpoint is what a client does.
func TestExamineUDP(t *testing.T) {
	t.Parallel()
	quiet, err := net.ListenPacket("udp", "127.0.0.1:0") // nobody reads it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { quiet.Close() })
	quietPort := quiet.LocalAddr().(*net.UDPAddr).Port
	const half = 6 * time.Second
	for name, c := range map[string]struct {
		change func(*server.Options)
		want   string
		better string
		slow   bool // what is silent takes half of the time
	}{
		"no endpoint":  {func(o *server.Options) { o.Listen = "off" }, "websocket=ok webtransport=failed udp=skipped", "--listen", false},
		"a black hole": {func(o *server.Options) { o.QUICPort = quietPort }, "websocket=ok udp=failed quic=skipped webtransport=skipped loss=skipped", fmt.Sprintf("UDP port %d outbound to 127.0.0.1", quietPort), true},
		"closed":       {func(o *server.Options) { o.QUICPort = closedPort }, "websocket=ok udp=failed quic=skipped", "UDP port 1 leads", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := serve(t, c.change)
			within := wellInTime
			if c.slow {
				within = 2 * half
			}
			r := examine(t, within, n.options())
			judged(t, r, c.want)
			if r.Endpoint != wire.WebSocket || !strings.Contains(r.Better, c.better) {
				t.Errorf("%s because %q: %q", r.Endpoint, r.Why, r.Better)
			}
			if took := time.Duration(r.TookMS * float64(time.Millisecond)); (took >= within/2) != c.slow {
				t.Errorf("it took %s of %s", took, within)
			}
			if conn, _ := dial(t, n).Connection(); conn.Transport != r.Endpoint {
				t.Errorf("a client uses %s", conn.Transport)
			}
		})
	}
}

func TestExamineLoss(t *testing.T) {
	t.Parallel()
	relay := kit.RelayUDP(t)
	n := serve(t, func(o *server.Options) { o.QUICPort = relay.Port() })
	relay.Lose(11) // odd: packets up and down alternate, and both must lose some
	relay.To(port(t, n.addrs.HTTPS))
	r := examine(t, wellInTime, n.options())
	judged(t, r, "loss=warning")
	if d := endpointOf(r, wire.WebTransport); !d.Open || d.PacketsLost < 5 || d.PacketsLost > d.PacketsSent/4 {
		t.Errorf("%+v", d)
	}
}
