package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"skein.dev/skein/server/api"
	"skein.dev/skein/webtransport/wire"
)

// rpc answers a JSON-RPC batch, or a single request, without a session (docs/protocol.md, "Requests without a session").
func (s *Server) rpc(w http.ResponseWriter, r *http.Request) {
	fail := func(status int, err error) {
		writeJSON(w, status, wire.NewError(nil, wire.AsError(err)))
	}
	body, err := io.ReadAll(r.Body)
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		fail(http.StatusRequestEntityTooLarge, wire.Errorf(wire.CodeTooLarge, "the batch is longer than %d bytes", tooLarge.Limit))
		return
	}
	if isTimeout(err) {
		fail(http.StatusRequestTimeout, bodyError(err))
		return
	}
	if err != nil {
		return // the client left
	}
	batch, single, err := wire.ParseBatch(body)
	if err != nil {
		fail(http.StatusBadRequest, err)
		return
	}
	if early(r) {
		for _, m := range batch {
			if m.Message != nil && !wire.ReplaySafe(m.Message.Method) {
				w.Header().Set("Cache-Control", "no-store")
				http.Error(w, m.Message.Method+" is not taken from early data: send it again after the handshake", http.StatusTooEarly)
				return
			}
		}
		s.met.Early.Add(float64(len(batch)))
	}
	who, _ := s.auth.Request(r)
	id := r.Header.Get(wire.ClientIDHeader)
	name := r.Header.Get(wire.ClientNameHeader)
	if len(id) < wire.MinClientID || len(id) > wire.MaxClientID || len(name) > wire.MaxClientID {
		fail(http.StatusBadRequest, wire.Errorf(wire.CodeInvalidParams, "the header %s must have %d to %d characters, and %s at most %d", wire.ClientIDHeader,
			wire.MinClientID, wire.MaxClientID, wire.ClientNameHeader, wire.MaxClientID))
		return
	}
	if err := wire.CheckNames(wire.ClientNameHeader, id, name); err != nil {
		fail(http.StatusBadRequest, wire.AsError(err))
		return
	}
	if s.draining.Load() {
		w.Header().Set("Retry-After", "1")
		fail(http.StatusServiceUnavailable, wire.Errorf(wire.CodeUnavailable, "the server stops"))
		return
	}
	// What was begun goes on without the client: it may ask again over a session.
	ctx := context.WithoutCancel(r.Context())
	c := &conn{s: s, id: "rpc", log: s.log, ctx: ctx, who: who, client: wire.ClientInfo{ID: id, Name: name}}
	answers := c.answerBatch(ctx, batch)
	switch {
	case len(answers) == 0:
		w.WriteHeader(http.StatusNoContent)
	case single:
		writeJSON(w, http.StatusOK, answers[0])
	default:
		writeJSON(w, http.StatusOK, answers)
	}
}

// early reports whether a request came before the handshake was done: anyone may have sent it again (RFC 8470).
func early(r *http.Request) bool { return r.TLS != nil && !r.TLS.HandshakeComplete }

// notEarly refuses early data everywhere but at /rpc.
func notEarly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if early(r) && r.URL.Path != wire.RPCPath {
			w.Header().Set("Cache-Control", "no-store")
			http.Error(w, "this is not taken from early data: send it again after the handshake", http.StatusTooEarly)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// answerBatch carries a batch out, all at once but for what must keep its order, and answers in the batch's order.
func (c *conn) answerBatch(ctx context.Context, batch []wire.BatchEntry) []*wire.Message {
	l := &lane{c: c}
	answers := make([]*wire.Message, len(batch))
	slots := make(chan struct{}, wire.MaxInFlight)
	var work sync.WaitGroup
	for i, e := range batch {
		if e.Err != nil {
			answers[i] = wire.NewError(nil, e.Err)
			continue
		}
		m := e.Message
		before, done := (<-chan struct{})(closedChan), func() {}
		if key := m.OrderKey(); key != "" {
			before, done = l.inOrder(key)
		}
		slots <- struct{}{}
		work.Go(func() {
			<-before
			answers[i] = c.answerAlone(ctx, m)
			done()
			<-slots
		})
	}
	work.Wait()
	n := 0
	for _, a := range answers {
		if a != nil {
			answers[n] = a
			n++
		}
	}
	return answers[:n]
}

// answerAlone answers a request that came on no lane; nil: it was a notification.
func (c *conn) answerAlone(ctx context.Context, m *wire.Message) *wire.Message {
	begin := time.Now()
	if m.Method == wire.MethodInput {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, api.InputTimeout)
		defer cancel()
	}
	res, err := any(nil), error(wire.Errorf(wire.CodeMethodNotFound, "%s needs a session", cut(m.Method, 64)))
	if !wire.NeedsSession(m.Method) {
		res, err = c.call(ctx, wire.LaneOf(m.Method), m)
	}
	c.s.met.Answered(m.Method, err, time.Since(begin))
	if !m.IsRequest() {
		return nil
	}
	if err == nil {
		var out *wire.Message
		if out, err = wire.NewResult(m.ID, res); err == nil {
			return out
		}
	}
	e := wire.AsError(err)
	if e.Code == wire.CodeInternal {
		c.log.Error("a request failed", "method", m.Method, "err", err)
	}
	return wire.NewError(m.ID, e)
}
