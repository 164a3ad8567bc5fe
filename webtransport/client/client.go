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
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	NoStatus          bool                   // Watch will not be called: the server need not send the fleet's status
	Logger            *slog.Logger
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

	ctx    context.Context
	cancel context.CancelCauseFunc
	run    sync.WaitGroup

	mu      sync.Mutex
	link    *link         // the live session; nil between two
	changed chan struct{} // closed and replaced when link changes
	nextID  uint64
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
	c.http = &http.Client{Transport: &http.Transport{TLSClientConfig: pinned(o.CertificateHashes), ForceAttemptHTTP2: true, IdleConnTimeout: 10 * time.Second}}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	l, policy, err := c.connect(ctx)
	if err != nil {
		c.cancel(err)
		c.http.CloseIdleConnections()
		return nil, err
	}
	c.use(l)
	c.run.Go(func() { c.keep(l, policy) })
	return c, nil
}

// Close ends the session. Calls that wait fail with ErrClosed.
func (c *Client) Close() error {
	c.cancel(ErrClosed)
	c.run.Wait()
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
		code := l.serve(c)
		c.use(nil)
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
		for l = nil; l == nil; wait = b.next() {
			select {
			case <-time.After(wait):
			case <-c.ctx.Done():
				return
			}
			var err error
			if l, policy, err = c.connect(c.ctx); err != nil {
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
	c.link = l
	close(c.changed)
	c.changed = make(chan struct{})
	var again [][]byte
	if l != nil {
		c.last = l.welcome
		for _, id := range c.order {
			again = append(again, c.pending[id].line)
		}
	}
	c.mu.Unlock()
	for _, line := range again {
		l.send(line)
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

// pendingCall is a request without its answer.
type pendingCall struct {
	line []byte // the message, to be sent again
	done chan *wire.Message
}

// call sends a request and waits for its answer, over as many sessions as it takes.
func (c *Client) call(ctx context.Context, method string, params, result any) error {
	p, err := c.request(method, params)
	if err != nil {
		return err
	}
	defer c.forget(p)
	select {
	case m := <-p.call.done:
		if m.Error != nil {
			return m.Error
		}
		if result == nil {
			return nil
		}
		if err := json.Unmarshal(m.Result, result); err != nil {
			return fmt.Errorf("%s: read the answer: %w", method, err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, ctx.Err())
	case <-c.ctx.Done():
		return fmt.Errorf("%s: %w", method, context.Cause(c.ctx))
	}
}

type registered struct {
	id   string
	call *pendingCall
}

func (c *Client) request(method string, params any) (registered, error) {
	c.mu.Lock()
	if len(c.pending) >= maxPending {
		c.mu.Unlock()
		return registered{}, fmt.Errorf("%s: %d requests wait for their answers already", method, maxPending)
	}
	c.nextID++
	id := fmt.Sprintf("%d", c.nextID)
	c.mu.Unlock()
	m, err := wire.NewRequest(json.RawMessage(id), method, params)
	if err != nil {
		return registered{}, fmt.Errorf("%s: %w", method, err)
	}
	line, err := wire.AppendLine(nil, m)
	if err != nil {
		return registered{}, fmt.Errorf("%s: %w", method, err)
	}
	if len(line) > wire.MaxMessage {
		return registered{}, fmt.Errorf("%s: the request is longer than %d bytes", method, wire.MaxMessage)
	}
	p := registered{id, &pendingCall{line: line, done: make(chan *wire.Message, 1)}}
	c.mu.Lock()
	c.pending[id] = p.call
	c.order = append(c.order, id)
	l := c.link
	c.mu.Unlock()
	if l != nil { // else it is sent with the next session
		l.send(line)
	}
	return p, nil
}

func (c *Client) forget(p registered) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pending, p.id)
	for i, id := range c.order {
		if id == p.id {
			c.order = append(c.order[:i], c.order[i+1:]...)
			return
		}
	}
}

// answered gives an answer to the call that waits for it. The second answer to a request sent twice finds none.
func (c *Client) answered(m *wire.Message) {
	c.mu.Lock()
	p := c.pending[string(m.ID)]
	c.mu.Unlock()
	if p != nil {
		select {
		case p.done <- m:
		default:
		}
	}
}

// Spawn starts agents. A single agent that could not be started is an error; of a batch, see SpawnResult.Failed.
func (c *Client) Spawn(ctx context.Context, p wire.SpawnParams) (*wire.SpawnResult, error) {
	var r wire.SpawnResult
	return &r, c.call(ctx, wire.MethodSpawn, p, &r)
}

// List gives the agents that match, newest first.
func (c *Client) List(ctx context.Context, f wire.Filter) (*wire.ListResult, error) {
	var r wire.ListResult
	return &r, c.call(ctx, wire.MethodList, f, &r)
}

// Get finds an agent.
func (c *Client) Get(ctx context.Context, id wire.AgentID) (*wire.Agent, error) {
	var r wire.Agent
	return &r, c.call(ctx, wire.MethodGet, wire.AgentParams{ID: id}, &r)
}

// Types lists the agent types.
func (c *Client) Types(ctx context.Context) ([]wire.AgentType, error) {
	var r wire.TypesResult
	err := c.call(ctx, wire.MethodTypes, nil, &r)
	return r.Types, err
}

// Input writes to an agent's standard input. Inputs of one caller arrive in order.
func (c *Client) Input(ctx context.Context, p wire.InputParams) error {
	return c.call(ctx, wire.MethodInput, p, nil)
}

// Stop ends agents, and reports once they are verified to be gone.
func (c *Client) Stop(ctx context.Context, p wire.StopParams) (*wire.StopResult, error) {
	var r wire.StopResult
	return &r, c.call(ctx, wire.MethodStop, p, &r)
}

// Ping measures one round trip of a request.
func (c *Client) Ping(ctx context.Context) (time.Duration, error) {
	begin := time.Now()
	err := c.call(ctx, wire.MethodPing, nil, nil)
	return time.Since(begin), err
}

// link is one session with its control lane.
type link struct {
	// static
	sess    webtransport.Session
	ctrl    webtransport.Stream
	r       *wire.Reader // owned by serve
	welcome wire.Welcome
	kind    wire.Transport
	reason  string
	since   time.Time

	writeMu sync.Mutex // held around writes to ctrl

	mu      sync.Mutex
	goodbye *wire.Goodbye
	rtt     time.Duration
	status  webtransport.Stream // the status lane, once it is there
}

func (l *link) connection() Connection {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Connection{Transport: l.kind, Reason: l.reason, Session: l.welcome.Session, Epoch: l.welcome.Epoch,
		Node: l.welcome.Node, Server: l.welcome.Server, RTT: l.rtt, Since: l.since}
}

// send writes a line to the control lane. A failure shows in serve, and the line goes out again with the next session.
func (l *link) send(line []byte) {
	l.writeMu.Lock()
	defer l.writeMu.Unlock()
	l.ctrl.Write(line)
}

func (l *link) reconnectAfter() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.goodbye == nil || l.goodbye.ReconnectAfterMS < 0 {
		return 0
	}
	return time.Duration(l.goodbye.ReconnectAfterMS) * time.Millisecond
}

// serve reads until the session ends, and gives the code that it ended with; 0: it broke.
func (l *link) serve(c *Client) wire.CloseCode {
	stop := context.AfterFunc(c.ctx, func() { l.sess.Close(uint32(wire.CloseNormal), "") })
	defer stop()
	var parts sync.WaitGroup
	parts.Go(func() { l.accept(c) })
	parts.Go(func() { l.receive(c) })
	parts.Go(func() { l.heartbeat(c) })
	for {
		m, err := l.r.Message()
		var we *wire.Error
		if errors.As(err, &we) {
			continue
		}
		if err != nil {
			break
		}
		switch {
		case m.IsResponse():
			c.answered(m)
		case m.Method == wire.NoteGoodbye:
			var g wire.Goodbye
			if json.Unmarshal(m.Params, &g) == nil {
				l.mu.Lock()
				l.goodbye = &g
				l.mu.Unlock()
			}
		}
	}
	// The control lane ended: so did the session, or it is of no use. A close of the server's takes a moment to arrive.
	select {
	case <-l.sess.Context().Done():
	case <-time.After(webtransport.CloseTimeout):
		l.sess.Close(uint32(wire.CloseNormal), "")
	}
	parts.Wait()
	if ce := new(webtransport.CloseError); errors.As(context.Cause(l.sess.Context()), &ce) {
		return wire.CloseCode(ce.Code)
	}
	return 0
}

// heartbeat measures the round trip, and ends a session that does not answer.
func (l *link) heartbeat(c *Client) {
	every := 5 * time.Second
	missed := 0
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		begin := time.Now()
		p, err := c.request(wire.MethodPing, nil)
		if err != nil {
			return
		}
		select {
		case <-p.call.done:
			missed = 0
			l.mu.Lock()
			l.rtt = time.Since(begin)
			l.mu.Unlock()
			c.forget(p)
			select {
			case <-t.C:
			case <-l.sess.Context().Done():
				return
			}
			continue
		case <-t.C:
			missed++
		case <-l.sess.Context().Done():
			c.forget(p)
			return
		}
		c.forget(p)
		if missed == 2 {
			l.sess.Close(uint32(wire.CloseLost), "two pings went unanswered")
			return
		}
	}
}

// accept takes the streams that the server opens: the status lane.
func (l *link) accept(c *Client) {
	var lanes sync.WaitGroup
	defer lanes.Wait()
	for {
		str, err := l.sess.AcceptStream(l.sess.Context())
		if err != nil {
			return
		}
		lanes.Go(func() {
			r := wire.NewReader(str)
			h, err := r.Header()
			if err != nil || h.Lane != wire.LaneStatus {
				str.CancelRead(uint32(wire.StreamBadLane))
				str.CancelWrite(uint32(wire.StreamBadLane))
				return
			}
			l.mu.Lock()
			l.status = str
			l.mu.Unlock()
			l.readStatus(c, r)
		})
	}
}

// readStatus reads the status lane; without a watcher it reads over it.
func (l *link) readStatus(c *Client, r *wire.Reader) {
	for {
		line, err := r.Line(16 << 20)
		if err != nil {
			if err != io.EOF {
				c.log.Debug("status lane ended", "err", err)
			}
			return
		}
		for _, w := range c.watching() {
			w.message(l, line)
		}
	}
}

// receive reads the datagrams.
func (l *link) receive(c *Client) {
	for {
		b, err := l.sess.ReceiveDatagram(l.sess.Context())
		if err != nil {
			return
		}
		for _, w := range c.watching() {
			w.datagram(l, b)
		}
	}
}
