package memory_test

import (
	"testing"
	"time"

	"skein.dev/skein/webtransport/wire"
)

func TestNamespacesTellWhenTheyChanged(t *testing.T) {
	n := openMemory(t)
	began := time.Now()
	a, err := n.Memory.Store(t.Context(), me, wire.MemoryStoreParams{Namespace: "a", Key: "x", Value: wire.Payload{Text: "1"}})
	if err != nil {
		t.Fatal(err)
	}
	at := n.Memory.Revision()
	if at != a.Revision {
		t.Errorf("memory is at revision %d, the last change had %d", at, a.Revision)
	}
	if _, err := n.Memory.Store(t.Context(), me, wire.MemoryStoreParams{Namespace: "b", Key: "y", Value: wire.Payload{Text: "2"}}); err != nil {
		t.Fatal(err)
	}
	d, err := n.Memory.Delete(t.Context(), me, key("b", "y"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Memory.Store(t.Context(), me, wire.MemoryStoreParams{Namespace: "b", Key: "z", Value: wire.Payload{Text: "3"}}); err != nil {
		t.Fatal(err)
	}
	all := n.Memory.Namespaces().Namespaces
	if len(all) != 2 || all[0].Revision != a.Revision || all[1].Revision <= d.Revision {
		t.Fatalf("the namespaces are %+v", all)
	}
	if got := all[0].UpdatedAt; !got.Equal(a.UpdatedAt) || got.Before(began.Add(-time.Second)) {
		t.Errorf("a changed at %s, its entry at %s", got, a.UpdatedAt)
	}
	if !all[1].UpdatedAt.After(all[0].UpdatedAt) {
		t.Errorf("b changed at %s, a at %s", all[1].UpdatedAt, all[0].UpdatedAt)
	}
	w, res, err := n.Memory.Watch(wire.MemoryWatchParams{Namespace: "b", After: at, Epoch: n.Memory.Epoch()})
	if err != nil || !res.Recovered {
		t.Fatalf("a watch from revision %d on: %v, recovered %v", at, err, res.Recovered)
	}
	defer w.Close()
	var keys []string
	for len(keys) < 3 {
		u, err := w.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range u.Entries {
			keys = append(keys, e.Key)
		}
	}
	if keys[0] != "y" || keys[1] != "y" || keys[2] != "z" {
		t.Errorf("behind it came %q", keys)
	}
}
