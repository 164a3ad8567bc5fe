package memory

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

const (
	maxContentType  = 128      // bytes
	maxShownValue   = 16 << 10 // bytes; larger values are left out of the error of a conflict
	writersAtOnce   = 64       // for one set_many
	contentText     = "text/plain"
	contentBytes    = "application/octet-stream"
	conflictBackoff = 2 * time.Millisecond
)

// Store sets a value and returns its entry without the value. Its errors have CodeInvalidParams, CodeTooLarge,
// CodeExhausted, or CodeConflict with the present entry in Data.Entry.
func (m *Memory) Store(ctx context.Context, by noun.Caller, p wire.MemoryStoreParams) (*wire.MemoryEntry, error) {
	if err := checkName(p.Namespace, p.Key); err != nil {
		return nil, err
	}
	if err := wire.CheckNames("key", p.Key); err != nil { // only here: keys that an earlier Skein accepted can still be read and deleted
		return nil, err
	}
	value := p.Value.Bytes()
	switch {
	case p.Value.Text != "" && p.Value.Base64 != nil:
		return nil, wire.Errorf(wire.CodeInvalidParams, "a value is either text or base64").WithField("value")
	case len(value) > wire.MaxMemoryValue:
		return nil, wire.Errorf(wire.CodeTooLarge, "the value has %d bytes, the limit is %d; store anything larger as an artifact", len(value), wire.MaxMemoryValue).WithField("value")
	case p.TTLMS < 0 || p.TTLMS > wire.MaxMemoryTTL.Milliseconds():
		return nil, wire.Errorf(wire.CodeInvalidParams, "a ttl is 0 (none) to %d milliseconds (%s)", wire.MaxMemoryTTL.Milliseconds(), wire.MaxMemoryTTL).WithField("ttl")
	case len(p.ContentType) > maxContentType || !wire.Printable(p.ContentType):
		return nil, wire.Errorf(wire.CodeInvalidParams, "a content type has at most %d printable characters", maxContentType).WithField("content_type")
	}
	e := &wire.MemoryEntry{Namespace: p.Namespace, Key: p.Key, Value: wire.NewMemoryValue(value), Size: len(value), ContentType: p.ContentType, Writer: by.Actor}
	if e.ContentType == "" {
		e.ContentType = contentText
		if e.Value.Base64 != nil && wire.NewPayload(value).Base64 != nil {
			e.ContentType = contentBytes
		}
	}
	return m.write(ctx, &write{entry: e, ttl: time.Duration(p.TTLMS) * time.Millisecond, ifRevision: p.IfRevision, idempotencyKey: idempotencyKeyOf(by, "store", p.Namespace, p.Key)})
}

// Delete removes an entry. It is no error if there is none.
func (m *Memory) Delete(ctx context.Context, by noun.Caller, p wire.MemoryKeyParams) (wire.MemoryDeleteResult, error) {
	if err := checkName(p.Namespace, p.Key); err != nil {
		return wire.MemoryDeleteResult{}, err
	}
	e := &wire.MemoryEntry{Namespace: p.Namespace, Key: p.Key, Writer: by.Actor, Deleted: true}
	e, err := m.write(ctx, &write{entry: e, ifRevision: p.IfRevision, idempotencyKey: idempotencyKeyOf(by, "delete", p.Namespace, p.Key)})
	if e == nil || err != nil {
		return wire.MemoryDeleteResult{}, err
	}
	return wire.MemoryDeleteResult{Deleted: true, Revision: e.Revision}, nil
}

// SetMany sets values concurrently, but those of one key in their order. Each succeeds or fails by itself.
func (m *Memory) SetMany(ctx context.Context, by noun.Caller, p wire.MemorySetManyParams) (wire.MemoryManyResult, error) {
	if err := checkMany("entries", len(p.Entries)); err != nil {
		return wire.MemoryManyResult{}, err
	}
	return manyResult(m.setMany(ctx, by, p.Entries))
}

