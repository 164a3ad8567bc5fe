package client

import (
	"context"
	"errors"
	"sync"
	"time"

	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

// keep serves one session after the other until the Client is closed or refused.
func (c *Client) keep(l *link, policy wire.Policy) {
	b := newBackoff(policy)
	for {
		since := time.Now()
		code, next := c.stay(l)
		if next != nil && c.ctx.Err() == nil {
			l = next
			continue
		}
		c.use(nil)
		if next != nil {
			next.sess.Close(uint32(wire.CloseNormal), "")
		}
		if c.ctx.Err() != nil {
			return
		}
		if code != 0 && !code.Reconnect() {
			c.cancel(&webtransport.CloseError{Code: uint32(code), Reason: code.String(), Remote: true})
			return
		}
		if time.Since(since) > time.Duration(policy.HealthyMS)*time.Millisecond {
			b.reset()
		}
		c.log.Info("connection lost; connecting again", "code", code)
		wait := max(b.next(), l.reconnectAfter())
		patience := retryTimeout
		for l = nil; l == nil; wait, patience = b.next(), min(2*patience, connectTimeout) {
			select {
			case <-time.After(wait):
			case <-c.ctx.Done():
				return
			}
			var err error
			attempt, done := context.WithTimeout(c.ctx, patience)
			l, policy, err = c.connect(attempt)
			done()
			if err != nil {
				c.log.Info("connecting failed; trying again", "err", err)
				if final(err) {
					c.cancel(err)
					return
				}
				l = nil
			}
		}
		c.use(l)
	}
}

// keepFromCache is keep for a Client that has no session yet.
func (c *Client) keepFromCache() {
	l, policy, err := c.first(c.began)
	if err != nil {
		c.began.conn.Close()
		if se := new(StatusError); !errors.As(err, &se) {
			err = &ConnectError{err}
		}
		c.cancel(err)
		return
	}
	c.use(l)
	c.keep(l, policy)
}

// stay serves a session until it ends. It replaces the session by another, next, which is in use before the old one is
// closed, in two cases: when the old one's path is dead, and when it is a WebSocket and WebTransport works again.
func (c *Client) stay(l *link) (code wire.CloseCode, next *link) {
	ctx, cancel := context.WithCancel(c.ctx)
	var searches sync.WaitGroup
	var leave sync.Mutex
	returned := false
	replace := func(better func(context.Context) *link, why string, code wire.CloseCode) {
		searches.Go(func() {
			found := better(ctx)
			if found == nil {
				return
			}
			leave.Lock()
			defer leave.Unlock()
			if next != nil || ctx.Err() != nil {
				found.sess.Close(uint32(wire.CloseNormal), "another session is in use")
				return
			}
			next, returned = found, code == wire.CloseNormal
			c.log.Info("leaving a session", "transport", l.kind, "why", why)
			cancel()
			c.use(next)
			l.sess.Close(uint32(code), why)
		})
	}
	replace(func(ctx context.Context) *link { return c.watch(ctx, l) }, "the server was silent", wire.CloseLost)
	if l.kind == wire.WebSocket && c.o.Transport == Auto {
		replace(func(ctx context.Context) *link { return c.better(ctx, l) }, "WebTransport works again", wire.CloseNormal)
	}
	begin := time.Now()
	code = l.serve()
	cancel()
	searches.Wait()
	switch {
	case returned:
		c.returned = true
	case l.kind == wire.WebTransport && c.returned && time.Since(begin) < flapTime:
		c.flaps = min(c.flaps+1, maxFlaps)
	case l.kind == wire.WebTransport:
		c.flaps = 0
	}
	return code, next
}
