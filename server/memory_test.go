package server

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/session"
	"skein.dev/skein/webtransport/wire"
)

const memoryHeader = `{"lane":"memory"}`

// memory opens a memory lane.
func (p *peer) memory(t *testing.T) *stream {
	t.Helper()
	return open(t, p, memoryHeader)
}

// ask sends a request and waits for its answer.
func (s *stream) ask(t *testing.T, id, method string, params any) *wire.Message {
	t.Helper()
	s.say(t, request(id, method, params))
	return s.answerTo(t, id)
}

func storing(ns, key, value string) wire.MemoryStoreParams {
	return wire.MemoryStoreParams{Namespace: ns, Key: key, Value: wire.Payload{Text: value}}
}

func keyOf(ns, key string) wire.MemoryKeyParams { return wire.MemoryKeyParams{Namespace: ns, Key: key} }

func TestMemoryMethods(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t)
		m := n.join(t, tr).memory(t)
		one := result[wire.MemoryEntry](t, m.ask(t, "1", wire.MethodMemoryStore, storing("n", "a key", "the value")))
		if one.Revision == 0 || one.Writer != "test" || one.Size != 9 || one.ContentType != "text/plain" {
			t.Errorf("%+v", one)
		}
		if e := result[wire.MemoryEntry](t, m.ask(t, "2", wire.MethodMemoryRetrieve, keyOf("n", "a key"))); e.Value.Text != "the value" || e.Revision != one.Revision {
			t.Errorf("%+v", e)
		}
		isError(t, m.ask(t, "3", wire.MethodMemoryRetrieve, keyOf("n", "nothing")), wire.CodeNotFound, "key")
		swap := storing("n", "a key", "x")
		swap.IfRevision = new(uint64)
		conflict := m.ask(t, "4", wire.MethodMemoryStore, swap)
		isError(t, conflict, wire.CodeConflict, "if_revision")
		if e := conflict.Error.Data.Entry; e == nil || e.Value.Text != "the value" {
			t.Errorf("%+v", e)
		}
		many := result[wire.MemoryManyResult](t, m.ask(t, "5", wire.MethodMemorySetMany,
			wire.MemorySetManyParams{Entries: []wire.MemoryStoreParams{storing("n", "b", "words to find"), storing("m", "c", "other words"), storing("", "d", "")}}))
		if many.Results[0].Entry == nil || many.Results[2].Error.Code != wire.CodeInvalidParams {
			t.Errorf("%+v", many)
		}
		got := result[wire.MemoryManyResult](t, m.ask(t, "6", wire.MethodMemoryGetMany, wire.MemoryGetManyParams{Keys: []wire.MemoryKeyParams{keyOf("m", "c"), keyOf("n", "b")}}))
		if got.Results[0].Entry.Value.Text != "other words" || got.Results[1].Entry.Value.Text != "words to find" {
			t.Errorf("%+v", got)
		}
		if l := result[wire.MemoryListResult](t, m.ask(t, "7", wire.MethodMemoryList, wire.MemoryListParams{Namespace: "n"})); l.Total != 2 || l.Entries[0].Key != "a key" {
			t.Errorf("%+v", l)
		}
		found := result[wire.MemorySearchResult](t, m.ask(t, "8", wire.MethodMemorySearch, wire.MemorySearchParams{Query: "words"}))
		if found.Total != 2 || !strings.Contains(found.Hits[0].Snippet, "words") {
			t.Errorf("%+v", found)
		}
		if d := result[wire.MemoryDeleteResult](t, m.ask(t, "9", wire.MethodMemoryDelete, keyOf("n", "b"))); !d.Deleted {
			t.Errorf("%+v", d)
		}
		if h := result[wire.MemoryHistoryResult](t, m.ask(t, "10", wire.MethodMemoryHistory, keyOf("n", "b"))); len(h.Entries) != 2 || !h.Entries[0].Deleted || h.Entries[1].Value.Text != "words to find" {
			t.Errorf("%+v", h)
		}
		if ns := result[wire.MemoryNamespacesResult](t, m.ask(t, "11", wire.MethodMemoryNamespaces, nil)).Namespaces; len(ns) != 2 || ns[1].Name != "n" || ns[1].Keys != 1 {
			t.Errorf("%+v", ns)
		}
		isError(t, m.ask(t, "12", "memory.forget", nil), wire.CodeMethodNotFound, "")
		isError(t, m.ask(t, "13", wire.MethodMemoryStore, map[string]any{"namespace": "n", "key": 5}), wire.CodeInvalidParams, "key")
	})
}

