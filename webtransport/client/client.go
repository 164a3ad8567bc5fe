// Package client is the Go client of Skein. It connects over WebTransport or WebSocket, keeps a session alive while
// networks change, and offers the requests of the protocol as methods.
//
// A Client reconnects with backoff whenever its session ends. It repeats requests that were not answered, with the same
// ids; the server answers those that it has carried out from its reply cache. Readers of events continue at their
// cursors. So until its context ends, a caller sees a slow network instead of a broken one.
//
// # Files
//
// Files depend on those above them.
//
//	options.go, tls.go, cache.go, document.go, hello.go   what a connection needs to know
//	call.go, watch.go                                     requests that wait for replies, readers of the fleet
//	link.go, lane.go, serve.go, early.go                  one session; a connection without one
//	client.go                                             Client
//	open.go, race.go, connect.go, first.go, return.go     how a session is found
//	watchdog.go, keep.go, dial.go                         how one follows another
//	agents.go, tasks.go, memory.go, artifacts.go, …       the requests
//
// # Locks
//
// In the order in which they are taken: a goroutine that holds one takes none above it.
//
//	leave, in Client.stay   while a session takes the place of another
//	Client.mu               the live session
//	link.laneMu             the lanes of a session; held while one is opened
//	rpcLane.mu              around writes to a lane, and whether it has ended
//	link.statusMu           around writes to the status lane
//
// Pool.mu (which connections there are, and their users), calls.mu (the requests that wait for replies), watches.mu,
// watch.mu (what a reader has not taken yet) and link.mu (what the server said of a session) are never held while another
// lock is taken.
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

// Client is a connection to a Skein server that outlives its sessions. It is safe for concurrent use.
type Client struct {
	// static after Dial
	o    Options
	id   string // the same in all sessions; request ids are unique within it
	log  *slog.Logger
	http *http.Client

	calls   *calls
	watches *watches

	cache *cache
	began *early      // the connection that was started from the cache; nil if there was none
	known wire.Policy // from the cache

	network chan struct{} // receives a value when the machine's network may have changed

	// owned by keep
	returned bool // from a WebSocket to WebTransport
	flaps    int  // WebTransport sessions after such a return that did not last

	ctx    context.Context
	cancel context.CancelCauseFunc
	run    sync.WaitGroup

	mu      sync.Mutex
	link    *link         // the live session; nil if there is none
	changed chan struct{} // closed and replaced when link changes
	last    wire.Welcome  // of the latest session
}

// Connection describes the live session. It returns false if there is none at the moment.
func (c *Client) Connection() (Connection, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link == nil {
		return Connection{}, false
	}
	return c.link.connection(), true
}

// Connected waits for a session and describes it. A Client that was dialed from a cache may have none yet.
func (c *Client) Connected(ctx context.Context) (Connection, error) {
	l, err := c.live(ctx)
	if err != nil {
		return Connection{}, err
	}
	return l.connection(), nil
}

// Session returns the live session, for measurements, or nil if there is none at the moment.
func (c *Client) Session() webtransport.Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link == nil {
		return nil
	}
	return c.link.sess
}

// use makes l the live session, or records that there is none if l is nil, and repeats the requests that wait for
// replies.
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

// live returns the live session, and waits if there is none.
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
		case <-time.After(50 * time.Millisecond): // the session has ended and was not replaced yet
		}
	}
}
