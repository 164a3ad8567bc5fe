package client

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// ticketWait is how long Close waits for the next connection's ticket, which comes a round trip after the answer to early
// data. Only tests change it.
var ticketWait = 300 * time.Millisecond

// Dial connects. It fails when the first attempt fails; from then on the Client keeps itself connected until Close, or
// until the server refuses it for good.
func Dial(ctx context.Context, o Options) (*Client, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Transport == "" {
		o.Transport = Auto
	}
	if o.Transport != Auto && o.Transport != WebTransport && o.Transport != WebSocket {
		return nil, fmt.Errorf("skein client: transport %q; allowed are %s, %s, %s", o.Transport, Auto, WebTransport, WebSocket)
	}
	c := &Client{o: o, id: rand.Text(), log: o.Logger, changed: make(chan struct{}), watches: &watches{all: map[*watch]struct{}{}}}
	c.http = &http.Client{Transport: &http.Transport{TLSClientConfig: TLSConfig(o.CertificateHashes), ForceAttemptHTTP2: true, IdleConnTimeout: 10 * time.Second}}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	c.calls = &calls{ctx: c.ctx, pending: map[string]*pendingCall{}}
	c.network = make(chan struct{}, 1)
	c.cache = newCache(o.Cache, o)
	if c.began = c.startEarly(ctx); c.began != nil {
		c.calls.early = c.began
		c.run.Go(c.keepFromCache)
		c.run.Go(func() { watchNetwork(c.ctx, c.network) })
		return c, nil
	}
	l, policy, err := c.connect(ctx)
	if err != nil {
		c.cancel(err)
		c.http.CloseIdleConnections()
		return nil, err
	}
	c.use(l)
	c.run.Go(func() { c.keep(l, policy) })
	c.run.Go(func() { watchNetwork(c.ctx, c.network) })
	return c, nil
}

// Close ends the session. Calls that wait fail with ErrClosed.
func (c *Client) Close() error {
	c.lingerForTicket()
	c.cancel(ErrClosed)
	c.run.Wait()
	if c.began != nil {
		c.began.conn.Close()
	}
	c.http.CloseIdleConnections()
	return nil
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
