package server

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"skein.dev/skein/server/api"
	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

// writeTimeout is how long a write may wait for a client that does not read. A client that makes no progress at all
// for so long is closed, and may come back.
const writeTimeout = 30 * time.Second

const (
	// lingerTime lies between the last message of a session and its close.
	lingerTime = 250 * time.Millisecond
	// goodbyeTimeout bounds the write of a goodbye to a client that may be gone.
	goodbyeTimeout = time.Second
	// maxInputs bounds the inputs of a lane that are in work: the other slots stay free for commands, however many
	// agents do not read.
	maxInputs = wire.MaxInFlight * 3 / 4
	// inputPatience is how long a lane waits when it has maxInputs, before it refuses one.
	inputPatience = 250 * time.Millisecond
)

// conn is one session: a client that has said hello, or has HelloTimeout to do so.
type conn struct {
	// static
	s    *Server
	sess webtransport.Session
	id   string
	log  *slog.Logger
	ctx  context.Context // ends with the session

	lanes    sync.WaitGroup
	control  atomic.Bool   // the control lane is open
	welcomed chan struct{} // closed after hello; what follows is readable then
	who      api.Principal
	client   wire.ClientInfo
	noStatus bool
	ctrl     *lane

	status  status
	shapers shapers
	raced   raced
	ended   ended
	unread  unread
	// uploads and downloads bound the bulk lanes in work; more wait unread. A client that reads its downloads slowly keeps
	// none of its uploads waiting.
	uploads, downloads chan struct{}
}

// startSession serves a session on a goroutine of its own, so that the request that opened it can be forgotten.
func (s *Server) startSession(sess webtransport.Session) {
	s.live.Go(func() { s.serveSession(sess) })
}

// serveSession lives as long as the session.
func (s *Server) serveSession(sess webtransport.Session) {
	c := &conn{
		s: s, sess: sess, id: rand.Text()[:12], ctx: sess.Context(), welcomed: make(chan struct{}),
		uploads: make(chan struct{}, maxTransfers), downloads: make(chan struct{}, maxTransfers),
	}
	c.status.resync = make(chan *wire.Message, 4)
	c.unread.reads, c.unread.share = make(chan struct{}, laneReads), s.share
	info := sess.Info()
	c.log = s.log.With("session", c.id, "transport", info.Transport)
	s.mu.Lock()
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	s.met.Sessions.WithLabelValues(info.Transport).Inc()
	defer func() {
		s.met.Sessions.WithLabelValues(info.Transport).Dec()
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
		s.reclaim.release(&c.unread)
	}()

	hello := time.AfterFunc(wire.HelloTimeout, func() { c.close(wire.CloseHelloTimeout, "no hello within "+wire.HelloTimeout.String()) })
	defer hello.Stop()
	c.lanes.Go(func() {
		select {
		case <-c.welcomed:
			hello.Stop()
			if !c.noStatus {
				c.serveStatus()
			}
		case <-c.ctx.Done():
		}
	})
	c.lanes.Go(c.serveDatagrams)
	for {
		str, err := sess.AcceptStream(c.ctx)
		if err != nil {
			break
		}
		c.lanes.Go(func() { c.serveStream(str) })
	}
	if c.ctx.Err() == nil { // it accepts no more but did not end: broken
		c.close(wire.CloseProtocol, "")
	}
	c.lanes.Wait()
	c.log.Debug("session ended", "cause", context.Cause(c.ctx), "client", c.client.Name)
}

// close says goodbye and ends the session.
func (c *conn) close(code wire.CloseCode, reason string) {
	after := time.Duration(-time.Millisecond)
	if code.Reconnect() {
		after = 0
	}
	c.goodbye(code, reason, after)
	c.linger()
	c.sess.Close(uint32(code), reason)
}

// linger gives the client time to read the last message and to go by itself: browsers drop what a page has not read
// when its session ends.
func (c *conn) linger() {
	select {
	case <-c.ctx.Done():
	case <-time.After(lingerTime):
	}
}

// goodbye tells the client, if it has a control lane, that the session will end.
func (c *conn) goodbye(code wire.CloseCode, reason string, after time.Duration) {
	select {
	case <-c.welcomed:
	default:
		return
	}
	m, err := wire.NewNotification(wire.NoteGoodbye, wire.Goodbye{Code: code, Reason: reason, ReconnectAfterMS: after.Milliseconds()})
	if err == nil {
		c.ctrl.write(m, goodbyeTimeout)
	}
}

