package memory

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"time"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// A write takes effect once, however often its request is repeated. Three things ensure that: the idempotency key of the
// request is part of the message that is the effect, so that a crash leaves both or neither; before the log drops a
// message with a recent key, the key is noted elsewhere (makeRoom); and at the start, both are read before the first write.

// requests remembers the idempotency keys of the newest changes.
type requests struct {
	places map[idempotencyKey]at
	order  []datedKey // the oldest first
}

// idempotencyKey is the result of idempotencyKeyOf.
type idempotencyKey [20]byte

// at is where the effect of a request is found.
type at struct {
	revision uint64
	note     uint64 // for NotedOutcome, when history has dropped the revision; 0 if no note is known
}

type datedKey struct {
	idempotencyKey
	at time.Time
}

func (r *requests) find(s string) at {
	var k idempotencyKey
	copy(k[:], s)
	return r.places[k]
}

func (r *requests) add(s string, place at, now time.Time) {
	if r.places == nil {
		r.places = map[idempotencyKey]at{}
	}
	var k idempotencyKey
	copy(k[:], s)
	if old, known := r.places[k]; known {
		place.note = max(place.note, old.note)
		r.places[k] = place
		return
	}
	r.places[k] = place
	r.order = append(r.order, datedKey{k, now})
	for len(r.order) > maxRequests || now.Sub(r.order[0].at) > requestAge {
		delete(r.places, r.order[0].idempotencyKey)
		r.order = r.order[1:]
	}
}

// idempotencyKeyOf returns the idempotency key of a change, by which a repeated request finds it, or "" if the caller has
// no request.
func idempotencyKeyOf(by noun.Caller, op, namespace, key string) string {
	if by.Request == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(op + "\x00" + namespace + "\x00" + key + "\x00" + by.Request))
	return base64.RawURLEncoding.EncodeToString(sum[:15])
}

func (m *Memory) readRequests(ctx context.Context) error {
	return m.store.IdempotencyKeys(ctx, time.Now().Add(-requestAge), maxRequests, m.addRequest)
}

func (m *Memory) addRequest(idempotencyKey string, revision, note uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.book.requests.add(idempotencyKey, at{revision, note}, time.Now())
}

// repeated returns the answer to a request that was carried out before, or nil if that is not known of it.
func (m *Memory) repeated(ctx context.Context, w *write) (*wire.MemoryEntry, error) {
	m.mu.RLock()
	place := m.book.requests.find(w.idempotencyKey)
	m.mu.RUnlock()
	if w.idempotencyKey == "" || place.revision == 0 {
		return nil, nil
	}
	return m.answerAt(ctx, w, place)
}

// answerAt returns the answer to a write whose effect is the change at this place.
func (m *Memory) answerAt(ctx context.Context, w *write, place at) (*wire.MemoryEntry, error) {
	e, err := m.store.MemoryAt(ctx, place.revision)
	if errors.Is(err, errNotFound) && place.note != 0 {
		e, err = m.store.NotedOutcome(ctx, w.idempotencyKey, place.note)
	}
	if errors.Is(err, errNotFound) { // it was dropped, and another node noted it: only the request is known here
		e, err = bare(w.entry), nil
		e.Revision = place.revision
	}
	if err != nil {
		m.log.Error("the answer to a repeated request can't be read", "namespace", w.entry.Namespace, "err", err)
		return nil, wire.Errorf(wire.CodeOutcomeUnknown, "the change was made; what it became can't be read now")
	}
	return bare(e), nil
}

// full reports whether the next change drops a message that may be the only place of its idempotency key. The caller holds
// mu.
func (it *item) full(now time.Time) bool {
	return it != nil && it.unnoted >= wire.MemoryHistory && now.Sub(it.entry.UpdatedAt) < requestAge
}

// makeRoom notes the idempotency keys of the changes of a key, so that history may drop these changes.
func (m *Memory) makeRoom(ctx context.Context, namespace, key string) error {
	m.mu.RLock()
	it := m.book.item(namespace, key)
	unnoted := 0
	if it != nil {
		unnoted = it.unnoted
	}
	m.mu.RUnlock()
	if err := m.store.NoteIdempotencyKeys(ctx, namespace, key, time.Now().Add(-requestAge), m.addRequest); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if it != nil && it == m.book.item(namespace, key) { // changes made meanwhile still count
		it.unnoted -= unnoted
	}
	return nil
}

// write is a change that is being made.
type write struct {
	entry          *wire.MemoryEntry // the new entry, except for its times and revisions
	ttl            time.Duration
	ifRevision     *uint64
	idempotencyKey string

	leftover uint64 // revision of a deletion that is missing in the book, because its purge was announced but not done
}
