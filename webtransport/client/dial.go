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

// ticketWait is how long Close waits for the ticket of the next connection, which arrives one round trip after the reply
// to early data. Only tests change it.
var ticketWait = 300 * time.Millisecond

// Dial connects to a server. If the first attempt fails, Dial does. After that, the Client reconnects until Close is
// called or the server refuses it permanently.
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

// Close ends the session. Calls that wait for replies fail with ErrClosed.
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

// lingerForTicket waits a moment for the ticket of the next connection, if this one is too young to have received it.
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
