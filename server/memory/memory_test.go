package memory_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/jet"
	"skein.dev/skein/server/memory"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

var me = noun.Caller{Actor: "tester"}

// node is memory with its own store.
type node struct {
	*memory.Memory
	store *jet.Store
	dir   string
}

// openOn opens memory, with at most one set of options.
func openOn(t testing.TB, c jet.Config, o ...memory.Options) *node {
	t.Helper()
	store, err := jet.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	o = append(o, memory.Options{})
	o[0].SearchDir, o[0].Timeout = filepath.Join(c.Dir, "search"), cmp.Or(o[0].Timeout, kit.Patience)
	m, err := memory.Open(t.Context(), store, o[0], slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	n := &node{m, store, c.Dir}
	t.Cleanup(n.close)
	return n
}

func openMemory(t testing.TB, o ...memory.Options) *node {
	t.Helper()
	return openOn(t, jet.Config{Dir: t.TempDir()}, o...)
}

func (n *node) close() {
	if n.Memory == nil {
		return
	}
	n.Memory.Close()
	n.store.Close()
	n.Memory = nil
}

// reopen closes a node properly, and opens another one on its data.
func (n *node) reopen(t *testing.T, o ...memory.Options) *node {
	t.Helper()
	n.close()
	return openOn(t, jet.Config{Dir: n.dir}, o...)
}

func key(ns, k string) wire.MemoryKeyParams { return wire.MemoryKeyParams{Namespace: ns, Key: k} }

func value(ns, k, v string) wire.MemoryStoreParams {
	return wire.MemoryStoreParams{Namespace: ns, Key: k, Value: wire.Payload{Text: v}}
}

func (n *node) put(t testing.TB, ns, k, v string) *wire.MemoryEntry {
	t.Helper()
	e, err := n.Memory.Store(t.Context(), me, value(ns, k, v))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func (n *node) get(t testing.TB, ns, k string) string {
	t.Helper()
	e, err := n.Memory.Retrieve(t.Context(), key(ns, k))
	if err != nil {
		t.Fatal(err)
	}
	return string(e.Value.Bytes())
}

// absent checks that an entry does not exist.
func (n *node) absent(t testing.TB, ns, k string) {
	t.Helper()
	_, err := n.Memory.Retrieve(t.Context(), key(ns, k))
	kit.Refused(t, err, wire.CodeNotFound, "key")
}

func TestMemoryKeepsWhatIsStored(t *testing.T) {
	n := openMemory(t)
	before := time.Now()
	first := n.put(t, "notes", "a key: with @ all *.> é", "value")
	binary := "\x00\xff\x01"
	if _, err := n.Memory.Store(t.Context(), me, wire.MemoryStoreParams{Namespace: "notes", Key: "binary", Value: wire.Payload{Base64: []byte(binary)}}); err != nil {
		t.Fatal(err)
	}
	n.put(t, "notes", "empty", "")
	n.put(t, "a.b", "k", "dots are part of a namespace")
	second := n.put(t, "notes", "a key: with @ all *.> é", "value 2")
	if first.Previous != 0 || second.Previous != first.Revision || second.Revision <= first.Revision || !second.CreatedAt.Equal(first.CreatedAt) ||
		!second.UpdatedAt.After(first.UpdatedAt) || first.CreatedAt.Before(before) || second.Writer != "tester" || second.Size != 7 || second.Value.Text != "" {
		t.Errorf("%+v, then %+v", first, second)
	}
	check := func(n *node) {
		t.Helper()
		for k, want := range map[string]string{"a key: with @ all *.> é": "value 2", "binary": binary, "empty": ""} {
			if got := n.get(t, "notes", k); got != want {
				t.Errorf("%q holds %q, want %q", k, got, want)
			}
		}
		e, err := n.Memory.Retrieve(t.Context(), key("notes", "binary"))
		if err != nil || e.ContentType != "application/octet-stream" {
			t.Errorf("%+v, %v", e, err)
		}
		n.absent(t, "a", "b.k")
		n.absent(t, "notes", "nothing")
		ns := n.Memory.Namespaces().Namespaces
		if len(ns) != 2 || ns[0].Name != "a.b" || ns[1].Keys != 3 || ns[1].Bytes != 10 || ns[1].MaxKeys != wire.MaxMemoryKeys || ns[1].Revision != second.Revision || !ns[1].UpdatedAt.Equal(second.UpdatedAt) {
			t.Errorf("%+v", ns)
		}
	}
	check(n)
	epoch := n.Memory.Epoch()
	n = n.reopen(t)
	check(n)
	if n.Memory.Epoch() != epoch {
		t.Errorf("the epoch was %s, and is %s after a restart", epoch, n.Memory.Epoch())
	}
}

func TestMemoryCompareAndSetLosesNoIncrement(t *testing.T) {
	n := openMemory(t)
	const workers, each = 16, 25
	var conflicts atomic.Int64
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for done := 0; done < each; {
				count, rev := 0, uint64(0)
				e, err := n.Memory.Retrieve(t.Context(), key("n", "counter"))
				if err == nil {
					count, _ = strconv.Atoi(e.Value.Text)
					rev = e.Revision
				}
				p := value("n", "counter", strconv.Itoa(count+1))
				p.IfRevision = &rev
				_, err = n.Memory.Store(t.Context(), me, p)
				var we *wire.Error
				switch {
				case err == nil:
					done++
				case errors.As(err, &we) && we.Code == wire.CodeConflict && we.Data.Entry != nil && we.Data.Entry.Revision > rev:
					conflicts.Add(1)
				default:
					t.Errorf("%v", err)
					return
				}
			}
		})
	}
	all.Wait()
	if got := n.get(t, "n", "counter"); got != strconv.Itoa(workers*each) {
		t.Errorf("%s after %d increments (%d conflicts)", got, workers*each, conflicts.Load())
	}
	if conflicts.Load() == 0 {
		t.Error("nobody met anybody: the test tests nothing")
	}
}

