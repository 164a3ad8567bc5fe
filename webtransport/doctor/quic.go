package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// udpWay is what happened to packets to the WebTransport endpoint.
type udpWay struct {
	at     netip.AddrPort
	answer webtransport.Probe
	err    error
}

// tryWebTransport probes UDP and opens a session at the same time, because a network may pass one and not the other.
func (d *diagnosis) tryWebTransport(ctx context.Context, endpoint wire.Endpoint) {
	d.begin(CheckUDP, CheckQUIC, CheckWebTransport)
	rep := Endpoint{Transport: endpoint.Transport, URL: endpoint.URL}
	opening, cancel := d.part(ctx, 0.5)
	defer cancel()
	probing, stopProbing := context.WithCancel(opening)
	defer stopProbing()
	dialing, stopDialing := context.WithCancel(opening)
	defer stopDialing()
	ways := d.udpWays(endpoint.URL)
	var probes sync.WaitGroup
	for i := range ways {
		probes.Go(func() { ways[i].answer, ways[i].err = webtransport.ProbeQUIC(probing, ways[i].at) })
	}
	refused := make(chan struct{})
	go func() { // ends with the probes
		defer close(refused)
		probes.Wait()
		if !slices.ContainsFunc(ways, func(w udpWay) bool { return !errors.Is(w.err, syscall.ECONNREFUSED) }) {
			stopDialing() // QUIC does not notice the refusal and would wait
		}
	}()
	begin := time.Now()
	sess, err := webtransport.DialQUIC(dialing, endpoint.URL, webtransport.QUICDialConfig{TLS: client.TLSConfig(endpoint.CertificateHashes),
		Protocols: []string{d.document.Version}, Mask: webtransport.MaskConfig{Off: true}}) // measures the loss of the network, not what remains with masking
	var ctrl *client.Control
	if err == nil {
		defer sess.Close(uint32(wire.CloseNormal), "")
		if ctrl, err = d.hello(opening, sess, endpoint); err == nil {
			rep.Open, rep.HelloMS = true, inMS(time.Since(begin))
		}
		enough := time.AfterFunc(probeGrace, stopProbing)
		defer enough.Stop()
	}
	took := time.Since(begin)
	<-refused
	d.put(judgeUDP(ways, sess != nil))
	if sess == nil {
		d.noQUIC(&rep, ways, err, took)
		return
	}
	path, _ := webtransport.PathOf(sess)
	rep.QUIC = path.Version
	d.put(Check{Name: CheckQUIC, Verdict: OK, Found: fmt.Sprintf("QUIC %s with %s, certificate %s", path.Version, sess.Info().RemoteAddr, trust(endpoint))})
	if err != nil {
		d.putEndpoint(rep, noHello(CheckWebTransport, err, took))
		return
	}
	d.measure(ctx, sess, ctrl, &rep, ways)
}

func trust(endpoint wire.Endpoint) string {
	if len(endpoint.CertificateHashes) > 0 {
		return "pinned by its hash"
	}
	return "verified"
}

// udpWays returns the addresses of the endpoint. The server names the endpoint by the name that it was reached under.
func (d *diagnosis) udpWays(endpoint string) (ways []udpWay) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil
	}
	port, err := net.LookupPort("udp", u.Port())
	if err != nil {
		port = 443
	}
	addrs := d.addrs
	if a, err := netip.ParseAddr(u.Hostname()); err == nil {
		addrs = []netip.Addr{a}
	}
	for _, a := range addrs {
		ways = append(ways, udpWay{at: netip.AddrPortFrom(a, uint16(port))})
	}
	return ways
}