// serveStream reads a stream's header and serves its lane.
func (c *conn) serveStream(str webtransport.Stream) {
	c.s.met.Streams.Inc()
	defer c.s.met.Streams.Dec()
	l := c.newLane(str)
	str.SetReadDeadline(time.Now().Add(wire.HeaderTimeout))
	h, err := l.r.Header()
	if err != nil {
		l.cancel(headerCode(err))
		return
	}
	if !slices.Contains(wire.Lanes, h.Lane) { // metrics and counts have the lane's name
		l.cancel(wire.StreamBadLane)
		return
	}
	str.SetReadDeadline(time.Time{})
	str.SetClass(uint8(h.Lane.Class()))
	var use *laneUse
	l.str, use = c.shape(h.Lane, str)
	defer use.closed()
	use.moved(true, l.r.Taken(), 0)
	l.r.Continue(l.str)
	switch {
	case h.Lane == wire.LaneControl && c.control.CompareAndSwap(false, true):
		c.serveControl(l)
	case h.Lane == wire.LaneControl || !c.waitWelcome():
		l.cancel(wire.StreamBadLane)
	case h.Lane == wire.LaneAgent:
		c.serveAgent(l, h)
	case h.Lane == wire.LaneHealth:
		l.serveRequests(c.healthRequests)
	case h.Lane == wire.LaneTask:
		c.serveTasks(l)
	case h.Lane == wire.LaneMemory:
		c.serveMemory(l)
	case h.Lane == wire.LaneResult:
		c.serveResults(l, h)
	case h.Lane == wire.LaneBulk:
		c.serveBulk(l, h)
	default:
		l.cancel(wire.StreamBadLane)
	}
}

func headerCode(err error) wire.StreamCode {
	if isTimeout(err) {
		return wire.StreamTimeout
	}
	return wire.StreamBadHeader
}

// waitWelcome holds a lane that came before its session's hello was answered.
func (c *conn) waitWelcome() bool {
	select {
	case <-c.welcomed:
		return true
	case <-c.ctx.Done():
		return false
	}
}

// serveControl serves the control lane: hello first, then requests until the client goes.
func (c *conn) serveControl(l *lane) {
	if err := c.hello(l); err != nil {
		e := wire.AsError(err)
		code := helloCode(e)
		c.log.Info("hello refused", "err", err)
		c.linger()
		c.sess.Close(uint32(code), e.Message)
		return
	}
	err := l.serve(c.dispatch)
	if c.ctx.Err() != nil || err == nil {
		return
	}
	if errors.Is(err, wire.ErrLineTooLong) {
		c.close(wire.CloseTooMuch, "a message is longer than the limit")
		return
	}
	c.close(wire.CloseProtocol, "the control lane broke")
}

func helloCode(e *wire.Error) wire.CloseCode {
	switch e.Code {
	case wire.CodeUnauthorized:
		return wire.CloseUnauthorized
	case wire.CodeTicketExpired:
		return wire.CloseTicketExpired
	case wire.CodeVersion:
		return wire.CloseVersion
	case wire.CodeUnavailable:
		return wire.CloseShutdown
	case wire.CodeInternal:
		return wire.CloseInternal
	}
	return wire.CloseProtocol
}

// hello reads the first message and answers it, with welcome or with an error.
func (c *conn) hello(l *lane) error {
	m, err := l.r.Message()
	if err != nil {
		var we *wire.Error
		if errors.As(err, &we) {
			l.send(wire.NewError(nil, we))
			return we
		}
		return wire.Errorf(wire.CodeInvalidRequest, "the control lane ended before hello")
	}
	w, err := c.checkHello(m)
	if err != nil {
		l.send(wire.NewError(m.ID, wire.AsError(err)))
		return err
	}
	c.ctrl = l
	res, err := wire.NewResult(m.ID, w)
	if err != nil {
		return err
	}
	if err := l.send(res); err != nil {
		return err
	}
	c.log = c.log.With("client", c.client.Name)
	c.log.Debug("session open")
	close(c.welcomed)
	if c.s.auth.Revoked(c.who) { // signed out meanwhile, when this was no session yet that could be found
		go c.close(wire.CloseLoggedOut, "signed out")
	}
	return nil
}

