package server

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// loopbacks gives the names of this machine under which a server on "localhost" answers.
func loopbacks() []string {
	names := []string{"localhost", "127.0.0.1"}
	if l, err := net.Listen("tcp", "[::1]:0"); err == nil {
		l.Close()
		names = append(names, "[::1]")
	}
	return names
}

func TestTheDocumentNamesEndpointsAsTheyWereReached(t *testing.T) {
	t.Parallel()
	n := start(t)
	tickets := map[string]bool{}
	for _, host := range loopbacks() {
		for base, ws := range map[string]string{
			fmt.Sprintf("http://%s:%d", host, n.reach.HTTPPort): fmt.Sprintf("ws://%s:%d/ws", host, n.reach.HTTPPort),
			fmt.Sprintf("https://%s:%d", host, n.reach.TLSPort): fmt.Sprintf("wss://%s:%d/ws", host, n.reach.TLSPort),
		} {
			t.Run(base, func(t *testing.T) {
				a := n.ask(t, "POST", base+"/connect", bearer(n.token))
				doc := readDocument(t, a)
				if doc.Version != wire.Version || doc.Node != "test" || len(doc.Endpoints) != 2 || a.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("%+v, %s", doc, a.Header.Get("Cache-Control"))
				}
				if want := (wire.Policy{RaceDelayMS: 500, BackoffMinMS: 500, BackoffMaxMS: 20_000, HealthyMS: 10_000, PingMS: 5_000}); doc.Policy != want {
					t.Errorf("policy %+v", doc.Policy)
				}
				for _, d := range doc.Endpoints {
					if tickets[d.Ticket] || d.Ticket == "" || d.TicketExpiresMS != 30_000 {
						t.Errorf("ticket %q for %d ms", d.Ticket, d.TicketExpiresMS)
					}
					tickets[d.Ticket] = true
				}
				w, s := endpoint(t, doc, wire.WebTransport), endpoint(t, doc, wire.WebSocket)
				if want := fmt.Sprintf("https://%s:%d/wt", host, n.reach.TLSPort); w.URL != want || len(w.CertificateHashes) != 1 {
					t.Errorf("WebTransport endpoint %+v, want %s", w, want)
				}
				if s.URL != ws || !slices.Equal(s.Protocols, []string{"qmux-02.skein.v1", "qmux-01.skein.v1"}) || len(s.CertificateHashes) != 0 {
					t.Errorf("WebSocket endpoint %+v, want %s", s, ws)
				}
				for _, d := range doc.Endpoints { // they lead in
					sess, err := through(t.Context(), d, nil)
					if err != nil {
						t.Fatal(err)
					}
					enter(t, sess, d.Ticket).ping(t)
					sess.Close(0, "")
				}
			})
		}
	}
}

func TestTheHashIsTheCertificates(t *testing.T) {
	t.Parallel()
	n := start(t)
	conn, err := tls.Dial("tcp", strings.TrimPrefix(n.addrs.HTTPS, "https://"), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	leaf := conn.ConnectionState().PeerCertificates[0]
	conn.Close()
	sum := sha256.Sum256(leaf.Raw)
	d := endpoint(t, n.document(t), wire.WebTransport)
	if h := d.CertificateHashes[0]; h.Algorithm != "sha-256" || !bytes.Equal(h.Value, sum[:]) {
		t.Errorf("the document says %s %x, the certificate is %x", h.Algorithm, h.Value, sum)
	}
	key, ok := leaf.PublicKey.(*ecdsa.PublicKey)
	if life := leaf.NotAfter.Sub(leaf.NotBefore); !ok || key.Curve != elliptic.P256() || life >= 14*24*time.Hour {
		t.Errorf("browsers take no certificate of type %T that is good for %s", leaf.PublicKey, life)
	}
	sess, err := webtransport.DialQUIC(t.Context(), d.URL, webtransport.QUICDialConfig{TLS: pinnedTo(sum[:]), Protocols: []string{wire.Version}})
	if err != nil {
		t.Fatal(err)
	}
	enter(t, sess, d.Ticket).ping(t)
	sess.Close(0, "")
	local, err := client.FindLocal(n.o.DataDir)
	if err != nil || len(local.CertificateHashes) != 1 || !bytes.Equal(local.CertificateHashes[0].Value, sum[:]) {
		t.Errorf("local clients are told %+v, %v", local, err)
	}
}

// pinnedTo trusts one certificate.
func pinnedTo(sum []byte) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
		if got := sha256.Sum256(raw[0]); !bytes.Equal(got[:], sum) {
			return fmt.Errorf("certificate %x, want %x", got, sum)
		}
		return nil
	}}
}

