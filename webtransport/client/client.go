// Package client is the Go client of Skein: it finds a way in over WebTransport or WebSocket, keeps a session alive
// over changing networks, and offers the protocol's requests as methods.
//
// A Client connects again by itself, with backoff, whenever its session ends. Requests that were not answered are sent
// again with the same id, which the server answers from its record when it had carried them out; event readers go on
// at their cursor. So a caller sees a slow network, not a broken one, until its context ends.
package client

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

// Client is a connection to a Skein server that survives its sessions. It is safe for concurrent use.
type Client struct {
	// static after Dial
	o    Options
	id   string // the same over every session: request ids count within it
	log  *slog.Logger
	http *http.Client

	calls   *calls
	watches *watches

	cache *cache
	began *early      // the connection that was begun from the cache; nil: none
	known wire.Policy // that the cache remembers

	network chan struct{} // gets a value when the machine's network may have changed

	// owned by keep
	returned bool // to WebTransport, from a WebSocket
	flaps    int  // sessions that it was returned to and that did not last

	ctx    context.Context
	cancel context.CancelCauseFunc
	run    sync.WaitGroup

	mu      sync.Mutex
	link    *link         // the live session; nil between two
	changed chan struct{} // closed and replaced when link changes
	last    wire.Welcome  // of the session before
}

// Connection describes the live session; false: there is none now.
func (c *Client) Connection() (Connection, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link == nil {
		return Connection{}, false
	}
	return c.link.connection(), true
}

// Connected waits for a session, and describes it. A Client from a cache may have none yet.
func (c *Client) Connected(ctx context.Context) (Connection, error) {
	l, err := c.live(ctx)
	if err != nil {
		return Connection{}, err
	}
	return l.connection(), nil
}

// Session gives the live session's carrier, for measurements; nil: there is none now.
func (c *Client) Session() webtransport.Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link == nil {
		return nil
	}
	return c.link.sess
}

// use makes a session the live one, nil: there is none, and sends again what waits for an answer.
func (c *Client) use(l *link) {
	c.mu.Lock()
	c.link = l
	close(c.changed)
	c.changed = make(chan struct{})
	if l != nil {
		c.last = l.welcome
	}
	c.mu.Unlock()
	if l == nil {
		c.calls.use(nil)
	} else {
		c.calls.use(l)
	}
}

// live waits for a session.
func (c *Client) live(ctx context.Context) (*link, error) {
	for {
		c.mu.Lock()
		l, changed := c.link, c.changed
		c.mu.Unlock()
		if l != nil && l.sess.Context().Err() == nil {
			return l, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-c.ctx.Done():
			return nil, context.Cause(c.ctx)
		case <-time.After(50 * time.Millisecond): // a session that ended and was not yet replaced
		}
	}
}
