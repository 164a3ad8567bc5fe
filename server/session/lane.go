package session

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"skein.dev/skein/server/api"
	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

// lane is a stream that carries messages.
type lane struct {
	c   *conn
	str webtransport.Stream
	r   *wire.Reader

	inFlight sync.WaitGroup
	slots    chan struct{} // bounds the requests in progress; when it is full, further ones wait unread
	inputs   chan struct{} // bounds the inputs among them; when it stays full for inputPatience, further ones are refused

	mu sync.Mutex // held around writes

	over bool // nothing more comes from the client; guarded by ended.mu

	order api.Order // the order of its requests
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

// send writes one line. A client that does not read for WriteTimeout loses its session. A message that is too long is not
// sent; wire.EncodeResult and wire.Pages ensure that there is none.
func (l *lane) send(v any) error { return l.sent(l.write(v, WriteTimeout)) }

// sendLine is send for a line that is encoded.
func (l *lane) sendLine(line []byte) error { return l.sent(l.put(line, WriteTimeout)) }

func (l *lane) sent(err error) error {
	if isTimeout(err) {
		go l.c.sess.Close(uint32(wire.CloseSlowConsumer), "the client read nothing for "+WriteTimeout.String())
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
	return l.put(*buf, timeout)
}

// put writes a line that is encoded.
func (l *lane) put(line []byte, timeout time.Duration) error {
	if len(line) > wire.MaxMessage {
		l.c.log.Error("a message was not sent: it is longer than a client reads", "bytes", len(line), "limit", wire.MaxMessage)
		return wire.ErrLineTooLong
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.str.SetWriteDeadline(time.Now().Add(timeout))
	_, err := l.str.Write(line)
	return err
}

func (l *lane) notify(method string, params any) error {
	m, err := wire.NewNotification(method, params)
	if err != nil {
		return err
	}
	return l.send(m)
}

// handler answers one request. It returns nil, nil for a notification.
type handler func(ctx context.Context, l *lane, m *wire.Message) (any, error)

// serve reads requests and answers each on its own goroutine, until the client ends the lane. It returns nil if the lane
// ended properly.
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
		if m.Method == "" { // an answer without a request
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

// work returns the function with which a goroutine carries out a request. It is called in the order of the requests.
func (l *lane) work(h handler, m *wire.Message) func() {
	begin := time.Now()
	key := m.OrderKey()
	switch {
	case key == "":
		return func() { l.answer(l.c.ctx, h, m, begin); <-l.slots }
	case m.Method != wire.MethodInput:
		before, done := l.order.Place(key)
		return func() { <-before; l.answer(l.c.ctx, h, m, begin); done(); <-l.slots }
	}
	select {
	case l.inputs <- struct{}{}:
	case <-time.After(l.c.s.InputPatience):
		return func() { l.answer(l.c.ctx, refuseInput, m, begin); <-l.slots }
	}
	before, done := l.order.Place(key)
	return func() {
		// A request that has begun is finished without the client, which may send it again over its next session.
		ctx, cancel := context.WithDeadline(context.WithoutCancel(l.c.ctx), begin.Add(api.InputTimeout))
		defer cancel()
		<-before
		res, err := h(ctx, l, m)
		// The next request does not wait until this answer is sent, which may take long if the path to the client is broken.
		done()
		<-l.inputs
		l.reply(m, res, err, begin)
		<-l.slots
	}
}

func refuseInput(context.Context, *lane, *wire.Message) (any, error) {
	return nil, wire.Errorf(wire.CodeExhausted, "too many inputs wait for agents that do not read")
}

// then is a result, and what to do once it was sent.
type then struct {
	result any
	begin  func()
}

// later computes the result of a usually quick method that takes longer this time.
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
	l.c.s.Metrics.Answered(m.Method, err, time.Since(begin))
	if !m.IsRequest() {
		return
	}
	var out *wire.Message
	if err == nil {
		out, err = wire.NewResult(m.ID, res)
	}
	if err != nil {
		e := wire.AsError(err)
		if e.Code == wire.CodeInternal && !errors.Is(err, context.Canceled) { // if it was canceled, nobody waits for it
			l.c.log.Error("a request failed", "method", m.Method, "err", err)
		}
		out = wire.NewError(m.ID, e)
	}
	l.send(out)
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// lineCode returns the stream code for an error in the lines of a lane.
func lineCode(err error) wire.StreamCode {
	if errors.Is(err, wire.ErrLineTooLong) {
		return wire.StreamTooLarge
	}
	return wire.StreamCanceled
}
