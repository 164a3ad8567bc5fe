package memory_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// found lists the keys that a search finds, sorted.
func (n *node) found(t *testing.T, query string, in ...string) string {
	t.Helper()
	r, err := n.Memory.Search(t.Context(), noun.Caller{}, wire.MemorySearchParams{Namespaces: in, Query: query, Limit: 100})
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	var keys []string
	for _, h := range r.Hits {
		keys = append(keys, h.Entry.Namespace+"/"+h.Entry.Key)
	}
	if r.Total != len(keys) {
		t.Errorf("%s: %d hits, total %d", query, len(keys), r.Total)
	}
	slices.Sort(keys)
	return strings.Join(keys, " ")
}

func TestMemorySearch(t *testing.T) {
	n := openMemory(t)
	n.put(t, "docs", "intro", "The quick brown fox jumps over the lazy dog")
	n.put(t, "docs", "fox/habits", "Foxes are omnivores. A QUICK meal will do.")
	n.put(t, "notes", "today", "Brown bread, quick lunch; and the café")
	n.put(t, "notes", "umlaut", "Der Fuchs läuft über die Straße")
	n.put(t, "data", "report-2024", "")
	if _, err := n.Memory.Store(t.Context(), me, wire.MemoryStoreParams{Namespace: "data", Key: "image fox", Value: wire.Payload{Base64: []byte("quick\x00\xff")}}); err != nil {
		t.Fatal(err)
	}
	check := func(n *node) {
		t.Helper()
		for query, want := range map[string]string{
			"quick":           "docs/fox/habits docs/intro notes/today",
			"quick brown":     "docs/intro notes/today",
			`"quick brown"`:   "docs/intro",
			`"brown quick"`:   "",
			"fox":             "data/image fox docs/fox/habits docs/intro",
			"fox*":            "data/image fox docs/fox/habits docs/intro",
			"Fuchs uber":      "notes/umlaut",
			"CAFE":            "notes/today",
			"report 2024":     "data/report-2024",
			`"lazy d"*`:       "docs/intro",
			"omni*":           "docs/fox/habits",
			"nothing":         "",
			"s1 OR NOT quick": "",
		} {
			if got := n.found(t, query); got != want {
				t.Errorf("%s finds %q, want %q", query, got, want)
			}
		}
		if got := n.found(t, "quick", "docs"); got != "docs/fox/habits docs/intro" {
			t.Errorf("in docs: %s", got)
		}
		if got := n.found(t, "quick", "notes", "docs", "nothing"); got != "docs/fox/habits docs/intro notes/today" {
			t.Errorf("in two: %s", got)
		}
		if got := n.found(t, "quick", "nothing"); got != "" {
			t.Errorf("in a namespace that has nothing: %s", got)
		}
	}
	check(n)
	n = n.reopen(t)
	check(n)

	r, err := n.Memory.Search(t.Context(), noun.Caller{}, wire.MemorySearchParams{Query: "quick", Prefix: "fox/"})
	if err != nil || r.Total != 1 || r.Hits[0].Entry.Key != "fox/habits" || r.Hits[0].Entry.Value.Text != "" || r.Hits[0].Entry.Size == 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if s := r.Hits[0].Snippet; !strings.Contains(s, "A QUICK meal") {
		t.Errorf("the snippet is %q", s)
	}
	n.put(t, "docs", "fox fox", "fox")
	r, err = n.Memory.Search(t.Context(), noun.Caller{}, wire.MemorySearchParams{Query: "fox", Limit: 1})
	if err != nil || r.Total != 4 || len(r.Hits) != 1 || r.Hits[0].Entry.Key != "fox fox" || r.Hits[0].Score <= 0 {
		t.Errorf("the best hit: %+v, %v", r, err)
	}
	for name, p := range map[string]wire.MemorySearchParams{"query": {Query: " * "}, "limit": {Query: "x", Limit: 101}, "namespace": {Query: "x", Namespaces: []string{"X"}}} {
		_, err := n.Memory.Search(t.Context(), noun.Caller{}, p)
		kit.Refused(t, err, wire.CodeInvalidParams, name)
	}
}

func TestMemorySearchSeesWhatWasStoredBefore(t *testing.T) {
	n := openMemory(t)
	for i := range 100 {
		word := fmt.Sprint("word", i)
		n.put(t, "n", "k", word)
		if got := n.found(t, word); got != "n/k" {
			t.Fatalf("%s was stored, and a search finds %q", word, got)
		}
		if i > 0 {
			if got := n.found(t, fmt.Sprint("word", i-1)); got != "" {
				t.Fatalf("what was overwritten is found: %q", got)
			}
		}
		if i%10 == 9 {
			if _, err := n.Memory.Delete(t.Context(), me, key("n", "k")); err != nil {
				t.Fatal(err)
			}
			if got := n.found(t, word); got != "" {
				t.Fatalf("what was deleted is found: %q", got)
			}
		}
	}
	e, err := n.Memory.Store(t.Context(), me, brief("n", "k", "ephemeral", 200*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(*e.ExpiresAt))
	if got := n.found(t, "ephemeral"); got != "" {
		t.Errorf("what expired is found: %q", got)
	}
	n.deleted(t, "n", "k")
	n = n.reopen(t)
	if got := n.found(t, "ephemeral word*"); got != "" {
		t.Errorf("after a restart: %q", got)
	}
}

func TestMemorySearchIsOfOneNamespace(t *testing.T) {
	n := openMemory(t)
	var set wire.MemorySetManyParams
	for i := range 30 { // as many tokens as namespaces: s1, s11, …
		set.Entries = append(set.Entries, value(fmt.Sprint("ns", i), "k", "common"))
	}
	if _, err := n.Memory.SetMany(t.Context(), me, set); err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		if got, want := n.found(t, "common", fmt.Sprint("ns", i)), fmt.Sprintf("ns%d/k", i); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// BenchmarkMemoryStore measures what indexing costs a store: small values without words against values of 40 words.
func BenchmarkMemoryStore(b *testing.B) {
	words := make([]string, 5000)
	for i := range words {
		words[i] = fmt.Sprintf("word%d", i*7919%5000)
	}
	for name, text := range map[string]func(i int) string{
		"no words": func(int) string { return strings.Repeat("-", 300) },
		"40 words": func(i int) string { return strings.Join(words[i%4900:i%4900+40], " ") },
	} {
		b.Run(name, func(b *testing.B) {
			n := openMemory(b)
			b.SetParallelism(32)
			b.RunParallel(func(p *testing.PB) {
				id := fmt.Sprintf("%p", p)
				for i := 0; p.Next(); i++ {
					if _, err := n.Memory.Store(b.Context(), me, value("n", fmt.Sprint(id, i%100_000), text(i))); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.StopTimer()
			begin := time.Now()
			if _, err := n.Memory.Search(b.Context(), noun.Caller{}, wire.MemorySearchParams{Query: "word1"}); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(time.Since(begin).Milliseconds()), "ms-first-search")
		})
	}
}

func BenchmarkMemoryRetrieve(b *testing.B) {
	n := openMemory(b)
	for i := range 1000 {
		n.put(b, "n", fmt.Sprint(i), "a value of some length")
	}
	for i := 0; b.Loop(); i++ {
		if _, err := n.Memory.Retrieve(b.Context(), key("n", fmt.Sprint(i%1000))); err != nil {
			b.Fatal(err)
		}
	}
}