func (m *Memory) setMany(ctx context.Context, by noun.Caller, entries []wire.MemoryStoreParams) []wire.MemoryOne {
	results := make([]wire.MemoryOne, len(entries))
	chains := map[[2]string][]int{} // the entries of each key
	for i, e := range entries {
		name := [2]string{e.Namespace, e.Key}
		chains[name] = append(chains[name], i)
	}
	slots := make(chan struct{}, writersAtOnce)
	var all sync.WaitGroup
	for _, chain := range chains {
		slots <- struct{}{}
		all.Go(func() {
			for _, i := range chain {
				one := by
				if by.Request != "" {
					one.Request = fmt.Sprintf("%s/%d", by.Request, i)
				}
				e, err := (*wire.MemoryEntry)(nil), m.may(by, entries[i].Namespace)
				if err == nil {
					e, err = m.Store(ctx, one, entries[i])
				}
				results[i] = wire.MemoryOne{Entry: e, Error: m.told(err)}
				if d := results[i].Error; d != nil && d.Data != nil && d.Data.Entry != nil { // many values would not fit into the answer
					d.Data.Entry = bare(d.Data.Entry)
				}
			}
			<-slots
		})
	}
	all.Wait()
	return results
}

// planned is a write that was checked against the book.
type planned struct {
	entry  *wire.MemoryEntry
	expect uint64 // the newest revision of the key
	done   func() // releases what was reserved
}

// write makes a change and returns when it can be read. It returns nil, nil if there was nothing to delete.
func (m *Memory) write(ctx context.Context, w *write) (*wire.MemoryEntry, error) {
	// A write that has begun continues when its client is gone: the client may repeat the request.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.o.Timeout)
	defer cancel()
	defer context.AfterFunc(m.ctx, cancel)()
	unlock, err := m.lockKey(ctx, w.entry.Namespace, w.entry.Key)
	if err != nil {
		return nil, m.gaveUp()
	}
	defer unlock()
	for {
		if e, err := m.repeated(ctx, w); e != nil || err != nil {
			return e, err
		}
		p, err := m.plan(w)
		if errors.Is(err, errFull) {
			if err := m.makeRoom(ctx, w.entry.Namespace, w.entry.Key); err != nil {
				return nil, m.notMade(w, err)
			}
			continue
		}
		if p == nil {
			return nil, err
		}
		revision, err := m.store.PutMemory(ctx, p.entry, p.expect, w.idempotencyKey)
		if err == nil {
			err = m.applied.wait(ctx, revision)
		}
		p.done()
		switch {
		case err == nil && revision <= p.expect: // the log knew its idempotency key
			return m.answerAt(ctx, w, at{revision: revision})
		case err == nil:
			e := bare(p.entry)
			e.Revision = revision
			return e, nil
		case errors.Is(err, &wire.Error{Code: wire.CodeUnavailable}): // the error says why, such as a full disk
			return nil, wire.AsError(err)
		case m.ctx.Err() != nil:
			return nil, errClosed
		case !errors.Is(err, errConflict):
			m.log.Error("memory could not be written", "namespace", w.entry.Namespace, "err", err)
			return nil, errUnknown
		}
		if err := m.catchUp(ctx, w, p.expect, revision); err != nil {
			return nil, m.gaveUp()
		}
	}
}

// notMade returns the error of a write that failed before it reached the store.
func (m *Memory) notMade(w *write, err error) error {
	if m.ctx.Err() != nil {
		return errClosed
	}
	m.log.Error("memory could not be written", "namespace", w.entry.Namespace, "err", err)
	return errUnknown
}

// gaveUp returns the error of a write whose time ran out.
func (m *Memory) gaveUp() error {
	if m.ctx.Err() != nil {
		return errClosed
	}
	return errUnknown
}

