// Package api carries requests out: every method of the protocol that needs no session of its own, for whoever asks and by
// whichever door they came. Doors (lanes, POST /rpc, datagrams) translate and call [API.Call].
//
//	door ── Asker, request ──> Call ──> the method's row ── has an effect? ──> reply cache ──> noun
//
// What the protocol says of a method is wire.Methods; what carries it out is a row of methods.go. What holds for every
// method, such as the reply cache, hangs on the way between.
package api

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"time"

	"skein.dev/skein/server/control"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// InputTimeout is how long an input waits for an agent that does not read.
const InputTimeout = 10 * time.Second

// Principal is who was authenticated.
type Principal struct {
	ID   string // "token", or the hash of a login cookie
	Name string // "cli" or "browser"
}

// Asker is who asks, and by which client.
type Asker struct {
	Principal
	Client wire.ClientInfo // what the client calls itself: for events and the ids of its requests, never for what it may do
	Gone   <-chan struct{} // closed when nobody waits for an answer any more
}

// Actor names it in events.
func (a Asker) Actor() string {
	if a.Client.Name != "" {
		return a.Client.Name
	}
	return a.Name
}

// caller is who makes a request, with the request's mark: the same whenever it comes again.
func (a Asker) caller(m *wire.Message) noun.Caller {
	by := noun.Caller{Actor: a.Actor()}
	if m.IsRequest() {
		sum := sha256.Sum256([]byte(a.ID + "\x00" + a.Client.ID + "\x00" + string(m.ID)))
		by.Request = base64.RawURLEncoding.EncodeToString(sum[:15])
	}
	return by
}

// Store keeps what requests were answered with, for the next server.
type Store interface {
	PutAnswer(noun.Answer) error
	Answers(ctx context.Context, f func(noun.Answer)) error
}

// API carries requests out.
type API struct {
	opened chan struct{} // closed when what follows is there

	plane   *control.Plane
	replies *replies
	methods map[string]does
}

// New makes an API that waits for its Open: a plane needs one whose agents it may start at once.
func New() *API { return &API{opened: make(chan struct{})} }

// Open reads the answers of the server before, and begins to carry requests out.
func (a *API) Open(ctx context.Context, plane *control.Plane, store Store, log *slog.Logger) error {
	a.plane, a.replies = plane, newReplies(store.PutAnswer, log)
	a.methods = a.table()
	if err := store.Answers(ctx, a.replies.load); err != nil {
		return err
	}
	close(a.opened)
	return nil
}

// Call carries out a request, or answers a repeated one from the reply cache. A method that needs a session is
// CodeMethodNotFound, and so is one that there is not.
func (a *API) Call(ctx context.Context, by Asker, m *wire.Message) (any, error) {
	do := a.methods[m.Method]
	if do == nil {
		return nil, wire.Errorf(wire.CodeMethodNotFound, "there is no method %.64q without a session", m.Method)
	}
	return a.Do(by, m, func() (any, error) { return do(ctx, by.caller(m), m.Params) })
}

// Do has f carry out a request of a door's own, in its method's way: what has an effect has it once.
func (a *API) Do(by Asker, m *wire.Message, f func() (any, error)) (any, error) {
	if !wire.ReplaySafe(m.Method) || !m.IsRequest() {
		return f()
	}
	body := sha256.Sum256(append([]byte(m.Method+"\n"), m.Params...))
	e, mine := a.replies.claim(by.caller(m).Request, body, time.Now())
	if mine {
		res, err := f()
		return a.replies.settle(e, res, err)
	}
	if e.body != body {
		return nil, wire.Errorf(wire.CodeConflict, "the id %s was used for another request", m.ID)
	}
	select {
	case <-e.done:
		return e.result, e.err
	case <-by.Gone:
		return nil, context.Canceled
	}
}

// does carries a method out.
type does func(ctx context.Context, by noun.Caller, params json.RawMessage) (any, error)

// reads is a method that needs not know who asks.
func reads[P any](f func(ctx context.Context, p P) (any, error)) does {
	return func(ctx context.Context, _ noun.Caller, params json.RawMessage) (any, error) {
		return noun.With(params, func(p P) (any, error) { return f(ctx, p) })
	}
}

// acts is a method whose effect names who asked.
func acts[P any](f func(ctx context.Context, by noun.Caller, p P) (any, error)) does {
	return func(ctx context.Context, by noun.Caller, params json.RawMessage) (any, error) {
		return noun.With(params, func(p P) (any, error) { return f(ctx, by, p) })
	}
}
