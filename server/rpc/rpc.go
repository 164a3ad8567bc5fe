// Package rpc is the endpoint POST /rpc: requests without a session, for scripts and for what a client sends while its session
// is being opened.
//
// The story of a request: Endpoint.ServeHTTP reads the body, which is one request or a batch, and refuses what may not come as
// early data. The principal is who sent the HTTP request; the client names itself in headers. Each request of the batch is then
// carried out by the API, all at once but for those that must keep their order, and the answers go back in the batch's order.
//
// The package has no locks.
package rpc

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"skein.dev/skein/server/api"
	"skein.dev/skein/server/auth"
	"skein.dev/skein/server/exchange"
	"skein.dev/skein/server/telemetry"
	"skein.dev/skein/webtransport/wire"
)

// Endpoint answers POST /rpc.
type Endpoint struct {
	API     *api.API
	Auth    *auth.Authenticator
	Metrics *telemetry.Metrics
	Server  Server
	Logger  *slog.Logger

	Renderer Renderer
}

// Renderer renders what a client shows as a part of a page.
type Renderer interface {
	// Events answers an agent.events, which may ask for HTML.
	Events(context.Context, *wire.Message, wire.AgentEventsResult) (any, error)
}

// Server says whether it stops.
type Server interface {
	Draining() bool
}

// ServeHTTP answers a JSON-RPC batch, or a single request, without a session (docs/protocol.md, "Requests without a session").
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fail := func(status int, err error) {
		exchange.WriteJSON(w, status, wire.NewError(nil, wire.AsError(err)))
	}
	body, err := io.ReadAll(r.Body)
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		fail(http.StatusRequestEntityTooLarge, wire.Errorf(wire.CodeTooLarge, "the batch is longer than %d bytes", tooLarge.Limit))
		return
	}
	if exchange.IsTimeout(err) {
		fail(http.StatusRequestTimeout, exchange.BodyError(err))
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
	if exchange.Early(r) {
		for _, m := range batch {
			if m.Message != nil && !wire.ReplaySafe(m.Message.Method) {
				w.Header().Set("Cache-Control", "no-store")
				http.Error(w, m.Message.Method+" is not accepted as early data: send it again after the handshake", http.StatusTooEarly)
				return
			}
		}
		e.Metrics.Early.Add(float64(len(batch)))
	}
	who, _ := e.Auth.Request(r)
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
	if e.Server.Draining() {
		w.Header().Set("Retry-After", "1")
		fail(http.StatusServiceUnavailable, wire.Errorf(wire.CodeUnavailable, "the server is stopping"))
		return
	}
	// What was begun goes on without the client: it may ask again over a session.
	ctx := context.WithoutCancel(r.Context())
	answers := e.answerBatch(ctx, api.Asker{Principal: who, Client: wire.ClientInfo{ID: id, Name: name}, Gone: ctx.Done()}, batch)
	switch {
	case len(answers) == 0:
		w.WriteHeader(http.StatusNoContent)
	case single:
		exchange.WriteJSON(w, http.StatusOK, answers[0])
	default:
		exchange.WriteJSON(w, http.StatusOK, answers)
	}
}

// answerBatch carries a batch out, all at once but for what must keep its order, and answers in the batch's order.
func (e *Endpoint) answerBatch(ctx context.Context, by api.Asker, batch []wire.BatchEntry) []*wire.Message {
	var order api.Order
	answers := make([]*wire.Message, len(batch))
	slots := make(chan struct{}, wire.MaxInFlight)
	var work sync.WaitGroup
	for i, entry := range batch {
		if entry.Err != nil {
			answers[i] = wire.NewError(nil, entry.Err)
			continue
		}
		m := entry.Message
		before, done := order.Place(m.OrderKey())
		slots <- struct{}{}
		work.Go(func() {
			<-before
			answers[i] = e.answer(ctx, by, m)
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

// answer answers a request that came on no lane; nil: it was a notification.
func (e *Endpoint) answer(ctx context.Context, by api.Asker, m *wire.Message) *wire.Message {
	begin := time.Now()
	if m.Method == wire.MethodInput {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, api.InputTimeout)
		defer cancel()
	}
	res, err := any(nil), error(wire.Errorf(wire.CodeMethodNotFound, "%s needs a session", wire.Cut(m.Method, 64)))
	if !wire.NeedsSession(m.Method) {
		res, err = e.API.CallOn(ctx, wire.LaneOf(m.Method), by, m)
		if events, ok := res.(wire.AgentEventsResult); ok && err == nil {
			res, err = e.Renderer.Events(ctx, m, events)
		}
	}
	e.Metrics.Answered(m.Method, err, time.Since(begin))
	if !m.IsRequest() {
		return nil
	}
	if err == nil {
		var out *wire.Message
		if out, err = wire.NewResult(m.ID, res); err == nil {
			return out
		}
	}
	said := wire.AsError(err)
	if said.Code == wire.CodeInternal && !errors.Is(err, context.Canceled) { // if it was canceled, nobody waits for it
		e.Logger.Error("a request failed", "method", m.Method, "err", err)
	}
	return wire.NewError(m.ID, said)
}
