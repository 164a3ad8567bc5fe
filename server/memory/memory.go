// Package memory is the state that agents and people share: values by namespace and key, in one log.
// It speaks no network. It consumes a [Store], which keeps the log.
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

// Memory is the state that agents and people share: values by namespace and key.
//
//	Store ── check against the book ── Store.PutMemory ──> the log: on the disk, with a revision
//	the log ── FollowMemory ──> one goroutine, in order ──> the book, the watches, the full-text index
//
// There is one path for state: a change counts once the log has given it back, its own node's and those of others alike.
// A Store returns when its change has come back, so that whoever stored reads what was stored. The book holds every key
// and, up to a bound, the values; reads never wait for the log unless a value is beyond the bound.
type Memory struct {
	// static after Open
	o     Options
	store Store
	log   *slog.Logger
	epoch string
	index *textIndex
	seed  maphash.Seed
	locks [512]chan struct{} // of one place each: who writes a key holds its lock, chosen by the key's hash

	ctx     context.Context // ends with Close
	stop    context.CancelFunc
	workers sync.WaitGroup // the follower, the sweeper, the indexer

	applied progress      // the revision up to which the book has everything
	sweeps  chan struct{} // wakes the sweeper: something expires earlier than it knows

	mu   sync.RWMutex
	book *book // written by the follower, but for what expires
	full bool  // the log is over MaxDisk
}

const (
	maxMarks  = 1 << 20           // remembered marks, the newest; some 80 bytes each
	markAge   = noun.KeepRequests // and for how long
	followGap = time.Second       // between two tries to follow a log that can't be read
)

// Epoch is what revisions belong to.
func (m *Memory) Epoch() string { return m.epoch }

// read takes the lock for reading, with what has expired out of the way.
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

// lockKey waits until nobody else on this node writes a key.
func (m *Memory) lockKey(ctx context.Context, namespace, key string) (unlock func(), err error) {
	l := m.locks[maphash.Comparable(m.seed, [2]string{namespace, key})%uint64(len(m.locks))]
	select {
	case l <- struct{}{}:
		return func() { <-l }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// withValue reads the value of an entry whose value is not held.
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

// told is an error as one of several answers has it.
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
