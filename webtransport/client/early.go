package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

const (
	// maxEarlyBody bounds a request that goes out without a session, in bytes: the first packets of a connection hold
	// little more. A longer one waits.
	maxEarlyBody = 8 << 10
	// earlyRTT is the round trip from which on early data is worth its while: seven of them are a tenth of a second.
	earlyRTT = 10 * time.Millisecond
)

// ticketWait is how long Close waits for the next connection's ticket, which comes a round trip after the answer to early
// data. Only tests change it.
var ticketWait = 300 * time.Millisecond

// ConnectError is why the first connection of a Client from a cache failed, after Dial had returned.
type ConnectError struct{ Err error }

func (e *ConnectError) Error() string { return "the server can't be reached: " + e.Err.Error() }
func (e *ConnectError) Unwrap() error { return e.Err }

// early is a connection from what the cache tells. Requests go out on it before it has a session, in the first packets
// when they are safe there (wire.ReplaySafe). What gets no answer that way is sent again over the session, under the
// same id.
type early struct {
	c    *Client
	conn *webtransport.QUICConn
	url  string // of the door
}

// startEarly begins a connection from what is remembered of the server; nil: there is nothing, or it is of no use.
func (c *Client) startEarly(ctx context.Context) *early {
	doc, rtt := c.cache.doors()
	if doc == nil || rtt < earlyRTT || c.o.Transport == WebSocket || len(c.cache.tickets()) == 0 || c.o.Transport == Auto && c.cache.choice() != "" {
		return nil
	}
	c.known = doc.Policy
	for _, d := range doc.Doors {
		if d.Transport != wire.WebTransport {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, time.Duration(doc.Policy.RaceDelayMS)*time.Millisecond)
		defer cancel()
		conn, err := webtransport.DialQUICEarly(ctx, d.URL, c.quicConfig(doc, d))
		if err != nil {
			c.log.Debug("no connection from the cache", "err", err)
			return nil
		}
		return &early{c: c, conn: conn, url: d.URL}
	}
	return nil
}

// first gives a Client that began from its cache its first session: on that connection, or on the usual way when that
// takes long or fails.
func (c *Client) first(e *early) (*link, wire.Policy, error) {
	ctx, cancel := context.WithTimeout(c.ctx, connectTimeout)
	defer cancel()
	type result struct {
		l      *link
		policy wire.Policy
		err    error
	}
	results := make(chan result, 2)
	under := 1
	earlyCtx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	go func() {
		l, policy, err := e.session(earlyCtx)
		if err != nil {
			err = fmt.Errorf("with what is remembered of the server: %w", err)
		}
		results <- result{l, policy, err}
	}()
	usual := func() {
		under++
		go func() {
			l, policy, err := c.connect(ctx)
			results <- result{l, policy, err}
		}()
	}
	delay := time.NewTimer(time.Duration(c.known.RaceDelayMS) * time.Millisecond)
	defer delay.Stop()
	var errs []error
	for both := false; under > 0; {
		select {
		case <-delay.C:
			if !both {
				both = true
				usual()
			}
		case r := <-results:
			under--
			if r.err == nil {
				go func(n int) {
					for range n {
						if late := <-results; late.l != nil {
							late.l.sess.Close(uint32(wire.CloseNormal), "another way in won")
						}
					}
				}(under)
				return r.l, r.policy, nil
			}
			errs = append(errs, r.err)
			switch {
			case !both:
				both = true
				usual()
			case under > 0: // if it is the usual way that failed, there is little hope
				time.AfterFunc(time.Duration(c.known.RaceDelayMS)*time.Millisecond, giveUp)
			}
		}
	}
	return nil, wire.Policy{}, errors.Join(errs...)
}

// session opens the session of the early connection.
func (e *early) session(ctx context.Context) (*link, wire.Policy, error) {
	if err := e.handshake(ctx); err != nil {
		e.conn.Close()
		return nil, wire.Policy{}, err
	}
	doc, err := e.document(ctx)
	if err != nil {
		e.conn.Close()
		return nil, wire.Policy{}, err
	}
	for _, d := range doc.Doors {
		if d.Transport != wire.WebTransport || d.URL != e.url {
			continue
		}
		sess, err := e.conn.Session(ctx, d.URL)
		if err != nil {
			return nil, wire.Policy{}, err
		}
		l, err := e.c.greet(ctx, sess, d)
		if err != nil {
			return nil, wire.Policy{}, err
		}
		l.reason = "the first choice, as remembered"
		e.c.cache.keepDoors(doc, sess)
		return l, doc.Policy, nil
	}
	e.conn.Close()
	return nil, wire.Policy{}, errors.New("the server has no such door any more")
}

func (e *early) handshake(ctx context.Context) error {
	select {
	case <-e.conn.HandshakeComplete():
		return nil
	case <-e.conn.Context().Done():
		return context.Cause(e.conn.Context())
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (e *early) document(ctx context.Context) (*wire.Connect, error) {
	b, err := e.do(ctx, "/connect", nil)
	if err != nil {
		return nil, err
	}
	var doc wire.Connect
	if err := json.Unmarshal(b, &doc); err != nil {
		return nil, fmt.Errorf("the answer is no Skein document: %w", err)
	}
	return &doc, resolve(&doc, e.c.o.URL)
}

func (e *early) do(ctx context.Context, path string, body []byte) ([]byte, error) {
	door, err := url.Parse(e.url)
	if err != nil {
		return nil, err
	}
	base := strings.TrimSuffix(door.Path, wire.WebTransportPath)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+path, nil)
	if err != nil {
		return nil, err
	}
	h := req.Header
	h.Set("Authorization", "Bearer "+e.c.o.Token)
	h.Set("Accept", "application/json")
	h.Set("Content-Type", "application/json")
	h.Set(wire.ClientIDHeader, e.c.id)
	h.Set(wire.ClientNameHeader, e.c.o.Name)
	res, err := e.conn.Do(ctx, req, body)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, &StatusError{Status: res.StatusCode}
	}
	return b, nil
}

// send sends a request on a stream of its own: none waits for another's answer. Errors are left to the session, which
// sends it again.
func (e *early) send(method string, p *pendingCall) {
	if wire.NeedsSession(method) || len(p.line) > maxEarlyBody {
		return
	}
	body := append(append([]byte{'['}, bytes.TrimSpace(p.line)...), ']')
	go func() {
		ctx := e.c.ctx
		if !wire.ReplaySafe(method) && e.handshake(ctx) != nil {
			return
		}
		b, err := e.do(ctx, wire.RPCPath, body)
		if se := new(StatusError); errors.As(err, &se) && se.Status == http.StatusTooEarly && e.handshake(ctx) == nil {
			b, err = e.do(ctx, wire.RPCPath, body)
		}
		var answers []json.RawMessage
		if err == nil {
			err = json.Unmarshal(b, &answers)
		}
		if err != nil {
			e.c.log.Debug("a request gets its answer over the session", "method", method, "err", err)
			return
		}
		for _, a := range answers {
			if m, err := wire.ParseAnswer(a); err == nil && m.IsResponse() {
				e.c.answered(m)
			}
		}
	}()
}

// lingerForTicket waits a moment for the ticket of the next connection, if this one is so young that it has none yet.
func (c *Client) lingerForTicket() {
	conn, _ := c.Connection()
	if c.cache.dir == "" || c.began == nil && conn.Transport != wire.WebTransport || c.ctx.Err() != nil {
		return
	}
	select {
	case <-c.cache.news:
	case <-c.ctx.Done():
	case <-time.After(ticketWait):
	}
}
