package client_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// wellInTime is what a diagnosis has that is not about time. Some of its steps wait for a share of it.
const wellInTime = 30 * time.Second

// diagnose gives a report within a time.
func diagnose(t *testing.T, within time.Duration, o client.Options) *client.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	o.Version = "this"
	r, err := client.Diagnose(ctx, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range r.Checks {
		names = append(names, c.Name)
		if bad := c.Verdict == client.VerdictFailed || c.Verdict == client.VerdictWarning; c.Found == "" || bad != (c.Means != "" && c.Do != "") {
			t.Errorf("half a check: %+v", c)
		}
	}
	if !slices.Equal(names, client.Checks) {
		t.Errorf("checks %q", names)
	}
	if (r.Door == "") != !slices.ContainsFunc(r.Doors, func(d client.DoorReport) bool { return d.Open }) && o.Transport == "" {
		t.Errorf("the door is %q of %+v", r.Door, r.Doors)
	}
	return r
}

func doorOf(r *client.Report, tr wire.Transport) client.DoorReport {
	for _, d := range r.Doors {
		if d.Transport == tr {
			return d
		}
	}
	return client.DoorReport{}
}

// judged checks verdicts, given as NAME=VERDICT.
func judged(t *testing.T, r *client.Report, want string) {
	t.Helper()
	for w := range strings.FieldsSeq(want) {
		name, verdict, _ := strings.Cut(w, "=")
		if c := r.Check(name); string(c.Verdict) != verdict {
			t.Errorf("%+v, want %s", c, verdict)
		}
	}
}

func (n *node) options() client.Options { return client.Options{URL: n.addrs.HTTP, Token: n.token} }

func TestDiagnoseAServerThatIsWell(t *testing.T) {
	t.Parallel()
	n := serve(t)
	c := dial(t, n)
	script(t, c, "repeat forever\nsay x\nwait 20ms\nend") // so that there are status datagrams
	var saw []string
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	o := n.options()
	o.Version = "this"
	r, err := client.Diagnose(ctx, o, func(underWay []string) { saw = append(saw, underWay...) })
	if err != nil {
		t.Fatal(err)
	}
	judged(t, r, "name=ok tcp=ok tls=ok http=ok clock=ok login=ok protocol=ok udp=ok quic=ok webtransport=ok loss=ok datagrams=ok mtu=ok")
	if r.Door != wire.WebTransport || r.Better != "" || r.Node != "test" || r.Server != "test" || r.Program != "this" || r.Protocol != wire.Version {
		t.Errorf("%+v", r)
	}
	for _, d := range r.Doors {
		if !d.Open || d.HelloMS <= 0 || d.RTTMS <= 0 || d.SlowestMS < d.RTTMS || d.Pings == 0 || d.Answered != d.Pings {
			t.Errorf("%+v", d)
		}
	}
	if d := r.Doors[0]; d.Transport != wire.WebTransport || d.QUIC != "v1" || d.PacketsSent < uint64(d.Pings)/2 || d.PacketsLost > d.PacketsSent ||
		d.Datagrams == 0 || d.MTU < 1200 || d.MaxDatagram < wire.MaxStatusDatagram {
		t.Errorf("%+v", d)
	}
	for _, name := range client.Checks {
		if name != client.CheckProtocol && !slices.Contains(saw, name) {
			t.Errorf("%s was never under way", name)
		}
	}
	if b, err := json.Marshal(r); err != nil || !bytes.Contains(b, []byte(`"door":"webtransport"`)) {
		t.Errorf("%s, %v", b, err)
	}
	if conn, _ := c.Connection(); conn.Transport != r.Door {
		t.Errorf("a client uses %s", conn.Transport)
	}
}

// closedPort is one that no other test gets.
const closedPort = 1

