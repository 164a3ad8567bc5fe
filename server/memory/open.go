package memory

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// Open reads the whole log and follows it from then on. The caller calls Close when done.
func Open(ctx context.Context, store Store, o Options, log *slog.Logger) (_ *Memory, err error) {
	o.defaults()
	m := &Memory{o: o, store: store, log: log, epoch: store.MemoryEpoch(), seed: maphash.MakeSeed(), sweeps: make(chan struct{}, 1)}
	for i := range m.locks {
		m.locks[i] = make(chan struct{}, 1)
	}
	if m.index, err = openTextIndex(o.SearchDir); err != nil {
		return nil, err
	}
	m.ctx, m.stop = context.WithCancel(context.WithoutCancel(ctx))
	opened := make(chan error, 1)
	m.workers.Go(func() { m.follow(m.ctx, opened) })
	select {
	case err = <-opened:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err == nil {
		err = m.readRequests(ctx)
	}
	if err != nil {
		m.Close()
		return nil, fmt.Errorf("read memory: %w", err)
	}
	m.workers.Go(func() { m.sweep(m.ctx) })
	m.workers.Go(func() { m.keepIndex(m.ctx) })
	return m, nil
}

// Close stops all goroutines. From then on, the errors of writes and searches have CodeUnavailable. A write that was in
// progress may have taken effect; the next server knows by its idempotency key.
func (m *Memory) Close() {
	m.stop()
	m.workers.Wait()
	m.index.close()
}

// follow reads the log until ctx ends. It sends the outcome of the first attempt to opened.
func (m *Memory) follow(ctx context.Context, opened chan<- error) {
	for first := true; ; first = false {
		err := m.followOnce(ctx, func() {
			if first {
				opened <- nil
				first = false
			} else if err := m.readRequests(ctx); err != nil {
				m.log.Error("a repeated request to memory may not be known again", "err", err)
			}
		})
		if ctx.Err() != nil {
			return
		}
		if first {
			opened <- err
			return
		}
		m.log.Error("memory can't be followed; it is read again", "err", err)
		select {
		case <-time.After(followGap):
		case <-ctx.Done():
			return
		}
	}
}

// errMissed says that the follower missed a purge. What was purged can't be found out any more, so everything is read again.
var errMissed = errors.New("a purge was missed")

// followOnce reads the log into a new book, which replaces the old one when it is complete.
func (m *Memory) followOnce(ctx context.Context, ready func()) error {
	b := newBook(&m.o, m.book) // without mu: only this goroutine sets m.book
	whole := false
	change := func(f func()) {
		if !whole {
			f()
			return
		}
		m.mu.Lock()
		f()
		at := b.applied
		m.mu.Unlock()
		m.applied.reach(at)
	}
	return m.store.FollowMemory(ctx,
		func(e *wire.MemoryEntry, idempotencyKey string) {
			change(func() {
				if whole && idempotencyKey != "" {
					b.requests.add(idempotencyKey, at{revision: e.Revision}, time.Now())
				}
				b.apply(e, whole)
			})
			if whole {
				m.index.kick()
				if e.ExpiresAt != nil && !e.Deleted {
					m.kickSweeper()
				}
			}
		},
		func(revision, horizon, before uint64, keys []wire.MemoryKeyParams) error {
			missed := false
			change(func() { missed = !b.purge(revision, horizon, before, keys, whole) })
			if missed {
				return errMissed
			}
			return nil
		},
		func() {
			m.turn(b)
			whole = true
			ready()
		})
}

// turn replaces the book. The watches of the old one end, and their clients start new ones at their cursors.
func (m *Memory) turn(b *book) {
	m.mu.Lock()
	if m.book != nil {
		b.requests = m.book.requests
		m.book.loseWatches()
		m.index.wipe = true
	}
	m.book = b
	at := b.applied
	m.mu.Unlock()
	m.applied.reach(at)
	m.index.kick()
	m.kickSweeper()
}