func (c *conn) checkHello(m *wire.Message) (*wire.Welcome, error) {
	if m.Method != wire.MethodHello || !m.IsRequest() {
		return nil, wire.Errorf(wire.CodeInvalidRequest, "the first message must be the request hello")
	}
	var h wire.Hello
	if err := wire.DecodeParams(m.Params, &h); err != nil {
		return nil, err
	}
	if !slices.Contains(h.Versions, wire.Version) {
		return nil, wire.Errorf(wire.CodeVersion, "this server speaks %s, the client offers %q", wire.Version, h.Versions).
			WithField("versions").WithSupported([]string{wire.Version})
	}
	who, err := c.s.auth.Redeem(h.Ticket)
	if err != nil {
		return nil, err
	}
	if len(h.Client.ID) < wire.MinClientID || len(h.Client.ID) > wire.MaxClientID || len(h.Client.Name) > 128 || len(h.Client.Version) > 128 {
		return nil, wire.Errorf(wire.CodeInvalidParams, "client.id must have 16 to 128 characters, client.name and client.version at most 128").WithField("client.id")
	}
	if err := wire.CheckNames("client.name", h.Client.ID, h.Client.Name, h.Client.Version); err != nil {
		return nil, err
	}
	if c.s.draining.Load() {
		return nil, wire.Errorf(wire.CodeUnavailable, "the server stops")
	}
	c.who, c.client, c.noStatus = who, h.Client, h.NoStatus
	return &wire.Welcome{
		Version: wire.Version, Session: c.id, Epoch: c.s.plane.Epoch(), Node: c.s.plane.Node(), Server: c.s.o.Version,
		Recovered: h.Resume != nil && h.Resume.Epoch == c.s.plane.Epoch(),
		Limits: wire.Limits{MaxMessage: wire.MaxMessage, MaxStreams: wire.MaxStreams, MaxBatch: wire.MaxBatch,
			MaxInput: wire.MaxInput, MaxDatagram: wire.MaxStatusDatagram},
	}, nil
}

// lane is a stream that carries messages.
type lane struct {
	c   *conn
	str webtransport.Stream
	r   *wire.Reader

	inFlight sync.WaitGroup
	slots    chan struct{} // bounds the requests in work; when it is full, the client's next ones wait unread
	inputs   chan struct{} // bounds the inputs among them; when it stays full for inputPatience, more are refused

	mu sync.Mutex // held around writes

	over bool // guarded by ended.mu: nothing more comes from the client

	orderMu sync.Mutex               // another than mu: a write may wait for long
	last    map[string]chan struct{} // guarded by orderMu: the request before the next, by orderKey
}

func (c *conn) newLane(str webtransport.Stream) *lane {
	return &lane{c: c, str: str, r: wire.NewReader(str)}
}

// serveRequests serves a lane that carries requests and nothing else.
func (l *lane) serveRequests(h handler) {
	if err := l.serve(h); err != nil {
		l.cancel(lineCode(err))
		return
	}
	l.str.Close()
}

func (l *lane) cancel(code wire.StreamCode) {
	l.str.CancelRead(uint32(code))
	l.str.CancelWrite(uint32(code))
}

// buffers hold lines being written: an idle lane keeps none.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// send writes one line. A client that does not read for writeTimeout loses its session. What is longer than a message is not
// sent: see wire.EncodeResult and wire.Pages, which see to it that nothing is.
func (l *lane) send(v any) error {
	err := l.write(v, writeTimeout)
	if isTimeout(err) {
		go l.c.sess.Close(uint32(wire.CloseSlowConsumer), "the client read nothing for "+writeTimeout.String())
	}
	return err
}