func TestTheCertificateIsRenewedWhileRunning(t *testing.T) {
	t.Parallel()
	const life = 2 * time.Second
	n := start(t, func(o *Options) { o.DevCertLifetime = life })
	old := n.join(t, wire.WebTransport)
	first := endpoint(t, n.document(t), wire.WebTransport)
	expired := time.After(life)
	kit.Eventually(t, "the document has another hash", func() bool {
		now := endpoint(t, n.document(t), wire.WebTransport)
		return !bytes.Equal(now.CertificateHashes[0].Value, first.CertificateHashes[0].Value)
	})
	fresh := endpoint(t, n.document(t), wire.WebTransport)
	sess, err := webtransport.DialQUIC(t.Context(), fresh.URL, webtransport.QUICDialConfig{TLS: pinnedTo(fresh.CertificateHashes[0].Value), Protocols: []string{wire.Version}})
	if err != nil {
		t.Fatal(err)
	}
	enter(t, sess, fresh.Ticket).ping(t)
	sess.Close(0, "")
	if s, err := webtransport.DialQUIC(t.Context(), first.URL, webtransport.QUICDialConfig{TLS: pinnedTo(first.CertificateHashes[0].Value), Protocols: []string{wire.Version}}); err == nil {
		t.Error("the old hash still connects")
		s.Close(0, "")
	}
	<-expired
	old.ping(t)
}

func TestLocalClientsLearnOfANewCertificate(t *testing.T) {
	t.Parallel()
	n := start(t, func(o *Options) { o.DevCertLifetime = 2 * time.Second; o.HTTP = "off" })
	before, err := client.FindLocal(n.o.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	kit.Eventually(t, "server.json has the hash of the new certificate", func() bool {
		now, err := client.FindLocal(n.o.DataDir)
		return err == nil && !bytes.Equal(now.CertificateHashes[0].Value, before.CertificateHashes[0].Value)
	})
	kit.Eventually(t, "a client connects", func() bool { // the certificate that it has read of may be replaced meanwhile
		o, err := client.FindLocal(n.o.DataDir)
		if err != nil {
			return false
		}
		c, err := client.Dial(t.Context(), o)
		if err != nil {
			t.Log(err)
			return false
		}
		c.Close()
		return true
	})
}

func TestTheCertificateIsKeptOverRestarts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(o *Options) { o.DataDir = dir }
	n := start(t, in)
	first := endpoint(t, n.document(t), wire.WebTransport).CertificateHashes[0].Value
	n.stop()
	n = start(t, in)
	if again := endpoint(t, n.document(t), wire.WebTransport).CertificateHashes[0].Value; !bytes.Equal(first, again) {
		t.Error("a restart made another certificate")
	}
	n.stop()
	n = start(t, in, func(o *Options) { o.DevCertLifetime = time.Hour }) // shorter than what is left of the old one
	if again := endpoint(t, n.document(t), wire.WebTransport).CertificateHashes[0].Value; bytes.Equal(first, again) {
		t.Error("a shorter life made no new certificate")
	}
}

