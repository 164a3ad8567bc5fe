package memory

import (
	"context"
	"time"

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
