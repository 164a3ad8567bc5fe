package jet

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/webtransport/wire"
)

func put(t testing.TB, s *Store, ns, key, value string, expect uint64, idempotencyKey string) (uint64, error) {
	t.Helper()
	return s.PutMemory(context.Background(), &wire.MemoryEntry{Namespace: ns, Key: key, Value: wire.Payload{Text: value}}, expect, idempotencyKey)
}

func mustPut(t testing.TB, s *Store, ns, key, value string, expect uint64, idempotencyKey string) uint64 {
	t.Helper()
	rev, err := put(t, s, ns, key, value, expect, idempotencyKey)
	if err != nil {
		t.Fatal(err)
	}
	return rev
}

// followed collects the changes that a follower gets.
type followed struct {
	entries chan *wire.MemoryEntry
	keys    chan string
	purges  chan []wire.MemoryKeyParams
	ready   chan struct{}
	ended   chan error
}

func follow(t *testing.T, s *Store) *followed {
	t.Helper()
	f := &followed{make(chan *wire.MemoryEntry, 1<<14), make(chan string, 1<<14), make(chan []wire.MemoryKeyParams, 100), make(chan struct{}), make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		f.ended <- s.FollowMemory(ctx, func(e *wire.MemoryEntry, idempotencyKey string) { f.entries <- e; f.keys <- idempotencyKey },
			func(_, _, _ uint64, keys []wire.MemoryKeyParams) error { f.purges <- keys; return nil }, func() { close(f.ready) })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-f.ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the following ended with %v", err)
		}
	})
	select {
	case <-f.ready:
	case err := <-f.ended:
		f.ended <- context.Canceled
		t.Fatal(err)
	case <-time.After(kit.Patience):
		t.Fatal("not ready")
	}
	return f
}

func (f *followed) next(t *testing.T) *wire.MemoryEntry {
	t.Helper()
	return kit.Receive(t, "an entry", f.entries)
}

func TestMemoryIsFollowedFromTheNewestEntriesOn(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	empty := follow(t, s)
	keys := kit.Less(3000, 600)
	last := map[string]uint64{}
	for round := range 2 {
		for i := range keys {
			k := fmt.Sprintf("key %d", i)
			last[k] = mustPut(t, s, "n.s", k, fmt.Sprint(round), last[k], "")
		}
	}
	for i := range 2 * keys {
		if e := empty.next(t); e.Revision != uint64(i+1) {
			t.Fatalf("revision %d came as number %d", e.Revision, i+1)
		}
	}
	epoch := s.MemoryEpoch()

	s2 := open(t, t.TempDir())
	if s2.MemoryEpoch() == epoch {
		t.Error("two streams have one epoch")
	}

	f := follow(t, s)
	if n := len(f.entries); n != keys {
		t.Errorf("%d entries were there when it was ready, want %d", n, keys)
	}
	for i := range keys {
		e := f.next(t)
		if e.Namespace != "n.s" || e.Key != fmt.Sprintf("key %d", i) || e.Value.Text != "1" || e.Revision != last[e.Key] {
			t.Fatalf("entry %d is %+v", i, e)
		}
	}
	rev := mustPut(t, s, "other", "new", "x", 0, "mark")
	if e := f.next(t); e.Revision != rev || e.Key != "new" {
		t.Errorf("%+v comes after a change with revision %d", e, rev)
	}
}

func TestMemoryComparesAndSets(t *testing.T) {
	s := open(t, t.TempDir())
	first := mustPut(t, s, "n", "k", "1", 0, "one")
	rev, err := put(t, s, "n", "k", "2", 0, "")
	if !errors.Is(err, wire.Errorf(wire.CodeConflict, "")) || rev != first {
		t.Errorf("%d, %v; want a conflict with %d", rev, err, first)
	}
	second := mustPut(t, s, "n", "k", "2", first, "two")
	if again := mustPut(t, s, "n", "k", "2", second, "two"); again != second {
		t.Errorf("a repeated change has revision %d, the first had %d", again, second)
	}
	all, err := s.MemorySince(t.Context(), "n", "k", 0, 100)
	if err != nil || len(all) != 2 || all[1].Value.Text != "2" {
		t.Errorf("%d entries, %v; want 2", len(all), err)
	}
	if e, err := s.MemoryAt(t.Context(), first); err != nil || e.Value.Text != "1" || e.Revision != first {
		t.Errorf("%+v, %v", e, err)
	}
	if _, err := s.MemoryAt(t.Context(), 999); !errors.Is(err, wire.Errorf(wire.CodeNotFound, "")) {
		t.Error(err)
	}
}