func TestHTTP3ServesTheSameRoutes(t *testing.T) {
	t.Parallel()
	n := start(t)
	a := n.ask(t, "GET", n.addrs.HTTPS+"/healthz")
	port := fmt.Sprint(n.reach.TLSPort)
	if got := a.Header.Get("Alt-Svc"); !strings.HasPrefix(got, `h3=":`+port+`"`) {
		t.Errorf("Alt-Svc over HTTPS: %q", got)
	}
	if got := n.ask(t, "GET", "/healthz").Header.Get("Alt-Svc"); got != "" {
		t.Errorf("Alt-Svc over plain HTTP: %q", got)
	}
	h3 := &http3.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer h3.Close()
	for path, c := range map[string]struct {
		as   func(*http.Request)
		want int
	}{
		"/healthz": {func(*http.Request) {}, http.StatusOK},
		"/readyz":  {func(*http.Request) {}, http.StatusOK},
		"/":        {func(*http.Request) {}, http.StatusUnauthorized},
		"/stories": {bearer(n.token), http.StatusOK},
		"/metrics": {bearer(n.token), http.StatusOK},
		"/nowhere": {bearer(n.token), http.StatusNotFound},
		"/login":   {header("Host", "evil.example"), http.StatusMisdirectedRequest},
	} {
		a := askOver(t, h3, "GET", n.addrs.HTTPS+path, c.as)
		if a.StatusCode != c.want || a.ProtoMajor != 3 || a.Header.Get("Content-Security-Policy") == "" {
			t.Errorf("%s: %s, %s", path, a.Proto, a.Status)
		}
	}
	in := askOver(t, h3, "POST", n.addrs.HTTPS+"/login", form(url.Values{"token": {n.auth.OneTimeToken()}}))
	if c := in.cookie(); c == nil || !c.Secure {
		t.Fatalf("login over HTTP/3: %s, %v", in.Status, c)
	}
	doc := readDocument(t, askOver(t, h3, "POST", n.addrs.HTTPS+"/connect", with(in.cookie())))
	if s := endpoint(t, doc, wire.WebSocket); s.URL != strings.Replace(n.addrs.HTTPS, "https", "wss", 1)+"/ws" {
		t.Errorf("the WebSocket endpoint over HTTP/3: %s", s.URL)
	}
	if a := askOver(t, h3, "POST", n.addrs.HTTPS+"/logout", with(in.cookie()), header("Sec-Fetch-Site", "cross-site")); a.StatusCode != http.StatusForbidden {
		t.Errorf("another site's page over HTTP/3: %s", a.Status)
	}
}

func TestAMappedUDPPortIsTold(t *testing.T) {
	t.Parallel()
	n := start(t, func(o *Options) { o.QUICPort = 44330 })
	if w := endpoint(t, n.document(t), wire.WebTransport); w.URL != "https://localhost:44330/wt" {
		t.Errorf("the endpoint is %s", w.URL)
	}
	if got := n.ask(t, "GET", n.addrs.HTTPS+"/healthz").Header.Get("Alt-Svc"); !strings.HasPrefix(got, `h3=":44330"`) {
		t.Errorf("Alt-Svc %q", got)
	}
}

func TestOnlyKnownOriginsOpenSessions(t *testing.T) {
	t.Parallel()
	n := start(t, func(o *Options) { o.AllowOrigins = []string{"https://ops.example"} })
	allowed := map[string]bool{
		"": true, "https://ops.example": true, n.addrs.HTTP: true, n.addrs.HTTPS: true,
		fmt.Sprintf("http://127.0.0.1:%d", n.reach.HTTPPort): true, fmt.Sprintf("http://[::1]:%d", n.reach.HTTPPort): true,

		"https://evil.example": false, "http://ops.example": false, "https://ops.example:444": false, "https://ops.example.evil.example": false,
		"http://localhost:1": false, "http://localhost": false, "null": false, "file://": false, "ftp://localhost": false,
		fmt.Sprintf("http://localhost:%d", n.reach.TLSPort):     false,
		fmt.Sprintf("http://evil.example:%d", n.reach.HTTPPort): false, fmt.Sprintf("http://localhost.evil.example:%d", n.reach.HTTPPort): false,
	}
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		allowed := maps.Clone(allowed)
		allowed[fmt.Sprintf("https://localhost:%d", n.reach.HTTPPort)] = tr == wire.WebSocket // of a proxy that ends TLS
		for origin, ok := range allowed {
			h := http.Header{}
			if origin != "" {
				h.Set("Origin", origin)
			}
			d := endpoint(t, n.document(t), tr)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			sess, err := through(ctx, d, h)
			cancel()
			if (err == nil) != ok {
				t.Errorf("origin %q: %v", origin, err)
			}
			if err == nil {
				enter(t, sess, d.Ticket).ping(t)
				sess.Close(0, "")
			} else if !strings.Contains(err.Error(), "403") {
				t.Errorf("origin %q: %v, want status 403", origin, err)
			}
		}
	})
}

