package memory_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/memory"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// TestARepeatedWriteIsKnownHoweverMuchFollowed repeats a write whose answer was lost, after others have written the key and
// after a restart, when the entry of the write has long been dropped from the history.
func TestARepeatedWriteIsKnownHoweverMuchFollowed(t *testing.T) {
	n := openMemory(t)
	type write struct {
		key   string
		again func(n *node) (any, error)
		first any
		last  uint64 // the revision after the writes of others
	}
	var all []*write
	for _, between := range []int{5, 20, 100} {
		for _, guarded := range []bool{false, true} {
			name := fmt.Sprintf("%d-%v", between, guarded)
			for _, op := range []string{"store", "delete", "set_many"} {
				k := op + "-" + name
				before := n.put(t, "n", k, "before")
				by := noun.Caller{Actor: "tester", Request: "request " + k}
				w := &write{key: k}
				var expect *uint64
				if guarded {
					expect = &before.Revision
				}
				switch op {
				case "store":
					p := value("n", k, "mine")
					p.IfRevision, p.TTLMS = expect, time.Hour.Milliseconds()
					w.again = func(n *node) (any, error) { return n.Memory.Store(t.Context(), by, p) }
				case "delete":
					p := key("n", k)
					p.IfRevision = expect
					w.again = func(n *node) (any, error) { return n.Memory.Delete(t.Context(), by, p) }
				case "set_many":
					p := value("n", k, "mine")
					p.IfRevision = expect
					w.again = func(n *node) (any, error) {
						return n.Memory.SetMany(t.Context(), by, wire.MemorySetManyParams{Entries: []wire.MemoryStoreParams{p, value("n", k, "and then")}})
					}
				}
				var err error
				if w.first, err = w.again(n); err != nil {
					t.Fatal(err)
				}
				for i := range between {
					w.last = n.put(t, "n", k, strconv.Itoa(i)).Revision
				}
				all = append(all, w)
			}
		}
	}
	for range 2 {
		n = n.reopen(t)
		for _, w := range all {
			if again, err := w.again(n); err != nil || !kit.SameJSON(t, again, w.first) {
				t.Errorf("%s: answered %+v, %v; the first answer was %+v", w.key, again, err, w.first)
			}
			if e, err := n.Memory.Retrieve(t.Context(), key("n", w.key)); err != nil || e.Revision != w.last {
				t.Errorf("%s: %+v, %v; the others left revision %d", w.key, e, err, w.last)
			}
		}
	}
}

// TestARepeatedWriteIsKnownAcrossRestartsAmidIt restarts after every few writes of others.
func TestARepeatedWriteIsKnownAcrossRestartsAmidIt(t *testing.T) {
	n := openMemory(t)
	by := noun.Caller{Actor: "tester", Request: "request"}
	first, err := n.Memory.Store(t.Context(), by, value("n", "k", "mine"))
	if err != nil {
		t.Fatal(err)
	}
	last := first.Revision
	for range 4 {
		n = n.reopen(t)
		for i := range 9 {
			last = n.put(t, "n", "k", strconv.Itoa(i)).Revision
		}
	}
	n = n.reopen(t)
	if again, err := n.Memory.Store(t.Context(), by, value("n", "k", "mine")); err != nil || !kit.SameJSON(t, again, first) {
		t.Errorf("answered %+v, %v; the first answer was %+v", again, err, first)
	}
	if e, err := n.Memory.Retrieve(t.Context(), key("n", "k")); err != nil || e.Revision != last {
		t.Errorf("%+v, %v; the others left revision %d", e, err, last)
	}
}

// TestARepeatedWriteIsKnownAfterAPurge removes the key with all its history: by its deletion, and by its expiry.
func TestARepeatedWriteIsKnownAfterAPurge(t *testing.T) {
	n := openMemory(t, memory.Options{Sweep: 20 * time.Millisecond, KeepDeleted: time.Nanosecond})
	deleted, expired := noun.Caller{Actor: "tester", Request: "1"}, noun.Caller{Actor: "tester", Request: "2"}
	first, err := n.Memory.Store(t.Context(), deleted, value("n", "deleted", "mine"))
	if err != nil {
		t.Fatal(err)
	}
	brief := brief("n", "expired", "mine", time.Millisecond)
	second, err := n.Memory.Store(t.Context(), expired, brief)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Memory.Delete(t.Context(), me, key("n", "deleted")); err != nil {
		t.Fatal(err)
	}
	n.purged(t, "n", "deleted")
	n.purged(t, "n", "expired")
	n = n.reopen(t)
	if again, err := n.Memory.Store(t.Context(), deleted, value("n", "deleted", "mine")); err != nil || !kit.SameJSON(t, again, first) {
		t.Errorf("answered %+v, %v; the first answer was %+v", again, err, first)
	}
	if again, err := n.Memory.Store(t.Context(), expired, brief); err != nil || !kit.SameJSON(t, again, second) {
		t.Errorf("answered %+v, %v; the first answer was %+v", again, err, second)
	}
	n.absent(t, "n", "deleted")
	n.absent(t, "n", "expired")
}

// TestExpiryDropsNoIdempotencyKey lets the deletion of an expired entry push the oldest change out of a full history.
func TestExpiryDropsNoIdempotencyKey(t *testing.T) {
	n := openMemory(t)
	by := noun.Caller{Actor: "tester", Request: "request"}
	first, err := n.Memory.Store(t.Context(), by, value("n", "k", "mine"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range wire.MemoryHistory - 2 {
		n.put(t, "n", "k", strconv.Itoa(i))
	}
	if _, err := n.Memory.Store(t.Context(), me, brief("n", "k", "brief", time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	n.deleted(t, "n", "k")
	n = n.reopen(t)
	if again, err := n.Memory.Store(t.Context(), by, value("n", "k", "mine")); err != nil || !kit.SameJSON(t, again, first) {
		t.Errorf("answered %+v, %v; the first answer was %+v", again, err, first)
	}
	n.absent(t, "n", "k")
}
