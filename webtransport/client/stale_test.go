package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"skein.dev/skein/server"
	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// connects stands before a server's /connect, and counts the documents. Their endpoints are the server's own.
type connects struct {
	url   string
	count atomic.Int64
}

// frontOf does what change says with each document, the first being number 1, before the client has it.
func frontOf(t *testing.T, n *node, change func(number int64, doc *wire.Connect)) *connects {
	t.Helper()
	to, err := url.Parse(n.addrs.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	f := &connects{}
	p := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(to) },
		Transport: &http.Transport{DisableKeepAlives: true},
		ModifyResponse: func(res *http.Response) error {
			if res.StatusCode != http.StatusOK {
				return nil
			}
			var doc wire.Connect
			if err := json.NewDecoder(res.Body).Decode(&doc); err != nil {
				return err
			}
			res.Body.Close()
			change(f.count.Add(1), &doc)
			b, err := json.Marshal(doc)
			res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
			res.Header.Del("Content-Length")
			return err
		},
	}
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	f.url = s.URL
	return f
}

// overEach runs a test over each transport, and over both in a race.
func overEach(t *testing.T, f func(t *testing.T, tr string)) {
	for _, tr := range []string{client.WebTransport, client.WebSocket, client.Auto} {
		t.Run(tr, func(t *testing.T) {
			t.Parallel()
			f(t, tr)
		})
	}
}

// A server that restarts between the document and hello knows no ticket of the time before.
func TestTheServerRestartsBetweenConnectAndHello(t *testing.T) {
	t.Parallel()
	overEach(t, func(t *testing.T, tr string) {
		n := serve(t)
		restartAt := int64(1)
		f := frontOf(t, n, func(number int64, _ *wire.Connect) {
			if number == restartAt {
				n = n.restart(t)
			}
		})
		c := dial(t, n, over(tr), at(f.url))
		if _, err := c.Ping(t.Context()); err != nil || f.count.Load() != 2 {
			t.Errorf("the first session: %v, after %d documents", err, f.count.Load())
		}

		before, _ := c.Connection()
		restartAt = f.count.Load() + 1
		c.Session().Close(uint32(wire.CloseLost), "cut by the test")
		if _, err := c.Ping(t.Context()); err != nil {
			t.Errorf("the next session: %v", err)
		}
		if after := another(t, c, before.Session); f.count.Load() <= restartAt {
			t.Errorf("%+v after %d documents", after, f.count.Load())
		}
	})
}

func TestThePoolOutlivesARestartBetweenConnectAndHello(t *testing.T) {
	t.Parallel()
	overEach(t, func(t *testing.T, tr string) {
		n := serve(t)
		f := frontOf(t, n, func(number int64, _ *wire.Connect) {
			if number == 1 {
				n = n.restart(t)
			}
		})
		p := client.NewPool(client.PoolOptions{})
		defer p.Close()
		l, err := p.Get(t.Context(), client.Options{URL: f.url, Token: n.token, Transport: tr})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Release()
		if _, err := l.Ping(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A token that is refused is final, be it after a ticket that was.
func TestARestartBetweenConnectAndHelloWithAnotherToken(t *testing.T) {
	t.Parallel()
	overEach(t, func(t *testing.T, tr string) {
		n := serve(t)
		token := n.token
		f := frontOf(t, n, func(int64, *wire.Connect) {
			n = n.restart(t, func(o *server.Options) { o.DataDir = t.TempDir() }) // another certificate too
		})
		c, err := client.Dial(t.Context(), client.Options{URL: f.url, Token: token, Transport: tr})
		var se *client.StatusError
		if !errors.As(err, &se) || se.Status != http.StatusUnauthorized {
			t.Errorf("%v, %v", c, err)
		}
	})
}

// Tickets that are never any good, as of a server behind which another one answers the endpoints, are fetched anew once an
// attempt: the pauses lie between attempts.
func TestTicketsThatAreNeverGood(t *testing.T) {
	t.Parallel()
	overEach(t, func(t *testing.T, tr string) {
		n := serve(t)
		f := frontOf(t, n, func(_ int64, doc *wire.Connect) {
			for i := range doc.Endpoints {
				doc.Endpoints[i].Ticket = strings.Repeat("A", 26)
			}
		})
		c, err := client.Dial(t.Context(), client.Options{URL: f.url, Token: n.token, Transport: tr})
		if err == nil {
			c.Close()
			t.Fatal("it is connected")
		}
		var we *wire.Error
		if !errors.As(err, &we) || we.Code != wire.CodeTicketExpired || f.count.Load() != 2 {
			t.Errorf("%v, after %d documents", err, f.count.Load())
		}
	})
}

// The endpoint that took its ticket may be no way in; the other one is waited for.
func TestOneEndpointRefusesItsTicket(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr string) {
		n := serve(t)
		f := frontOf(t, n, func(_ int64, doc *wire.Connect) {
			i := slices.IndexFunc(doc.Endpoints, func(d wire.Endpoint) bool { return string(d.Transport) != tr })
			doc.Endpoints[i].Ticket = "AAAA"
		})
		c := dial(t, n, at(f.url))
		if conn, ok := c.Connection(); !ok || string(conn.Transport) != tr {
			t.Errorf("%+v", conn)
		}
	})
}

// Where one endpoint refuses its ticket and nobody answers at the other, the document is fetched anew before the attempt's
// time is over.
func TestOneEndpointRefusesItsTicketAndTheOtherIsSilent(t *testing.T) {
	t.Parallel()
	l := behindRelays(t)
	l.udp.Lose(1)
	n := l.node
	f := frontOf(t, n, func(number int64, _ *wire.Connect) {
		if number == 1 {
			n = n.restart(t)
		}
	})
	c := dial(t, n, at(f.url))
	if conn, ok := c.Connection(); !ok || conn.Transport != wire.WebSocket || f.count.Load() != 2 {
		t.Errorf("%+v after %d documents", conn, f.count.Load())
	}
}

func closed(c wire.CloseCode) error {
	return fmt.Errorf("hello: %w", &webtransport.CloseError{Code: uint32(c), Remote: true})
}

// What is final for one endpoint is not while the other has said nothing.
func TestARefusedVersionIsFinalOnlyOfEveryEndpoint(t *testing.T) {
	t.Parallel()
	version := wire.Errorf(wire.CodeVersion, "another version")
	for name, c := range map[string]struct {
		errs  []error
		final bool
	}{
		"both":              {[]error{version, version}, true},
		"one, and no route": {[]error{errors.New("no route"), version}, false},
		"one, and a ticket": {[]error{wire.Errorf(wire.CodeUnauthorized, "no"), version}, false},
		"tickets":           {[]error{wire.Errorf(wire.CodeUnauthorized, "no")}, false},
		"nothing":           {[]error{context.DeadlineExceeded}, false},
		// The answer that precedes a close may be lost.
		"closed: version":     {[]error{closed(wire.CloseVersion), version}, true},
		"closed: logged out":  {[]error{closed(wire.CloseLoggedOut)}, true},
		"closed: no ticket":   {[]error{closed(wire.CloseUnauthorized)}, false},
		"closed: stopping":    {[]error{closed(wire.CloseShutdown)}, false},
		"closed: no code":     {[]error{closed(wire.CloseNormal)}, false},
		"closed: one of both": {[]error{closed(wire.CloseVersion), errors.New("no route")}, false},
	} {
		if got := client.Final(client.EndpointsError(c.errs)); got != c.final {
			t.Errorf("%s: %v", name, got)
		}
	}
}