// catchUp waits until the book has the revision that a compare-and-set found instead of the expected one.
func (m *Memory) catchUp(ctx context.Context, w *write, expected, met uint64) error {
	if met > expected {
		if err := m.applied.wait(ctx, met); err != nil {
			return err
		}
		m.mu.RLock()
		if m.book.item(w.entry.Namespace, w.entry.Key) == nil {
			w.leftover = met
		}
		m.mu.RUnlock()
		return nil
	}
	select { // the store did not report the revision
	case <-time.After(conflictBackoff):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// plan checks a write against the book and reserves the space that it needs. It returns nil, nil if there is nothing to
// delete.
func (m *Memory) plan(w *write) (*planned, error) {
	now := time.Now().UTC()
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.book
	b.expire(now)
	e := *w.entry
	p := &planned{entry: &e, expect: w.leftover, done: func() {}}
	var old *wire.MemoryEntry
	it := b.item(e.Namespace, e.Key)
	if it != nil {
		p.expect = it.entry.Revision
		if !it.gone {
			old = it.entry
		}
	}
	if err := agrees(w.ifRevision, old, &e); err != nil {
		return nil, err
	}
	if e.Deleted && old == nil {
		return nil, nil
	}
	if it.full(now) {
		return nil, errFull
	}
	e.CreatedAt, e.UpdatedAt = now, now
	if old != nil {
		e.CreatedAt, e.Previous = old.CreatedAt, old.Revision
	}
	if e.Deleted {
		return p, nil
	}
	if w.ttl > 0 {
		at := now.Add(w.ttl)
		e.ExpiresAt = &at
	}
	var err error
	p.done, err = m.reserve(e.Namespace, e.Key, old, e.Size)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// agrees checks a compare-and-set against the present entry.
func agrees(want *uint64, old, e *wire.MemoryEntry) error {
	have := uint64(0)
	if old != nil {
		have = old.Revision
	}
	if want == nil || *want == have {
		return nil
	}
	err := wire.Errorf(wire.CodeConflict, "%s in %s has revision %d, not %d", e.Key, e.Namespace, have, *want).WithField("if_revision")
	if old != nil {
		err.Data.Entry = old
		if old.Size > maxShownValue {
			err.Data.Entry = bare(old)
		}
	} else {
		err.Message = fmt.Sprintf("there is no %s in %s: its revision is 0, not %d", e.Key, e.Namespace, *want)
	}
	return err
}

// reserve checks the limits and reserves space for a value until it is in the book, because others store at the same time.
// The caller holds mu.
func (m *Memory) reserve(namespace, key string, old *wire.MemoryEntry, size int) (done func(), err error) {
	b := m.book
	keys, bytes := 1, int64(size)
	if old != nil {
		keys, bytes = 0, int64(size-old.Size)
	}
	if err := m.store.Room(); err != nil {
		return nil, err
	}
	if m.full {
		return nil, wire.Errorf(wire.CodeExhausted, "memory is full: it takes more than %d bytes of the disk, its history included", m.o.MaxDisk)
	}
	if !b.used(namespace) && b.countUsed() >= m.o.MaxNamespaces {
		return nil, wire.Errorf(wire.CodeExhausted, "there are %d namespaces, the limit", m.o.MaxNamespaces).WithField("namespace")
	}
	sp := b.space(namespace)
	switch {
	case keys > 0 && sp.live.Len()+sp.reservedKeys+keys > m.o.MaxKeys:
		err = wire.Errorf(wire.CodeExhausted, "namespace %s has %d keys, its limit", namespace, m.o.MaxKeys).WithField("key")
	case bytes > 0 && sp.bytes+sp.reservedBytes+bytes > m.o.MaxBytes:
		err = wire.Errorf(wire.CodeExhausted, "the values of namespace %s would take more than %d bytes, its limit", namespace, m.o.MaxBytes).WithField("value")
	}
	if err != nil {
		b.tidy(sp)
		return nil, err
	}
	sp.reserve(key, keys, max(bytes, 0))
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		sp.release(key)
		b.tidy(sp)
	}, nil
}
