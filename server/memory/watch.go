package memory

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"skein.dev/skein/webtransport/wire"
)

const (
	// watchQueue and watchBytes bound the changes that wait for a watcher. If there are more, it reads them from the log at
	// its own pace.
	watchQueue = 256
	watchBytes = 1 << 20
	// watchPage bounds the entries of one update, and of one read of the log.
	watchPage = 500
)

// Watch returns the changes of a namespace in the order of their revisions, each exactly once. It begins with the present
// entries, or in the log after a cursor, and continues with new changes. It is for use by one goroutine.
type Watch struct {
	// static
	m      *Memory
	b      *book // the watch ends when Memory has another one
	sp     *space
	prefix string
	values bool
	upTo   uint64        // the revision of the book when the watch began
	news   chan struct{} // receives a value when Next may find something

	// owned by Next
	start   []started           // the present entries that are yet to be sent; later changes are in the queue or the log
	sorted  bool                // start is in the order of revisions
	loading bool                // start is not at its end
	pending []*wire.MemoryEntry // to be returned next; their values may have to be read
	cursor  uint64              // everything up to here was returned or is pending
	tell    bool                // the cursor is to be reported, even without entries

	// guarded by Memory.mu
	live   bool                // changes go into the queue; otherwise Next reads the log
	queue  []*wire.MemoryEntry // at most watchQueue of them
	bytes  int                 // of the values in the queue
	passed uint64              // nothing up to here is missing if the queue is empty
}

// started is an entry that was there when a watch began.
type started struct {
	it       *item
	revision uint64
}

// Watch begins a watch. The caller fills in MemoryWatchResult.Watch, and ends the watch with Close.
func (m *Memory) Watch(p wire.MemoryWatchParams) (*Watch, wire.MemoryWatchResult, error) {
	res := wire.MemoryWatchResult{Epoch: m.epoch, Recovered: true}
	if err := checkNamespace(p.Namespace); err != nil {
		return nil, res, err
	}
	if len(p.Prefix) > wire.MaxMemoryKey {
		return nil, res, wire.Errorf(wire.CodeTooLarge, "the prefix has %d bytes; a key has %d at most", len(p.Prefix), wire.MaxMemoryKey).WithField("prefix")
	}
	m.read()
	m.mu.RUnlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.book
	w := &Watch{m: m, b: b, sp: b.space(p.Namespace), prefix: p.Prefix, values: p.Values, upTo: b.applied, cursor: p.After, news: make(chan struct{}, 1)}
	if p.After > 0 && (p.Epoch != "" && p.Epoch != m.epoch || p.After > b.applied || p.After < b.horizon) {
		// A cursor of another log means nothing in this one, and deletions after an old cursor may be purged: start over.
		res.Recovered, w.cursor = false, 0
	}
	if w.cursor == 0 {
		w.loading, w.live = true, true
		w.start = w.sp.started(p.Prefix)
	}
	w.sp.watches[w] = struct{}{}
	return w, res, nil
}

// started returns the present entries, ordered by key.
func (sp *space) started(prefix string) (all []started) {
	sp.live.AscendGreaterOrEqual(probe(prefix), func(it *item) bool {
		if !strings.HasPrefix(it.entry.Key, prefix) {
			return false
		}
		all = append(all, started{it, it.entry.Revision})
		return true
	})
	return all
}

// Close ends the watch.
func (w *Watch) Close() {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	delete(w.sp.watches, w)
	w.b.tidy(w.sp)
}

// kick wakes Next.
func (w *Watch) kick() {
	select {
	case w.news <- struct{}{}:
	default:
	}
}

// offer queues a change. The caller holds Memory.mu.
func (w *Watch) offer(e *wire.MemoryEntry) {
	if !w.live {
		w.kick() // there is more in the log
		return
	}
	if !strings.HasPrefix(e.Key, w.prefix) {
		return
	}
	w.kick()
	if !w.values {
		e = bare(e)
	}
	size := len(e.Value.Text) + len(e.Value.Base64)
	if len(w.queue) == watchQueue || len(w.queue) > 0 && w.bytes+size > watchBytes {
		w.live, w.queue, w.bytes = false, nil, 0
		return
	}
	w.queue = append(w.queue, e)
	w.bytes += size
}

// pass notes that a watch with an empty queue has missed nothing up to a revision, so that its cursor does not become too
// old while nothing changes. The caller holds Memory.mu.
func (w *Watch) pass(revision uint64) {
	if w.live && len(w.queue) == 0 {
		w.passed = revision
		w.kick()
	}
}

