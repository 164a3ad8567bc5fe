package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

// ConnectError is the error of a Client from a cache whose first connection failed after Dial had returned.
type ConnectError struct{ Err error }

func (e *ConnectError) Error() string { return "the server can't be reached: " + e.Err.Error() }

func (e *ConnectError) Unwrap() error { return e.Err }

// earlyRTT is the least round-trip time for which early data is used. On a shorter path, even seven round trips take less
// than a tenth of a second.
const earlyRTT = 10 * time.Millisecond

// startEarly starts a connection from what the cache knows of the server. It returns nil if that is nothing or of no use.
func (c *Client) startEarly(ctx context.Context) *early {
	doc, rtt := c.cache.endpoints()
	if doc == nil || rtt < earlyRTT || c.o.Transport == WebSocket || len(c.cache.tickets()) == 0 || c.o.Transport == Auto && c.cache.choice() != "" {
		return nil
	}
	c.known = doc.Policy
	for _, d := range doc.Endpoints {
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
		return &early{conn: conn, url: d.URL, o: c.o, id: c.id, ctx: c.ctx, log: c.log, calls: c.calls}
	}
	return nil
}

// first opens the first session of a Client that was started from its cache: on that connection, or in the usual way if
// that fails or takes long.
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
		l, policy, err := c.earlySession(earlyCtx, e)
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
			case under > 0: // the usual way failed, so the other one soon gives up too
				time.AfterFunc(time.Duration(c.known.RaceDelayMS)*time.Millisecond, giveUp)
			}
		}
	}
	return nil, wire.Policy{}, errors.Join(errs...)
}

// earlySession opens a session on the early connection.
func (c *Client) earlySession(ctx context.Context, e *early) (*link, wire.Policy, error) {
	if err := e.handshake(ctx); err != nil {
		e.conn.Close()
		return nil, wire.Policy{}, err
	}
	doc, err := e.document(ctx)
	if err != nil {
		e.conn.Close()
		return nil, wire.Policy{}, err
	}
	for _, d := range doc.Endpoints {
		if d.Transport != wire.WebTransport || d.URL != e.url {
			continue
		}
		sess, err := e.conn.Session(ctx, d.URL)
		if err != nil {
			return nil, wire.Policy{}, err
		}
		l, err := c.greet(ctx, sess, d)
		if err != nil {
			return nil, wire.Policy{}, err
		}
		l.reason = "the first choice, as remembered"
		c.cache.keepEndpoints(doc, sess)
		return l, doc.Policy, nil
	}
	e.conn.Close()
	return nil, wire.Policy{}, errors.New("the server has no such endpoint any more")
}
