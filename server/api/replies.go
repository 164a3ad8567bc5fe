package api

import (
	"container/list"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

const (
	replyAge   = 12 * time.Minute // how long a reply is kept, also across restarts,
	replyBytes = 64 << 20         // unless all replies exceed this size, when the oldest are dropped
	replyEntry = 512              // about how many bytes an entry takes besides the reply
)

// replies is the reply cache. It keeps replies by the idempotency keys of the requests. A request that is repeated, in
// whichever session and after a restart, has its effect once and gets the same reply.
type replies struct {
	keep func(noun.Answer) error // stores a reply for the next start
	log  *slog.Logger

	mu      sync.Mutex
	entries map[string]*list.Element
	order   *list.List // of *reply, oldest first
	size    int
}

type reply struct {
	key  string
	body [sha256.Size]byte // of method and params
	at   time.Time
	done chan struct{} // closed when result and err are set

	result json.RawMessage
	err    error
}

func newReplies(keep func(noun.Answer) error, log *slog.Logger) *replies {
	return &replies{keep: keep, log: log, entries: map[string]*list.Element{}, order: list.New()}
}

// load adds a reply of an earlier run.
func (r *replies) load(a noun.Answer) {
	if len(a.Body) != sha256.Size || time.Since(a.At) > replyAge {
		return
	}
	e := &reply{key: a.Key, body: [sha256.Size]byte(a.Body), at: a.At, done: closed, result: a.Result}
	if a.Error != nil {
		e.err = a.Error
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries[a.Key] = r.order.PushBack(e)
	r.size += replyEntry + len(a.Result)
	r.evict(time.Now())
}

// claim returns the entry of a request and whether the caller must carry it out.
func (r *replies) claim(key string, body [sha256.Size]byte, now time.Time) (*reply, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.evict(now)
	if e, ok := r.entries[key]; ok {
		return e.Value.(*reply), false
	}
	e := &reply{key: key, body: body, at: now, done: make(chan struct{})}
	r.entries[key] = r.order.PushBack(e)
	r.size += replyEntry
	return e, true
}

// settle stores the reply, wakes those who wait for it and returns it. Repetitions get the same reply.
func (r *replies) settle(e *reply, result any, err error) (json.RawMessage, error) {
	if err == nil {
		if e.result, err = wire.EncodeResult(result); err != nil {
			err = wire.Errorf(wire.CodeTooLarge, "it was done, but %s", wire.AsError(err).Message)
		}
	}
	e.err = err
	if errors.Is(err, &wire.Error{Code: wire.CodeUnavailable}) || errors.Is(err, &wire.Error{Code: wire.CodeOutcomeUnknown}) {
		r.forget(e)
		return nil, err
	}
	r.mu.Lock()
	r.size += len(e.result)
	r.mu.Unlock()
	close(e.done)
	a := noun.Answer{Key: e.key, Body: e.body[:], At: e.at, Result: e.result}
	if err != nil {
		a.Error = wire.AsError(err)
	}
	if err := r.keep(a); err != nil {
		r.log.Error("an answer could not be kept for a restart", "err", err)
	}
	return e.result, e.err
}

// forget answers those who wait, and lets a repetition be carried out again: what failed for now, for example because the
// server was stopping, may succeed later. If it had its effect nevertheless, the idempotency key shows that.
func (r *replies) forget(e *reply) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if el := r.entries[e.key]; el != nil && el.Value == e {
		r.order.Remove(el)
		delete(r.entries, e.key)
		r.size -= replyEntry
	}
	close(e.done)
}

// evict drops entries that are too old, and the oldest ones beyond the bound. The caller holds mu.
func (r *replies) evict(now time.Time) {
	for el := r.order.Front(); el != nil; el = r.order.Front() {
		e := el.Value.(*reply)
		if now.Sub(e.at) < replyAge && r.size < replyBytes {
			return
		}
		select {
		case <-e.done:
		default:
			return // this one is not answered yet: it stays, and so do those after it
		}
		r.order.Remove(el)
		delete(r.entries, e.key)
		r.size -= replyEntry + len(e.result)
	}
}

// closed is a closed channel.
var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()