func TestEndpointsTakeKnownNamesAndProtocolsOnly(t *testing.T) {
	t.Parallel()
	n := start(t)
	a := n.ask(t, "GET", "/ws", header("Host", "evil.example"), header("Connection", "Upgrade"), header("Upgrade", "websocket"),
		header("Sec-WebSocket-Version", "13"), header("Sec-WebSocket-Key", "c2tlaW4gdGVzdCBrZXkuLg=="), header("Sec-WebSocket-Protocol", "qmux-02.skein.v1"))
	if a.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("under another name: %s", a.Status)
	}
	a = n.ask(t, "GET", "/ws", header("Connection", "Upgrade"), header("Upgrade", "websocket"),
		header("Sec-WebSocket-Version", "13"), header("Sec-WebSocket-Key", "c2tlaW4gdGVzdCBrZXkuLg=="), header("Sec-WebSocket-Protocol", "chat"))
	if a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, "qmux-02.skein.v1") {
		t.Errorf("with another subprotocol: %s, %q", a.Status, a.body)
	}
	if a := n.ask(t, "GET", "/ws"); a.StatusCode/100 != 4 {
		t.Errorf("without a WebSocket: %s", a.Status)
	}
	if a := n.ask(t, "CONNECT", n.addrs.HTTPS+"/wt", func(r *http.Request) { r.URL.Path = "/wt" }); a.StatusCode/100 != 4 {
		t.Errorf("/wt over TCP: %s", a.Status)
	}
}

// runs gives Run's error for options that must not work, or nil if it served.
func runs(t *testing.T, change func(*Options)) error {
	t.Helper()
	o := Options{DataDir: t.TempDir(), HTTP: "off", Listen: "off", Node: "test"}
	change(&o)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	o.Ready = func(Addresses) { cancel() }
	s, err := New(t.Context(), o)
	if err != nil {
		return err
	}
	return s.Run(ctx)
}

func TestListening(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t, "localhost")
	real := func(o *Options) { o.TLSCert, o.TLSKey = write(t, "cert.pem", cert), write(t, "key.pem", key) }
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	for name, c := range map[string]struct {
		o    func(*Options)
		want []string // parts of the error; none: it serves
	}{
		"loopback":                        {func(o *Options) { o.HTTP, o.Listen = "localhost:0", "localhost:0" }, nil},
		"only HTTP":                       {func(o *Options) { o.HTTP = "127.0.0.1:0" }, nil},
		"only HTTPS":                      {func(o *Options) { o.Listen = "127.0.0.1:0" }, nil},
		"both off":                        {func(*Options) {}, []string{"--http", "--listen", "off"}},
		"HTTP for everybody":              {func(o *Options) { o.HTTP = ":0" }, []string{"--http", ":0", "--insecure-listen", "--tls-cert"}},
		"HTTP for everybody, said so":     {func(o *Options) { o.HTTP = "0.0.0.0:0" }, []string{"--http", "0.0.0.0:0", "--insecure-listen"}},
		"HTTPS for everybody":             {func(o *Options) { o.Listen = ":0" }, []string{"--listen", "--insecure-listen", "--tls-cert"}},
		"HTTPS for everybody, IPv6":       {func(o *Options) { o.Listen = "[::]:0" }, []string{"--listen", "--insecure-listen"}},
		"asked for by name":               {func(o *Options) { o.HTTP, o.Listen, o.InsecureListen = "0.0.0.0:0", "0.0.0.0:0", true }, nil},
		"with a certificate":              {func(o *Options) { real(o); o.Listen = "0.0.0.0:0" }, nil},
		"with a certificate, but on HTTP": {func(o *Options) { real(o); o.HTTP = "0.0.0.0:0" }, []string{"--http", "--insecure-listen"}},
		"no port":                         {func(o *Options) { o.HTTP = "localhost" }, []string{"--http", "host:port"}},
		"a port that is none":             {func(o *Options) { o.Listen = "localhost:99999" }, []string{"--listen", "99999"}},
		"a TCP port that is taken":        {func(o *Options) { o.HTTP = taken.Addr().String() }, []string{taken.Addr().String(), "in use", "--http"}},
		"an HTTPS port that is taken":     {func(o *Options) { o.Listen = taken.Addr().String() }, []string{taken.Addr().String(), "in use", "--listen"}},
		"a UDP port that is taken":        {func(o *Options) { o.Listen = udp.LocalAddr().String() }, []string{udp.LocalAddr().String(), "in use", "--listen"}},
		"a metrics port that is taken":    {func(o *Options) { o.HTTP, o.MetricsListen = "localhost:0", taken.Addr().String() }, []string{"in use", "--metrics-listen"}},
		"a certificate that is missing":   {func(o *Options) { o.TLSCert, o.TLSKey = "/does/not/exist", "/does/not/exist" }, []string{"--tls-cert", "/does/not/exist"}},
		"a certificate without its key":   {func(o *Options) { o.TLSCert = write(t, "cert.pem", cert) }, []string{"--tls-key"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := runs(t, c.o)
			if len(c.want) == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil {
				t.Fatal("it serves")
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error does not name %q: %v", part, err)
				}
			}
		})
	}
}

