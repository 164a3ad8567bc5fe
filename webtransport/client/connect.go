package client

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

// connectTimeout bounds one attempt: the document and the race.
const connectTimeout = 15 * time.Second

// retryTimeout bounds the first attempt after a session: on a network that changes, its packets may lead nowhere while
// those of the next one arrive. Each further attempt has twice the time, up to connectTimeout.
const retryTimeout = 3 * time.Second

// connect fetches the document and races its doors. A ticket that a door refuses is of the time before a restart of the
// server, as a rule: the document is fetched anew, at once and once. Whoever calls waits before the next attempt.
func (c *Client) connect(ctx context.Context) (*link, wire.Policy, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	for again := false; ; again = true {
		doc, err := c.document(ctx)
		if err != nil {
			return nil, wire.Policy{}, err
		}
		c.http.CloseIdleConnections() // the next document is far away
		l, err := c.race(ctx, doc, again)
		if err == nil {
			c.cache.keepDoors(doc, l.sess)
		}
		if again || !stale(err) || ctx.Err() != nil {
			return l, doc.Policy, err
		}
		c.log.Info("the doors are not as they were; asking again where they are", "err", err)
	}
}

const (
	// A client on a WebSocket tries WebTransport a second after the WebSocket opened, and then less and less often, with jitter.
	// A return to WebTransport that did not last for flapTime doubles the first pause.
	returnMin = 3 * time.Second
	returnMax = time.Minute
	flapTime  = time.Minute
	maxFlaps  = 4

	// Between two attempts the client sends a probe, one packet, every knockMin to knockMax. An answer makes it try at once.
	knockMin  = time.Second
	knockMax  = 3 * time.Second
	knockWait = time.Second
)

// better tries the WebTransport doors of the server of l, a WebSocket, from time to time; nil: ctx ended.
func (c *Client) better(ctx context.Context, l *link) *link {
	b := &backoff{lo: returnMin << c.flaps, hi: returnMax}
	b.reset()
	sleep(ctx, time.Second+b.next())
	for ctx.Err() == nil {
		// Something on the path may pass a handshake and drop the probe, so that an attempt is due without an answer too. It gets
		// less time.
		patience := retryTimeout
		answered := c.knock(ctx, l.doors, time.Now().Add(time.Second+b.next()))
		if answered {
			patience = connectTimeout
		}
		if next := c.overQUIC(ctx, patience); next != nil {
			return next
		}
		if answered { // it is not UDP that is missing
			sleep(ctx, time.Second+b.next())
		}
	}
	return nil
}

// knock knocks at the WebTransport doors until one answers, or until is over.
func (c *Client) knock(ctx context.Context, doors []wire.Door, until time.Time) bool {
	for {
		for _, d := range doors {
			if d.Transport == wire.WebTransport && webtransport.KnockQUIC(ctx, d.URL, knockWait) {
				return true
			}
		}
		if ctx.Err() != nil || time.Now().After(until) {
			return false
		}
		sleep(ctx, knockMin+rand.N(knockMax-knockMin))
	}
}

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// overQUIC opens a WebTransport session; nil: there is no way.
func (c *Client) overQUIC(ctx context.Context, patience time.Duration) *link {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	doc, err := c.document(ctx)
	if err != nil {
		return nil
	}
	c.http.CloseIdleConnections()
	for _, d := range doc.Doors {
		if d.Transport != wire.WebTransport {
			continue
		}
		l, err := c.open(ctx, doc, d)
		if err == nil {
			l.reason = "WebTransport works again"
			c.cache.keepChoice("")
			return l
		}
		c.log.Debug("WebTransport does not work yet", "err", err)
	}
	return nil
}

// StatusError is an answer of /connect that is no document.
type StatusError struct {
	Status int
	Err    *wire.Error // what the server said, if it is a Skein
}

func (e *StatusError) Error() string {
	if e.Err != nil {
		return e.Err.Message
	}
	return fmt.Sprintf("the server answered %d %s", e.Status, http.StatusText(e.Status))
}

func (e *StatusError) Unwrap() error {
	if e.Err == nil {
		return nil
	}
	return e.Err
}

// final reports whether trying again is of no use: /connect refused the token, or every endpoint refused the version.
func final(err error) bool {
	var de doorsError
	if errors.As(err, &de) {
		return len(de) > 0 && !slices.ContainsFunc(de, func(err error) bool { return !final(err) })
	}
	var se *StatusError
	if errors.As(err, &se) {
		return se.Status == http.StatusUnauthorized || se.Status == http.StatusForbidden
	}
	var we *wire.Error
	return errors.As(err, &we) && (we.Code == wire.CodeVersion || we.Code == wire.CodeOrigin)
}