// The largest values fit one message, also those that are longest in JSON. The tests of wire have every kind of byte.
func TestMemoryOfTheLargestValues(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t)
		m := n.join(t, tr).memory(t)
		units := []string{"x", "\x00"}
		if tr == wire.WebSocket { // JSON is the same over both
			units = units[:1]
		}
		for i, unit := range units {
			v := strings.Repeat(unit, wire.MaxMemoryValue/len(unit))
			p := wire.MemoryStoreParams{Namespace: "n", Key: fmt.Sprint(i), Value: wire.Payload{Base64: []byte(v)}}
			result[wire.MemoryEntry](t, m.ask(t, fmt.Sprint(1+3*i), wire.MethodMemoryStore, p))
			e := result[wire.MemoryEntry](t, m.ask(t, fmt.Sprint(2+3*i), wire.MethodMemoryRetrieve, keyOf("n", p.Key)))
			if string(e.Value.Bytes()) != v {
				t.Errorf("a value full of %q came back with %d bytes", unit, len(e.Value.Bytes()))
			}
			if h := result[wire.MemoryHistoryResult](t, m.ask(t, fmt.Sprint(3+3*i), wire.MethodMemoryHistory, keyOf("n", p.Key))); len(h.Entries) != 1 {
				t.Errorf("history has %d entries", len(h.Entries))
			}
		}
		p := wire.MemoryStoreParams{Namespace: "n", Key: "k", Value: wire.Payload{Text: strings.Repeat("x", wire.MaxMemoryValue+1)}}
		isError(t, m.ask(t, "100", wire.MethodMemoryStore, p), wire.CodeTooLarge, "value")
	})
}

func TestWritesOfOneEntryKeepTheirOrder(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t)
		m := n.join(t, tr).memory(t)
		many := kit.Less(100, 40)
		var lines []string
		for i := range many {
			lines = append(lines, request(fmt.Sprint(2*i), wire.MethodMemoryStore, storing("n", "k", fmt.Sprint(i))), request(fmt.Sprint(2*i+1), wire.MethodMemoryStore, storing("n", fmt.Sprint(i), "")))
		}
		m.say(t, lines...)
		revisions := map[string]uint64{}
		for range 2 * many {
			a, err := m.next()
			if err != nil {
				t.Fatal(err)
			}
			revisions[string(a.ID)] = result[wire.MemoryEntry](t, a).Revision
		}
		for i := 1; i < many; i++ {
			if revisions[fmt.Sprint(2*i)] <= revisions[fmt.Sprint(2*i-2)] {
				t.Fatalf("write %d has revision %d, the one before has %d", i, revisions[fmt.Sprint(2*i)], revisions[fmt.Sprint(2*i-2)])
			}
		}
		if e := result[wire.MemoryEntry](t, m.ask(t, `"r"`, wire.MethodMemoryRetrieve, keyOf("n", "k"))); e.Value.Text != fmt.Sprint(many-1) {
			t.Errorf("the last value is %q", e.Value.Text)
		}
	})
}

func TestARepeatedStoreHasOneEffectOverARestart(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t)
		me := clientID()
		create := storing("n", "k", "mine")
		create.IfRevision = new(uint64)
		p := n.join(t, tr, as(me))
		first := p.memory(t).ask(t, "7", wire.MethodMemoryStore, create)
		result[wire.MemoryEntry](t, first)
		other := n.join(t, tr).memory(t)
		theirs := result[wire.MemoryEntry](t, other.ask(t, "1", wire.MethodMemoryStore, storing("n", "k", "theirs")))
		check := func(n *node) {
			t.Helper()
			m := n.join(t, tr, as(me)).memory(t)
			if again := m.ask(t, "7", wire.MethodMemoryStore, create); string(again.Result) != string(first.Result) {
				t.Errorf("the answer was %s, now it is %s, %v", first.Result, again.Result, again.Error)
			}
			if e := result[wire.MemoryEntry](t, m.ask(t, "8", wire.MethodMemoryRetrieve, keyOf("n", "k"))); e.Revision != theirs.Revision || e.Value.Text != "theirs" {
				t.Errorf("%+v", e)
			}
		}
		check(n)
		n.stop()
		check(start(t, func(o *Options) { o.DataDir = n.o.DataDir }))
	})
}

// updates reads a watch until it has so many entries, and checks their order.
func (s *stream) updates(t *testing.T, watch uint64, want int) (all []wire.MemoryEntry, cursor uint64) {
	t.Helper()
	for len(all) < want {
		m := s.until(t, func(m *wire.Message) bool { return m.Method == wire.NoteMemory })
		var u wire.MemoryUpdate
		if err := json.Unmarshal(m.Params, &u); err != nil {
			t.Fatal(err)
		}
		if u.Watch != watch {
			continue
		}
		for _, e := range u.Entries {
			if len(all) > 0 && e.Revision <= all[len(all)-1].Revision {
				t.Fatalf("revision %d comes after %d", e.Revision, all[len(all)-1].Revision)
			}
			all = append(all, e)
		}
		cursor = u.Cursor
	}
	return all, cursor
}

