package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"time"

	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

// link is one session with its control lane.
type link struct {
	// static
	c       *Client
	sess    webtransport.Session
	ctrl    *rpcLane
	r       *wire.Reader // of ctrl, owned by serve
	welcome wire.Welcome
	kind    wire.Transport
	doors   []wire.Door // of the document that named this one
	reason  string
	since   time.Time
	writes  webtransport.Shaper // of bulk lanes

	statusMu sync.Mutex     // held around writes to status
	readers  sync.WaitGroup // of the lanes opened beside ctrl
	laneMu   sync.Mutex     // held while a lane is opened, and guards lanes
	lanes    map[wire.Lane]*rpcLane

	mu      sync.Mutex
	goodbye *wire.Goodbye
	rtt     time.Duration
	status  webtransport.Stream // the status lane, once it is there
	blind   error               // why nothing can be read of it any more
}

func (l *link) connection() Connection {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Connection{Transport: l.kind, Reason: l.reason, Session: l.welcome.Session, Epoch: l.welcome.Epoch,
		Node: l.welcome.Node, Server: l.welcome.Server, RTT: l.rtt, Since: l.since}
}

func (l *link) reconnectAfter() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.goodbye == nil || l.goodbye.ReconnectAfterMS < 0 {
		return 0
	}
	return time.Duration(l.goodbye.ReconnectAfterMS) * time.Millisecond
}

// stay serves a session to its end. It is left for another, next, which is open and in use before it ends: when its path
// died, and, if it is a WebSocket, when WebTransport works again.
func (c *Client) stay(l *link) (code wire.CloseCode, next *link) {
	ctx, cancel := context.WithCancel(c.ctx)
	var looking sync.WaitGroup
	var leave sync.Mutex
	returned := false
	look := func(better func(context.Context) *link, why string, code wire.CloseCode) {
		looking.Go(func() {
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
	look(func(ctx context.Context) *link { return c.watch(ctx, l) }, "the server was silent", wire.CloseLost)
	if l.kind == wire.WebSocket && c.o.Transport == Auto {
		look(func(ctx context.Context) *link { return c.better(ctx, l) }, "WebTransport works again", wire.CloseNormal)
	}
	begin := time.Now()
	code = l.serve(c)
	cancel()
	looking.Wait()
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

// serve reads until the session ends, and gives the code that it ended with; 0: it broke.
func (l *link) serve(c *Client) wire.CloseCode {
	closed := make(chan struct{})
	stop := context.AfterFunc(c.ctx, func() {
		defer close(closed)
		l.sess.Close(uint32(wire.CloseNormal), "")
	})
	defer func() {
		if !stop() {
			<-closed // the streams end before the server was told, and the program may end with them
		}
	}()
	var parts sync.WaitGroup
	parts.Go(func() { l.accept(c) })
	parts.Go(func() { l.receive(c) })
	parts.Go(func() { l.heartbeat(c) })
	for {
		m, err := l.r.Answer()
		var we *wire.Error
		if errors.As(err, &we) {
			continue
		}
		if err != nil {
			c.lineBroke(wire.LaneControl, err)
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
	l.readers.Wait()
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
		p, err := c.requestOn(wire.LaneHealth, wire.MethodPing, nil)
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
			l.end(wire.LaneHealth) // an idle session keeps no lane for it
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
		line, err := r.Line(wire.MaxLine)
		if err != nil {
			if errors.Is(err, wire.ErrLineTooLong) {
				l.loseStatus(hopeless(c.ctx, wire.LaneStatus, err))
			} else if err != io.EOF {
				c.log.Debug("status lane ended", "err", err)
			}
			return
		}
		for _, w := range c.watching() {
			w.message(l, line)
		}
	}
}

// loseStatus ends the watches: another session would show them the same.
func (l *link) loseStatus(err error) {
	l.mu.Lock()
	l.blind = err
	l.mu.Unlock()
	for _, w := range l.c.watching() {
		w.fail(err)
	}
}

// receive reads the datagrams.
func (l *link) receive(c *Client) {
	for {
		b, err := l.sess.ReceiveDatagram(l.sess.Context())
		if err != nil {
			return
		}
		if m, ok := wire.ParseMessageDatagram(b, wire.DatagramResponse); ok {
			c.answered(m)
			continue
		}
		for _, w := range c.watching() {
			w.datagram(l, b)
		}
	}
}
