package memory

import (
	"container/heap"
	"strconv"
	"time"

	"github.com/google/btree"

	"skein.dev/skein/webtransport/wire"
)

// book is the state that the log has led to. The follower writes it. It is guarded by Memory.mu.
type book struct {
	o      *Options
	spaces map[string]*space
	spaced int // how many namespaces were ever made

	applied uint64 // all changes up to this revision are in the book
	horizon uint64 // deletions up to this revision may be purged
	purged  uint64 // the revision of the announcement of the last purge

	held     int64     // bytes of the values in memory
	due      dueHeap   // the items that will expire
	expired  []*item   // the items that have expired and whose deletions the sweeper has yet to write to the log
	deleted  []deleted // deletions for the sweeper to purge, the oldest first; some of them are over
	requests requests

	docs   map[int64]*item // by number in the full-text index
	doc    int64           // the last number
	dirty  []dirt          // the items that the full-text index has yet to read, ordered by serial
	serial uint64          // of the latest dirt
}

// space is a namespace.
type space struct {
	name     string
	token    string           // its name in the full-text index
	items    map[string]*item // including deleted ones until they are purged
	live     *btree.BTreeG[*item]
	bytes    int64     // of the live values
	revision uint64    // of the last change
	updated  time.Time // when that was
	watches  map[*Watch]struct{}

	// what writes in progress will add, and the sums of that
	reserved      map[string]reserved
	reservedKeys  int
	reservedBytes int64
}

type reserved struct {
	keys  int
	bytes int64
}

func (sp *space) reserve(key string, keys int, bytes int64) {
	sp.reserved[key] = reserved{keys, bytes}
	sp.reservedKeys += keys
	sp.reservedBytes += bytes
}

// release releases what was reserved for a key. Calling it again does nothing.
func (sp *space) release(key string) {
	r := sp.reserved[key]
	delete(sp.reserved, key)
	sp.reservedKeys -= r.keys
	sp.reservedBytes -= r.bytes
}

// item is a key. Its entry is replaced, never modified, and has its value only if held is true.
type item struct {
	sp    *space
	entry *wire.MemoryEntry
	held  bool
	gone  bool // deleted, or expired

	unnoted int   // changes whose idempotency keys may be in the log only, which keeps wire.MemoryHistory changes
	due     int   // index in the dueHeap; -1 if it does not expire
	doc     int64 // number in the full-text index
	indexed bool  // the index has it or is about to
	dirty   bool  // it is in book.dirty
}

// dirt is an item that changed.
type dirt struct {
	it     *item
	serial uint64
}

// deleted is a deletion. It is over when it is no longer the newest change of the item.
type deleted struct {
	it       *item
	revision uint64
}

// over reports whether the item has changed since or was purged.
func (d deleted) over() bool {
	return d.it.entry.Revision != d.revision || d.it.sp.items[d.it.entry.Key] != d.it
}

// newBook returns an empty book. It continues the numbers of the book before, which may be nil, because the full-text index
// knows them.
func newBook(o *Options, before *book) *book {
	b := &book{o: o, spaces: map[string]*space{}, docs: map[int64]*item{}}
	if before != nil {
		b.spaced, b.doc, b.serial = before.spaced, before.doc, before.serial
	}
	return b
}

func byKey(a, b *item) bool { return a.entry.Key < b.entry.Key }

// probe returns an item to search the tree for a key with.
func probe(key string) *item { return &item{entry: &wire.MemoryEntry{Key: key}} }

// space returns a namespace, and makes it if there is none.
func (b *book) space(name string) *space {
	sp := b.spaces[name]
	if sp == nil {
		b.spaced++
		sp = &space{name: name, token: "s" + strconv.Itoa(b.spaced), items: map[string]*item{}, live: btree.NewG(32, byKey),
			watches: map[*Watch]struct{}{}, reserved: map[string]reserved{}}
		b.spaces[name] = sp
	}
	return sp
}

// used reports whether a namespace holds something or is about to. A namespace that is not used may still have watches or
// history.
func (b *book) used(name string) bool {
	sp := b.spaces[name]
	return sp != nil && (sp.live.Len() > 0 || len(sp.reserved) > 0)
}

func (b *book) countUsed() (n int) {
	for name := range b.spaces {
		if b.used(name) {
			n++
		}
	}
	return n
}

// tidy removes a namespace without items, watches and reservations.
func (b *book) tidy(sp *space) {
	if len(sp.items) == 0 && len(sp.watches) == 0 && len(sp.reserved) == 0 {
		delete(b.spaces, sp.name)
	}
}

// item returns the item of a key, which may be deleted. It returns nil if there was none or it was purged.
func (b *book) item(namespace, key string) *item {
	if sp := b.spaces[namespace]; sp != nil {
		return sp.items[key]
	}
	return nil
}

