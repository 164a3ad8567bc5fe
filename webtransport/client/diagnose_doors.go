package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

// A session is measured by a train of pings: enough packets to see a loss of one in a hundred, in about a second. With
// less time there are fewer.
const (
	trainPings = 200
	trainGap   = 5 * time.Millisecond
)

const (
	// lossNotice is the share of lost packets that is worth a warning, from lossLeast packets on.
	lossNotice = 0.01
	lossLeast  = 2
	// stallNotice is what a round trip over TCP may take beyond four usual ones, in milliseconds.
	stallNotice = 250
	// probeGrace is how long a probe may go on when the handshake is over.
	probeGrace = 500 * time.Millisecond
	// fullPacket is the largest packet that this side sends.
	fullPacket = 1452
)

// tryDoors opens a session through each door, at the same time.
func (d *diagnosis) tryDoors(ctx context.Context) {
	var work sync.WaitGroup
	defer work.Wait()
	offered := func(t wire.Transport) *wire.Door {
		if i := slices.IndexFunc(d.document.Doors, func(door wire.Door) bool { return door.Transport == t }); i >= 0 {
			return &d.document.Doors[i]
		}
		return nil
	}
	if door := offered(wire.WebSocket); door != nil {
		work.Go(func() { d.tryWebSocket(ctx, *door) })
	} else {
		d.put(Check{Name: CheckWebSocket, Verdict: VerdictFailed, Found: "the server offers no WebSocket door",
			Means: "There is nothing to fall back to where UDP is blocked.", Do: "Update the server."})
	}
	if door := offered(wire.WebTransport); door != nil {
		work.Go(func() { d.tryWebTransport(ctx, *door) })
	} else {
		d.put(Check{Name: CheckWebTransport, Verdict: VerdictFailed, Found: "the server offers no WebTransport door",
			Means: "Clients use WebSocket alone.", Do: "Start the server with --listen ADDRESS:PORT for this machine, or say with --quic-port where UDP is mapped. A proxy of HTTP passes none on: it goes beside it."})
	}
}

