package memory

import (
	"context"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// Store keeps the log of memory: every change of an entry, in one order, the newest wire.MemoryHistory of each key.
type Store interface {
	// MemoryEpoch identifies the log that revisions belong to.
	MemoryEpoch() string
	// PutMemory appends an entry if expect is the newest revision of its key, counting deletions, or 0 if the key has none.
	// The entry is on the disk when PutMemory returns. If the revision is another one, the error has CodeConflict, and the
	// returned revision is the newest one, or 0 if it is unknown. If a change with the same idempotency key was stored
	// recently, PutMemory stores nothing and returns the revision of that change.
	PutMemory(ctx context.Context, e *wire.MemoryEntry, expect uint64, idempotencyKey string) (revision uint64, err error)
	// MemoryAt returns the entry with a revision. The error has CodeNotFound if history has dropped it.
	MemoryAt(ctx context.Context, revision uint64) (*wire.MemoryEntry, error)
	// MemorySince returns changes with a revision greater than after, oldest first. With an empty key, it returns those of
	// all keys of the namespace. It may return fewer than there are, but none only if there are none.
	MemorySince(ctx context.Context, namespace, key string, after uint64, limit int) ([]*wire.MemoryEntry, error)
	// FollowMemory calls changed for the newest entry of every key, then ready, and then changed for every change until ctx
	// ends. It calls purged for each announced purge.
	FollowMemory(ctx context.Context, changed func(e *wire.MemoryEntry, idempotencyKey string),
		purged func(revision, horizon, before uint64, keys []wire.MemoryKeyParams) error, ready func()) error
	// IdempotencyKeys calls each for the idempotency keys that were noted, and then for those in the log since a time, at
	// most limit of them. Each part is ordered oldest first. note is where NotedOutcome finds the outcome of the request; 0
	// if it is only in the log.
	IdempotencyKeys(ctx context.Context, since time.Time, limit uint64, each func(idempotencyKey string, revision, note uint64)) error
	// NoteIdempotencyKeys notes the idempotency keys of the changes of a key since a time, and calls noted for each. From
	// then on they are kept as long as answers are, whatever history drops.
	NoteIdempotencyKeys(ctx context.Context, namespace, key string, since time.Time, noted func(idempotencyKey string, revision, note uint64)) error
	// NotedOutcome returns the entry that a request made, without its value.
	NotedOutcome(ctx context.Context, idempotencyKey string, note uint64) (*wire.MemoryEntry, error)
	// Room checks that the disk has room for something new. The error has CodeUnavailable if it has not.
	Room() error

	Purger
}

// Purger removes entries from the log that were deleted long ago.
type Purger interface {
	// AnnouncePurge tells every follower what will be purged. before is the revision of the last announcement. The error has
	// CodeConflict if another node has announced a purge since.
	AnnouncePurge(ctx context.Context, horizon, before uint64, keys []wire.MemoryKeyParams) (revision uint64, err error)
	PurgeMemory(ctx context.Context, namespace, key string, upTo uint64) error
	// MemoryBytes returns how many bytes the log takes of the disk.
	MemoryBytes(ctx context.Context) (int64, error)
}

// Options are the bounds of memory. The zero value of each is usable.
type Options struct {
	MaxNamespaces int           // 0: 1,000
	MaxKeys       int           // in one namespace; 0: wire.MaxMemoryKeys
	MaxBytes      int64         // all values of one namespace together; 0: wire.MaxMemoryBytes
	MaxDisk       int64         // of the log with its history; nothing is stored beyond it; 0: 16 GiB
	Cache         int64         // bytes of all values held in memory; the others are read from the log; 0: 512 MiB
	KeepDeleted   time.Duration // how long history keeps deleted entries; 0: a day
	MaxDeleted    int           // how many deleted entries it keeps at most; 0: 50,000
	Sweep         time.Duration // the time between two purges; 0: a minute
	Timeout       time.Duration // how long a write waits for a store that does not answer; 0: 10 s
	SearchDir     string        // folder of the full-text index, which is rebuilt at each start; "": a folder in DataDir
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
