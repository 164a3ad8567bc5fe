// Package memory is the state that agents and people share: values by namespace and key, in one log.
// The package does no network I/O. It uses a [Store], which keeps the log.
//
// # Locks
//
// In the order in which they are taken: a goroutine that holds one takes none above it.
//
//	Memory.locks, by lockKey   the writes to a key on this node, held until the change has come back from the log
//	Memory.mu                  the book, with its namespaces and items; Memory.full; the queues of the watches; textIndex.wipe
//	progress.mu                the number reached and the goroutines that wait for one; never taken with Memory.mu held
//
// The Store is never called with Memory.mu held, except for Room. The mutex in deleteExpired guards its result only.
package memory

import (
	"context"
	"hash/maphash"
	"log/slog"
	"sync"
	"time"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// Memory holds the state that agents and people share: values by namespace and key.
//
//	Store ── check against the book ── Store.PutMemory ──> the log: on the disk, with a revision
//	the log ── FollowMemory ──> one goroutine, in order ──> the book, the watches, the full-text index
//
// State takes a single path: a change takes effect when it is read back from the log, whether this node or another one
// made it. Memory.Store returns when its change has come back, so that its caller can read what it stored. The book holds
// every key and, up to a bound, the values. Only a read of a value beyond that bound waits for the log.
type Memory struct {
	// static after Open
	o     Options
	store Store
	log   *slog.Logger
	epoch string
	index *textIndex
	seed  maphash.Seed
	locks [512]chan struct{} // each holds one value; a writer of a key holds the lock that the hash of the key selects

	ctx     context.Context // ends with Close
	stop    context.CancelFunc
	workers sync.WaitGroup // the follower, the sweeper, the indexer

	applied progress      // the revision up to which the book has everything
	sweeps  chan struct{} // wakes the sweeper when something expires earlier than it knows

	mu   sync.RWMutex
	book *book // written by the follower, except for expiries
	full bool  // the log is larger than MaxDisk
}

const (
	maxRequests = 1 << 20           // idempotency keys that are remembered, the newest; some 80 bytes each
	requestAge  = noun.KeepRequests // how long they are remembered
	followGap   = time.Second       // between two attempts to follow a log that can't be read
)

// Epoch identifies the log that revisions belong to.
func (m *Memory) Epoch() string { return m.epoch }

// read takes the lock for reading, after it has removed expired entries. The caller releases it.
func (m *Memory) read() *book {
	m.mu.RLock()
	now := time.Now()
	if m.book.due.next().After(now) {
		return m.book
	}
	m.mu.RUnlock()
	m.mu.Lock()
	m.book.expire(now)
	m.mu.Unlock()
	m.mu.RLock()
	return m.book
}

// lockKey waits until nobody else on this node writes a key, and locks it.
func (m *Memory) lockKey(ctx context.Context, namespace, key string) (unlock func(), err error) {
	l := m.locks[maphash.Comparable(m.seed, [2]string{namespace, key})%uint64(len(m.locks))]
	select {
	case l <- struct{}{}:
		return func() { <-l }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// withValue returns an entry with its value, which it reads from the log.
func (m *Memory) withValue(ctx context.Context, e *wire.MemoryEntry) (*wire.MemoryEntry, error) {
	full, err := m.store.MemoryAt(ctx, e.Revision)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if it := m.book.find(e.Namespace, e.Key); it != nil {
		m.book.hold(it, full)
	}
	return full, nil
}

// told returns an error as part of an answer that has several.
func (m *Memory) told(err error) *wire.Error {
	if err == nil {
		return nil
	}
	e := wire.AsError(err)
	if e.Code == wire.CodeInternal {
		m.log.Error("a request to memory failed", "err", err)
	}
	return e
}
