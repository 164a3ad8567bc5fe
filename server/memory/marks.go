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

// A write has its effect once, however often its request comes. By construction: the request's mark is part of the
// message that is the effect, so that a crash leaves both or neither; the log drops a message whose mark is young only
// when that mark was noted elsewhere (makeRoom); and a start reads both before the first write.

// marks remembers the marks of the newest changes.
type marks struct {
	places map[mark]at
	order  []marked // the oldest first
}

// mark is what markOf makes.
type mark [20]byte

// at is where a request's effect is found.
type at struct {
	revision uint64
	note     uint64 // for NotedMark, when history has dropped the revision; 0: there is none, as far as is known
}

type marked struct {
	mark
	at time.Time
}

func (m *marks) find(s string) at {
	var k mark
	copy(k[:], s)
	return m.places[k]
}

func (m *marks) add(s string, place at, now time.Time) {
	if m.places == nil {
		m.places = map[mark]at{}
	}
	var k mark
	copy(k[:], s)
	if old, known := m.places[k]; known {
		place.note = max(place.note, old.note)
		m.places[k] = place
		return
	}
	m.places[k] = place
	m.order = append(m.order, marked{k, now})
	for len(m.order) > maxMarks || now.Sub(m.order[0].at) > markAge {
		delete(m.places, m.order[0].mark)
		m.order = m.order[1:]
	}
}

// markOf marks a change, so that the same request, when it comes again, finds it.
func markOf(by noun.Caller, op, namespace, key string) string {
	if by.Request == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(op + "\x00" + namespace + "\x00" + key + "\x00" + by.Request))
	return base64.RawURLEncoding.EncodeToString(sum[:15])
}

func (m *Memory) readMarks(ctx context.Context) error {
	return m.store.MemoryMarks(ctx, time.Now().Add(-markAge), maxMarks, m.addMark)
}

func (m *Memory) addMark(mark string, revision, note uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.book.marks.add(mark, at{revision, note}, time.Now())
}

// repeated answers a request that was carried out already; nil: it was not, as far as is known.
func (m *Memory) repeated(ctx context.Context, w *write) (*wire.MemoryEntry, error) {
	m.mu.RLock()
	place := m.book.marks.find(w.mark)
	m.mu.RUnlock()
	if w.mark == "" || place.revision == 0 {
		return nil, nil
	}
	return m.answerAt(ctx, w, place)
}

// answerAt answers a write that had become the change at this place.
func (m *Memory) answerAt(ctx context.Context, w *write, place at) (*wire.MemoryEntry, error) {
	e, err := m.store.MemoryAt(ctx, place.revision)
	if errors.Is(err, errNotFound) && place.note != 0 {
		e, err = m.store.NotedMark(ctx, w.mark, place.note)
	}
	if errors.Is(err, errNotFound) { // dropped, and another node noted it: what is known is the request
		e, err = bare(w.entry), nil
		e.Revision = place.revision
	}
	if err != nil {
		m.log.Error("the answer to a repeated request can't be read", "namespace", w.entry.Namespace, "err", err)
		return nil, wire.Errorf(wire.CodeOutcomeUnknown, "the change was made; what it became can't be read now")
	}
	return bare(e), nil
}

// full reports whether the next change drops one whose mark may stand nowhere else. The caller holds mu.
func (it *item) full(now time.Time) bool {
	return it != nil && it.unnoted >= wire.MemoryHistory && now.Sub(it.entry.UpdatedAt) < markAge
}

// makeRoom notes the marks of a key's changes, so that history may drop them.
func (m *Memory) makeRoom(ctx context.Context, namespace, key string) error {
	m.mu.RLock()
	it := m.book.item(namespace, key)
	unnoted := 0
	if it != nil {
		unnoted = it.unnoted
	}
	m.mu.RUnlock()
	if err := m.store.NoteMarks(ctx, namespace, key, time.Now().Add(-markAge), m.addMark); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if it != nil && it == m.book.item(namespace, key) { // what came meanwhile counts
		it.unnoted -= unnoted
	}
	return nil
}

// write is a change on its way.
type write struct {
	entry      *wire.MemoryEntry // as it shall become, but for its times and revisions
	ttl        time.Duration
	ifRevision *uint64
	mark       string

	leftover uint64 // a deletion that the book does not know: its purge was announced and not done
}
