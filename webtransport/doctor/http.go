package doctor

import (
	"context"
	"crypto/tls"
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

// httpClient returns a client that works like a Skein client but follows no redirects, because a redirect is a finding.
func (d *diagnosis) httpClient(conf *tls.Config) *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: conf, DialContext: dialTCP, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// answer is an HTTP response with the beginning of its body.
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
	// The certificate is checked elsewhere. No secret is sent here, and it is worth knowing what answers under a wrong
	// certificate.
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

// checkHTTP finds out what answers and what time it is there. It recognizes Skein by how it refuses a client without a
// token, because a page that says "ok" proves nothing.
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
	d.stranger = c.Verdict == Failed
	d.put(c)
	d.put(clock(health))
}

func (d *diagnosis) noHTTP(err error) Check {
	c := Check{Name: CheckHTTP, Verdict: Failed, Found: "no answer of HTTP: " + plainly(err)}
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

// isSkein reports whether a response to POST /connect without a token is from Skein.
func (a answer) isSkein() bool {
	var e struct {
		Error *wire.Error `json:"error"`
	}
	return a.status == http.StatusUnauthorized && (strings.Contains(a.header.Get("WWW-Authenticate"), `realm="skein"`) ||
		json.Unmarshal([]byte(a.body), &e) == nil && e.Error != nil && e.Error.Code == wire.CodeUnauthorized)
}

// said returns the message of an error object.
func said(body string) string {
	var e struct {
		Error *wire.Error `json:"error"`
	}
	if json.Unmarshal([]byte(body), &e) != nil || e.Error == nil {
		return ""
	}
	return e.Error.Message
}

// whoAnswers judges the responses to GET /healthz and to POST /connect without a token.
func (d *diagnosis) whoAnswers(health, bare answer) Check {
	c := Check{Name: CheckHTTP, Verdict: OK, Found: fmt.Sprintf("Skein, /healthz in %s", inWords(inMS(health.came.Sub(health.sent))))}
	if via := bare.header.Get("Via"); via != "" {
		c.Found += ", through the proxy " + via
	}
	if bare.isSkein() {
		if health.status != http.StatusOK {
			c.Verdict, c.Found = Warning, fmt.Sprintf("Skein, but /healthz answers %d", health.status)
			c.Means, c.Do = "A proxy on the way answers some paths itself.", "Have the proxy pass every path to the server."
		}
		return c
	}
	c.Verdict, c.Found = Failed, fmt.Sprintf("not Skein: POST /connect answers %d %s", bare.status, http.StatusText(bare.status))
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

// clock compares the clocks, within the precision of a Date header, which has whole seconds.
func clock(a answer) Check {
	c := Check{Name: CheckClock, Verdict: OK}
	there, err := http.ParseTime(a.header.Get("Date"))
	if err != nil {
		c.Verdict, c.Found = Skipped, "the answer has no date"
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
		c.Verdict, c.Means = Warning, "Certificates are taken for ended or not begun, and times are shown wrong."
		c.Do = "Set both clocks by NTP."
	}
	return c
}