func TestMemoryWatches(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t)
		p := n.join(t, tr)
		writer, reader := p.memory(t), p.memory(t)
		for i := range 5 {
			result[wire.MemoryEntry](t, writer.ask(t, fmt.Sprint(i), wire.MethodMemoryStore, storing("n", fmt.Sprint("k", i), "v")))
		}
		watch := func(s *stream, id string, w wire.MemoryWatchParams) wire.MemoryWatchResult {
			t.Helper()
			// The answer comes before the first update.
			s.say(t, request(id, wire.MethodMemoryWatch, w))
			m := s.until(t, func(m *wire.Message) bool { return m.IsResponse() || m.Method == wire.NoteMemory })
			return result[wire.MemoryWatchResult](t, m)
		}
		w := watch(reader, "1", wire.MemoryWatchParams{Namespace: "n", Values: true})
		if all, _ := reader.updates(t, w.Watch, 5); !w.Recovered || w.Epoch == "" || all[4].Value.Text != "v" {
			t.Errorf("%+v, %+v", w, all)
		}
		result[wire.MemoryDeleteResult](t, writer.ask(t, "10", wire.MethodMemoryDelete, keyOf("n", "k0")))
		result[wire.MemoryEntry](t, writer.ask(t, "11", wire.MethodMemoryStore, storing("n", "k1", "v2")))
		all, cursor := reader.updates(t, w.Watch, 2)
		if !all[0].Deleted || all[1].Value.Text != "v2" || cursor != all[1].Revision {
			t.Errorf("%+v, cursor %d", all, cursor)
		}
		result[struct{}](t, reader.ask(t, "2", wire.MethodMemoryUnwatch, wire.MemoryUnwatchParams{Watch: w.Watch}))

		// Another watch continues at the cursor, over another session.
		result[wire.MemoryEntry](t, writer.ask(t, "12", wire.MethodMemoryStore, storing("n", "k9", "v")))
		again := n.join(t, other(tr)).memory(t)
		w2 := watch(again, "1", wire.MemoryWatchParams{Namespace: "n", After: cursor, Epoch: w.Epoch})
		if all, _ := again.updates(t, w2.Watch, 1); !w2.Recovered || all[0].Key != "k9" {
			t.Errorf("%+v, %+v", w2, all)
		}

		// An ended watch gets nothing more: the next message on its lane is the answer to a ping.
		reader.say(t, request(`"p"`, wire.MethodPing, nil))
		reader.until(t, func(m *wire.Message) bool {
			if m.Method == wire.NoteMemory {
				t.Errorf("a watch that was ended tells %s", m.Params)
			}
			return string(m.ID) == `"p"`
		})
		isError(t, reader.ask(t, "3", wire.MethodMemoryUnwatch, wire.MemoryUnwatchParams{Watch: 999}), wire.CodeNotFound, "watch")
		for i := range session.MaxWatches {
			result[wire.MemoryWatchResult](t, reader.ask(t, fmt.Sprint(100+i), wire.MethodMemoryWatch, wire.MemoryWatchParams{Namespace: fmt.Sprint("n", i)}))
		}
		isError(t, reader.ask(t, "4", wire.MethodMemoryWatch, wire.MemoryWatchParams{Namespace: "n"}), wire.CodeExhausted, "")
	})
}

// A client that does not read its watch gets everything later, and holds up nobody meanwhile.
func TestASlowWatcherHoldsUpNobody(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t)
		p := n.join(t, tr)
		slow, busy := p.memory(t), p.memory(t)
		w := result[wire.MemoryWatchResult](t, slow.ask(t, "1", wire.MethodMemoryWatch, wire.MemoryWatchParams{Namespace: "n", Values: true}))
		const many = 16 // of 100 KiB: more than windows and queues take
		seen := map[string]bool{}
		for i := range many / 8 {
			var set wire.MemorySetManyParams
			for j := range 8 {
				set.Entries = append(set.Entries, storing("n", fmt.Sprint(8*i+j), strings.Repeat("x", 100<<10)))
			}
			for _, r := range result[wire.MemoryManyResult](t, busy.ask(t, fmt.Sprint(i), wire.MethodMemorySetMany, set)).Results {
				if r.Entry == nil {
					t.Fatal(r.Error)
				}
			}
		}
		all, _ := slow.updates(t, w.Watch, many)
		for _, e := range all {
			if seen[e.Key] || len(e.Value.Text) != 100<<10 {
				t.Fatalf("%s with %d bytes", e.Key, len(e.Value.Text))
			}
			seen[e.Key] = true
		}
	})
}
