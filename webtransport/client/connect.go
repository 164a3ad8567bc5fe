package client

import (
	"context"
	"time"

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

// document fetches /connect.
func (c *Client) document(ctx context.Context) (*wire.Connect, error) {
	return FetchConnect(ctx, c.http, c.o)
}