// stale reports whether a door is not, or not any more, as the document has it: it refused its ticket, or has another
// certificate. That says nothing of the token, which only /connect sees.
func stale(err error) bool {
	var de doorsError
	if errors.As(err, &de) {
		return slices.ContainsFunc(de, stale)
	}
	if errors.Is(err, errCertificate) {
		return true
	}
	var we *wire.Error
	if errors.As(err, &we) {
		return we.Code == wire.CodeUnauthorized || we.Code == wire.CodeTicketExpired
	}
	var ce *webtransport.CloseError // the answer may be lost before it
	return errors.As(err, &ce) && (ce.Code == uint32(wire.CloseUnauthorized) || ce.Code == uint32(wire.CloseTicketExpired))
}

// doorsError holds the errors of the endpoints of a race that none of them won.
type doorsError []error

func (e doorsError) Error() string   { return errors.Join(e...).Error() }
func (e doorsError) Unwrap() []error { return e }

// document fetches /connect.
func (c *Client) document(ctx context.Context) (*wire.Connect, error) {
	return FetchConnect(ctx, c.http, c.o)
}

// FetchConnect fetches the document that names the server's doors, by hc. The URLs in it are whole.
func FetchConnect(ctx context.Context, hc *http.Client, o Options) (*wire.Connect, error) {
	var doc wire.Connect
	err := post(ctx, hc, o, "/connect", &doc)
	if err == nil && len(doc.Doors) == 0 {
		err = errors.New("the server names no way in")
	}
	if err == nil {
		err = resolve(&doc, o.URL)
	}
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", o.URL, err)
	}
	return &doc, nil
}

// resolve makes the doors' URLs whole.
func resolve(doc *wire.Connect, server string) error {
	at, err := url.Parse(server)
	if err != nil {
		return err
	}
	return doc.Resolve(at)
}

// post sends a request without a body, and decodes the answer into v.
func post(ctx context.Context, hc *http.Client, o Options, path string, v any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(o.URL, "/")+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+o.Token)
	req.Header.Set("Accept", "application/json")
	res, err := hc.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		var e struct {
			Error *wire.Error `json:"error"`
		}
		json.Unmarshal(b, &e)
		return &StatusError{res.StatusCode, e.Error}
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("the answer is no Skein document: %w", err)
	}
	return nil
}

// LoginURL asks the server for a URL that signs a browser in, once. It begins with o.URL: what is before the server, such as
// a proxy, is before the browser too.
func LoginURL(ctx context.Context, o Options) (string, error) {
	hc := &http.Client{Transport: &http.Transport{TLSClientConfig: TLSConfig(o.CertificateHashes), DisableKeepAlives: true}}
	var res struct {
		URL string `json:"url"`
	}
	if err := post(ctx, hc, o, "/login/token", &res); err != nil {
		return "", fmt.Errorf("ask %s for a login: %w", o.URL, err)
	}
	link, err := url.Parse(res.URL)
	if err != nil {
		return "", fmt.Errorf("ask %s for a login: %w", o.URL, err)
	}
	return strings.TrimRight(o.URL, "/") + "/login?" + link.RawQuery, nil
}

// attempt is how one door answered.
type attempt struct {
	link *link
	err  error
	kind wire.Transport
}

