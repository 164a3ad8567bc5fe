// Package memory is the state that agents and people share: values by namespace and key, in one log.
// It speaks no network. It consumes a [Store], which keeps the log.
package memory

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"time"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// Store keeps memory's log: every change of an entry, in one order, the newest wire.MemoryHistory of each key.
type Store interface {
	// MemoryEpoch names the log that revisions count in.
	MemoryEpoch() string
	// PutMemory appends an entry if the newest revision of its key, deletions included, is expect (0: none), and returns
	// when it can't be lost any more. A mismatch is CodeConflict, with the newest revision if it is known. A change with
	// the mark of another one of late is not stored; that one's revision is given.
	PutMemory(ctx context.Context, e *wire.MemoryEntry, expect uint64, mark string) (revision uint64, err error)
	// MemoryAt reads what had this revision. CodeNotFound: history has dropped it.
	MemoryAt(ctx context.Context, revision uint64) (*wire.MemoryEntry, error)
	// MemorySince reads changes with a greater revision, oldest first: of a key, or of its namespace with key "". It may
	// give fewer than there are, but none only if there are none.
	MemorySince(ctx context.Context, namespace, key string, after uint64, limit int) ([]*wire.MemoryEntry, error)
	// FollowMemory gives the newest entry of every key, calls ready, and gives every change from then on, until ctx ends.
	FollowMemory(ctx context.Context, changed func(e *wire.MemoryEntry, mark string),
		purged func(revision, horizon, before uint64, keys []wire.MemoryKeyParams) error, ready func()) error
	// MemoryMarks gives the marks of the newest changes: those that were noted, and then those in the log since a time, at
	// most limit, each oldest first. note is where NotedMark finds what the request had become; 0: in the log only.
	MemoryMarks(ctx context.Context, since time.Time, limit uint64, mark func(mark string, revision, note uint64)) error
	// NoteMarks notes the marks of a key's changes since a time, and tells each. They can't be lost any more then, whatever
	// history drops, for as long as an answer is kept.
	NoteMarks(ctx context.Context, namespace, key string, since time.Time, noted func(mark string, revision, note uint64)) error
	// NotedMark gives, without its value, what a request had become.
	NotedMark(ctx context.Context, mark string, note uint64) (*wire.MemoryEntry, error)
	// Room says whether the disk has room for something new; its error is CodeUnavailable.
	Room() error

	Purger
}

// Purger removes from the log what was deleted long ago.
type Purger interface {
	// AnnouncePurge tells every follower what will be purged. A wrong before is CodeConflict: another node purges.
	AnnouncePurge(ctx context.Context, horizon, before uint64, keys []wire.MemoryKeyParams) (revision uint64, err error)
	PurgeMemory(ctx context.Context, namespace, key string, upTo uint64) error
	// MemoryBytes is what the log takes of the disk.
	MemoryBytes(ctx context.Context) (int64, error)
}

// Options bound memory. The zero value of each works.
type Options struct {
	MaxNamespaces int           // 0: 1,000
	MaxKeys       int           // in one namespace; 0: wire.MaxMemoryKeys
	MaxBytes      int64         // of one namespace's values together; 0: wire.MaxMemoryBytes
	MaxDisk       int64         // of the log, history included: beyond it nothing is stored; 0: 16 GiB
	Cache         int64         // bytes of values held in memory, all together; what is beyond is read from the log; 0: 512 MiB
	KeepDeleted   time.Duration // how long history has what was deleted; 0: a day
	MaxDeleted    int           // how many deleted entries it has at most; 0: 50,000
	Sweep         time.Duration // how often what is to be purged is looked for; 0: a minute
	Timeout       time.Duration // how long a write waits for a store that does not answer; 0: 10 s
	SearchDir     string        // for the full-text index, which is made anew at each start; "": a folder in DataDir
}

func (o *Options) defaults() {
	or := func(v *int, def int) {
		if *v == 0 {
			*v = def
		}
	}
	or64 := func(v *int64, def int64) {
		if *v == 0 {
			*v = def
		}
	}
	or(&o.MaxNamespaces, 1000)
	or(&o.MaxKeys, wire.MaxMemoryKeys)
	or64(&o.MaxBytes, wire.MaxMemoryBytes)
	or64(&o.MaxDisk, 16<<30)
	or64(&o.Cache, 512<<20)
	or64((*int64)(&o.KeepDeleted), int64(24*time.Hour))
	or(&o.MaxDeleted, 50_000)
	or64((*int64)(&o.Sweep), int64(time.Minute))
	or64((*int64)(&o.Timeout), int64(10*time.Second))
}

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

// Open reads the whole log, and follows it from then on. Close it when done.
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
		err = m.readMarks(ctx)
	}
	if err != nil {
		m.Close()
		return nil, fmt.Errorf("read memory: %w", err)
	}
	m.workers.Go(func() { m.sweep(m.ctx) })
	m.workers.Go(func() { m.keepIndex(m.ctx) })
	return m, nil
}

// errClosed refuses what comes behind Close.
var errClosed = wire.Errorf(wire.CodeUnavailable, "the server is stopping")

// Close ends what runs. Writes and searches are CodeUnavailable from then on; one that was under way may have had its
// effect, and its mark tells the next server.
func (m *Memory) Close() {
	m.stop()
	m.workers.Wait()
	m.index.close()
}

// Epoch is what revisions belong to.
func (m *Memory) Epoch() string { return m.epoch }

// follow reads the log for as long as ctx lives. The first time it tells whether that worked.
func (m *Memory) follow(ctx context.Context, opened chan<- error) {
	for first := true; ; first = false {
		err := m.followOnce(ctx, func() {
			if first {
				opened <- nil
				first = false
			} else if err := m.readMarks(ctx); err != nil {
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

// errMissed says that a purge went by unseen: what it purged can't be known any more, so that everything is read again.
var errMissed = errors.New("a purge was missed")

// followOnce reads the log into a new book, which takes the old one's place when it is whole.
func (m *Memory) followOnce(ctx context.Context, ready func()) error {
	b := newBook(&m.o, m.book) // which nobody else writes to
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
		func(e *wire.MemoryEntry, mark string) {
			change(func() {
				if whole && mark != "" {
					b.marks.add(mark, at{revision: e.Revision}, time.Now())
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

// turn opens a new book. Watches of the old one are over: their clients come again with their cursors.
func (m *Memory) turn(b *book) {
	m.mu.Lock()
	if m.book != nil {
		b.marks = m.book.marks
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
