package client

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// DiagnoseTimeout bounds Diagnose when its context has no deadline.
const DiagnoseTimeout = 10 * time.Second

// Verdict of a check.
type Verdict string

const (
	VerdictOK      Verdict = "ok"
	VerdictWarning Verdict = "warning" // a client connects in spite of it
	VerdictFailed  Verdict = "failed"
	VerdictSkipped Verdict = "skipped" // what it builds on failed
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

// Check is what one look at the network found, in words.
type Check struct {
	Name    string  `json:"name"`
	Verdict Verdict `json:"verdict"`
	Found   string  `json:"found"`
	Means   string  `json:"means,omitempty"` // when it is not ok
	Do      string  `json:"do,omitempty"`    // what to change
}

// DoorReport is what came of trying a door.
type DoorReport struct {
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
	Doors    []DoorReport   `json:"doors"`              // WebTransport first
	Door     wire.Transport `json:"door,omitempty"`     // that a client will use; empty: it can't connect
	Why      string         `json:"why"`
	Better   string         `json:"better,omitempty"` // what to change to get in, or in by a better door
	TookMS   float64        `json:"took_ms"`
}

// Check gives a check by its name.
func (r *Report) Check(name string) Check {
	i := slices.IndexFunc(r.Checks, func(c Check) bool { return c.Name == name })
	if i < 0 {
		return Check{Name: name, Verdict: VerdictSkipped}
	}
	return r.Checks[i]
}

// diagnosis is one Diagnose.
type diagnosis struct {
	// static
	o     Options
	url   *url.URL
	port  string
	total time.Duration
	watch func(underWay []string)
	c     *Client // for its requests and hellos alone; it runs nothing

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

// Diagnose looks at each step of the way to a server, those that do not depend on each other at the same time, and says
// by which door a client will come in. It ends with ctx, or after DiagnoseTimeout; a server that is silent takes it half
// of that. watch, if it is there, is told which checks are under way, one call at a time. An error means that the options
// make no sense; what the network does is in the report.
func Diagnose(ctx context.Context, o Options, watch func(underWay []string)) (*Report, error) {
	u, err := url.Parse(o.URL)
	if err == nil && (u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "") {
		err = errors.New("a server's URL is http:// or https:// and a host, such as https://skein.example.com:4433")
	}
	if err != nil {
		return nil, fmt.Errorf("diagnose %q: %w", o.URL, err)
	}
	o.Transport = cmp.Or(o.Transport, Auto)
	begin := time.Now()
	end, ok := ctx.Deadline()
	if !ok {
		end = begin.Add(DiagnoseTimeout)
	}
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	d := &diagnosis{o: o, url: u, port: cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme]),
		total: time.Until(end), watch: watch, c: &Client{o: o, id: rand.Text()},
		report: Report{URL: o.URL, Program: o.Version}}
	d.c.http = d.httpClient(pinned(o.CertificateHashes))
	d.run(ctx)
	d.finish()
	d.report.TookMS = inMS(time.Since(begin))
	return &d.report, nil
}