// race tries WebTransport first; WebSocket joins after the policy's delay, or when WebTransport failed. The first door
// whose hello is answered wins; the others are closed. When a door is stale, the others, which are as old, get the
// policy's delay and no more; patient: all the time that there is.
func (c *Client) race(ctx context.Context, doc *wire.Connect, patient bool) (*link, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	doors, reason := c.choose(doc)
	if len(doors) == 0 {
		return nil, fmt.Errorf("the server offers no %s door", c.o.Transport)
	}
	remembered := ""
	if c.o.Transport == Auto && len(doors) == 2 {
		if remembered = c.cache.choice(); remembered != "" { // WebTransport joins when WebSocket fails, or takes long
			slices.Reverse(doors)
		}
	}
	results := make(chan attempt, len(doors))
	under := 0
	try := func() {
		d := doors[0]
		doors = doors[1:]
		under++
		go func() {
			l, err := c.open(ctx, doc, d)
			results <- attempt{l, err, d.Transport}
		}()
	}
	try()
	raceDelay := time.Duration(doc.Policy.RaceDelayMS) * time.Millisecond
	delay := time.NewTimer(raceDelay)
	defer delay.Stop()
	var old <-chan time.Time // the document is
	var errs doorsError
	for under > 0 {
		select {
		case <-old:
			go closeLosers(results, under)
			return nil, errs
		case <-delay.C:
			if len(doors) > 0 {
				if remembered == "" {
					reason = fmt.Sprintf("WebTransport did not answer within %d ms (is UDP blocked?)", doc.Policy.RaceDelayMS)
				}
				try()
			}
		case a := <-results:
			under--
			if a.err == nil {
				a.link.reason = reasonFor(a.kind, cmp.Or(remembered, reason))
				switch {
				case a.kind == wire.WebTransport:
					c.cache.keepChoice("")
				case remembered == "" && c.o.Transport == Auto:
					c.cache.keepChoice(reason)
				}
				go closeLosers(results, under)
				return a.link, nil
			}
			errs = append(errs, a.err)
			if old == nil && !patient && stale(a.err) {
				old = time.After(raceDelay)
			}
			if len(doors) > 0 {
				if remembered == "" {
					reason = "WebTransport failed: " + a.err.Error()
				}
				try()
			}
		}
	}
	return nil, errs
}

func reasonFor(kind wire.Transport, reason string) string {
	if kind == wire.WebTransport && !strings.HasPrefix(reason, "asked") {
		return "the first choice"
	}
	return reason
}

// closeLosers closes the sessions that opened after the race was won. Their contexts ended with the race.
func closeLosers(results <-chan attempt, n int) {
	for range n {
		if a := <-results; a.link != nil {
			a.link.sess.Close(uint32(wire.CloseNormal), "another transport won")
		}
	}
}

// choose orders the doors, and says why there is no choice.
func (c *Client) choose(doc *wire.Connect) (doors []wire.Door, reason string) {
	reason = "the server offers no WebTransport"
	for _, want := range []wire.Transport{wire.WebTransport, wire.WebSocket} {
		for _, d := range doc.Doors {
			if d.Transport == want && (c.o.Transport == Auto || c.o.Transport == string(want)) {
				doors = append(doors, d)
			}
		}
	}
	if c.o.Transport != Auto {
		reason = "asked for by the program"
	}
	return doors, reason
}

// open opens a session through a door and says hello.
func (c *Client) open(ctx context.Context, doc *wire.Connect, d wire.Door) (*link, error) {
	var sess webtransport.Session
	var err error
	switch d.Transport {
	case wire.WebTransport:
		sess, err = webtransport.DialQUIC(ctx, d.URL, c.quicConfig(doc, d))
	default:
		hc := &http.Client{Transport: &http.Transport{TLSClientConfig: TLSConfig(c.o.CertificateHashes)}}
		defer hc.CloseIdleConnections() // of a door that answered something else
		sess, err = webtransport.DialWebSocket(ctx, d.URL, webtransport.WebSocketConfig{Protocols: []string{wire.Version}, HTTPClient: hc})
	}
	if err != nil {
		return nil, err
	}
	l, err := c.greet(ctx, sess, d)
	if err != nil {
		return nil, err
	}
	l.doors = doc.Doors
	return l, nil
}

// quicConfig is how a WebTransport door is dialed.
func (c *Client) quicConfig(doc *wire.Connect, d wire.Door) webtransport.QUICDialConfig {
	conf := TLSConfig(d.CertificateHashes)
	if c.cache.dir != "" {
		conf.ClientSessionCache = c.cache
	}
	return webtransport.QUICDialConfig{TLS: conf, Protocols: []string{doc.Version}, Mask: webtransport.MaskConfig{Off: c.o.NoMasking}}
}

// backoff gives the waits between attempts: full jitter, doubling between the policy's bounds.
type backoff struct {
	lo, hi time.Duration
	limit  time.Duration
}

func newBackoff(p wire.Policy) *backoff {
	b := &backoff{lo: time.Duration(p.BackoffMinMS) * time.Millisecond, hi: time.Duration(p.BackoffMaxMS) * time.Millisecond}
	b.lo = max(b.lo, 50*time.Millisecond)
	b.hi = max(b.hi, b.lo)
	b.reset()
	return b
}

func (b *backoff) reset() { b.limit = b.lo }

func (b *backoff) next() time.Duration {
	d := rand.N(b.limit) + time.Millisecond
	b.limit = min(2*b.limit, b.hi)
	return d
}