// find returns the item of a key, or nil if there is none or it is deleted.
func (b *book) find(namespace, key string) *item {
	if it := b.item(namespace, key); it != nil && !it.gone {
		return it
	}
	return nil
}

// apply makes a change. While the book is being made, whole is false, and the change is the newest one that the log has of
// its key.
func (b *book) apply(e *wire.MemoryEntry, whole bool) {
	if e.Revision <= b.applied { // the log is read again from a little before
		return
	}
	b.applied = e.Revision
	sp := b.space(e.Namespace)
	sp.revision, sp.updated = e.Revision, e.UpdatedAt
	e.Namespace = sp.name // all entries share one string
	it := sp.items[e.Key]
	if it == nil {
		b.doc++
		it = &item{sp: sp, due: -1, doc: b.doc, gone: true}
		sp.items[e.Key], b.docs[it.doc] = it, it
	} else {
		e.Key = it.entry.Key
		b.take(it)
	}
	b.set(it, e)
	it.unnoted++
	if !whole {
		it.unnoted = wire.MemoryHistory
	}
	sp.release(e.Key)
	b.soil(it)
	for w := range sp.watches {
		w.offer(e)
	}
}

// set gives an item its new entry.
func (b *book) set(it *item, e *wire.MemoryEntry) {
	it.entry, it.gone, it.held = e, e.Deleted, true
	switch {
	case e.Deleted:
		b.deleted = append(b.deleted, deleted{it, e.Revision})
		return
	case b.held+int64(e.Size) > b.o.Cache && e.Size > 0:
		it.entry, it.held = bare(e), false
	default:
		b.held += int64(e.Size)
	}
	it.sp.live.ReplaceOrInsert(it)
	it.sp.bytes += int64(e.Size)
	if e.ExpiresAt != nil {
		heap.Push(&b.due, it)
	}
}

// take removes an item from the live ones.
func (b *book) take(it *item) {
	if it.due >= 0 {
		heap.Remove(&b.due, it.due)
	}
	if it.gone {
		return
	}
	it.gone = true
	it.sp.live.Delete(it)
	it.sp.bytes -= int64(it.entry.Size)
	if it.held {
		b.held -= int64(it.entry.Size)
		it.entry, it.held = bare(it.entry), false
	}
}

// hold keeps a value that was read from the log in memory if there is room.
func (b *book) hold(it *item, e *wire.MemoryEntry) {
	if !it.gone && !it.held && it.entry.Revision == e.Revision && b.held+int64(e.Size) <= b.o.Cache {
		it.entry, it.held = e, true
		b.held += int64(e.Size)
	}
}

// expire removes the items that have expired. The sweeper writes their deletions to the log later.
func (b *book) expire(now time.Time) {
	for !b.due.next().After(now) {
		it := b.due[0]
		b.take(it)
		b.expired = append(b.expired, it)
		b.soil(it)
	}
}

// soil makes the indexer read an item again.
func (b *book) soil(it *item) {
	if !it.dirty && (!it.gone || it.indexed) {
		b.serial++
		it.dirty = true
		b.dirty = append(b.dirty, dirt{it, b.serial})
	}
}

// purge removes entries that were deleted long ago. It returns false if the book missed the purge before this one. While the
// book is being made, whole is false, and earlier purges do not matter.
func (b *book) purge(revision, horizon, before uint64, keys []wire.MemoryKeyParams, whole bool) bool {
	if whole && before != b.purged {
		return false
	}
	b.applied, b.purged, b.horizon = max(b.applied, revision), revision, max(b.horizon, horizon)
	for _, k := range keys {
		sp := b.spaces[k.Namespace]
		if sp == nil || k.IfRevision == nil {
			continue
		}
		if it := sp.items[k.Key]; it != nil && it.entry.Revision <= *k.IfRevision {
			b.take(it)
			delete(sp.items, k.Key)
			delete(b.docs, it.doc)
			b.tidy(sp)
		}
	}
	for _, sp := range b.spaces {
		for w := range sp.watches {
			w.pass(revision)
		}
	}
	return true
}

// bare returns an entry without its value.
func bare(e *wire.MemoryEntry) *wire.MemoryEntry {
	c := *e
	c.Value = wire.Payload{}
	return &c
}

// dueHeap is ordered by the time of expiry, the earliest first.
type dueHeap []*item

// never is later than anything expires.
var never = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// next returns when the first item expires.
func (h dueHeap) next() time.Time {
	if len(h) == 0 {
		return never
	}
	return *h[0].entry.ExpiresAt
}

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].entry.ExpiresAt.Before(*h[j].entry.ExpiresAt) }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i]; h[i].due, h[j].due = i, j }
func (h *dueHeap) Push(x any)        { it := x.(*item); it.due = len(*h); *h = append(*h, it) }
func (h *dueHeap) Pop() any {
	old := *h
	it := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	it.due = -1
	return it
}