func TestADataFolderHasOneServer(t *testing.T) {
	t.Parallel()
	n := start(t)
	_, err := New(t.Context(), Options{DataDir: n.o.DataDir})
	if err == nil || !strings.Contains(err.Error(), "another skein serves from") || !strings.Contains(err.Error(), n.o.DataDir) || !strings.Contains(err.Error(), "--data-dir") {
		t.Errorf("a second server: %v", err)
	}
	if local, err := client.FindLocal(n.o.DataDir); err != nil || local.URL != n.addrs.HTTP {
		t.Errorf("the second took the first one's place: %+v, %v", local, err)
	}
	n.join(t, wire.WebSocket).ping(t)
}

// certificate makes a certificate that an authority of the test's own vouches for, chain included.
func certificate(t *testing.T, name string) (certPEM, keyPEM string) {
	t.Helper()
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour), DNSNames: []string{name}}
	var b bytes.Buffer
	for _, c := range []struct {
		cert *x509.Certificate
		key  *ecdsa.PrivateKey
	}{{leaf, key}, {ca, caKey}} {
		der, err := x509.CreateCertificate(rand.Reader, c.cert, ca, &c.key.PublicKey, caKey)
		if err != nil {
			t.Fatal(err)
		}
		pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func TestARealCertificateNeedsNoHashes(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t, "skein.example")
	n := start(t, func(o *Options) { o.TLSCert, o.TLSKey = write(t, "cert.pem", cert), write(t, "key.pem", key) })
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(cert))
	trusting := &tls.Config{RootCAs: roots, ServerName: "skein.example"}

	over := &http.Transport{TLSClientConfig: trusting, DisableKeepAlives: true}
	a := askOver(t, over, "POST", n.addrs.HTTPS+"/connect", bearer(n.token), header("Host", fmt.Sprintf("skein.example:%d", n.reach.TLSPort)))
	d := endpoint(t, readDocument(t, a), wire.WebTransport)
	if len(d.CertificateHashes) != 0 || d.URL != fmt.Sprintf("https://skein.example:%d/wt", n.reach.TLSPort) || strings.Contains(a.body, "certificate_hashes") {
		t.Errorf("the endpoint is %+v", d)
	}
	sess, err := webtransport.DialQUIC(t.Context(), n.addrs.HTTPS+"/wt", webtransport.QUICDialConfig{TLS: trusting, Protocols: []string{wire.Version}})
	if err != nil {
		t.Fatal(err)
	}
	enter(t, sess, d.Ticket).ping(t)
	sess.Close(0, "")
	if local, err := client.FindLocal(n.o.DataDir); err != nil || len(local.CertificateHashes) != 0 {
		t.Errorf("local clients are told %+v, %v", local, err)
	}
	if a := n.ask(t, "GET", "/healthz", header("Host", "elsewhere.example")); a.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("a name that the certificate does not have: %s", a.Status)
	}
}
