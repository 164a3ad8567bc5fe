package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"skein.dev/skein/webtransport/wire"
)

const (
	// certificateNotice is how long before its end a certificate is worth a warning.
	certificateNotice = 14 * 24 * time.Hour
	// clockNotice is the difference of two clocks that is.
	clockNotice = time.Minute
	// devCertificate is the name in the certificate that a server makes for itself.
	devCertificate = "Skein development certificate"
)

// httpClient asks as a client does, but follows no redirect: where one leads is a finding.
func (d *diagnosis) httpClient(conf *tls.Config) *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: conf, DialContext: dialTCP, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// checkTLS looks at the certificate.
func (d *diagnosis) checkTLS(ctx context.Context) {
	d.begin(CheckTLS)
	c := Check{Name: CheckTLS, Verdict: VerdictOK}
	defer func() {
		d.trusted = c.Verdict != VerdictFailed
		d.put(c)
	}()
	if d.url.Scheme == "http" {
		c.Found = "none: http, on this machine"
		if !d.loopback() {
			c.Verdict, c.Found = VerdictWarning, "none: http"
			c.Means, c.Do = "Everybody on the way can read the token and what agents print.", "Serve with --listen, --tls-cert and --tls-key, and use the https URL."
		}
		return
	}
	ctx, cancel := d.part(ctx, 0.4)
	defer cancel()
	raw, err := dialTCP(ctx, "tcp", d.at(d.reached[0]))
	if err != nil {
		c.Verdict, c.Found, c.Means = VerdictFailed, plainly(err), "The port takes some connections, and not others."
		c.Do = "Try again; look at what stands before the server."
		return
	}
	defer raw.Close()
	conn := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12, ServerName: d.url.Hostname()}) // it is verified below
	if err := conn.HandshakeContext(ctx); err != nil {
		c.Verdict, c.Found = VerdictFailed, "the handshake failed: "+plainly(err)
		var rh tls.RecordHeaderError
		switch {
		case errors.As(err, &rh):
			c.Found, c.Means, c.Do = "what answers does not speak TLS", "The port is for something else.", "Use http:// if it is the server's --http port; else check the port."
		case silent(err):
			c.Means, c.Do = "Something takes the connection and then says nothing.", "Check that the port is the server's, and whether a firewall inspects TLS."
		default:
			c.Means, c.Do = "The server, or a firewall that inspects TLS, refused it.", "Check that the port is the server's, and exempt it from inspection."
		}
		return
	}
	d.verify(&c, conn.ConnectionState())
}

// verify checks a certificate as a client will.
func (d *diagnosis) verify(c *Check, st tls.ConnectionState) {
	leaf := st.PeerCertificates[0]
	until := leaf.NotAfter.Format(time.DateOnly)
	c.Found = fmt.Sprintf("%s, certificate verified, until %s", tls.VersionName(st.Version), until)
	var err error
	if hashes := d.o.CertificateHashes; len(hashes) > 0 {
		c.Found = fmt.Sprintf("%s, certificate pinned by its hash, until %s", tls.VersionName(st.Version), until)
		if err = pinned(hashes).VerifyPeerCertificate([][]byte{leaf.Raw}, nil); err != nil {
			c.Verdict, c.Found = VerdictFailed, "the certificate is not the one that the data folder names"
			c.Means, c.Do = "Another server answers, or something opens TLS on the way.", "Check that the URL is the right server's."
		}
		return
	}
	rest := x509.NewCertPool()
	for _, cert := range st.PeerCertificates[1:] {
		rest.AddCert(cert)
	}
	_, err = leaf.Verify(x509.VerifyOptions{DNSName: d.url.Hostname(), Intermediates: rest})
	var (
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
	)
	switch {
	case err == nil:
		if left := time.Until(leaf.NotAfter); left < certificateNotice {
			c.Verdict, c.Means = VerdictWarning, fmt.Sprintf("It ends in %d days; then nobody can connect.", int(left.Hours()/24))
			c.Do = "Renew the certificate, and restart the server."
		}
		return
	case leaf.Subject.CommonName == devCertificate:
		c.Found = "the server shows its development certificate, until " + until
		c.Means = "It is for this machine's browsers, by its hash; nobody else can check it."
		c.Do = "On the server's machine use its http URL, or no URL at all; for others, serve with --tls-cert and --tls-key."
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && time.Now().Before(leaf.NotBefore):
		c.Found = "the certificate begins on " + leaf.NotBefore.Format(time.DateTime)
		c.Means, c.Do = "It is not valid yet, or this machine's clock is slow.", "Check the clock of this machine."
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		c.Found = "the certificate ended on " + until
		c.Means, c.Do = "It is of no use any more, unless this machine's clock is fast.", "Renew the certificate and restart the server; check the clock of this machine."
	case errors.As(err, &name):
		c.Found = fmt.Sprintf("the certificate is for %s, not for %s", names(leaf), d.url.Hostname())
		c.Means, c.Do = "The server is asked under a name that its certificate does not have, or another server answers.", "Use one of its names in the URL, or get a certificate with this one."
	default:
		c.Found = fmt.Sprintf("the certificate was issued by %q, whom this machine does not trust", issuer(leaf))
		c.Means = "It is of a private authority, signed by itself, or a firewall opens TLS on the way."
		c.Do = "Add the authority's certificate to this machine's store (or name its file in SSL_CERT_FILE), if it is yours."
	}
	c.Verdict = VerdictFailed
}

