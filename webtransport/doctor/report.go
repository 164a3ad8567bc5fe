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

// Verdict is the result of a check.
type Verdict string

const (
	OK      Verdict = "ok"
	Warning Verdict = "warning" // a client can connect nevertheless
	Failed  Verdict = "failed"
	Skipped Verdict = "skipped" // a check that it depends on failed
)

// The checks in the order of the path to a server.
const (
	CheckName         = "name"         // the server's name has addresses
	CheckTCP          = "tcp"          // the addresses accept TCP connections
	CheckTLS          = "tls"          // the certificate is the server's
	CheckHTTP         = "http"         // what answers is Skein
	CheckClock        = "clock"        // both clocks agree
	CheckLogin        = "login"        // the token is accepted
	CheckProtocol     = "protocol"     // both sides speak the same version
	CheckWebSocket    = "websocket"    // a session over WebSocket
	CheckUDP          = "udp"          // UDP packets reach the WebTransport endpoint
	CheckQUIC         = "quic"         // a QUIC handshake succeeds
	CheckWebTransport = "webtransport" // a session over WebTransport
	CheckLoss         = "loss"         // loss of packets
	CheckDatagrams    = "datagrams"    // the server's status datagrams arrive
	CheckMTU          = "mtu"          // the size of packets that pass
	CheckProcesses    = "processes"    // a stop finds everything that an agent started
)

// Checks are all of them.
var Checks = []string{CheckName, CheckTCP, CheckTLS, CheckHTTP, CheckClock, CheckLogin, CheckProtocol, CheckWebSocket,
	CheckUDP, CheckQUIC, CheckWebTransport, CheckLoss, CheckDatagrams, CheckMTU, CheckProcesses}

// Check is the result of examining one step of the path, for people.
type Check struct {
	Name    string  `json:"name"`
	Verdict Verdict `json:"verdict"`
	Found   string  `json:"found"`
	Means   string  `json:"means,omitempty"` // if the verdict is not OK
	Do      string  `json:"do,omitempty"`    // what to change
}

// Endpoint is the result of trying one endpoint.
type Endpoint struct {
	Transport   wire.Transport `json:"transport"`
	URL         string         `json:"url"`
	Open        bool           `json:"open"`                   // hello was answered
	HelloMS     float64        `json:"hello_ms,omitempty"`     // from the first packet to the reply to hello
	Pings       int            `json:"pings,omitempty"`        // pings that were answered or should have been
	Answered    int            `json:"answered,omitempty"`     // of the pings
	RTTMS       float64        `json:"rtt_ms,omitempty"`       // median of the pings
	SlowestMS   float64        `json:"slowest_ms,omitempty"`   // slowest ping
	QUIC        string         `json:"quic,omitempty"`         // version
	PacketsSent uint64         `json:"packets_sent,omitempty"` // QUIC packets that this side sent
	PacketsLost uint64         `json:"packets_lost,omitempty"`
	Datagrams   int            `json:"datagrams,omitempty"` // status datagrams that arrived
	MTU         int            `json:"mtu,omitempty"`       // largest UDP payload that is known to pass
	MaxDatagram int            `json:"max_datagram,omitempty"`
}

// Report says what the network between here and a server allows.
type Report struct {
	URL       string         `json:"url"`
	Node      wire.NodeID    `json:"node,omitempty"`
	Server    string         `json:"server,omitempty"`   // version of the server
	Protocol  string         `json:"protocol,omitempty"` // version of the protocol that it speaks
	Program   string         `json:"program,omitempty"`  // version of this program
	Checks    []Check        `json:"checks"`             // all of Checks, in its order
	Endpoints []Endpoint     `json:"doors"`              // WebTransport first
	Endpoint  wire.Transport `json:"door,omitempty"`     // endpoint that a client will use; empty if it can't connect
	Why       string         `json:"why"`
	Better    string         `json:"better,omitempty"` // what to change to connect, or to use a better endpoint
	TookMS    float64        `json:"took_ms"`
}

// Check returns the check with a name.
func (r *Report) Check(name string) Check {
	i := slices.IndexFunc(r.Checks, func(c Check) bool { return c.Name == name })
	if i < 0 {
		return Check{Name: name, Verdict: Skipped}
	}
	return r.Checks[i]
}

// diagnosis is one call of Examine.
type diagnosis struct {
	// static
	o     client.Options
	url   *url.URL
	port  string
	total time.Duration
	watch func(underWay []string)
	id    string       // client id of the doctor
	http  *http.Client // configured like that of a client

	mu       sync.Mutex
	report   Report
	underWay []string

	// set by one step for those after it
	addrs    []netip.Addr
	reached  []netip.Addr // addresses reached over TCP
	trusted  bool         // the token may be sent to the server
	stranger bool         // the server answers HTTP and is not Skein
	document *wire.Connect
}

// begin records that checks are under way. put ends them.
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

// tell calls watch. The caller holds mu.
func (d *diagnosis) tell() {
	if d.watch != nil {
		d.watch(slices.Clone(d.underWay))
	}
}

// part returns a context for a step with a share of the whole time.
func (d *diagnosis) part(ctx context.Context, share float64) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, time.Duration(share*float64(d.total)))
}
