package memory_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/memory"
	"skein.dev/skein/webtransport/wire"
)

// watched reads a watch and checks its order.
type watched struct {
	t      *testing.T
	w      *memory.Watch
	res    wire.MemoryWatchResult
	cursor uint64
	seen   []wire.MemoryEntry
}

func (n *node) watch(t *testing.T, p wire.MemoryWatchParams) *watched {
	t.Helper()
	w, res, err := n.Memory.Watch(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	s := &watched{t: t, w: w, res: res}
	if res.Recovered {
		s.cursor = p.After
	}
	return s
}

// next reads one update.
func (s *watched) next() wire.MemoryUpdate {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), kit.Patience)
	defer cancel()
	u, err := s.w.Next(ctx)
	if err != nil {
		s.t.Fatalf("after %d entries: %v", len(s.seen), err)
	}
	for _, e := range u.Entries {
		if e.Revision <= s.cursor {
			s.t.Fatalf("revision %d comes after %d", e.Revision, s.cursor)
		}
		s.cursor = e.Revision
	}
	if u.Cursor < s.cursor {
		s.t.Fatalf("the cursor is %d after revision %d", u.Cursor, s.cursor)
	}
	s.cursor = u.Cursor
	s.seen = append(s.seen, u.Entries...)
	return u
}

// until reads up to a revision.
func (s *watched) until(revision uint64) *watched {
	s.t.Helper()
	for s.cursor < revision {
		s.next()
	}
	return s
}

// state returns the entries after applying all updates that were seen.
func (s *watched) state() map[string]string {
	m := map[string]string{}
	for _, e := range s.seen {
		if e.Deleted {
			delete(m, e.Key)
		} else {
			m[e.Key] = string(e.Value.Bytes())
		}
	}
	return m
}

// state returns the entries that exist.
func (n *node) state(t *testing.T, ns string) map[string]string {
	t.Helper()
	m := map[string]string{}
	for p := (wire.MemoryListParams{Namespace: ns, Values: true}); ; {
		l, err := n.Memory.List(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range l.Entries {
			m[e.Key] = string(e.Value.Bytes())
		}
		if p.After = l.Next; p.After == "" {
			return m
		}
	}
}

func TestMemoryWatchMissesNothing(t *testing.T) {
	n := openMemory(t)
	const writers, each = 8, 60
	for i := range 20 {
		n.put(t, "n", fmt.Sprint("before ", i), "x")
	}
	written := make([][]uint64, writers)
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				written[w] = append(written[w], n.put(t, "n", fmt.Sprintf("%d %d", w, i), "x").Revision)
				if i%10 == 0 {
					n.put(t, "other", "k", "x")
				}
			}
		})
	}
	var watches []*watched
	var readers sync.WaitGroup
	for range 3 { // watches that begin at different moments
		s := n.watch(t, wire.MemoryWatchParams{Namespace: "n"})
		watches = append(watches, s)
		readers.Go(func() {
			for len(s.seen) < 20+writers*each {
				s.next()
			}
		})
		time.Sleep(20 * time.Millisecond)
	}
	all.Wait()
	readers.Wait()
	for _, s := range watches {
		seen := map[uint64]bool{}
		for _, e := range s.seen {
			seen[e.Revision] = true
			if e.Namespace != "n" || e.Value.Text != "" {
				t.Errorf("%+v", e)
			}
		}
		for _, rev := range slices.Concat(written...) {
			if !seen[rev] {
				t.Errorf("revision %d was missed", rev)
			}
		}
	}
}