func names(cert *x509.Certificate) string {
	all := cert.DNSNames
	for _, ip := range cert.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 {
		return "no name at all"
	}
	if len(all) > 5 {
		all = append(all[:5:5], "…")
	}
	return strings.Join(all, ", ")
}

func issuer(cert *x509.Certificate) string {
	if cert.Issuer.CommonName != "" {
		return cert.Issuer.CommonName
	}
	return cert.Issuer.String()
}

// answer is one of HTTP, with the beginning of its body.
type answer struct {
	status     int
	header     http.Header
	body       string
	sent, came time.Time
}

func (d *diagnosis) ask(ctx context.Context, method, path string) (a answer, err error) {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(d.o.URL, "/")+path, nil)
	if err != nil {
		return a, err
	}
	req.Header.Set("Accept", "application/json")
	a.sent = time.Now()
	// The certificate is checked elsewhere; here no secret is sent, and what answers under a wrong one is worth knowing.
	res, err := d.httpClient(&tls.Config{InsecureSkipVerify: true}).Do(req)
	if err != nil {
		return a, err
	}
	defer res.Body.Close()
	a.came = time.Now()
	b, err := io.ReadAll(io.LimitReader(res.Body, 16<<10))
	a.status, a.header, a.body = res.StatusCode, res.Header, string(b)
	return a, err
}

// checkHTTP finds out what answers, and what time it is there. Skein is told by how it refuses a client without a token:
// a page that says ok is no proof.
func (d *diagnosis) checkHTTP(ctx context.Context) {
	d.begin(CheckHTTP, CheckClock)
	ctx, cancel := d.part(ctx, 0.4)
	defer cancel()
	var health, bare answer
	var healthErr, bareErr error
	var both sync.WaitGroup
	both.Go(func() { health, healthErr = d.ask(ctx, http.MethodGet, "/healthz") })
	both.Go(func() { bare, bareErr = d.ask(ctx, http.MethodPost, "/connect") })
	both.Wait()
	if err := errors.Join(healthErr, bareErr); err != nil {
		d.put(d.noHTTP(err))
		return
	}
	c := d.whoAnswers(health, bare)
	d.stranger = c.Verdict == VerdictFailed
	d.put(c)
	d.put(clock(health))
}

func (d *diagnosis) noHTTP(err error) Check {
	c := Check{Name: CheckHTTP, Verdict: VerdictFailed, Found: "no answer of HTTP: " + plainly(err)}
	var ue *url.Error
	if errors.As(err, &ue) {
		c.Found = "no answer of HTTP: " + plainly(ue.Err)
	}
	switch {
	case silent(err):
		c.Found = "the connection is taken, and then nothing comes"
		c.Means, c.Do = "What listens on the port is no web server, hangs, or a firewall holds the request back.", "Check that the port is the server's and that the server is well (its log, skein ps on its machine)."
	case strings.Contains(err.Error(), "malformed HTTP"):
		c.Means, c.Do = "The port is for another protocol.", "Check the port of the URL."
	default:
		c.Means, c.Do = "What listens on the port is no web server, or a firewall cuts the request off.", "Check the port and the scheme of the URL."
	}
	return c
}