// What it says of the door is what a client does.
func TestDiagnoseUDP(t *testing.T) {
	t.Parallel()
	quiet, err := net.ListenPacket("udp", "127.0.0.1:0") // nobody reads it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { quiet.Close() })
	quietPort := quiet.LocalAddr().(*net.UDPAddr).Port
	const half = 4 * time.Second
	for name, c := range map[string]struct {
		change func(*server.Options)
		want   string
		better string
		slow   bool
	}{
		"no door":      {func(o *server.Options) { o.Listen = "off" }, "websocket=ok webtransport=failed udp=skipped", "--listen", false},
		"a black hole": {func(o *server.Options) { o.QUICPort = quietPort }, "websocket=ok udp=failed quic=skipped webtransport=skipped loss=skipped", fmt.Sprintf("UDP port %d outbound to 127.0.0.1", quietPort), true},
		"closed":       {func(o *server.Options) { o.QUICPort = closedPort }, "websocket=ok udp=failed quic=skipped", "UDP port 1 leads", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := serve(t, c.change)
			r := diagnose(t, 2*half, n.options())
			judged(t, r, c.want)
			if r.Door != wire.WebSocket || !strings.Contains(r.Better, c.better) {
				t.Errorf("%s because %q: %q", r.Door, r.Why, r.Better)
			}
			if took := time.Duration(r.TookMS * float64(time.Millisecond)); (took > half) != c.slow && (c.slow || !kit.Race) {
				t.Errorf("it took %s", took)
			}
			if conn, _ := dial(t, n).Connection(); conn.Transport != r.Door {
				t.Errorf("a client uses %s", conn.Transport)
			}
		})
	}
}

func TestDiagnoseLoss(t *testing.T) {
	t.Parallel()
	relay := relayUDP(t)
	n := serve(t, func(o *server.Options) { o.QUICPort = relay.port() })
	relay.drop = 11 // odd: packets up and down alternate, and both must lose some
	relay.to(port(t, n.addrs.HTTPS))
	r := diagnose(t, wellInTime, n.options())
	judged(t, r, "loss=warning")
	if d := doorOf(r, wire.WebTransport); !d.Open || d.PacketsLost < 5 || d.PacketsLost > d.PacketsSent/4 {
		t.Errorf("%+v", d)
	}
}

func TestDiagnoseGoesByTheTransportThatIsAskedFor(t *testing.T) {
	t.Parallel()
	n := serve(t, func(o *server.Options) { o.Listen = "off" })
	o := n.options()
	o.Transport = client.WebTransport
	if r := diagnose(t, wellInTime, o); r.Door != "" || !strings.Contains(r.Better, "--listen") {
		t.Errorf("%s because %q: %q", r.Door, r.Why, r.Better)
	}
	o.Transport = client.WebSocket
	if r := diagnose(t, wellInTime, o); r.Door != wire.WebSocket || r.Better != "" {
		t.Errorf("%s because %q: %q", r.Door, r.Why, r.Better)
	}
}

// listening takes connections and hands them to f, until the test ends.
func listening(t *testing.T, f func(net.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	ended := make(chan struct{})
	work.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			work.Go(func() { f(conn); <-ended; conn.Close() })
		}
	})
	t.Cleanup(func() { close(ended); ln.Close(); work.Wait() })
	return ln.Addr().String()
}

// The token is not for everybody who listens.
func TestDiagnoseWhatIsNotSkein(t *testing.T) {
	t.Parallel()
	const secret = "the token"
	answering := func(f http.HandlerFunc) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.Header.Get("Authorization"), secret) {
				t.Error("it was sent the token")
			}
			f(w, r)
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(secure.Close)
	for name, c := range map[string]struct{ url, check, found string }{
		"nobody":                {fmt.Sprintf("http://127.0.0.1:%d", closedPort), client.CheckTCP, "refused"},
		"no such name":          {"http://nobody.invalid", client.CheckName, "nobody.invalid"},
		"ok to everything":      {answering(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") }), client.CheckHTTP, "200"},
		"another server":        {answering(http.NotFound), client.CheckHTTP, "404"},
		"a captive portal":      {answering(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "http://login.example/", 302) }), client.CheckHTTP, "login.example"},
		"a proxy with a login":  {answering(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(407) }), client.CheckHTTP, "407"},
		"a proxy without a way": {answering(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }), client.CheckHTTP, "502"},
		"a stranger's 401":      {answering(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }), client.CheckHTTP, "401"},
		"silence":               {"http://" + listening(t, func(net.Conn) {}), client.CheckHTTP, "nothing comes"},
		"silence, TLS":          {"https://" + listening(t, func(net.Conn) {}), client.CheckTLS, "no answer"},
		"another protocol":      {"http://" + listening(t, func(c net.Conn) { io.WriteString(c, "220 mail\r\n\r\n") }), client.CheckHTTP, "no answer of HTTP"},
		"no TLS":                {strings.Replace(answering(http.NotFound), "http:", "https:", 1), client.CheckTLS, "does not speak TLS"},
		"TLS":                   {strings.Replace(secure.URL, "https:", "http:", 1), client.CheckHTTP, "speaks TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := diagnose(t, 3*time.Second, client.Options{URL: c.url, Token: secret})
			if got := r.Check(c.check); got.Verdict != client.VerdictFailed || !strings.Contains(got.Found, c.found) {
				t.Errorf("%+v", got)
			}
			if r.Door != "" || r.Why == "" || r.Better == "" || len(r.Doors) > 0 {
				t.Errorf("%+v", r)
			}
			judged(t, r, "login=skipped websocket=skipped udp=skipped")
		})
	}
}