// run goes the way, as far as it leads.
func (d *diagnosis) run(ctx context.Context) {
	if d.resolve(ctx); len(d.addrs) == 0 {
		return
	}
	if d.connectTCP(ctx); len(d.reached) == 0 {
		return
	}
	var first sync.WaitGroup
	first.Go(func() { d.checkTLS(ctx) })
	first.Go(func() { d.checkHTTP(ctx) })
	first.Wait()
	if d.report.Check(CheckHTTP).Verdict == VerdictFailed || !d.trusted {
		return
	}
	if d.login(ctx); d.document == nil {
		return
	}
	d.tryDoors(ctx)
	d.protocol()
	d.processes()
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

// finish puts the report in order and judges.
func (d *diagnosis) finish() {
	r := &d.report
	for _, name := range Checks {
		if !slices.ContainsFunc(r.Checks, func(c Check) bool { return c.Name == name }) {
			r.Checks = append(r.Checks, Check{Name: name, Verdict: VerdictSkipped, Found: "not looked at: a step before it failed"})
		}
	}
	slices.SortFunc(r.Checks, func(a, b Check) int {
		return cmp.Compare(slices.Index(Checks, a.Name), slices.Index(Checks, b.Name))
	})
	slices.SortFunc(r.Doors, func(a, b DoorReport) int { return cmp.Compare(b.Transport, a.Transport) })
	if r.Doors == nil {
		r.Doors = []DoorReport{}
	}
	d.judge()
}

// judge says which door a client will use, as it races them.
func (d *diagnosis) judge() {
	r := &d.report
	var wt, ws DoorReport
	for _, door := range r.Doors {
		if d.o.Transport != Auto && d.o.Transport != string(door.Transport) {
			continue
		}
		if door.Transport == wire.WebTransport {
			wt = door
		} else {
			ws = door
		}
	}
	delay := 0.0
	if d.document != nil {
		delay = float64(d.document.Policy.RaceDelayMS)
	}
	steps := []string{CheckUDP, CheckQUIC, CheckWebTransport}
	switch {
	case wt.Open && (!ws.Open || wt.HelloMS <= delay+ws.HelloMS):
		r.Door, r.Why = wire.WebTransport, "it is the first choice, and it answers"
		return
	case wt.Open:
		r.Door = wire.WebSocket
		r.Why = fmt.Sprintf("WebTransport took %s; WebSocket joins after %s and is first", inWords(wt.HelloMS), inWords(delay))
		r.Better = "Find out what delays UDP on the way: the first packets of a connection are lost or wait."
		return
	case ws.Open && d.o.Transport == WebSocket:
		r.Door, r.Why = wire.WebSocket, "it was asked for"
		return
	case ws.Open:
		r.Door, r.Why = wire.WebSocket, "WebTransport does not work"
	default:
		steps = Checks
		if d.stranger { // what its certificate is does not matter
			steps = append([]string{CheckHTTP}, steps...)
		}
		if d.o.Transport == WebTransport {
			steps = slices.DeleteFunc(slices.Clone(steps), func(n string) bool { return n == CheckWebSocket })
		}
	}
	for _, name := range steps {
		if c := r.Check(name); c.Verdict == VerdictFailed {
			r.Why, r.Better = strings.TrimPrefix(r.Why+": "+c.Found, ": "), c.Do
			return
		}
	}
	if r.Why == "" { // the time was over between two steps
		r.Why, r.Better = "the time was too short to find out", "Give it more."
	}
}

// resolve looks the server's name up.
func (d *diagnosis) resolve(ctx context.Context) {
	d.begin(CheckName)
	c := Check{Name: CheckName, Verdict: VerdictOK}
	defer func() { d.put(c) }()
	host := d.url.Hostname()
	if a, err := netip.ParseAddr(host); err == nil {
		d.addrs, c.Found = []netip.Addr{a}, host+" is an address"
		return
	}
	ctx, cancel := d.part(ctx, 0.3)
	defer cancel()
	begin := time.Now()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	took := time.Since(begin)
	for _, a := range addrs {
		if a = a.Unmap(); !slices.Contains(d.addrs, a) {
			d.addrs = append(d.addrs, a)
		}
	}
	slices.SortStableFunc(d.addrs, func(a, b netip.Addr) int { return cmp.Compare(a.BitLen(), b.BitLen()) })
	var de *net.DNSError
	switch {
	case len(d.addrs) > 0:
		c.Found = fmt.Sprintf("%s is %s, asked in %s", host, list(d.addrs), inWords(inMS(took)))
		if took > 2*time.Second {
			c.Verdict, c.Means = VerdictWarning, "Each new connection waits for it: a name server of this machine does not answer."
			c.Do = "Look at the name servers of this machine (/etc/resolv.conf)."
		}
	case errors.As(err, &de) && de.IsNotFound:
		c.Verdict, c.Found = VerdictFailed, "there is no name "+host
		c.Means, c.Do = "The name servers that this machine asks do not know the server.", "Check the spelling, or have "+host+" entered into the DNS or into /etc/hosts."
	default:
		c.Verdict, c.Found = VerdictFailed, fmt.Sprintf("%s could not be looked up: %s", host, plainly(err))
		c.Means, c.Do = "The name servers that this machine asks do not answer.", "Check that this machine is online, and its name servers (/etc/resolv.conf)."
	}
}

// connectTCP connects to each address.
func (d *diagnosis) connectTCP(ctx context.Context) {
	d.begin(CheckTCP)
	ctx, cancel := d.part(ctx, 0.4)
	defer cancel()
	errs, took := make([]error, len(d.addrs)), make([]time.Duration, len(d.addrs))
	var work sync.WaitGroup
	for i, a := range d.addrs {
		work.Go(func() {
			begin := time.Now()
			var conn net.Conn
			if conn, errs[i] = dialTCP(ctx, "tcp", d.at(a)); errs[i] == nil {
				conn.Close()
			}
			took[i] = time.Since(begin)
		})
	}
	work.Wait()
	var found, closed []string
	for i, a := range d.addrs {
		if errs[i] == nil {
			d.reached = append(d.reached, a)
			found = append(found, fmt.Sprintf("%s in %s", d.at(a), inWords(inMS(took[i]))))
			continue
		}
		found = append(found, fmt.Sprintf("%s: %s", d.at(a), plainly(errs[i])))
		if !noRoute(errs[i]) { // a family that this machine does not have costs a client no time
			closed = append(closed, a.String())
		}
	}
	c := Check{Name: CheckTCP, Verdict: VerdictOK, Found: strings.Join(found, "; ")}
	switch err := errors.Join(errs...); {
	case len(d.reached) > 0 && len(closed) > 0:
		c.Verdict = VerdictWarning
		c.Means = "Clients that try the other address first lose time."
		c.Do = fmt.Sprintf("Have the server listen on %s too, or take it out of the name's addresses.", strings.Join(closed, ", "))
	case len(d.reached) > 0:
	case errors.Is(err, syscall.ECONNREFUSED):
		c.Verdict, c.Means = VerdictFailed, "The machine is there, but nothing listens on the port, or a firewall refuses it."
		c.Do = fmt.Sprintf("Check that the server runs and listens on %s (skein serve --http, --listen), and that port %s is the right one.", d.port, d.port)
	case noRoute(err):
		c.Verdict, c.Means, c.Do = VerdictFailed, "This machine knows no way to the server.", "Check that this machine is online, and the VPN, if there is one."
	default:
		c.Verdict, c.Means = VerdictFailed, "A firewall drops the packets, or no machine has the address."
		c.Do = fmt.Sprintf("Open TCP port %s outbound to %s, and check the address.", d.port, list(d.addrs))
	}
	if name := proxyVariable(); len(d.reached) == 0 && name != "" {
		c.Do += fmt.Sprintf(" %s is set, but Skein's programs use no proxy.", name)
	}
	d.put(c)
}

// dialTries and dialGap are the connections that are tried for one, and the time between them.
const (
	dialTries = 3
	dialGap   = 400 * time.Millisecond
)

// dialTCP connects, and tries again beside a try that takes long: the system repeats a first packet that was lost only
// after one second, and after three. A step of a diagnosis has no time for that, and it must not call a lossy way closed.
func dialTCP(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	type result struct {
		conn net.Conn
		err  error
	}
	results := make(chan result, dialTries)
	var work sync.WaitGroup
	try := func() {
		work.Go(func() {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			results <- result{conn, err}
		})
	}
	try()
	again := time.NewTicker(dialGap)
	defer again.Stop()
	for tries := 1; ; {
		select {
		case <-again.C:
			if tries < dialTries {
				tries++
				try()
			}
			continue
		case r := <-results:
			cancel()
			work.Wait()
			close(results)
			for late := range results {
				if late.conn != nil {
					late.conn.Close()
				}
			}
			return r.conn, r.err
		}
	}
}

func proxyVariable() string {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"} {
		if os.Getenv(name) != "" {
			return name
		}
	}
	return ""
}

