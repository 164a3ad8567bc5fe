package memory

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"skein.dev/skein/webtransport/wire"
)

const (
	sweepEvery     = time.Minute // between two purges
	sweepRetry     = time.Second // after a failure
	purgeBatch     = 500         // entries of one announcement
	expiriesAtOnce = 64
)

func (m *Memory) kickSweeper() {
	select {
	case m.sweeps <- struct{}{}:
	default:
	}
}

// sweep writes the deletions of entries as soon as they expire, and purges entries that were deleted long ago, until ctx ends.
func (m *Memory) sweep(ctx context.Context) {
	purge := time.NewTicker(m.o.Sweep)
	defer purge.Stop()
	p := &purger{m: m}
	for {
		next := m.expire(ctx)
		due := time.NewTimer(next)
		select {
		case <-due.C:
		case <-m.sweeps:
		case <-purge.C:
			p.round(ctx, time.Now())
		case <-ctx.Done():
			due.Stop()
			return
		}
		due.Stop()
	}
}

// expire writes the deletions of entries that have expired, and returns the time until the next one expires.
func (m *Memory) expire(ctx context.Context) time.Duration {
	for {
		m.mu.Lock()
		b := m.book
		b.expire(time.Now())
		expired := b.expired
		b.expired = nil
		next := time.Until(b.due.next())
		m.mu.Unlock()
		if len(expired) == 0 {
			return next
		}
		failed := m.deleteExpired(ctx, expired)
		if len(failed) > 0 {
			m.mu.Lock()
			b.expired = append(b.expired, failed...)
			m.mu.Unlock()
			return sweepRetry
		}
	}
}

// deleteExpired writes deletions to the log. It returns the items for which that failed.
func (m *Memory) deleteExpired(ctx context.Context, expired []*item) (failed []*item) {
	var mu sync.Mutex
	var all sync.WaitGroup
	slots := make(chan struct{}, expiriesAtOnce)
	for _, it := range expired {
		m.mu.RLock()
		old := it.entry
		m.mu.RUnlock()
		if old.Deleted { // stored anew and deleted since
			continue
		}
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			if err := m.deleteOne(ctx, old); err != nil && !errors.Is(err, errConflict) && ctx.Err() == nil {
				m.log.Error("an expired entry could not be deleted; it is tried again", "namespace", old.Namespace, "err", err)
				mu.Lock()
				failed = append(failed, it)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return failed
}

// deleteOne writes the deletion of an entry if it has expired. The error has CodeConflict if the entry has changed since.
func (m *Memory) deleteOne(ctx context.Context, old *wire.MemoryEntry) error {
	now := time.Now().UTC()
	if old.ExpiresAt == nil || old.ExpiresAt.After(now) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, m.o.Timeout)
	defer cancel()
	m.mu.RLock()
	full := m.book.item(old.Namespace, old.Key).full(now)
	m.mu.RUnlock()
	if full {
		if err := m.makeRoom(ctx, old.Namespace, old.Key); err != nil {
			return err
		}
	}
	_, err := m.store.PutMemory(ctx, &wire.MemoryEntry{Namespace: old.Namespace, Key: old.Key, ContentType: old.ContentType, Previous: old.Revision,
		Writer: "server", CreatedAt: old.CreatedAt, UpdatedAt: now, ExpiresAt: old.ExpiresAt, Deleted: true}, old.Revision, "")
	return err
}

// purger removes entries from the log that were deleted long ago, in two steps: it announces which ones it will remove, and
// removes them one round later, when every follower has read the announcement.
type purger struct {
	m         *Memory
	announced []wire.MemoryKeyParams
}

func (p *purger) round(ctx context.Context, now time.Time) {
	for _, k := range p.announced {
		if err := p.m.store.PurgeMemory(ctx, k.Namespace, k.Key, *k.IfRevision); err != nil {
			p.m.log.Error("a deleted entry could not be purged; the next start tries again", "namespace", k.Namespace, "err", err)
		}
	}
	p.announced = nil
	size, err := p.m.store.MemoryBytes(ctx)
	if err != nil {
		p.m.log.Error("the size of memory is not known", "err", err)
		return
	}
	p.m.mu.Lock()
	p.m.full = size > p.m.o.MaxDisk
	full := p.m.full
	p.m.mu.Unlock()
	for {
		keys, horizon, before := p.m.old(now, full)
		if len(keys) == 0 {
			return
		}
		err := p.m.announce(ctx, keys, horizon, before)
		if errors.Is(err, errConflict) { // another node does it
			return
		}
		if err != nil {
			p.m.log.Error("a purge could not be announced; the next round tries again", "err", err)
			return
		}
		p.announced = append(p.announced, keys...)
	}
}

// announce announces a purge and returns when the book of this node has dropped the entries. It notes the idempotency keys
// that go with them first, because their requests may be repeated.
func (m *Memory) announce(ctx context.Context, keys []wire.MemoryKeyParams, horizon, before uint64) error {
	ctx, cancel := context.WithTimeout(ctx, m.o.Timeout)
	defer cancel()
	for _, k := range m.young(keys) {
		if err := m.makeRoom(ctx, k.Namespace, k.Key); err != nil {
			return err
		}
	}
	revision, err := m.store.AnnouncePurge(ctx, horizon, before, keys)
	if err != nil {
		return err
	}
	return m.applied.wait(ctx, revision)
}

// old returns the deletions to purge: those older than KeepDeleted, and the oldest beyond MaxDeleted, or all with every.
func (m *Memory) old(now time.Time, every bool) (keys []wire.MemoryKeyParams, horizon, before uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.book
	b.deleted = slices.DeleteFunc(b.deleted, deleted.over)
	for _, d := range b.deleted[:min(len(b.deleted), purgeBatch)] {
		e := d.it.entry
		if !every && now.Sub(e.UpdatedAt) < m.o.KeepDeleted && len(b.deleted)-len(keys) <= m.o.MaxDeleted {
			break
		}
		keys = append(keys, wire.MemoryKeyParams{Namespace: e.Namespace, Key: e.Key, IfRevision: &d.revision})
		horizon = d.revision
	}
	return keys, horizon, b.purged
}

// young returns those of the keys whose requests may still be repeated.
func (m *Memory) young(keys []wire.MemoryKeyParams) (young []wire.MemoryKeyParams) {
	since := time.Now().Add(-requestAge)
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, k := range keys {
		if it := m.book.item(k.Namespace, k.Key); it != nil && it.unnoted > 0 && it.entry.UpdatedAt.After(since) {
			young = append(young, k)
		}
	}
	return young
}
