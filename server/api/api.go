// Package api carries out requests: every method of the protocol that needs no session, whoever calls it and through
// whichever endpoint the request came. Endpoints (lanes, POST /rpc, datagrams) translate and call [API.Call].
//
//	endpoint ── Asker, request ──> Call ──> the method's row ── has an effect? ──> reply cache ──> noun
//
// wire.Methods describes the methods of the protocol, and methods.go has the function for each. What applies to all
// methods, such as the reply cache, is between the two.
//
// # Locks
//
//	replies.mu   guards the reply cache
//	Order.mu     guards the places of an endpoint's requests
//
// None is held while a request is carried out, or while the other one is taken.
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

// InputTimeout is how long an input waits for an agent that does not read its standard input.
const InputTimeout = 10 * time.Second

// Principal is who was authenticated.
type Principal struct {
	ID   string // "token", or the hash of a login cookie
	Name string // "cli" or "browser"
}

// Asker is who makes a request, and with which client.
type Asker struct {
	Principal
	Client wire.ClientInfo // what the client says of itself: used in events and request ids, never for permissions
	Gone   <-chan struct{} // closed when nobody waits for the reply any more
}

// Actor is the name of the asker in events.
func (a Asker) Actor() string {
	if a.Client.Name != "" {
		return a.Client.Name
	}
	return a.Name
}

// caller returns who makes a request, with the idempotency key of the request.
func (a Asker) caller(m *wire.Message) noun.Caller {
	by := noun.Caller{Actor: a.Actor()}
	if m.IsRequest() {
		sum := sha256.Sum256([]byte(a.ID + "\x00" + a.Client.ID + "\x00" + string(m.ID)))
		by.Request = base64.RawURLEncoding.EncodeToString(sum[:15])
	}
	return by
}

// Store keeps replies for the next start of the server.
type Store interface {
	PutAnswer(noun.Answer) error
	Answers(ctx context.Context, f func(noun.Answer)) error
}

// Pages renders parts of this server's pages.
type Pages interface {
	// Memory answers a memory.render.
	Memory(context.Context, wire.MemoryRenderParams) (any, error)
	// Asks answers an ask.list, which may ask for HTML.
	Asks(context.Context, wire.AskListParams) (wire.AskListResult, error)
	// Schedules answers a schedule.list, which may ask for HTML.
	Schedules(context.Context, wire.ScheduleListParams) (wire.ScheduleListResult, error)
	// SchedulePreview answers a schedule.preview, which may ask for HTML.
	SchedulePreview(context.Context, wire.SchedulePreviewParams) (*wire.SchedulePreview, error)
}

// API carries out requests.
type API struct {
	opened chan struct{} // closed when the fields below are set

	plane   *control.Plane
	pages   Pages
	replies *replies
	methods map[string]does
}

// New returns an API that makes requests wait until Open. It is needed before the plane, which may start agents at once.
func New() *API { return &API{opened: make(chan struct{})} }

// Open loads the replies of the previous run and starts to carry out requests.
func (a *API) Open(ctx context.Context, plane *control.Plane, pages Pages, store Store, log *slog.Logger) error {
	a.plane, a.pages, a.replies = plane, pages, newReplies(store.PutAnswer, log)
	a.methods = a.table()
	if err := store.Answers(ctx, a.replies.load); err != nil {
		return err
	}
	close(a.opened)
	return nil
}

// Call carries out a request, or answers a repeated one from the reply cache. For an unknown method or one that needs a
// session, the error has CodeMethodNotFound.
func (a *API) Call(ctx context.Context, by Asker, m *wire.Message) (any, error) {
	do := a.methods[m.Method]
	if do == nil {
		return nil, wire.Errorf(wire.CodeMethodNotFound, "there is no method %.64q without a session", m.Method)
	}
	return a.Do(by, m, func() (any, error) { return do(ctx, by.caller(m), m.Params) })
}

// Do calls f for a request that an endpoint carries out itself, under the same rules as Call: an effect happens once.
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

// does is a function that carries out a method.
type does func(ctx context.Context, by noun.Caller, params json.RawMessage) (any, error)

// reads makes a does of a function that does not need the caller.
func reads[P any](f func(ctx context.Context, p P) (any, error)) does {
	return func(ctx context.Context, _ noun.Caller, params json.RawMessage) (any, error) {
		return noun.With(params, func(p P) (any, error) { return f(ctx, p) })
	}
}

// acts makes a does of a function whose effect records who called it.
func acts[P any](f func(ctx context.Context, by noun.Caller, p P) (any, error)) does {
	return func(ctx context.Context, by noun.Caller, params json.RawMessage) (any, error) {
		return noun.With(params, func(p P) (any, error) { return f(ctx, by, p) })
	}
}