// isSkein reports whether an answer to POST /connect without a token is Skein's.
func (a answer) isSkein() bool {
	var e struct {
		Error *wire.Error `json:"error"`
	}
	return a.status == http.StatusUnauthorized && (strings.Contains(a.header.Get("WWW-Authenticate"), `realm="skein"`) ||
		json.Unmarshal([]byte(a.body), &e) == nil && e.Error != nil && e.Error.Code == wire.CodeUnauthorized)
}

// said is the message of an error object.
func said(body string) string {
	var e struct {
		Error *wire.Error `json:"error"`
	}
	if json.Unmarshal([]byte(body), &e) != nil || e.Error == nil {
		return ""
	}
	return e.Error.Message
}

// whoAnswers judges the answers to GET /healthz and to POST /connect without a token.
func (d *diagnosis) whoAnswers(health, bare answer) Check {
	c := Check{Name: CheckHTTP, Verdict: VerdictOK, Found: fmt.Sprintf("Skein, /healthz in %s", inWords(inMS(health.came.Sub(health.sent))))}
	if via := bare.header.Get("Via"); via != "" {
		c.Found += ", through the proxy " + via
	}
	if bare.isSkein() {
		if health.status != http.StatusOK {
			c.Verdict, c.Found = VerdictWarning, fmt.Sprintf("Skein, but /healthz answers %d", health.status)
			c.Means, c.Do = "A proxy on the way answers some paths itself.", "Have the proxy pass every path to the server."
		}
		return c
	}
	c.Verdict, c.Found = VerdictFailed, fmt.Sprintf("not Skein: POST /connect answers %d %s", bare.status, http.StatusText(bare.status))
	if s := bare.header.Get("Server"); s != "" {
		c.Found += fmt.Sprintf(" (%s)", s)
	}
	to, _ := url.Parse(bare.header.Get("Location"))
	switch {
	case bare.status == http.StatusMisdirectedRequest && strings.Contains(bare.body, "--allow-host"):
		c.Found = "Skein, but it does not answer to the name " + d.url.Hostname()
		c.Means, c.Do = "It answers only to names that are its own.", "Use one of its names, or add --allow-host "+d.url.Hostname()+" to skein serve."
	case bare.status == http.StatusNotFound && strings.Contains(bare.body, "--base-path"):
		c.Found = "Skein, but not at this path"
		c.Means, c.Do = "It is served below a path of its own.", "Add that path to the URL: "+said(bare.body)
	case bare.status == http.StatusForbidden && strings.Contains(bare.body, "--allow-origin"):
		c.Found = "Skein, but something on the way makes the request one of a page elsewhere"
		c.Means, c.Do = "The server knows no such pages.", said(bare.body)
	case bare.status == http.StatusBadRequest && d.url.Scheme == "http" && strings.Contains(bare.body, "HTTPS server"):
		c.Found, c.Means, c.Do = "the port speaks TLS", "The URL says http.", "Use https:// in the URL."
	case bare.status >= 300 && bare.status < 400 && to != nil && to.Hostname() == d.url.Hostname() && to.Scheme == "https" && d.url.Scheme == "http":
		c.Found, c.Means, c.Do = "it sends to https", "What answers wants https.", "Use https:// in the URL."
	case bare.status >= 300 && bare.status < 400 && to != nil:
		c.Found = "not Skein: it sends to " + to.Redacted()
		c.Means, c.Do = "A network that wants a login first (a captive portal), or a login proxy before the server.", "Open the URL in a browser, and sign in to the network; a login proxy must let Skein's paths pass."
	case bare.status == http.StatusNetworkAuthenticationRequired:
		c.Means, c.Do = "The network wants a login first (a captive portal).", "Open the URL in a browser, and sign in to the network."
	case bare.status == http.StatusProxyAuthRequired:
		c.Means, c.Do = "A proxy on the way wants a login.", "Exempt the server from the proxy."
	case bare.status == http.StatusUnauthorized || bare.status == http.StatusForbidden:
		c.Means, c.Do = "Something before the server wants a login of its own, or it is another server.", "Check host and port; a login proxy must let Skein's paths pass."
	case bare.status == http.StatusBadGateway || bare.status == http.StatusServiceUnavailable || bare.status == http.StatusGatewayTimeout:
		c.Means, c.Do = "A proxy stands before the server and does not reach it, or the server is stopping.", "Check that the server runs, and what the proxy passes requests to."
	default:
		c.Means, c.Do = "Another web server listens there, or a network answers in its place (a captive portal).", "Check host and port; open the URL in a browser to see what it is."
	}
	return c
}