func TestMemoryWatchEndsWithWhatIsThere(t *testing.T) {
	n := openMemory(t)
	s := n.watch(t, wire.MemoryWatchParams{Namespace: "n", Values: true})
	writes, keys := kit.Less(150, 40), kit.Less(5, 3)
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			for i := range writes { // of few keys, over and over, so that history drops some
				k := fmt.Sprint((w + i) % keys)
				if i%7 == 6 {
					if _, err := n.Memory.Delete(t.Context(), me, key("n", k)); err != nil {
						t.Error(err)
					}
				} else {
					n.put(t, "n", k, fmt.Sprint(w, " ", i))
				}
			}
		})
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		all.Wait()
		n.put(t, "n", "last", "x")
	}()
	for len(s.seen) == 0 || s.seen[len(s.seen)-1].Key != "last" {
		s.next()
	}
	<-done
	if got, want := s.state(), n.state(t, "n"); !maps.Equal(got, want) {
		t.Errorf("the watcher knows %v, there is %v", got, want)
	}
}

func TestMemoryASlowWatcherReadsTheLog(t *testing.T) {
	n := openMemory(t)
	n.put(t, "n", "first", "x")
	s := n.watch(t, wire.MemoryWatchParams{Namespace: "n", Prefix: "k", Values: true})
	quiet := n.watch(t, wire.MemoryWatchParams{Namespace: "quiet"})
	s.next()
	quiet.next()
	const many = 1200 // more than any queue holds
	var set wire.MemorySetManyParams
	var want []string
	var last uint64
	for i := range many {
		set.Entries = append(set.Entries, value("n", fmt.Sprintf("k%04d", i), strings.Repeat("v", 100)), value("n", fmt.Sprintf("other%04d", i), ""))
		if len(set.Entries) >= wire.MaxMemoryBulk {
			res, err := n.Memory.SetMany(t.Context(), me, set)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range res.Results {
				if r.Entry == nil {
					t.Fatal(r.Error)
				}
				last = max(last, r.Entry.Revision)
			}
			set.Entries = nil
		}
		want = append(want, fmt.Sprintf("k%04d", i))
	}
	if res, err := n.Memory.SetMany(t.Context(), me, set); err != nil || res.Results[0].Entry == nil {
		t.Fatal(err)
	}
	if held := s.w.Queued(); held > 256 {
		t.Errorf("%d changes wait for the watcher", held)
	}
	for len(s.seen) < many {
		s.next()
	}
	got := s.state()
	for _, k := range want {
		if len(got[k]) != 100 {
			t.Fatalf("%s is missing", k)
		}
	}
	if len(got) != many {
		t.Errorf("%d entries, want %d", len(got), many)
	}
	// And it continues with new changes.
	e := n.put(t, "n", "k-new", "x")
	if u := s.until(e.Revision).seen; u[len(u)-1].Key != "k-new" {
		t.Errorf("%+v", u[len(u)-1])
	}
}

