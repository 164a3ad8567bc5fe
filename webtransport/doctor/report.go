package doctor

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"time"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// Verdict of a check.
type Verdict string

const (
	OK      Verdict = "ok"
	Warning Verdict = "warning" // a client connects in spite of it
	Failed  Verdict = "failed"
	Skipped Verdict = "skipped" // what it builds on failed
)

// The checks, in the order of the way to a server.
const (
	CheckName         = "name"         // the server's name has addresses
	CheckTCP          = "tcp"          // they take TCP connections
	CheckTLS          = "tls"          // the certificate is the server's
	CheckHTTP         = "http"         // what answers is Skein
	CheckClock        = "clock"        // both clocks agree
	CheckLogin        = "login"        // the token is good
	CheckProtocol     = "protocol"     // both sides speak the same
	CheckWebSocket    = "websocket"    // a session over WebSocket
	CheckUDP          = "udp"          // UDP packets reach the WebTransport door
	CheckQUIC         = "quic"         // and a QUIC handshake succeeds
	CheckWebTransport = "webtransport" // a session over WebTransport
	CheckLoss         = "loss"         // of packets
	CheckDatagrams    = "datagrams"    // the server's status datagrams arrive
	CheckMTU          = "mtu"          // how large packets may be
	CheckProcesses    = "processes"    // a stop finds all that an agent started
)

// Checks lists them all.
var Checks = []string{CheckName, CheckTCP, CheckTLS, CheckHTTP, CheckClock, CheckLogin, CheckProtocol, CheckWebSocket,
	CheckUDP, CheckQUIC, CheckWebTransport, CheckLoss, CheckDatagrams, CheckMTU, CheckProcesses}

// Check is the result of examining one step of the way, in words.
type Check struct {
	Name    string  `json:"name"`
	Verdict Verdict `json:"verdict"`
	Found   string  `json:"found"`
	Means   string  `json:"means,omitempty"` // when it is not ok
	Do      string  `json:"do,omitempty"`    // what to change
}

// Door is what came of trying a door.
type Door struct {
	Transport   wire.Transport `json:"transport"`
	URL         string         `json:"url"`
	Open        bool           `json:"open"`                   // its hello was answered
	HelloMS     float64        `json:"hello_ms,omitempty"`     // from the first packet to the answer to hello
	Pings       int            `json:"pings,omitempty"`        // that were answered, or should have been
	Answered    int            `json:"answered,omitempty"`     // of them
	RTTMS       float64        `json:"rtt_ms,omitempty"`       // of a ping, the median
	SlowestMS   float64        `json:"slowest_ms,omitempty"`   // of all pings
	QUIC        string         `json:"quic,omitempty"`         // version
	PacketsSent uint64         `json:"packets_sent,omitempty"` // by this side, of QUIC
	PacketsLost uint64         `json:"packets_lost,omitempty"`
	Datagrams   int            `json:"datagrams,omitempty"` // of the server's, that came
	MTU         int            `json:"mtu,omitempty"`       // the largest UDP payload that is known to pass
	MaxDatagram int            `json:"max_datagram,omitempty"`
}

// Report says what the network between here and a server allows.
type Report struct {
	URL      string         `json:"url"`
	Node     wire.NodeID    `json:"node,omitempty"`
	Server   string         `json:"server,omitempty"`   // its version
	Protocol string         `json:"protocol,omitempty"` // that it speaks
	Program  string         `json:"program,omitempty"`  // this program's version
	Checks   []Check        `json:"checks"`             // all of Checks, in its order
	Doors    []Door         `json:"doors"`              // WebTransport first
	Door     wire.Transport `json:"door,omitempty"`     // that a client will use; empty: it can't connect
	Why      string         `json:"why"`
	Better   string         `json:"better,omitempty"` // what to change to get in, or in by a better door
	TookMS   float64        `json:"took_ms"`
}

// Check gives a check by its name.
func (r *Report) Check(name string) Check {
	i := slices.IndexFunc(r.Checks, func(c Check) bool { return c.Name == name })
	if i < 0 {
		return Check{Name: name, Verdict: Skipped}
	}
	return r.Checks[i]
}

// diagnosis is one Examine.
type diagnosis struct {
	// static
	o     client.Options
	url   *url.URL
	port  string
	total time.Duration
	watch func(underWay []string)
	id    string       // of the client that the doctor is to the server
	http  *http.Client // asks as a client does

	mu       sync.Mutex
	report   Report
	underWay []string

	// set by a step, for those after it
	addrs    []netip.Addr
	reached  []netip.Addr // over TCP
	trusted  bool         // the token may go there
	stranger bool         // it answers HTTP, and is not Skein
	document *wire.Connect
}

// begin says that checks are under way; put ends them.
func (d *diagnosis) begin(names ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.underWay = append(d.underWay, names...)
	d.tell()
}

func (d *diagnosis) put(c Check) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.report.Checks = append(d.report.Checks, c)
	d.underWay = slices.DeleteFunc(d.underWay, func(n string) bool { return n == c.Name })
	d.tell()
}

// tell is called with mu held.
func (d *diagnosis) tell() {
	if d.watch != nil {
		d.watch(slices.Clone(d.underWay))
	}
}

// part gives a step its share of the whole time.
func (d *diagnosis) part(ctx context.Context, share float64) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, time.Duration(share*float64(d.total)))
}
