package server

import (
	"container/list"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"skein.dev/skein/server/jet"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

const (
	recordAge   = 12 * time.Minute // a request's id is remembered this long, also by the next server,
	recordBytes = 64 << 20         // unless the answers remembered exceed this: then the oldest go first
	recordEntry = 512              // what an entry costs beside its answer, in bytes, about
)

// record remembers what requests were answered with, by the request's mark: a request that comes again, over
// whichever session and after a restart, has its effect once and the same answer.
type record struct {
	keep func(jet.Answer) error // stores an answer for the next server
	log  *slog.Logger

	mu      sync.Mutex
	entries map[string]*list.Element
	order   *list.List // of *recorded, oldest first
	size    int
}

type recorded struct {
	key  string
	body [sha256.Size]byte // of method and params
	at   time.Time
	done chan struct{} // closed when result and err are there

	result json.RawMessage
	err    error
}

func newRecord(keep func(jet.Answer) error, log *slog.Logger) *record {
	return &record{keep: keep, log: log, entries: map[string]*list.Element{}, order: list.New()}
}

// load takes an answer of an earlier server.
func (r *record) load(a jet.Answer) {
	if len(a.Body) != sha256.Size || time.Since(a.At) > recordAge {
		return
	}
	e := &recorded{key: a.Key, body: [sha256.Size]byte(a.Body), at: a.At, done: closedChan, result: a.Result}
	if a.Error != nil {
		e.err = a.Error
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries[a.Key] = r.order.PushBack(e)
	r.size += recordEntry + len(a.Result)
	r.evict(time.Now())
}

// claim gives the entry of a request, and whether the caller is the one to carry it out.
func (r *record) claim(key string, body [sha256.Size]byte, now time.Time) (*recorded, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.evict(now)
	if e, ok := r.entries[key]; ok {
		return e.Value.(*recorded), false
	}
	e := &recorded{key: key, body: body, at: now, done: make(chan struct{})}
	r.entries[key] = r.order.PushBack(e)
	r.size += recordEntry
	return e, true
}

// settle stores the answer, wakes those who wait for it, and gives it: whoever asks again gets the same.
func (r *record) settle(e *recorded, result any, err error) (json.RawMessage, error) {
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
	a := jet.Answer{Key: e.key, Body: e.body[:], At: e.at, Result: e.result}
	if err != nil {
		a.Error = wire.AsError(err)
	}
	if err := r.keep(a); err != nil {
		r.log.Error("an answer could not be kept for a restart", "err", err)
	}
	return e.result, e.err
}

// forget answers those who wait, and lets the next one try again: what could not be done now, such as by a server that
// stops, may go well later. Whether it had its effect all the same, the request's mark tells.
func (r *record) forget(e *recorded) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if el := r.entries[e.key]; el != nil && el.Value == e {
		r.order.Remove(el)
		delete(r.entries, e.key)
		r.size -= recordEntry
	}
	close(e.done)
}

// evict drops what is old, and the oldest beyond the bound. The caller holds mu.
func (r *record) evict(now time.Time) {
	for el := r.order.Front(); el != nil; el = r.order.Front() {
		e := el.Value.(*recorded)
		if now.Sub(e.at) < recordAge && r.size < recordBytes {
			return
		}
		select {
		case <-e.done:
		default:
			return // still in work: it stays, and what came after it too
		}
		r.order.Remove(el)
		delete(r.entries, e.key)
		r.size -= recordEntry + len(e.result)
	}
}

// once carries a request out, or answers it from the record.
func (c *conn) once(m *wire.Message, f func() (any, error)) (any, error) {
	if !m.IsRequest() {
		return f()
	}
	e, mine := c.s.record.claim(c.caller(m).Request, bodyHash(m), time.Now())
	if mine {
		res, err := f()
		return c.s.record.settle(e, res, err)
	}
	if e.body != bodyHash(m) {
		return nil, wire.Errorf(wire.CodeConflict, "the id %s was used for another request", m.ID)
	}
	select {
	case <-e.done:
		return e.result, e.err
	case <-c.ctx.Done():
		return nil, c.ctx.Err()
	}
}

// caller is who makes a request, with the request's mark: the same whenever it comes again.
func (c *conn) caller(m *wire.Message) noun.Caller {
	by := noun.Caller{Actor: c.actor()}
	if m.IsRequest() {
		sum := sha256.Sum256([]byte(c.who.ID + "\x00" + c.client.ID + "\x00" + string(m.ID)))
		by.Request = base64.RawURLEncoding.EncodeToString(sum[:15])
	}
	return by
}

func bodyHash(m *wire.Message) [sha256.Size]byte {
	return sha256.Sum256(append([]byte(m.Method+"\n"), m.Params...))
}
