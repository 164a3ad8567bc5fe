package server

import (
	"container/list"
	"crypto/sha256"
	"encoding/json"
	"sync"
	"time"

	"skein.dev/skein/webtransport/wire"
)

const (
	recordAge   = 10 * time.Minute // a request's id is remembered at least this long,
	recordBytes = 64 << 20         // unless the answers remembered exceed this: then the oldest go first
	recordEntry = 512              // what an entry costs beside its answer, in bytes, about
)

// record remembers what requests were answered with, by client and request id: a request that comes again, over
// whichever session, has its effect once and the same answer.
type record struct {
	mu      sync.Mutex
	entries map[recordKey]*list.Element
	order   *list.List // of *recorded, oldest first
	size    int
}

type recordKey struct{ who, client, id string }

type recorded struct {
	key  recordKey
	body [sha256.Size]byte // of method and params
	at   time.Time
	done chan struct{} // closed when result and err are there

	result json.RawMessage
	err    error
}

func newRecord() *record { return &record{entries: map[recordKey]*list.Element{}, order: list.New()} }

// claim gives the entry of a request, and whether the caller is the one to carry it out.
func (r *record) claim(k recordKey, body [sha256.Size]byte, now time.Time) (*recorded, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.evict(now)
	if e, ok := r.entries[k]; ok {
		return e.Value.(*recorded), false
	}
	e := &recorded{key: k, body: body, at: now, done: make(chan struct{})}
	r.entries[k] = r.order.PushBack(e)
	r.size += recordEntry
	return e, true
}

// settle stores the answer and wakes those who wait for it.
func (r *record) settle(e *recorded, result any, err error) {
	if err == nil {
		e.result, err = json.Marshal(result)
	}
	e.err = err
	r.mu.Lock()
	r.size += len(e.result)
	r.mu.Unlock()
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
	e, mine := c.s.record.claim(recordKey{c.who.ID, c.client.ID, string(m.ID)}, bodyHash(m), time.Now())
	if mine {
		res, err := f()
		c.s.record.settle(e, res, err)
		return res, err
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

func bodyHash(m *wire.Message) [sha256.Size]byte {
	return sha256.Sum256(append([]byte(m.Method+"\n"), m.Params...))
}