func TestDiagnoseRefusesOptionsThatMakeNoSense(t *testing.T) {
	for _, u := range []string{"", "localhost:4480", "ftp://localhost", "http://", "http://a b"} {
		if _, err := client.Diagnose(t.Context(), client.Options{URL: u}, nil); err == nil {
			t.Errorf("%q was taken", u)
		}
	}
}

func TestDiagnoseTheLogin(t *testing.T) {
	t.Parallel()
	n := serve(t)
	for _, token := range []string{"", "another"} {
		r := diagnose(t, wellInTime, client.Options{URL: n.addrs.HTTP, Token: token})
		judged(t, r, "http=ok login=failed websocket=skipped udp=skipped")
		if r.Door != "" || !strings.Contains(r.Better, "--token") {
			t.Errorf("with %q: %s, %q", token, r.Door, r.Better)
		}
	}
}

func TestDiagnoseIsInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	at := listening(t, func(net.Conn) { cancel() })
	begin := time.Now()
	r, err := client.Diagnose(ctx, client.Options{URL: "http://" + at, Token: "x"}, nil)
	if err != nil || r.Door != "" || time.Since(begin) > 2*time.Second {
		t.Errorf("after %s: %+v, %v", time.Since(begin), r, err)
	}
}

// certificate makes one that nobody vouches for.
func certificate(t *testing.T, name string, from, to time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test"}, NotBefore: from, NotAfter: to}
	if ip := net.ParseIP(name); ip != nil {
		c.IPAddresses = []net.IP{ip}
	} else {
		c.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestDiagnoseTheCertificate(t *testing.T) {
	t.Parallel()
	n := serve(t)
	local := n.addrs
	hashes := func(o *client.Options) {
		l, err := client.FindLocal(n.o.DataDir)
		if err != nil {
			t.Fatal(err)
		}
		o.CertificateHashes = l.CertificateHashes
	}
	now := time.Now()
	under := func(cert tls.Certificate) string {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "" {
				t.Error("it was sent the token")
			}
		}))
		s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
		s.StartTLS()
		t.Cleanup(s.Close)
		return s.URL
	}
	for name, c := range map[string]struct {
		url     string
		change  func(*client.Options)
		verdict client.Verdict
		found   string
	}{
		"pinned": {local.HTTPS, hashes, client.VerdictOK, "pinned"},
		"the wrong hash": {local.HTTPS, func(o *client.Options) {
			o.CertificateHashes = []wire.CertificateHash{{Algorithm: "sha-256", Value: make([]byte, 32)}}
		}, client.VerdictFailed, "not the one"},
		"of development":     {local.HTTPS, nil, client.VerdictFailed, "development certificate"},
		"another name":       {under(certificate(t, "other.example", now.Add(-time.Hour), now.Add(time.Hour))), nil, client.VerdictFailed, "for other.example, not for 127.0.0.1"},
		"ended":              {under(certificate(t, "127.0.0.1", now.Add(-2*time.Hour), now.Add(-time.Hour))), nil, client.VerdictFailed, "ended on"},
		"not begun":          {under(certificate(t, "127.0.0.1", now.Add(time.Hour), now.Add(2*time.Hour))), nil, client.VerdictFailed, "begins on"},
		"nobody's":           {under(certificate(t, "127.0.0.1", now.Add(-time.Hour), now.Add(time.Hour))), nil, client.VerdictFailed, `by "Test"`},
		"none, but loopback": {local.HTTP, nil, client.VerdictOK, "http"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := client.Options{URL: c.url, Token: n.token}
			if c.change != nil {
				c.change(&o)
			}
			r := diagnose(t, wellInTime, o)
			if got := r.Check(client.CheckTLS); got.Verdict != c.verdict || !strings.Contains(got.Found, c.found) {
				t.Errorf("%+v", got)
			}
			if (r.Door != "") != (c.verdict == client.VerdictOK) {
				t.Errorf("the door is %q", r.Door)
			}
			if stranger := !strings.HasPrefix(c.url, local.HTTP) && c.url != local.HTTPS; stranger != strings.Contains(r.Why, "not Skein") {
				t.Errorf("because %q", r.Why) // what to do about the certificate is no help there
			}
		})
	}
}

