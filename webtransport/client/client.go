// Package client is the Go client of Skein: it finds a way in over WebTransport or WebSocket, keeps a session alive
// over changing networks, and offers the protocol's requests as methods.
//
// A Client connects again by itself, with backoff, whenever its session ends. Requests that were not answered are sent
// again with the same id, which the server answers from its record when it had carried them out; event readers go on
// at their cursor. So a caller sees a slow network, not a broken one, until its context ends.
package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

// Transport choices of Options.
const (
	Auto         = "auto"
	WebTransport = string(wire.WebTransport)
	WebSocket    = string(wire.WebSocket)
)

// Options say where the server is and who asks. URL and Token are needed.
type Options struct {
	URL               string                 // such as http://localhost:4480
	Token             string                 // of the server's data folder
	CertificateHashes []wire.CertificateHash // for an https URL with a development certificate
	Transport         string                 // Auto, WebTransport or WebSocket; empty: Auto
	Name, Version     string                 // of the program
	NoMasking         bool                   // send no packet twice, whatever is lost
	NoStatus          bool                   // Watch will not be called: the server need not send the fleet's status
	// Cache is a folder for what makes the next Dial short: the server's doors and TLS session tickets, in files that are
	// the user's alone. With it Dial may return before there is a connection, and the first requests go out in the very
	// first packets; that nobody answers then shows in their errors, as a *ConnectError. Empty: none.
	Cache string
	// Connections is how many a download of an artifact uses at once; 0: this client's own alone. More get more of a link
	// that loses packets, where congestion control holds each one back, and take it from others there.
	Connections int
	Logger      *slog.Logger
}

// ErrClosed is returned by a Client after Close.
var ErrClosed = errors.New("skein client: closed")

// maxPending bounds the requests that wait for an answer.
const maxPending = 4096

// Client is a connection to a Skein server that survives its sessions. It is safe for concurrent use.
type Client struct {
	// static after Dial
	o    Options
	id   string // the same over every session: request ids count within it
	log  *slog.Logger
	http *http.Client

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
	early   *early        // before the first session: where requests may go out
	changed chan struct{} // closed and replaced when link changes
	nextID  uint64
	inputs  int // pending
	pending map[string]*pendingCall
	order   []string // of pending, oldest first, for sending again
	watches map[*watch]struct{}
	last    wire.Welcome // of the session before
}

// Connection describes the live session.
type Connection struct {
	Transport wire.Transport
	Reason    string // why it is this transport, in words
	Session   string
	Epoch     string
	Node      wire.NodeID
	Server    string
	RTT       time.Duration
	Since     time.Time
}

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
	c := &Client{o: o, id: rand.Text(), log: o.Logger, changed: make(chan struct{}), pending: map[string]*pendingCall{}, watches: map[*watch]struct{}{}}
	c.http = &http.Client{Transport: &http.Transport{TLSClientConfig: TLSConfig(o.CertificateHashes), ForceAttemptHTTP2: true, IdleConnTimeout: 10 * time.Second}}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	c.network = make(chan struct{}, 1)
	c.cache = newCache(o.Cache, o)
	if c.began = c.startEarly(ctx); c.began != nil {
		c.early = c.began
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

// keepFromCache is keep for a Client whose first session is still to come.
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

// keep serves one session after the other.
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

// use makes a session the live one, and sends again what waits for an answer.
func (c *Client) use(l *link) {
	c.mu.Lock()
	c.link, c.early = l, nil
	close(c.changed)
	c.changed = make(chan struct{})
	var again []*pendingCall
	if l != nil {
		c.last = l.welcome
		for _, id := range c.order {
			again = append(again, c.pending[id])
		}
	}
	c.mu.Unlock()
	for _, p := range again {
		l.send(p)
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

// Spawn starts agents. A single agent that could not be started is an error; of a batch, see SpawnResult.Failed. Where the
// records of a batch do not fit into one message, they are Trimmed: Get has the rest of each.
func (c *Client) Spawn(ctx context.Context, p wire.SpawnParams) (*wire.SpawnResult, error) {
	var r wire.SpawnResult
	return &r, c.call(ctx, wire.MethodSpawn, p, &r)
}

// List gives the agents that match, newest first, however many messages they take: all, or f.Limit. Next is where another
// list goes on. An agent that comes while the pages are read is not among them.
func (c *Client) List(ctx context.Context, f wire.Filter) (*wire.ListResult, error) {
	var all wire.ListResult
	err := pages(f.Limit, func(limit int) (int, bool, error) {
		r := wire.ListResult{}
		f.Limit = limit
		err := c.call(ctx, wire.MethodList, f, &r)
		if all.Agents == nil {
			all = r
		} else {
			all.Agents, all.Next = append(all.Agents, r.Agents...), r.Next
		}
		f.After = r.Next
		return len(r.Agents), r.Next != 0, err
	})
	return &all, err
}

// Get finds an agent.
func (c *Client) Get(ctx context.Context, id wire.AgentID) (*wire.Agent, error) {
	var r wire.Agent
	return &r, c.call(ctx, wire.MethodGet, wire.AgentParams{ID: id}, &r)
}

// Types lists the agent types.
func (c *Client) Types(ctx context.Context) (all []wire.AgentType, _ error) {
	var p wire.TypesParams
	err := pages(0, func(int) (int, bool, error) {
		var r wire.TypesResult
		err := c.call(ctx, wire.MethodTypes, p, &r)
		all, p.After = append(all, r.Types...), r.Next
		return len(r.Types), r.Next != "", err
	})
	return all, err
}

// Input writes to an agent's standard input. Inputs of one caller arrive in order.
func (c *Client) Input(ctx context.Context, p wire.InputParams) error {
	return c.call(ctx, wire.MethodInput, p, nil)
}

// Stop ends agents, and reports once they are verified to be gone. Where the reports do not fit into one message, those on
// what did not go well come first, and More says how many are left out.
func (c *Client) Stop(ctx context.Context, p wire.StopParams) (*wire.StopResult, error) {
	var r wire.StopResult
	return &r, c.call(ctx, wire.MethodStop, p, &r)
}

// Network gives what the server knows of the live session's path, and what its lanes moved.
func (c *Client) Network(ctx context.Context) (*wire.Network, error) {
	var r wire.Network
	return &r, c.call(ctx, wire.MethodNetwork, nil, &r)
}

// Ping measures one round trip of a request.
func (c *Client) Ping(ctx context.Context) (time.Duration, error) {
	begin := time.Now()
	err := c.call(ctx, wire.MethodPing, nil, nil)
	return time.Since(begin), err
}