// clock compares the clocks, as well as a Date of whole seconds allows.
func clock(a answer) Check {
	c := Check{Name: CheckClock, Verdict: VerdictOK}
	there, err := http.ParseTime(a.header.Get("Date"))
	if err != nil {
		c.Verdict, c.Found = VerdictSkipped, "the answer has no date"
		return c
	}
	here := a.sent.Add(a.came.Sub(a.sent) / 2)
	diff := there.Add(500 * time.Millisecond).Sub(here)
	word := "ahead of"
	if diff < 0 {
		word = "behind"
	}
	off := diff.Abs()
	if off <= time.Second+a.came.Sub(a.sent)/2 {
		c.Found = "both agree, to a second"
		return c
	}
	c.Found = fmt.Sprintf("the server's is %s %s this machine's", off.Round(time.Second), word)
	if off > clockNotice {
		c.Verdict, c.Means = VerdictWarning, "Certificates are taken for ended or not begun, and times are shown wrong."
		c.Do = "Set both clocks by NTP."
	}
	return c
}

// login fetches the document that names the doors.
func (d *diagnosis) login(ctx context.Context) {
	d.begin(CheckLogin)
	c := Check{Name: CheckLogin, Verdict: VerdictOK}
	defer func() { d.put(c) }()
	const where = "Give the content of the file token in the server's data folder: --token or SKEIN_TOKEN."
	if d.o.Token == "" {
		c.Verdict, c.Found = VerdictFailed, "there is no token"
		c.Means, c.Do = "The server lets nobody in without one; the doors can't be tried.", where
		return
	}
	ctx, cancel := d.part(ctx, 0.4)
	defer cancel()
	begin := time.Now()
	doc, err := d.c.document(ctx)
	var se *StatusError
	switch {
	case err == nil:
		d.document = doc
		d.report.Node, d.report.Protocol = doc.Node, doc.Version
		c.Found = fmt.Sprintf("the token is good; the server names %s, in %s", doors(doc), inWords(inMS(time.Since(begin))))
	case errors.As(err, &se) && se.Status == http.StatusUnauthorized:
		c.Verdict, c.Found = VerdictFailed, "the token is not this server's"
		c.Means, c.Do = "The server refuses the login.", where
	case errors.As(err, &se) && se.Status == http.StatusServiceUnavailable:
		c.Verdict, c.Found = VerdictFailed, "the server is stopping"
		c.Means, c.Do = "It takes no new clients.", "Wait until it is back."
	default:
		c.Verdict, c.Found = VerdictFailed, plainly(err)
		c.Means, c.Do = "The document that names the doors can't be fetched.", "Look at the server's log, and at a proxy on the way."
	}
}

func doors(doc *wire.Connect) string {
	var all []string
	for _, d := range doc.Doors {
		all = append(all, string(d.Transport))
	}
	return strings.Join(all, " and ")
}

// processes says how the server finds what its agents start.
func (d *diagnosis) processes() {
	d.begin(CheckProcesses)
	c := Check{Name: CheckProcesses, Verdict: VerdictOK}
	switch held := d.document.Containment; {
	case held == nil:
		c.Verdict, c.Found = VerdictSkipped, "the server does not say how it finds what its agents start"
	case held.Mode == wire.ContainedByCgroup:
		c.Found = "each agent runs in a cgroup of its own: a stop ends whatever it started"
	default:
		c.Verdict, c.Found = VerdictWarning, "agents get no cgroup of their own: "+held.Why
		c.Means = "What an agent starts is found by marks that processes inherit, and by their parents. A daemon that takes on another login, and empties its environment, is not."
		c.Do = "Run the server as root, or as a systemd service with Delegate=yes, on Linux 5.14 or later with cgroup v2."
	}
	d.put(c)
}

// protocol compares what both sides speak.
func (d *diagnosis) protocol() {
	r := &d.report
	c := Check{Name: CheckProtocol, Verdict: VerdictOK, Found: fmt.Sprintf("both speak %s", r.Protocol)}
	if r.Protocol != wire.Version {
		c.Verdict, c.Found = VerdictFailed, fmt.Sprintf("the server speaks %s, this program %s", r.Protocol, wire.Version)
		c.Means, c.Do = "They do not understand each other.", "Update the older of the two."
	}
	if r.Server != "" {
		c.Found += fmt.Sprintf("; the server is %s, this program %s", r.Server, r.Program)
	}
	d.put(c)
}