// judgeUDP reports whether packets reach the endpoint. Go clients use the first address; browsers may use another. A
// server need not answer a probe: if there is a connection, packets pass.
func judgeUDP(ways []udpWay, connected bool) Check {
	c := Check{Name: CheckUDP, Verdict: OK}
	if len(ways) == 0 {
		c.Verdict, c.Found, c.Means, c.Do = Failed, "the endpoint has no address", "The server names an endpoint without an address.", "Update the server."
		return c
	}
	var found, dead []string
	for i, w := range ways {
		switch {
		case w.err == nil:
			found = append(found, fmt.Sprintf("%s answers in %s, speaks QUIC %s", w.at, inWords(inMS(w.answer.RTT)), versions(w.answer.Versions)))
		case i == 0 && connected:
			found = append(found, fmt.Sprintf("packets to %s pass; it does not tell its versions", w.at))
		case errors.Is(w.err, syscall.ECONNREFUSED):
			found = append(found, fmt.Sprintf("%s refuses", w.at))
		case errors.Is(w.err, webtransport.ErrNotQUIC):
			found = append(found, fmt.Sprintf("%s answers, but not in QUIC", w.at))
		default:
			found = append(found, fmt.Sprintf("%s from %s", plainly(w.err), w.at))
		}
		if i > 0 && w.err != nil && !noRoute(w.err) {
			dead = append(dead, w.at.String())
		}
	}
	c.Found = strings.Join(found, "; ")
	first := ways[0]
	switch {
	case first.err == nil && len(dead) > 0:
		c.Verdict, c.Means = Warning, "Browsers that use the other address get no WebTransport there."
		c.Do = fmt.Sprintf("Open UDP for %s, or take the address out of the name's.", strings.Join(dead, ", "))
	case first.err == nil, connected:
	case errors.Is(first.err, syscall.ECONNREFUSED):
		c.Verdict, c.Means = Failed, "The machine is there, but nothing listens on the UDP port, or a firewall refuses it."
		c.Do = fmt.Sprintf("Check that UDP port %d leads to the server; a container or a NAT publishes it apart from TCP (--quic-port, if it is another one outside).", first.at.Port())
	case errors.Is(first.err, webtransport.ErrNotQUIC):
		c.Verdict, c.Means, c.Do = Failed, "Something else has the UDP port.", "Check where the UDP port leads."
	default:
		c.Verdict, c.Means = Failed, "UDP is blocked on the way, or the port is closed and a firewall hides it."
		c.Do = fmt.Sprintf("Open UDP port %d outbound to %s, and at the server inbound.", first.at.Port(), hosts(ways))
	}
	return c
}

func hosts(ways []udpWay) string {
	var all []netip.Addr
	for _, w := range ways {
		all = append(all, w.at.Addr())
	}
	return list(all)
}

func versions(all []uint32) string {
	var words []string
	for _, v := range all {
		switch v {
		case 1:
			words = append(words, "v1")
		case 0x6b3343cf: // RFC 9369
			words = append(words, "v2")
		default:
			words = append(words, fmt.Sprintf("%#x", v))
		}
	}
	return strings.Join(words, ", ")
}

// noQUIC explains why there is no session.
func (d *diagnosis) noQUIC(rep *Endpoint, ways []udpWay, err error, took time.Duration) {
	c := Check{Name: CheckQUIC, Verdict: Failed}
	var probe webtransport.Probe
	if len(ways) > 0 {
		probe = ways[0].answer
	}
	switch webtransport.FaultOf(err) {
	case webtransport.FaultSession:
		d.put(Check{Name: CheckQUIC, Verdict: OK, Found: "the handshake succeeds"})
		c.Name, c.Found = CheckWebTransport, "no session: "+plainly(root(err))
		c.Means, c.Do = "The server behind the UDP port is not Skein's, or it refuses the name.", "Check where the UDP port leads."
		if silent(err) {
			c.Found = fmt.Sprintf("no session: no answer for %s", inWords(inMS(took)))
		}
		d.putEndpoint(*rep, c)
		return
	case webtransport.FaultSilent:
		if probe.Size == 0 {
			c.Verdict, c.Found = Skipped, "not looked at: UDP does not pass"
			break
		}
		c.Found = fmt.Sprintf("UDP passes, but the handshake gets no answer in %s", inWords(inMS(took)))
		c.Means, c.Do = "A firewall knows QUIC and drops it.", "Have it pass QUIC (HTTP/3) to the server."
		if probe.Size < 1280 {
			c.Found = fmt.Sprintf("packets of more than %d bytes do not arrive", probe.Size)
			c.Means, c.Do = "The path's MTU is too small for the handshake: a tunnel or a VPN.", "Raise the MTU of the tunnel to 1330 or more."
		}
	case webtransport.FaultTLS:
		c.Found = "TLS failed: " + root(err).Error()
		c.Means, c.Do = "Another server answers on the UDP port, or its certificate is not the one that it announces.", "Check where the UDP port leads; renew the certificate, if it ended."
	case webtransport.FaultVersion:
		c.Found = "no version of QUIC in common; the server speaks " + versions(probe.Versions)
		c.Means, c.Do = "Another server answers on the UDP port, or one of the two is old.", "Check where the UDP port leads; update the older of the two."
	default:
		c.Found = plainly(root(err))
		c.Means, c.Do = "The handshake was refused.", "Look at the server's log; check where the UDP port leads."
	}
	d.putEndpoint(*rep, c, Check{Name: CheckWebTransport, Verdict: Skipped, Found: "not looked at: there is no QUIC"})
}
