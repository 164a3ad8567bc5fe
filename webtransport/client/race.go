package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

// attempt is the outcome of dialing one endpoint.
type attempt struct {
	link *link
	err  error
	kind wire.Transport
}

// race tries WebTransport first. WebSocket joins after the policy's delay or when WebTransport has failed. The first
// endpoint that answers hello wins, and the other session is closed. If an endpoint is stale, the other one, which is
// from the same document, probably is too, so it gets only the policy's delay; with patient, it gets all the time there
// is.
func (c *Client) race(ctx context.Context, doc *wire.Connect, patient bool) (*link, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	endpoints, reason := c.choose(doc)
	if len(endpoints) == 0 {
		return nil, fmt.Errorf("the server offers no %s endpoint", c.o.Transport)
	}
	remembered := ""
	if c.o.Transport == Auto && len(endpoints) == 2 {
		if remembered = c.cache.choice(); remembered != "" { // WebTransport joins if WebSocket fails or takes long
			slices.Reverse(endpoints)
		}
	}
	results := make(chan attempt, len(endpoints))
	under := 0
	try := func() {
		d := endpoints[0]
		endpoints = endpoints[1:]
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
	var old <-chan time.Time // receives when there was time enough for the other endpoint of a stale document
	var errs endpointsError
	for under > 0 {
		select {
		case <-old:
			go closeLosers(results, under)
			return nil, errs
		case <-delay.C:
			if len(endpoints) > 0 {
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
			if len(endpoints) > 0 {
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

// closeLosers closes the sessions that were opened after the race was won.
func closeLosers(results <-chan attempt, n int) {
	for range n {
		if a := <-results; a.link != nil {
			a.link.sess.Close(uint32(wire.CloseNormal), "another transport won")
		}
	}
}

// choose returns the endpoints in the order in which they are tried, and the reason if there is only one.
func (c *Client) choose(doc *wire.Connect) (endpoints []wire.Endpoint, reason string) {
	reason = "the server offers no WebTransport"
	for _, want := range []wire.Transport{wire.WebTransport, wire.WebSocket} {
		for _, d := range doc.Endpoints {
			if d.Transport == want && (c.o.Transport == Auto || c.o.Transport == string(want)) {
				endpoints = append(endpoints, d)
			}
		}
	}
	if c.o.Transport != Auto {
		reason = "asked for by the program"
	}
	return endpoints, reason
}

// endpointsError holds the errors of the endpoints of a race that none of them won.
type endpointsError []error

func (e endpointsError) Error() string { return errors.Join(e...).Error() }

func (e endpointsError) Unwrap() []error { return e }

// final reports whether another attempt would fail too, because /connect refused the token or every endpoint refused the
// version, or closed the session with a code that forbids connecting again.
func final(err error) bool {
	var de endpointsError
	if errors.As(err, &de) {
		return len(de) > 0 && !slices.ContainsFunc(de, func(err error) bool { return !final(err) })
	}
	var se *StatusError
	if errors.As(err, &se) {
		return se.Status == http.StatusUnauthorized || se.Status == http.StatusForbidden
	}
	var ce *webtransport.CloseError
	if errors.As(err, &ce) {
		code := wire.CloseCode(ce.Code)
		return code != wire.CloseNormal && !code.Reconnect() && !stale(err)
	}
	var we *wire.Error
	return errors.As(err, &we) && (we.Code == wire.CodeVersion || we.Code == wire.CodeOrigin)
}

// stale reports whether an endpoint is no longer as the document describes it: it refused its ticket or has another
// certificate. That does not concern the token, which only /connect checks.
func stale(err error) bool {
	var de endpointsError
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
	var ce *webtransport.CloseError // the reply that precedes it may be lost
	return errors.As(err, &ce) && (ce.Code == uint32(wire.CloseUnauthorized) || ce.Code == uint32(wire.CloseTicketExpired))
}
