package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// resolve looks up the server's name.
func (d *diagnosis) resolve(ctx context.Context) {
	d.begin(CheckName)
	c := Check{Name: CheckName, Verdict: OK}
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
			c.Verdict, c.Means = Warning, "Each new connection waits for it: a name server of this machine does not answer."
			c.Do = "Look at the name servers of this machine (/etc/resolv.conf)."
		}
	case errors.As(err, &de) && de.IsNotFound:
		c.Verdict, c.Found = Failed, "there is no name "+host
		c.Means, c.Do = "The name servers that this machine asks do not know the server.", "Check the spelling, or have "+host+" entered into the DNS or into /etc/hosts."
	default:
		c.Verdict, c.Found = Failed, fmt.Sprintf("%s could not be looked up: %s", host, plainly(err))
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
		if !noRoute(errs[i]) { // an address family that this machine lacks costs a client no time
			closed = append(closed, a.String())
		}
	}
	c := Check{Name: CheckTCP, Verdict: OK, Found: strings.Join(found, "; ")}
	switch err := errors.Join(errs...); {
	case len(d.reached) > 0 && len(closed) > 0:
		c.Verdict = Warning
		c.Means = "Clients that try the other address first lose time."
		c.Do = fmt.Sprintf("Have the server listen on %s too, or take it out of the name's addresses.", strings.Join(closed, ", "))
	case len(d.reached) > 0:
	case errors.Is(err, syscall.ECONNREFUSED):
		c.Verdict, c.Means = Failed, "The machine is there, but nothing listens on the port, or a firewall refuses it."
		c.Do = fmt.Sprintf("Check that the server runs and listens on %s (skein serve --http, --listen), and that port %s is the right one.", d.port, d.port)
	case noRoute(err):
		c.Verdict, c.Means, c.Do = Failed, "This machine knows no way to the server.", "Check that this machine is online, and the VPN, if there is one."
	default:
		c.Verdict, c.Means = Failed, "A firewall drops the packets, or no machine has the address."
		c.Do = fmt.Sprintf("Open TCP port %s outbound to %s, and check the address.", d.port, list(d.addrs))
	}
	if name := proxyVariable(); len(d.reached) == 0 && name != "" {
		c.Do += fmt.Sprintf(" %s is set, but Skein's programs use no proxy.", name)
	}
	d.put(c)
}

// dialTries is how many connections are tried in parallel for one, and dialGap the time between their starts.
const (
	dialTries = 3
	dialGap   = 400 * time.Millisecond
)

// dialTCP connects, and starts another attempt if one takes long. The system retransmits a lost first packet only after
// one second and then after three; a step of a diagnosis has no time for that, and must not report a lossy path as
// closed.
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