func (d *diagnosis) at(a netip.Addr) string { return net.JoinHostPort(a.String(), d.port) }

// loopback reports whether the server is on this machine.
func (d *diagnosis) loopback() bool {
	return !slices.ContainsFunc(d.addrs, func(a netip.Addr) bool { return !a.IsLoopback() })
}

func noRoute(err error) bool {
	return errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.EADDRNOTAVAIL) ||
		errors.Is(err, syscall.EAFNOSUPPORT)
}

func silent(err error) bool {
	var ne net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.As(err, &ne) && ne.Timeout()
}

// plainly tells an error of the network in few words.
func plainly(err error) string {
	switch {
	case silent(err):
		return "no answer"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case noRoute(err):
		return "no route"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "cut off"
	}
	return err.Error()
}

func inMS(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// inWords writes milliseconds for a person.
func inWords(ms float64) string {
	switch {
	case ms < 10:
		return strconv.FormatFloat(ms, 'f', 1, 64) + " ms"
	case ms < 1000:
		return strconv.FormatFloat(ms, 'f', 0, 64) + " ms"
	}
	return strconv.FormatFloat(ms/1000, 'f', 1, 64) + " s"
}

func list[T fmt.Stringer](all []T) string {
	var s []string
	for _, a := range all {
		s = append(s, a.String())
	}
	return strings.Join(s, ", ")
}