// loseWatches ends every watch. The caller holds Memory.mu.
func (b *book) loseWatches() {
	for _, sp := range b.spaces {
		for w := range sp.watches {
			w.kick()
		}
	}
}

// Next waits for the next update. After the last of the entries that were present when the watch began, an update without
// entries follows, or the cursor of the last update shows that they are complete. Next returns io.EOF when the watch has
// ended; another one can continue at the cursor.
func (w *Watch) Next(ctx context.Context) (wire.MemoryUpdate, error) {
	for {
		if len(w.pending) > 0 || w.tell {
			return w.give(ctx)
		}
		idle, err := w.fill(ctx)
		if err != nil {
			return wire.MemoryUpdate{}, err
		}
		if !idle {
			continue
		}
		select {
		case <-w.news:
		case <-ctx.Done():
			return wire.MemoryUpdate{}, ctx.Err()
		}
	}
}

// give returns as many pending entries as fit into a message.
func (w *Watch) give(ctx context.Context) (wire.MemoryUpdate, error) {
	u := wire.MemoryUpdate{Entries: []wire.MemoryEntry{}}
	room := answerBudget
	for len(w.pending) > 0 && len(u.Entries) < watchPage {
		e := w.pending[0]
		if w.values && e.Size > 0 && !e.Deleted && len(e.Value.Text)+len(e.Value.Base64) == 0 {
			full, err := w.m.withValue(ctx, e)
			if errors.Is(err, errNotFound) { // it has changed so often since that history has dropped it
				w.pending = w.pending[1:]
				continue
			}
			if err != nil {
				return u, err
			}
			e = full
		}
		if room -= e.EncodedLen() + 1; room < 0 && len(u.Entries) > 0 {
			break
		}
		u.Entries, u.Cursor = append(u.Entries, *e), e.Revision
		w.pending = w.pending[1:]
	}
	if len(w.pending) == 0 {
		u.Cursor, w.pending, w.tell = w.cursor, nil, false
	}
	return u, nil
}

// fill finds the entries to return next. It reports idle if there are none now.
func (w *Watch) fill(ctx context.Context) (idle bool, err error) {
	if !w.sorted { // not under Memory.mu, where everything else would wait
		slices.SortFunc(w.start, func(a, b started) int { return cmp.Compare(a.revision, b.revision) })
		w.sorted = true
	}
	w.m.mu.Lock()
	if w.m.book != w.b {
		w.m.mu.Unlock()
		return false, io.EOF
	}
	if w.loading {
		w.fillStart()
		w.m.mu.Unlock()
		return false, nil
	}
	last := w.sp.revision
	w.live = w.live || last <= w.cursor
	if w.live {
		idle = !w.fillQueued()
		w.m.mu.Unlock()
		return idle, nil
	}
	old := w.cursor < w.b.horizon
	w.m.mu.Unlock()
	if old { // a deletion may be gone
		return false, io.EOF
	}
	return false, w.fillLogged(ctx, last)
}

// fillStart takes a page of the entries that were present at the beginning. It leaves out those that have changed since,
// which come later. The caller holds Memory.mu.
func (w *Watch) fillStart() {
	n := min(len(w.start), watchPage)
	for _, s := range w.start[:n] {
		w.cursor = s.revision
		if !s.it.gone && s.it.entry.Revision == s.revision {
			e := s.it.entry
			if !w.values {
				e = bare(e)
			}
			w.pending = append(w.pending, e)
		}
	}
	if w.start = w.start[n:]; len(w.start) == 0 {
		w.start, w.loading, w.cursor, w.tell = nil, false, w.upTo, true
	}
}

// fillQueued takes the queue. It returns false if there is nothing to report. The caller holds Memory.mu.
func (w *Watch) fillQueued() bool {
	w.pending, w.queue, w.bytes = w.queue, nil, 0
	if n := len(w.pending); n > 0 {
		w.cursor = w.pending[n-1].Revision
		return true
	}
	if w.passed > w.cursor {
		w.cursor, w.tell = w.passed, true
		return true
	}
	return false
}

// fillLogged reads a page of the log, up to the last change of the namespace.
func (w *Watch) fillLogged(ctx context.Context, last uint64) error {
	page, err := w.m.store.MemorySince(ctx, w.sp.name, "", w.cursor, watchPage)
	if err != nil {
		return err
	}
	for _, e := range page {
		if e.Revision > last { // the book does not have it yet
			w.cursor = last
			return nil
		}
		w.cursor = e.Revision
		if strings.HasPrefix(e.Key, w.prefix) {
			if !w.values {
				e = bare(e)
			}
			w.pending = append(w.pending, e)
		}
	}
	if len(page) == 0 {
		w.cursor = last
	}
	return nil
}