// hello opens the control lane of a session within ctx.
func (d *diagnosis) hello(ctx context.Context, sess webtransport.Session, door wire.Door) (*link, error) {
	l := &link{c: d.c, sess: sess, kind: door.Transport, since: time.Now()}
	stop := context.AfterFunc(ctx, func() { sess.Close(uint32(wire.CloseNormal), "") })
	err := l.hello(ctx, d.c, door.Ticket)
	if !stop() {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.report.Server, d.report.Protocol = l.welcome.Server, l.welcome.Version
	return l, nil
}

// train measures a session, and ends it if the pings are not answered in time; what came until then counts.
func (d *diagnosis) train(ctx context.Context, l *link, door *DoorReport) {
	ctx, stop := d.part(ctx, 0.4)
	defer stop()
	defer context.AfterFunc(ctx, func() { l.sess.Close(uint32(wire.CloseNormal), "") })()
	sent := make([]time.Time, min(trainPings, max(1, int(d.total/5/trainGap))))
	var mu sync.Mutex // guards sent
	var work sync.WaitGroup
	defer work.Wait() // the writer ends with the session, or when it has sent them all
	work.Go(func() {
		tick := time.NewTicker(trainGap)
		defer tick.Stop()
		for i := range sent {
			m, err := wire.NewRequest(json.RawMessage(fmt.Sprint(i)), wire.MethodPing, nil)
			if err != nil {
				return
			}
			line, err := wire.AppendLine(nil, m)
			if err != nil {
				return
			}
			mu.Lock()
			sent[i] = time.Now()
			mu.Unlock()
			l.ctrl.write(line)
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	var took []time.Duration
	answered := make([]bool, len(sent))
	for len(took) < len(sent) {
		m, err := l.r.Message()
		if err != nil {
			break
		}
		var i int
		if json.Unmarshal(m.ID, &i) == nil && m.IsResponse() && i >= 0 && i < len(sent) && !answered[i] {
			answered[i] = true
			mu.Lock()
			took = append(took, time.Since(sent[i]))
			mu.Unlock()
		}
	}
	mu.Lock()
	door.Answered, door.Pings = len(took), len(took)+overdue(sent, answered, time.Now())
	mu.Unlock()
	if len(took) == 0 {
		return
	}
	slices.Sort(took)
	door.RTTMS, door.SlowestMS = inMS(took[len(took)/2]), inMS(took[len(took)-1])
}

// overdue counts the pings that should have been answered by now: those that had half of the time that a whole train takes.
// A busy machine sends the last ones too late for an answer, which says nothing of the network.
func overdue(sent []time.Time, answered []bool, now time.Time) (n int) {
	for i, at := range sent {
		if !at.IsZero() && !answered[i] && now.Sub(at) > time.Duration(len(sent))*trainGap/2 {
			n++
		}
	}
	return n
}

// judge tells how a session came to be, and what its round trips were.
func (r *DoorReport) judge(name string) Check {
	c := Check{Name: name, Verdict: VerdictOK}
	if r.Answered < r.Pings {
		c.Verdict, c.Found = VerdictWarning, fmt.Sprintf("hello answered after %s, then %d of %d pings", inWords(r.HelloMS), r.Answered, r.Pings)
		c.Means, c.Do = "Something on the way stops passing data.", "Look at the firewalls on the way: some let a flow begin, and not go on."
		return c
	}
	c.Found = fmt.Sprintf("hello answered after %s; round trip %s, the slowest of %d %s", inWords(r.HelloMS), inWords(r.RTTMS), r.Pings, inWords(r.SlowestMS))
	return c
}

// recorder keeps the answer to an upgrade, which the library hides.
type recorder struct {
	http.RoundTripper
	status int
	server string
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := r.RoundTripper.RoundTrip(req)
	if err == nil {
		r.status, r.server = res.StatusCode, res.Header.Get("Server")
	}
	return res, err
}

// tryWebSocket opens a session over WebSocket.
func (d *diagnosis) tryWebSocket(ctx context.Context, door wire.Door) {
	d.begin(CheckWebSocket)
	c := Check{Name: CheckWebSocket, Verdict: VerdictOK}
	rep := DoorReport{Transport: door.Transport, URL: door.URL}
	defer func() { d.putDoor(rep, c) }()
	opening, cancel := d.part(ctx, 0.5)
	defer cancel()
	begin := time.Now()
	tr := &http.Transport{TLSClientConfig: pinned(d.o.CertificateHashes)}
	defer tr.CloseIdleConnections()
	rec := &recorder{RoundTripper: tr}
	sess, err := webtransport.DialWebSocket(opening, door.URL, webtransport.WebSocketConfig{Protocols: []string{wire.Version}, HTTPClient: &http.Client{Transport: rec}})
	if err != nil {
		c = noUpgrade(rec, err)
		return
	}
	defer sess.Close(uint32(wire.CloseNormal), "")
	l, err := d.hello(opening, sess, door)
	if err != nil {
		c = noHello(CheckWebSocket, err, time.Since(begin))
		if silent(err) {
			c.Means = "A proxy took the WebSocket and does not pass on what is sent."
			c.Do = "Have the proxy pass WebSockets through unbuffered, for " + door.URL + ", or go around it."
		}
		return
	}
	rep.Open, rep.HelloMS = true, inMS(time.Since(begin))
	d.train(ctx, l, &rep)
	if c = rep.judge(CheckWebSocket); c.Verdict == VerdictOK && rep.SlowestMS > 4*rep.RTTMS+stallNotice {
		c.Verdict, c.Means = VerdictWarning, "TCP waited for packets that were lost; all agents wait with it."
		c.Do = "Use WebTransport where it works; look at the link for loss."
	}
}

// noUpgrade says why there is no WebSocket.
func noUpgrade(rec *recorder, err error) Check {
	c := Check{Name: CheckWebSocket, Verdict: VerdictFailed}
	switch {
	case rec.status == http.StatusSwitchingProtocols:
		c.Found, c.Means, c.Do = "the upgrade was taken, and none of Skein's subprotocols", "A proxy answered it itself, or it drops Sec-WebSocket-Protocol.", "Have the proxy pass the header on."
	case rec.status != 0:
		c.Found = fmt.Sprintf("the upgrade was answered with %d %s", rec.status, http.StatusText(rec.status))
		if rec.server != "" {
			c.Found += fmt.Sprintf(" (%s)", rec.server)
		}
		c.Means, c.Do = "A proxy on the way does not pass WebSockets.", "Have the proxy pass the headers Upgrade and Connection for /ws."
	case silent(err):
		c.Found, c.Means, c.Do = "the upgrade gets no answer", "A proxy on the way holds it back.", "Have the proxy pass the headers Upgrade and Connection for /ws."
	default:
		c.Found, c.Means, c.Do = plainly(err), "The WebSocket door can't be reached.", "Look at the server's log, and at a proxy on the way."
	}
	return c
}

// noHello says why a session that was opened is of no use.
func noHello(name string, err error, took time.Duration) Check {
	c := Check{Name: name, Verdict: VerdictFailed}
	var we *wire.Error
	switch {
	case errors.As(err, &we):
		c.Found, c.Means, c.Do = "hello was refused: "+we.Message, "The server takes the connection, but not this client.", "Look at the server's log."
		if we.Code == wire.CodeVersion {
			c.Do = "Update the older of server and program."
		}
	case silent(err):
		c.Found = fmt.Sprintf("opened, and then nothing came for %s", inWords(inMS(took)))
		c.Means, c.Do = "Something on the way passes the beginning, and not what follows.", "Look at the firewalls on the way."
	default:
		c.Found, c.Means, c.Do = "opened, and ended before hello was answered: "+plainly(err), "The server, or something on the way, closes it.", "Look at the server's log."
	}
	return c
}

func (d *diagnosis) putDoor(rep DoorReport, c ...Check) {
	for _, c := range c {
		d.put(c)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.report.Doors = append(d.report.Doors, rep)
}

// udpWay is what packets to the WebTransport door met.
type udpWay struct {
	at     netip.AddrPort
	answer webtransport.Probe
	err    error
}

// tryWebTransport probes UDP and opens a session, at the same time: a network may pass one and not the other.
func (d *diagnosis) tryWebTransport(ctx context.Context, door wire.Door) {
	d.begin(CheckUDP, CheckQUIC, CheckWebTransport)
	rep := DoorReport{Transport: door.Transport, URL: door.URL}
	opening, cancel := d.part(ctx, 0.5)
	defer cancel()
	probing, stopProbing := context.WithCancel(opening)
	defer stopProbing()
	dialing, stopDialing := context.WithCancel(opening)
	defer stopDialing()
	ways := d.udpWays(door.URL)
	var probes sync.WaitGroup
	for i := range ways {
		probes.Go(func() { ways[i].answer, ways[i].err = webtransport.ProbeQUIC(probing, ways[i].at) })
	}
	refused := make(chan struct{})
	go func() { // ends with the probes
		defer close(refused)
		probes.Wait()
		if !slices.ContainsFunc(ways, func(w udpWay) bool { return !errors.Is(w.err, syscall.ECONNREFUSED) }) {
			stopDialing() // QUIC would wait: it does not see the refusal
		}
	}()
	begin := time.Now()
	sess, err := webtransport.DialQUIC(dialing, door.URL, webtransport.QUICDialConfig{TLS: pinned(door.CertificateHashes),
		Protocols: []string{d.document.Version}, Mask: webtransport.MaskConfig{Off: true}}) // the network's loss, not what is left of it
	var l *link
	if err == nil {
		defer sess.Close(uint32(wire.CloseNormal), "")
		if l, err = d.hello(opening, sess, door); err == nil {
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
	d.put(Check{Name: CheckQUIC, Verdict: VerdictOK, Found: fmt.Sprintf("QUIC %s with %s, certificate %s", path.Version, sess.Info().RemoteAddr, trust(door))})
	if err != nil {
		d.putDoor(rep, noHello(CheckWebTransport, err, took))
		return
	}
	d.measure(ctx, l, &rep, ways)
}

func trust(door wire.Door) string {
	if len(door.CertificateHashes) > 0 {
		return "pinned by its hash"
	}
	return "verified"
}

// udpWays lists the door's addresses. It is the server that names the door: by the name it was asked under.
func (d *diagnosis) udpWays(door string) (ways []udpWay) {
	u, err := url.Parse(door)
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

// judgeUDP says whether packets reach the door. The first address is the one that clients in Go use; browsers may use
// another. A server need not answer a probe: when there is a connection, packets pass.
func judgeUDP(ways []udpWay, connected bool) Check {
	c := Check{Name: CheckUDP, Verdict: VerdictOK}
	if len(ways) == 0 {
		c.Verdict, c.Found, c.Means, c.Do = VerdictFailed, "the door has no address", "The server names a door that makes no sense.", "Update the server."
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
		c.Verdict, c.Means = VerdictWarning, "Browsers that use the other address get no WebTransport there."
		c.Do = fmt.Sprintf("Open UDP for %s, or take the address out of the name's.", strings.Join(dead, ", "))
	case first.err == nil, connected:
	case errors.Is(first.err, syscall.ECONNREFUSED):
		c.Verdict, c.Means = VerdictFailed, "The machine is there, but nothing listens on the UDP port, or a firewall refuses it."
		c.Do = fmt.Sprintf("Check that UDP port %d leads to the server; a container or a NAT publishes it apart from TCP (--quic-port, if it is another one outside).", first.at.Port())
	case errors.Is(first.err, webtransport.ErrNotQUIC):
		c.Verdict, c.Means, c.Do = VerdictFailed, "Something else has the UDP port.", "Check where the UDP port leads."
	default:
		c.Verdict, c.Means = VerdictFailed, "UDP is blocked on the way, or the port is closed and a firewall hides it."
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

// noQUIC says why there is no session.
func (d *diagnosis) noQUIC(rep *DoorReport, ways []udpWay, err error, took time.Duration) {
	c := Check{Name: CheckQUIC, Verdict: VerdictFailed}
	var probe webtransport.Probe
	if len(ways) > 0 {
		probe = ways[0].answer
	}
	switch webtransport.FaultOf(err) {
	case webtransport.FaultSession:
		d.put(Check{Name: CheckQUIC, Verdict: VerdictOK, Found: "the handshake succeeds"})
		c.Name, c.Found = CheckWebTransport, "no session: "+plainly(root(err))
		c.Means, c.Do = "The server behind the UDP port is not Skein's, or it refuses the name.", "Check where the UDP port leads."
		if silent(err) {
			c.Found = fmt.Sprintf("no session: no answer for %s", inWords(inMS(took)))
		}
		d.putDoor(*rep, c)
		return
	case webtransport.FaultSilent:
		if probe.Size == 0 {
			c.Verdict, c.Found = VerdictSkipped, "not looked at: UDP does not pass"
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
	d.putDoor(*rep, c, Check{Name: CheckWebTransport, Verdict: VerdictSkipped, Found: "not looked at: there is no QUIC"})
}

// root is the innermost error of a chain.
func root(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil || next == net.ErrClosed { // quic-go puts that under its own
			return err
		}
		err = next
	}
}

// status is what came of the server's own reports.
type status struct {
	datagrams int
	last      uint64 // the number of the last one
	updates   int    // full records on the status lane; each was a datagram too
}

// measure looks at an open session: round trips, loss, datagrams, packet sizes.
func (d *diagnosis) measure(ctx context.Context, l *link, rep *DoorReport, ways []udpWay) {
	d.begin(CheckLoss, CheckDatagrams, CheckMTU)
	reading, stop := context.WithCancel(ctx)
	defer stop()
	var st status
	var readers sync.WaitGroup
	readers.Go(func() { st.readDatagrams(reading, l.sess) })
	readers.Go(func() { st.readLane(reading, l.sess) })
	d.train(ctx, l, rep)
	info := l.sess.Info()
	path, _ := webtransport.PathOf(l.sess)
	stop()
	readers.Wait()
	rep.PacketsSent, rep.PacketsLost, rep.Datagrams = info.PacketsSent, info.PacketsLost, st.datagrams
	rep.MTU, rep.MaxDatagram = path.MTU, min(path.MaxDatagram, info.MaxDatagramSize)
	d.putDoor(*rep, rep.judge(CheckWebTransport), loss(rep), st.judge(path), mtu(rep, ways[0].answer))
}

func loss(rep *DoorReport) Check {
	share := float64(rep.PacketsLost) / float64(max(1, rep.PacketsSent))
	c := Check{Name: CheckLoss, Verdict: VerdictOK, Found: fmt.Sprintf("%d of %d packets were lost (%.1f %%)", rep.PacketsLost, rep.PacketsSent, 100*share)}
	if rep.PacketsLost >= lossLeast && share >= lossNotice {
		c.Verdict, c.Means = VerdictWarning, "Over WebSocket everything waits for a packet that was lost; WebTransport masks it on thin connections."
		c.Do = "Look at the link (Wi-Fi, a full uplink); keep UDP open, and loss masking on."
	}
	return c
}

func (st *status) judge(path webtransport.Path) Check {
	c := Check{Name: CheckDatagrams, Verdict: VerdictOK}
	switch {
	case path.MaxDatagram == 0:
		c.Verdict, c.Found, c.Means, c.Do = VerdictFailed, "the server takes no datagrams", "Another server answers on the UDP port.", "Check where the UDP port leads."
	case st.datagrams > 0:
		c.Found = fmt.Sprintf("%d of %d status datagrams came", st.datagrams, st.last)
	case st.updates > 0:
		c.Verdict, c.Found = VerdictWarning, "agents changed, and no datagram came"
		c.Means, c.Do = "Status is shown late: it comes with the next full record.", "Look at the link for loss; update the server."
	default:
		c.Found = "both sides take them; none was due, for no agent changed"
	}
	return c
}

func mtu(rep *DoorReport, probe webtransport.Probe) Check {
	c := Check{Name: CheckMTU, Verdict: VerdictOK}
	c.Found = fmt.Sprintf("packets of %d bytes pass, datagrams of up to %d", max(rep.MTU, probe.Size), rep.MaxDatagram)
	if size := max(rep.MTU, probe.Size); size < fullPacket-20 { // the search ends so close
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
	defer context.AfterFunc(ctx, func() { reset(str) })()
	defer reset(str)
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