func TestMemoryWatchGoesOnAtItsCursor(t *testing.T) {
	n := openMemory(t)
	for i := range 10 {
		n.put(t, "n", fmt.Sprint(i), "1")
	}
	s := n.watch(t, wire.MemoryWatchParams{Namespace: "n", Values: true})
	if s.next(); len(s.seen) != 10 || !s.res.Recovered {
		t.Fatalf("%d entries, %+v", len(s.seen), s.res)
	}
	two := n.put(t, "n", "3", "2")
	s.until(two.Revision)
	// Changes while nobody watches come later, each step of them.
	n.put(t, "n", "3", "3")
	n.put(t, "n", "3", "4")
	if _, err := n.Memory.Delete(t.Context(), me, key("n", "5")); err != nil {
		t.Fatal(err)
	}
	last := n.put(t, "n", "new", "x")
	check := func(n *node) {
		t.Helper()
		again := n.watch(t, wire.MemoryWatchParams{Namespace: "n", After: s.cursor, Epoch: s.res.Epoch, Values: true})
		again.until(last.Revision)
		var got []string
		for _, e := range again.seen {
			got = append(got, fmt.Sprint(e.Key, "=", e.Value.Text, " ", e.Deleted))
		}
		if strings.Join(got, ", ") != "3=3 false, 3=4 false, 5= true, new=x false" || !again.res.Recovered {
			t.Errorf("%s, %+v", got, again.res)
		}
		e := n.put(t, "n", "live", "x")
		if again.until(e.Revision); again.seen[4].Key != "live" {
			t.Errorf("%+v", again.seen)
		}
		last = e
	}
	check(n)
	cursor := n.watchCursor(t)
	for _, v := range []string{"5", "6"} {
		n.put(t, "n", "3", v)
	}
	if _, err := n.Memory.Delete(t.Context(), me, key("n", "6")); err != nil {
		t.Fatal(err)
	}
	n = n.reopen(t)
	last = n.put(t, "n", "new", "x")
	again := n.watch(t, wire.MemoryWatchParams{Namespace: "n", After: cursor, Epoch: s.res.Epoch})
	if again.until(last.Revision); len(again.seen) != 4 || !again.seen[2].Deleted || !again.res.Recovered {
		t.Errorf("after a restart: %+v, %+v", again.res, again.seen)
	}

	for name, p := range map[string]wire.MemoryWatchParams{
		"another epoch":   {Namespace: "n", After: cursor, Epoch: "m0"},
		"from the future": {Namespace: "n", After: last.Revision + 1000},
	} {
		s := n.watch(t, p)
		if s.next(); s.res.Recovered || len(s.seen) != len(n.state(t, "n")) {
			t.Errorf("%s: %+v with %d entries", name, s.res, len(s.seen))
		}
	}
}

// watchCursor returns the cursor of a watch that has everything.
func (n *node) watchCursor(t *testing.T) uint64 {
	t.Helper()
	s := n.watch(t, wire.MemoryWatchParams{Namespace: "n"})
	s.next()
	return s.cursor
}

func TestMemoryWatchTellsOfExpiry(t *testing.T) {
	n := openMemory(t)
	s := n.watch(t, wire.MemoryWatchParams{Namespace: "n"})
	if u := s.next(); len(u.Entries) != 0 {
		t.Errorf("%+v", u)
	}
	if _, err := n.Memory.Store(t.Context(), me, brief("n", "k", "x", 50*time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	for len(s.seen) < 2 {
		s.next()
	}
	if e := s.seen[1]; !e.Deleted || e.ExpiresAt == nil || e.Previous != s.seen[0].Revision {
		t.Errorf("%+v", e)
	}
}

func TestMemoryWatchOfLargeValuesFitsMessages(t *testing.T) {
	n := openMemory(t, memory.Options{Cache: 2 * wire.MaxMemoryValue})
	for i := range 6 {
		n.put(t, "n", fmt.Sprint(i), strings.Repeat(fmt.Sprint(i), wire.MaxMemoryValue))
	}
	s := n.watch(t, wire.MemoryWatchParams{Namespace: "n", Values: true})
	old := n.watch(t, wire.MemoryWatchParams{Namespace: "n", Values: true, After: 1})
	for _, s := range []*watched{s, old} {
		for len(s.state()) < 5 {
			fitsAMessage(t, s.next())
		}
		if v := s.state()["4"]; v != strings.Repeat("4", wire.MaxMemoryValue) {
			t.Errorf("%.10q", v)
		}
	}
}

func TestMemoryWatchLimits(t *testing.T) {
	n := openMemory(t)
	_, _, err := n.Memory.Watch(wire.MemoryWatchParams{Namespace: "N"})
	kit.Refused(t, err, wire.CodeInvalidParams, "namespace")
	_, _, err = n.Memory.Watch(wire.MemoryWatchParams{Namespace: "n", Prefix: strings.Repeat("x", 1000)})
	kit.Refused(t, err, wire.CodeTooLarge, "prefix")
	s := n.watch(t, wire.MemoryWatchParams{Namespace: "n"})
	s.next()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.w.Next(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, io.EOF) {
		t.Error(err)
	}
}
