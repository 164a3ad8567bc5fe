// Package session is the endpoint of sessions: it serves clients that stay connected, over WebTransport or WebSocket. It
// does not depend on the pages.
//
// How a session runs: ServeWebTransport or ServeWebSocket accepts it, and Serve gives it a conn (conn.go), which lives as
// long as the session. The conn accepts the client's streams (serve.go). The first line of a stream is its header, which
// names its lane; the control lane comes first and begins with hello (hello.go), which spends a ticket. Each lane reads
// requests (lane.go) and lets the API carry them out (dispatch.go), or answers them itself if they concern the session:
// agents.go attaches to an agent, tasks.go, results.go and memory.go watch, bulk.go carries artifacts, status.go shows the
// fleet, whose news board.go encodes once for all sessions. Critical requests may also come as datagrams (datagrams.go). Every lane writes within its limits (shape.go), and
// holds little for a client that does not read (unread.go).
//
// # Locks
//
// No lock is held while another lock of this package is taken:
//
//	Endpoint.mu       guards the set of sessions
//	shapers.mu        guards the bounds of a session's lanes
//	ended.mu          guards the lanes that the server has ended but the client has not, and lane.over
//	lane.mu           held while a line is written, at most for WriteTimeout
//	raced.mu          guards the ids of a session's requests that came as datagrams
//	taskLane.mu       guards the watch of a task lane
//	memoryLane.mu     guards the watches of a memory lane
//	hub.mu            guards the news of a hub
//	board.mu          guards the rounds of the fleet's news
//	reclaimer.mu      held while memory is returned to the system, so that this happens once
package session

import (
	"cmp"
	"context"
	"net/http"
	"sync"
	"time"

	"skein.dev/skein/server/api"
	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

// reconnectAfter is how long clients of a server that stops wait before they connect again.
const reconnectAfter = time.Second

// Endpoint accepts sessions and serves them.
type Endpoint struct {
	shared
	quic *webtransport.QUICServer // nil without WebTransport

	mu    sync.Mutex
	conns map[*conn]struct{}

	live     sync.WaitGroup // sessions
	goodbyes sync.WaitGroup // the goodbyes of Drain
	said     time.Time      // when Drain began; written before Close
}

// New returns an endpoint without sessions.
func New(c Config) *Endpoint {
	c.Share, c.InputPatience = cmp.Or(c.Share, sessionShare), cmp.Or(c.InputPatience, inputPatience)
	c.MaxStreams, c.MaxAfterEnd, c.SnapshotPart = cmp.Or(c.MaxStreams, wire.MaxStreams), cmp.Or(c.MaxAfterEnd, MaxAfterEnd), cmp.Or(c.SnapshotPart, SnapshotPart)
	e := &Endpoint{shared: shared{Config: c, board: newBoard(c.Plane, c.SnapshotPart), tasks: newHub(c.Plane.Tasks.Change)}, conns: map[*conn]struct{}{}}
	e.reclaim.back = c.FreeMemory
	return e
}

// UseQUIC makes ServeWebTransport accept sessions of q. It must be called before q serves.
func (e *Endpoint) UseQUIC(q *webtransport.QUICServer) { e.quic = q }

// Run tells the sessions about changes until ctx ends.
func (e *Endpoint) Run(ctx context.Context) {
	var hubs sync.WaitGroup
	hubs.Go(func() { e.board.run(ctx) })
	hubs.Go(func() { e.tasks.run(ctx) })
	hubs.Wait()
}

// ServeWebSocket accepts a session over WebSocket.
func (e *Endpoint) ServeWebSocket(w http.ResponseWriter, r *http.Request) {
	config := webtransport.WebSocketConfig{Protocols: []string{wire.Version}, CheckOrigin: e.Origins.Allowed}
	config.Mux.MaxStreams = uint64(e.MaxStreams)
	sess, err := webtransport.AcceptWebSocket(w, r, config)
	if err != nil {
		e.Logger.Debug("a WebSocket was refused", "err", err, "origin", r.Header.Get("Origin"))
		return
	}
	e.Serve(sess)
}

// ServeWebTransport accepts a session over WebTransport.
func (e *Endpoint) ServeWebTransport(w http.ResponseWriter, r *http.Request) {
	if !e.Origins.Allowed(r) {
		http.Error(w, "this origin may not open a session", http.StatusForbidden)
		return
	}
	sess, err := e.quic.Upgrade(w, r)
	if err != nil {
		e.Logger.Debug("a WebTransport session was refused", "err", err, "origin", r.Header.Get("Origin"))
		return
	}
	e.Serve(sess)
}

// Serve serves a session on a new goroutine, so that the memory of the request that opened it can be freed.
func (e *Endpoint) Serve(sess webtransport.Session) {
	e.live.Go(func() {
		c := newConn(&e.shared, sess)
		e.mu.Lock()
		e.conns[c] = struct{}{}
		e.mu.Unlock()
		open := e.Metrics.Sessions.WithLabelValues(sess.Info().Transport)
		open.Inc()
		c.serve()
		open.Dec()
		e.mu.Lock()
		delete(e.conns, c)
		e.mu.Unlock()
		e.reclaim.release(&c.unread)
	})
}

// Draining reports whether the server is stopping.
func (e *Endpoint) Draining() bool { return e.draining.Load() }

// Drain refuses new sessions and begins to tell the clients that the server is stopping.
func (e *Endpoint) Drain() {
	e.draining.Store(true)
	e.each(func(c *conn) {
		e.goodbyes.Go(func() { c.goodbye(wire.CloseShutdown, "the server is stopping", reconnectAfter) })
	})
	e.said = time.Now()
}

// Close closes the sessions after their clients have been told and had a moment to read that, and waits for their end.
func (e *Endpoint) Close() {
	e.goodbyes.Wait()
	var closing sync.WaitGroup
	e.each(func(c *conn) {
		closing.Go(func() {
			if time.Since(e.said) < lingerTime {
				c.linger()
			}
			c.sess.Close(uint32(wire.CloseShutdown), "the server is stopping")
		})
	})
	closing.Wait()
	e.live.Wait()
}

// SignOut ends the sessions of a login.
func (e *Endpoint) SignOut(who api.Principal) {
	e.each(func(c *conn) {
		select {
		case <-c.welcomed:
			if c.who.ID == who.ID {
				go c.close(wire.CloseLoggedOut, "signed out")
			}
		default:
		}
	})
}

// Unread returns how many bytes of the sessions' shares are in flight to clients.
func (e *Endpoint) Unread() (n int64) {
	e.each(func(c *conn) { n += c.unread.taken.Load() })
	return n
}

func (e *Endpoint) each(f func(*conn)) {
	e.mu.Lock()
	conns := make([]*conn, 0, len(e.conns))
	for c := range e.conns {
		conns = append(conns, c)
	}
	e.mu.Unlock()
	for _, c := range conns {
		f(c)
	}
}