func TestMemoryHistoryIsBounded(t *testing.T) {
	s := open(t, t.TempDir())
	var rev uint64
	for i := range wire.MemoryHistory + 5 {
		rev = mustPut(t, s, "n", "k", fmt.Sprint(i), rev, "")
		mustPut(t, s, "n2", fmt.Sprint(i), "x", 0, "")
	}
	all, err := s.MemorySince(t.Context(), "n", "", 0, 100)
	if err != nil || len(all) != wire.MemoryHistory || all[0].Value.Text != "5" {
		t.Errorf("%d entries, %v; want %d", len(all), err, wire.MemoryHistory)
	}
}

func TestMemoryPurges(t *testing.T) {
	s := open(t, t.TempDir())
	a := mustPut(t, s, "n", "a", "1", 0, "")
	gone := mustPut(t, s, "n", "a", "", a, "")
	stays := mustPut(t, s, "n", "a", "back", gone, "")
	b := mustPut(t, s, "n", "b", "1", 0, "")
	f := follow(t, s)
	keys := []wire.MemoryKeyParams{{Namespace: "n", Key: "a", IfRevision: &gone}, {Namespace: "n", Key: "b", IfRevision: &b}}
	if _, err := s.AnnouncePurge(t.Context(), b, 0, keys); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AnnouncePurge(t.Context(), b, 0, keys); !errors.Is(err, wire.Errorf(wire.CodeConflict, "")) {
		t.Errorf("the second announcement: %v", err)
	}
	if got := kit.Receive(t, "the announcement", f.purges); len(got) != 2 || *got[0].IfRevision != gone || got[1].Key != "b" {
		t.Errorf("announced %+v", got)
	}
	for _, k := range keys {
		if err := s.PurgeMemory(t.Context(), k.Namespace, k.Key, *k.IfRevision); err != nil {
			t.Fatal(err)
		}
	}
	all, err := s.MemorySince(t.Context(), "n", "", 0, 100)
	if err != nil || len(all) != 1 || all[0].Revision != stays {
		t.Errorf("%d entries are left, %v", len(all), err)
	}
	mustPut(t, s, "n", "b", "anew", 0, "")
}

func TestIdempotencyKeysOutliveTheStore(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	none := func(string, uint64, uint64) { t.Error("an idempotency key in an empty stream") }
	if err := s.IdempotencyKeys(t.Context(), time.Time{}, 100, none); err != nil {
		t.Fatal(err)
	}
	var rev uint64
	for i := range 10 {
		rev = mustPut(t, s, "n", "k", fmt.Sprint(i), rev, fmt.Sprint("m", i))
	}
	s.Close()
	s = open(t, dir)
	got := map[string]uint64{}
	collect := func(idempotencyKey string, rev, _ uint64) { got[idempotencyKey] = rev }
	if err := s.IdempotencyKeys(t.Context(), time.Now().Add(-time.Minute), 100, collect); err != nil || len(got) != 10 || got["m9"] != rev {
		t.Errorf("%v, %v", got, err)
	}
	clear(got)
	if err := s.IdempotencyKeys(t.Context(), time.Now().Add(-time.Minute), 3, collect); err != nil || len(got) != 3 || got["m9"] != rev {
		t.Errorf("of the newest three: %v, %v", got, err)
	}
	clear(got)
	if err := s.IdempotencyKeys(t.Context(), time.Now().Add(time.Minute), 100, collect); err != nil || len(got) != 0 {
		t.Errorf("of the future: %v, %v", got, err)
	}
}

func BenchmarkPutMemory(b *testing.B) {
	s := open(b, b.TempDir())
	b.Run("one", func(b *testing.B) {
		for i := range b.N {
			mustPut(b, s, "one", fmt.Sprint(b.N, " ", i), "a value of some length", 0, "")
		}
	})
	b.Run("64 at once", func(b *testing.B) {
		b.SetParallelism(32)
		b.RunParallel(func(p *testing.PB) {
			id := fmt.Sprintf("%d %p", b.N, p)
			for i := 0; p.Next(); i++ {
				mustPut(b, s, "many", fmt.Sprint(id, i), "a value of some length", 0, "")
			}
		})
	})
}

func TestMemorySkipsWhatIsNoEntry(t *testing.T) {
	s := open(t, t.TempDir())
	mustPut(t, s, "n", "before", "1", 0, "")
	for _, subject := range []string{"mem.n.junk", "mem.n.=zz", "mem.n", "mem.a.b.c"} {
		if _, err := s.records.js.Publish(t.Context(), subject, []byte("junk")); err != nil {
			t.Fatal(err)
		}
	}
	mustPut(t, s, "n", "after", "2", 0, "")
	f := follow(t, s)
	for _, want := range []string{"before", "after"} {
		if e := f.next(t); e.Key != want {
			t.Errorf("%+v, want %s", e, want)
		}
	}
	for after, want := range []string{"before", "after"} {
		if all, err := s.MemorySince(t.Context(), "n", "", uint64(after), 1); err != nil || len(all) != 1 || all[0].Key != want {
			t.Errorf("%+v, %v", all, err)
		}
	}
}