func TestMemoryCompareAndSetOfWhatIsAbsent(t *testing.T) {
	n := openMemory(t)
	create := value("n", "k", "1")
	create.IfRevision = new(uint64)
	var won atomic.Int64
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := n.Memory.Store(t.Context(), me, create); err == nil {
				won.Add(1)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d created one entry", won.Load())
	}
	_, err := n.Memory.Store(t.Context(), me, create)
	if e := kit.Refused(t, err, wire.CodeConflict, "if_revision"); e.Data.Entry == nil || e.Data.Entry.Value.Text != "1" {
		t.Errorf("the conflict does not show what is there: %+v", e.Data)
	}
	old := n.put(t, "n", "k", strings.Repeat("x", 20_000))
	_, err = n.Memory.Store(t.Context(), me, create)
	if e := kit.Refused(t, err, wire.CodeConflict, "if_revision"); e.Data.Entry == nil || e.Data.Entry.Value.Text != "" || e.Data.Entry.Size != 20_000 {
		t.Errorf("a large value goes with the conflict: %+v", e.Data)
	}
	del := key("n", "k")
	stale := old.Revision - 1
	del.IfRevision = &stale
	_, err = n.Memory.Delete(t.Context(), me, del)
	kit.Refused(t, err, wire.CodeConflict, "if_revision")
	del.IfRevision = &old.Revision
	res, err := n.Memory.Delete(t.Context(), me, del)
	if err != nil || !res.Deleted || res.Revision <= old.Revision {
		t.Errorf("%+v, %v", res, err)
	}
	n.absent(t, "n", "k")
	again, err := n.Memory.Delete(t.Context(), me, key("n", "k"))
	if err != nil || again.Deleted {
		t.Errorf("%+v, %v", again, err)
	}
	update := value("n", "k", "2")
	update.IfRevision = &res.Revision // the revision of the deletion, at which there is no entry
	_, err = n.Memory.Store(t.Context(), me, update)
	if e := kit.Refused(t, err, wire.CodeConflict, "if_revision"); e.Data.Entry != nil {
		t.Errorf("%+v", e.Data.Entry)
	}
	n = n.reopen(t)
	e, err := n.Memory.Store(t.Context(), me, create)
	if err != nil || e.Previous != 0 {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestMemoryHistory(t *testing.T) {
	n := openMemory(t)
	for i := range 5 {
		n.put(t, "n", "k", strconv.Itoa(i))
	}
	if _, err := n.Memory.Delete(t.Context(), noun.Caller{Actor: "other"}, key("n", "k")); err != nil {
		t.Fatal(err)
	}
	n.put(t, "n", "k", "anew")
	n = n.reopen(t)
	h, err := n.Memory.History(t.Context(), wire.MemoryHistoryParams{Namespace: "n", Key: "k"})
	if err != nil || len(h.Entries) != 7 || h.Next != 0 {
		t.Fatalf("%+v, %v", h, err)
	}
	if e := h.Entries[0]; e.Value.Text != "anew" || e.Previous != 0 {
		t.Errorf("the newest is %+v", e)
	}
	if e := h.Entries[1]; !e.Deleted || e.Writer != "other" || e.Previous != h.Entries[2].Revision {
		t.Errorf("the deletion is %+v", e)
	}
	for i, e := range h.Entries[2:] {
		if e.Value.Text != strconv.Itoa(4-i) || !e.CreatedAt.Equal(h.Entries[6].UpdatedAt) {
			t.Errorf("value %d is %+v", i, e)
		}
	}
	for i := range 2 * wire.MemoryHistory {
		n.put(t, "n", "k", strconv.Itoa(i))
	}
	h, err = n.Memory.History(t.Context(), wire.MemoryHistoryParams{Namespace: "n", Key: "k"})
	if err != nil || len(h.Entries) != wire.MemoryHistory || h.Entries[0].Value.Text != strconv.Itoa(2*wire.MemoryHistory-1) {
		t.Errorf("%d entries, %v", len(h.Entries), err)
	}
	_, err = n.Memory.History(t.Context(), wire.MemoryHistoryParams{Namespace: "n", Key: "other"})
	kit.Refused(t, err, wire.CodeNotFound, "key")
}

func TestMemoryHistoryOfLargeValuesComesInPages(t *testing.T) {
	n := openMemory(t)
	const many = 9 // one more than one read of the log returns
	for i := range many {
		n.put(t, "n", "k", strings.Repeat(fmt.Sprintf("%02d", i), wire.MaxMemoryValue/2))
	}
	want, pages := many-1, 1
	for p := (wire.MemoryHistoryParams{Namespace: "n", Key: "k"}); ; pages++ {
		h, err := n.Memory.History(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		fitsAMessage(t, h)
		for _, e := range h.Entries {
			if len(e.Value.Text) != wire.MaxMemoryValue || e.Value.Text[:2] != fmt.Sprintf("%02d", want) {
				t.Fatalf("%.10q…, want %d", e.Value.Text, want)
			}
			want--
		}
		if p.Before = h.Next; p.Before == 0 {
			break
		}
	}
	if want != -1 || pages < many/2 {
		t.Errorf("%d values did not come in %d pages", want+1, pages)
	}
}

func fitsAMessage(t *testing.T, v any) {
	t.Helper()
	b, err := wire.Encode(v)
	if err != nil || len(b) > wire.MaxMessage-1000 {
		t.Errorf("the answer has %d bytes, %v", len(b), err)
	}
}

func TestMemoryLimits(t *testing.T) {
	n := openMemory(t, memory.Options{MaxKeys: 10, MaxBytes: 1000, MaxNamespaces: 3})
	store := func(p wire.MemoryStoreParams) error { _, err := n.Memory.Store(t.Context(), me, p); return err }
	for name, c := range map[string]struct {
		p     wire.MemoryStoreParams
		code  wire.ErrorCode
		field string
	}{
		"a value":             {value("n", "k", strings.Repeat("x", wire.MaxMemoryValue+1)), wire.CodeTooLarge, "value"},
		"a key":               {value("n", strings.Repeat("k", wire.MaxMemoryKey+1), ""), wire.CodeTooLarge, "key"},
		"no key":              {value("n", "", ""), wire.CodeInvalidParams, "key"},
		"a control character": {value("n", "a\nb", ""), wire.CodeInvalidParams, "key"},
		"not UTF-8":           {value("n", "a\xff", ""), wire.CodeInvalidParams, "key"},
		"a namespace":         {value(strings.Repeat("n", wire.MaxMemoryNamespace+1), "k", ""), wire.CodeTooLarge, "namespace"},
		"no namespace":        {value("", "k", ""), wire.CodeInvalidParams, "namespace"},
		"upper case":          {value("Notes", "k", ""), wire.CodeInvalidParams, "namespace"},
		"a leading dot":       {value(".n", "k", ""), wire.CodeInvalidParams, "namespace"},
		"a negative ttl":      {wire.MemoryStoreParams{Namespace: "n", Key: "k", TTLMS: -1}, wire.CodeInvalidParams, "ttl"},
		"a long ttl":          {wire.MemoryStoreParams{Namespace: "n", Key: "k", TTLMS: wire.MaxMemoryTTL.Milliseconds() + 1}, wire.CodeInvalidParams, "ttl"},
		"a content type":      {wire.MemoryStoreParams{Namespace: "n", Key: "k", ContentType: strings.Repeat("x", 200)}, wire.CodeInvalidParams, "content_type"},
		"two values":          {wire.MemoryStoreParams{Namespace: "n", Key: "k", Value: wire.Payload{Text: "x", Base64: []byte("y")}}, wire.CodeInvalidParams, "value"},
	} {
		t.Run(name, func(t *testing.T) { kit.Refused(t, store(c.p), c.code, c.field) })
	}
	if ns := n.Memory.Namespaces().Namespaces; len(ns) != 0 {
		t.Fatalf("something was stored: %+v", ns)
	}

	// Concurrent writes reach a limit but never exceed it.
	var all sync.WaitGroup
	var stored, refusals atomic.Int64
	for i := range 40 {
		all.Go(func() {
			if err := store(value("keys", fmt.Sprint(i), "")); err == nil {
				stored.Add(1)
			} else {
				kit.Refused(t, err, wire.CodeExhausted, "key")
				refusals.Add(1)
			}
		})
	}
	all.Wait()
	if stored.Load() != 10 || refusals.Load() != 30 {
		t.Errorf("%d stored, %d refused; want 10 and 30", stored.Load(), refusals.Load())
	}
	for i := range 40 {
		all.Go(func() {
			if err := store(value("bytes", fmt.Sprint(i%10), strings.Repeat("x", 150))); err != nil {
				kit.Refused(t, err, wire.CodeExhausted, "value")
			}
		})
	}
	all.Wait()
	ns := n.Memory.Namespaces().Namespaces
	if ns[0].Bytes != 900 || ns[0].Keys != 6 {
		t.Errorf("%+v, want 6 keys with 900 bytes", ns[0])
	}
	l, err := n.Memory.List(t.Context(), wire.MemoryListParams{Namespace: "bytes"})
	if err != nil {
		t.Fatal(err)
	}
	one := l.Entries[0].Key
	if err := store(value("bytes", one, strings.Repeat("y", 250))); err != nil { // 1000: just fits
		t.Error(err)
	}
	kit.Refused(t, store(value("bytes", one, strings.Repeat("y", 251))), wire.CodeExhausted, "value")
	if err := store(value("bytes", one, "")); err != nil {
		t.Error(err)
	}
	for i := range 5 { // that is watched is not there
		w, _, err := n.Memory.Watch(wire.MemoryWatchParams{Namespace: fmt.Sprint("watched", i)})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
	}
	kit.Refused(t, store(value("third", "k", strings.Repeat("x", 1001))), wire.CodeExhausted, "value")
	if err := store(value("third", "k", "")); err != nil {
		t.Error(err)
	}
	kit.Refused(t, store(value("fourth", "k", "")), wire.CodeExhausted, "namespace")
}

func TestMemoryList(t *testing.T) {
	n := openMemory(t)
	var set wire.MemorySetManyParams
	for i := range 450 {
		set.Entries = append(set.Entries, value("n", fmt.Sprintf("a/%03d", i), "v"+fmt.Sprint(i)))
	}
	set.Entries = append(set.Entries, value("n", "b", strings.Repeat("x", 1000)), value("n", "a", ""), value("n", "a0", ""))
	if res, err := n.Memory.SetMany(t.Context(), me, set); err != nil || res.Results[3].Entry == nil {
		t.Fatal(res, err)
	}
	var got []string
	for p := (wire.MemoryListParams{Namespace: "n", Prefix: "a/", Limit: 100, Values: true}); ; {
		l, err := n.Memory.List(t.Context(), p)
		if err != nil || l.Total != 450 {
			t.Fatal(l, err)
		}
		for _, e := range l.Entries {
			got = append(got, e.Key+"="+e.Value.Text)
		}
		if p.After = l.Next; p.After == "" {
			break
		}
	}
	if len(got) != 450 || got[0] != "a/000=v0" || got[449] != "a/449=v449" {
		t.Errorf("%d keys: %v", len(got), got)
	}
	l, err := n.Memory.List(t.Context(), wire.MemoryListParams{Namespace: "n"})
	if err != nil || l.Total != 453 || l.Next != "" || l.Entries[0].Key != "a" || l.Entries[1].Key != "a/000" || l.Entries[451].Key != "a0" || l.Entries[1].Value.Text != "" || l.Entries[1].Size != 2 {
		t.Errorf("%+v, %v", l, err)
	}
	if l, err := n.Memory.List(t.Context(), wire.MemoryListParams{Namespace: "nothing"}); err != nil || l.Total != 0 || l.Entries == nil {
		t.Errorf("%+v, %v", l, err)
	}
	for i := range 5 {
		n.put(t, "big", fmt.Sprint(i), strings.Repeat("\"", wire.MaxMemoryValue))
	}
	count := 0
	for p := (wire.MemoryListParams{Namespace: "big", Values: true}); ; {
		l, err := n.Memory.List(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		fitsAMessage(t, l)
		count += len(l.Entries)
		if p.After = l.Next; p.After == "" {
			break
		}
	}
	if count != 5 {
		t.Errorf("%d of 5 large values came", count)
	}
}

func TestMemoryManyAtOnce(t *testing.T) {
	n := openMemory(t)
	n.put(t, "n", "there", strings.Repeat("x", 10_000))
	conflict := value("n", "there", "y")
	conflict.IfRevision = new(uint64)
	res, err := n.Memory.SetMany(t.Context(), me, wire.MemorySetManyParams{Entries: []wire.MemoryStoreParams{
		value("n", "k", "1"), value("n", "", ""), conflict, value("n", "k", "2"), value("m", "k", "3"), value("n", "k", "4"),
	}})
	if err != nil || len(res.Results) != 6 {
		t.Fatal(res, err)
	}
	kit.Refused(t, res.Results[1].Error, wire.CodeInvalidParams, "key")
	kit.Refused(t, res.Results[2].Error, wire.CodeConflict, "if_revision")
	if n.get(t, "n", "k") != "4" || res.Results[3].Entry.Previous != res.Results[0].Entry.Revision { // writes of one key stay in order
		t.Errorf("%+v", res.Results)
	}
	got, err := n.Memory.GetMany(t.Context(), wire.MemoryGetManyParams{Keys: []wire.MemoryKeyParams{key("m", "k"), key("n", "nothing"), key("n", "k")}})
	if err != nil || got.Results[0].Entry.Value.Text != "3" || got.Results[2].Entry.Value.Text != "4" {
		t.Errorf("%+v, %v", got, err)
	}
	kit.Refused(t, got.Results[1].Error, wire.CodeNotFound, "key")
	_, err = n.Memory.SetMany(t.Context(), me, wire.MemorySetManyParams{})
	kit.Refused(t, err, wire.CodeInvalidParams, "entries")
	_, err = n.Memory.GetMany(t.Context(), wire.MemoryGetManyParams{Keys: make([]wire.MemoryKeyParams, wire.MaxMemoryBulk+1)})
	kit.Refused(t, err, wire.CodeInvalidParams, "keys")

	// The answer says which values did not fit into the message, and has the rest.
	var keys wire.MemoryGetManyParams
	for i := range 5 {
		k := fmt.Sprint("big", i)
		n.put(t, "n", k, strings.Repeat("x", wire.MaxMemoryValue/2))
		keys.Keys = append(keys.Keys, key("n", k))
	}
	keys.Keys = append(keys.Keys, key("n", "k"))
	got, err = n.Memory.GetMany(t.Context(), keys)
	if err != nil || got.Results[2].Entry == nil || got.Results[5].Entry == nil {
		t.Fatal(err)
	}
	kit.Refused(t, got.Results[4].Error, wire.CodeTooLarge, "")
	fitsAMessage(t, got)
}

func TestMemoryBeyondTheCacheIsReadFromTheLog(t *testing.T) {
	small := memory.Options{Cache: 5000}
	n := openMemory(t, small)
	for i := range 20 {
		n.put(t, "n", fmt.Sprintf("%02d", i), strings.Repeat(fmt.Sprint(i%10), 1000))
	}
	check := func() {
		t.Helper()
		held := 0
		for i := range 20 {
			if _, ok, err := n.Memory.Held(key("n", fmt.Sprintf("%02d", i))); ok && err == nil {
				held++
			}
			if got := n.get(t, "n", fmt.Sprintf("%02d", i)); got != strings.Repeat(fmt.Sprint(i%10), 1000) {
				t.Errorf("%d: %.10q", i, got)
			}
		}
		if held != 5 {
			t.Errorf("%d values are held, want 5", held)
		}
		l, err := n.Memory.List(t.Context(), wire.MemoryListParams{Namespace: "n", Values: true})
		if err != nil || len(l.Entries) != 20 || l.Entries[19].Value.Text != strings.Repeat("9", 1000) {
			t.Errorf("%v", err)
		}
	}
	check()
	if _, err := n.Memory.Delete(t.Context(), me, key("n", "00")); err != nil { // makes room
		t.Fatal(err)
	}
	n.put(t, "n", "00", strings.Repeat("0", 1000))
	check()
	n = n.reopen(t, small)
	check()
	if r, err := n.Memory.Search(t.Context(), noun.Caller{}, wire.MemorySearchParams{Query: strings.Repeat("7", 10) + "*"}); err != nil || r.Total != 2 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestMemoryARepeatedRequestHasOneEffect(t *testing.T) {
	n := openMemory(t)
	by := noun.Caller{Actor: "tester", Request: "client 1, request 7"}
	ctx := context.Background()
	create := value("n", "k", "1")
	create.IfRevision = new(uint64)
	many := wire.MemorySetManyParams{Entries: []wire.MemoryStoreParams{value("n", "m", "1"), value("n", "m", "2")}}
	manyBy := noun.Caller{Actor: "tester", Request: "client 1, request 8"}
	delBy := noun.Caller{Actor: "tester", Request: "client 1, request 9"}

	first, err := n.Memory.Store(ctx, by, create)
	if err != nil {
		t.Fatal(err)
	}
	both, err := n.Memory.SetMany(ctx, manyBy, many)
	if err != nil {
		t.Fatal(err)
	}
	n.put(t, "n", "d", "1")
	del, err := n.Memory.Delete(ctx, delBy, key("n", "d"))
	if err != nil {
		t.Fatal(err)
	}
	after := n.put(t, "n", "k", "someone else's")
	d := n.put(t, "n", "d", "someone else's")
	for range 2 {
		if again, err := n.Memory.Store(ctx, by, create); err != nil || again.Revision != first.Revision {
			t.Errorf("%+v, %v; the first answer was %+v", again, err, first)
		}
		if again, err := n.Memory.SetMany(ctx, manyBy, many); err != nil || again.Results[0].Entry.Revision != both.Results[0].Entry.Revision ||
			again.Results[1].Entry.Revision != both.Results[1].Entry.Revision {
			t.Errorf("%+v, %v; the first answer was %+v", again, err, both)
		}
		if again, err := n.Memory.Delete(ctx, delBy, key("n", "d")); err != nil || again != del {
			t.Errorf("%+v, %v; the first answer was %+v", again, err, del)
		}
		for k, rev := range map[string]uint64{"k": after.Revision, "m": both.Results[1].Entry.Revision, "d": d.Revision} {
			if e, err := n.Memory.Retrieve(ctx, key("n", k)); err != nil || e.Revision != rev {
				t.Errorf("%s: %+v, %v; want revision %d", k, e, err, rev)
			}
		}
		n = n.reopen(t)
	}
	other := noun.Caller{Actor: "tester", Request: "client 1, request 10"}
	_, err = n.Memory.Store(ctx, other, create)
	kit.Refused(t, err, wire.CodeConflict, "if_revision")
}

func TestMemoryForCallersWithFewNamespaces(t *testing.T) {
	n := openMemory(t)
	n.put(t, "mine", "k", "common words")
	n.put(t, "theirs", "k", "common words")
	mine := func(ns string) bool { return ns == "mine" || ns == "mine.too" }
	call := func(method, params string) (any, error) {
		return n.Memory.Call(t.Context(), noun.Caller{Actor: me.Actor, Namespaces: mine}, method, []byte(params))
	}
	for method, params := range map[string]string{
		wire.MethodMemoryStore:    `{"namespace":"theirs","key":"k","value":{"text":"x"}}`,
		wire.MethodMemoryRetrieve: `{"namespace":"theirs","key":"k"}`,
		wire.MethodMemoryList:     `{"namespace":"theirs"}`,
		wire.MethodMemoryDelete:   `{"namespace":"theirs","key":"k"}`,
		wire.MethodMemoryHistory:  `{"namespace":"theirs","key":"k"}`,
		wire.MethodMemorySearch:   `{"namespaces":["mine","theirs"],"query":"common"}`,
	} {
		_, err := call(method, params)
		if e := kit.Refused(t, err, wire.CodeUnauthorized, "namespace"); len(e.Data.Supported) != 1 || e.Data.Supported[0] != "mine" {
			t.Errorf("%s: allowed are %q", method, e.Data.Supported)
		}
	}
	for method, params := range map[string]string{
		wire.MethodMemorySetMany: `{"entries":[{"namespace":"theirs","key":"k"},{"namespace":"mine.too","key":"k"}]}`,
		wire.MethodMemoryGetMany: `{"keys":[{"namespace":"theirs","key":"k"},{"namespace":"mine","key":"k"}]}`,
	} {
		res, err := call(method, params)
		if err != nil {
			t.Fatal(err)
		}
		both := res.(wire.MemoryManyResult).Results
		kit.Refused(t, both[0].Error, wire.CodeUnauthorized, "namespace")
		if both[1].Entry == nil {
			t.Errorf("%s: %+v", method, both[1].Error)
		}
	}
	res, err := call(wire.MethodMemorySearch, `{"query":"common"}`)
	if err != nil || res.(*wire.MemorySearchResult).Total != 1 {
		t.Errorf("%+v, %v", res, err)
	}
	if n.get(t, "theirs", "k") != "common words" {
		t.Error("it changed")
	}
	_, err = call(wire.MethodMemoryWatch, `{}`)
	kit.Refused(t, err, wire.CodeMethodNotFound, "")
	_, err = call(wire.MethodMemoryStore, `{"namespace":7}`)
	kit.Refused(t, err, wire.CodeInvalidParams, "namespace")
}

func TestMemoryRefusesAfterItsEnd(t *testing.T) {
	n := openMemory(t)
	m := n.Memory
	n.put(t, "n", "k", "x")
	n.close()
	_, err := m.Store(t.Context(), me, value("n", "k", "y"))
	kit.Refused(t, err, wire.CodeUnavailable, "")
	_, err = m.Search(t.Context(), noun.Caller{}, wire.MemorySearchParams{Query: "x"})
	kit.Refused(t, err, wire.CodeUnavailable, "")
}
