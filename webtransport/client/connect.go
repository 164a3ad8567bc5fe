package client

import (
	"context"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// connectTimeout bounds one attempt to connect, which fetches the document and races the endpoints.
const connectTimeout = 15 * time.Second

// retryTimeout bounds the first attempt after a session was lost. While a network changes, the packets of one attempt may
// be lost and those of the next one arrive. Each further attempt has twice the time, up to connectTimeout.
const retryTimeout = 3 * time.Second

// connect fetches the document and races its endpoints. If an endpoint refuses its ticket, the ticket is usually from
// before a restart of the server, so connect fetches the document again, at once but only once. The caller waits before
// the next attempt.
func (c *Client) connect(ctx context.Context) (*link, wire.Policy, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	for again := false; ; again = true {
		doc, err := c.document(ctx)
		if err != nil {
			return nil, wire.Policy{}, err
		}
		c.http.CloseIdleConnections() // it will be long until the next document
		l, err := c.race(ctx, doc, again)
		if err == nil {
			c.cache.keepEndpoints(doc, l.sess)
		}
		if again || !stale(err) || ctx.Err() != nil {
			return l, doc.Policy, err
		}
		c.log.Info("the endpoints are not as they were; asking again where they are", "err", err)
	}
}

// document fetches /connect.
func (c *Client) document(ctx context.Context) (*wire.Connect, error) {
	return FetchConnect(ctx, c.http, c.o)
}