func (l *lane) write(v any, timeout time.Duration) error {
	buf := buffers.Get().(*[]byte)
	defer func() {
		if cap(*buf) <= 64<<10 {
			buffers.Put(buf)
		}
	}()
	var err error
	if *buf, err = wire.AppendLine((*buf)[:0], v); err != nil {
		return err
	}
	if len(*buf) > wire.MaxMessage {
		l.c.log.Error("a message was not sent: it is longer than a client reads", "bytes", len(*buf), "limit", wire.MaxMessage)
		return wire.ErrLineTooLong
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.str.SetWriteDeadline(time.Now().Add(timeout))
	_, err = l.str.Write(*buf)
	return err
}

func (l *lane) notify(method string, params any) error {
	m, err := wire.NewNotification(method, params)
	if err != nil {
		return err
	}
	return l.send(m)
}

// handler answers one request; nil, nil for a notification.
type handler func(ctx context.Context, l *lane, m *wire.Message) (any, error)

// serve reads requests and answers each on a goroutine of its own, until the client ends the lane. nil: it ended well.
func (l *lane) serve(h handler) error {
	defer l.inFlight.Wait()
	for {
		m, err := l.r.Message()
		var we *wire.Error
		switch {
		case errors.As(err, &we):
			if err := l.send(wire.NewError(nil, we)); err != nil {
				return err
			}
			continue
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if m.Method == "" { // an answer to nothing that was asked
			continue
		}
		do := h
		if row := wire.MethodNamed(m.Method); row != nil && row.Quick {
			begin := time.Now()
			res, err := h(l.c.ctx, l, m)
			slow, is := res.(later)
			if !is {
				l.reply(m, res, err, begin)
				continue
			}
			do = func(context.Context, *lane, *wire.Message) (any, error) { return slow() }
		}
		if l.slots == nil { // most agent lanes never get a request
			l.slots, l.inputs = make(chan struct{}, wire.MaxInFlight), make(chan struct{}, maxInputs)
		}
		select {
		case l.slots <- struct{}{}:
		case <-l.c.ctx.Done():
			return nil
		}
		l.inFlight.Go(l.work(do, m))
	}
}

// work is what a goroutine does with a request. It is made in the order of the requests.
func (l *lane) work(h handler, m *wire.Message) func() {
	begin := time.Now()
	key := m.OrderKey()
	switch {
	case key == "":
		return func() { l.answer(l.c.ctx, h, m, begin); <-l.slots }
	case m.Method != wire.MethodInput:
		before, done := l.inOrder(key)
		return func() { <-before; l.answer(l.c.ctx, h, m, begin); done(); <-l.slots }
	}
	select {
	case l.inputs <- struct{}{}:
	case <-time.After(l.c.s.patience):
		return func() { l.answer(l.c.ctx, refuseInput, m, begin); <-l.slots }
	}
	before, done := l.inOrder(key)
	return func() {
		// What is begun goes on without the client: it may ask again over its next session.
		ctx, cancel := context.WithDeadline(context.WithoutCancel(l.c.ctx), begin.Add(api.InputTimeout))
		defer cancel()
		<-before
		res, err := h(ctx, l, m)
		// The next one's turn, and its time, do not wait for this answer, which a path that lost its way back holds up.
		done()
		<-l.inputs
		l.reply(m, res, err, begin)
		<-l.slots
	}
}

func refuseInput(context.Context, *lane, *wire.Message) (any, error) {
	return nil, wire.Errorf(wire.CodeExhausted, "too many inputs wait for agents that do not read")
}

// then is a result, and what begins when it was sent.
type then struct {
	result any
	begin  func()
}

// later is a result of a quick method that takes time for once.
type later func() (any, error)

func (l *lane) answer(ctx context.Context, h handler, m *wire.Message, begin time.Time) {
	res, err := h(ctx, l, m)
	l.reply(m, res, err, begin)
}

func (l *lane) reply(m *wire.Message, res any, err error, begin time.Time) {
	if t, ok := res.(then); ok && err == nil {
		res = t.result
		defer t.begin()
	}
	l.c.s.met.Answered(m.Method, err, time.Since(begin))
	if !m.IsRequest() {
		return
	}
	var out *wire.Message
	if err == nil {
		out, err = wire.NewResult(m.ID, res)
	}
	if err != nil {
		e := wire.AsError(err)
		if e.Code == wire.CodeInternal && !errors.Is(err, context.Canceled) { // then nobody waits for it any more
			l.c.log.Error("a request failed", "method", m.Method, "err", err)
		}
		out = wire.NewError(m.ID, e)
	}
	l.send(out)
}

// closedChan is closed: there is nothing to wait for.
var closedChan = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// inOrder gives a request its place behind the one before with the same key: before is closed when that is done.
func (l *lane) inOrder(key string) (before <-chan struct{}, done func()) {
	mine := make(chan struct{})
	before = closedChan
	l.orderMu.Lock()
	defer l.orderMu.Unlock()
	if l.last == nil {
		l.last = map[string]chan struct{}{}
	}
	if c := l.last[key]; c != nil {
		before = c
	}
	l.last[key] = mine
	return before, func() {
		close(mine)
		l.orderMu.Lock()
		defer l.orderMu.Unlock()
		if l.last[key] == mine {
			delete(l.last, key)
		}
	}
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}