// proxied puts a proxy of HTTP before a server.
func proxied(t *testing.T, n *node, change func(*http.Response) error, instead http.HandlerFunc) client.Options {
	t.Helper()
	to, err := url.Parse(n.addrs.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	p := &httputil.ReverseProxy{ModifyResponse: change, Transport: &http.Transport{DisableKeepAlives: true},
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if instead != nil && r.URL.Path == "/ws" {
			instead(w, r)
			return
		}
		p.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return client.Options{URL: s.URL, Token: n.token}
}

// naming changes the document that names the doors. The WebSocket door is the proxy's.
func naming(proxy *client.Options, change func(*wire.Door)) func(*http.Response) error {
	return func(res *http.Response) error {
		if res.Request.URL.Path != "/connect" || res.StatusCode != http.StatusOK {
			return nil
		}
		var doc wire.Connect
		if err := json.NewDecoder(res.Body).Decode(&doc); err != nil {
			return err
		}
		res.Body.Close()
		for i := range doc.Doors {
			if doc.Doors[i].Transport == wire.WebSocket {
				doc.Doors[i].URL = strings.Replace(proxy.URL, "http:", "ws:", 1) + "/ws"
			}
			change(&doc.Doors[i])
		}
		b, err := json.Marshal(doc)
		res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
		res.Header.Set("Content-Length", fmt.Sprint(len(b)))
		return err
	}
}

func TestDiagnoseAnotherCertificateOnUDP(t *testing.T) {
	t.Parallel()
	n := serve(t)
	var o client.Options
	o = proxied(t, n, naming(&o, func(d *wire.Door) {
		for i := range d.CertificateHashes {
			d.CertificateHashes[i].Value = make([]byte, 32)
		}
	}), nil)
	r := diagnose(t, wellInTime, o)
	judged(t, r, "websocket=ok udp=ok quic=failed webtransport=skipped")
	if c := r.Check(client.CheckQUIC); r.Door != wire.WebSocket || !strings.Contains(c.Found, "not the one that was announced") {
		t.Errorf("%s, %+v", r.Door, c)
	}
}

func TestDiagnoseProxiesOfWebSocket(t *testing.T) {
	t.Parallel()
	n := serve(t)
	for name, c := range map[string]struct {
		instead http.HandlerFunc
		found   string
	}{
		"that do not pass it": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) }, "403"},
		"that fall silent": {func(w http.ResponseWriter, r *http.Request) {
			up, err := net.Dial("tcp", strings.TrimPrefix(n.addrs.HTTP, "http://"))
			if err != nil {
				t.Error(err)
				return
			}
			defer up.Close()
			r.Host = strings.TrimPrefix(n.addrs.HTTP, "http://")
			r.Write(up)
			down, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer down.Close()
			b := make([]byte, 4096)
			k, _ := up.Read(b)
			head, _, _ := bytes.Cut(b[:k], []byte("\r\n\r\n"))
			down.Write(append(head, "\r\n\r\n"...))
			io.Copy(io.Discard, down) // until the client goes
		}, "nothing came"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var o client.Options
			o = proxied(t, n, naming(&o, func(*wire.Door) {}), c.instead)
			r := diagnose(t, 10*time.Second, o)
			judged(t, r, "http=ok login=ok websocket=failed webtransport=ok")
			if got := r.Check(client.CheckWebSocket); r.Door != wire.WebTransport || !strings.Contains(got.Found, c.found) {
				t.Errorf("%s, %+v", r.Door, got)
			}
			if d := doorOf(r, wire.WebSocket); d.Open {
				t.Errorf("%+v", d)
			}
		})
	}
}

func TestDiagnoseTheClock(t *testing.T) {
	t.Parallel()
	n := serve(t)
	for off, want := range map[time.Duration]string{0: "clock=ok", 10 * time.Second: "clock=ok", 5 * time.Minute: "clock=warning", -time.Hour: "clock=warning"} {
		var o client.Options
		change := naming(&o, func(*wire.Door) {})
		o = proxied(t, n, func(res *http.Response) error {
			res.Header.Set("Date", time.Now().Add(off).UTC().Format(http.TimeFormat))
			return change(res)
		}, nil)
		r := diagnose(t, wellInTime, o)
		judged(t, r, want)
		if r.Door == "" {
			t.Errorf("%s off: %s", off, r.Why)
		}
	}
}
