package memory_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/jet"
	"skein.dev/skein/server/memory"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// purged waits until the log has nothing of a key any more.
func (n *node) purged(t *testing.T, ns, k string) {
	t.Helper()
	kit.Eventually(t, "the entry is purged", func() bool {
		_, err := n.Memory.History(t.Context(), wire.MemoryHistoryParams{Namespace: ns, Key: k})
		return errors.Is(err, wire.Errorf(wire.CodeNotFound, ""))
	})
}

func TestMemoryPurgesWhatWasDeletedLongAgo(t *testing.T) {
	const keep = 600 * time.Millisecond
	often := memory.Options{Sweep: 20 * time.Millisecond, KeepDeleted: keep}
	n := openMemory(t, often)
	first := n.put(t, "n", "stays", "1")
	n.put(t, "n", "gone", "secret")
	old := n.watch(t, wire.MemoryWatchParams{Namespace: "n"})
	old.next()
	living := n.watch(t, wire.MemoryWatchParams{Namespace: "n"})
	living.next()
	at := time.Now()
	del, err := n.Memory.Delete(t.Context(), me, key("n", "gone"))
	if err != nil {
		t.Fatal(err)
	}
	living.until(del.Revision)
	before := living.cursor
	n.purged(t, "n", "gone")
	if took := time.Since(at); took < keep {
		t.Errorf("it was purged after %s", took)
	}
	if n.get(t, "n", "stays") != "1" {
		t.Error("what lives was purged too")
	}
	// A watcher at that time is told, so that its cursor stays valid.
	living.next()
	if living.cursor <= before {
		t.Errorf("the cursor is %d, was %d", living.cursor, before)
	}
	check := func(n *node) {
		t.Helper()
		if s := n.watch(t, wire.MemoryWatchParams{Namespace: "n", After: living.cursor, Epoch: n.Memory.Epoch()}); !s.res.Recovered {
			t.Error("a cursor behind the purge is not good")
		}
		// One that was away meanwhile missed the deletion: it must start again.
		s := n.watch(t, wire.MemoryWatchParams{Namespace: "n", After: first.Revision, Epoch: n.Memory.Epoch(), Values: true})
		if s.next(); s.res.Recovered || len(s.state()) != 1 || s.state()["stays"] != "1" {
			t.Errorf("%+v, %+v", s.res, s.seen)
		}
	}
	check(n)
	n = n.reopen(t, often)
	check(n)
	p := value("n", "gone", "back")
	p.IfRevision = new(uint64)
	if e, err := n.Memory.Store(t.Context(), me, p); err != nil || e.Previous != 0 {
		t.Errorf("%+v, %v", e, err)
	}
	n = n.reopen(t, often)
	if n.get(t, "n", "gone") != "back" {
		t.Error("it was purged with what was there before")
	}
}

func TestMemoryKeepsFewDeletedEntries(t *testing.T) {
	n := openMemory(t, memory.Options{Sweep: 20 * time.Millisecond, MaxDeleted: 5})
	for i := range 20 {
		n.put(t, "n", fmt.Sprintf("%02d", i), "x")
	}
	for i := range 20 {
		if _, err := n.Memory.Delete(t.Context(), me, key("n", fmt.Sprintf("%02d", i))); err != nil {
			t.Fatal(err)
		}
	}
	n.purged(t, "n", "14")
	for i := 15; i < 20; i++ {
		if _, err := n.Memory.History(t.Context(), wire.MemoryHistoryParams{Namespace: "n", Key: fmt.Sprint(i)}); err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
}

func TestMemoryFullDisk(t *testing.T) {
	n := openMemory(t, memory.Options{Sweep: 20 * time.Millisecond, MaxDisk: 1 << 20})
	big := strings.Repeat("x", 400<<10)
	var err error
	for i := 0; err == nil && i < 1000; i++ {
		_, err = n.Memory.Store(t.Context(), me, value("n", fmt.Sprint(i%10), big))
	}
	kit.Refused(t, err, wire.CodeExhausted, "")
	// Deletes still work, and make room.
	l, err := n.Memory.List(t.Context(), wire.MemoryListParams{Namespace: "n"})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range l.Entries {
		if _, err := n.Memory.Delete(t.Context(), me, key("n", e.Key)); err != nil {
			t.Fatal(err)
		}
	}
	kit.Eventually(t, "there is room again", func() bool {
		_, err := n.Memory.Store(t.Context(), me, value("n", "k", "x"))
		return err == nil
	})
}

// cluster is two nodes on one NATS server.
func cluster(t *testing.T, o memory.Options) (a, b *node) {
	t.Helper()
	srv, err := natsserver.NewServer(&natsserver.Options{Host: "127.0.0.1", Port: natsserver.RANDOM_PORT, NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(20 * time.Second) {
		t.Fatal("no NATS server")
	}
	url := "nats://" + srv.Addr().(*net.TCPAddr).String()
	return openOn(t, jet.Config{Dir: t.TempDir(), URL: url}, o), openOn(t, jet.Config{Dir: t.TempDir(), URL: url}, o)
}

func TestMemoryOfTwoNodesIsOne(t *testing.T) {
	a, b := cluster(t, memory.Options{Sweep: 50 * time.Millisecond, KeepDeleted: kit.Less(500*time.Millisecond, 3*time.Second)}) // so that both nodes see a deletion before it is purged
	if a.Memory.Epoch() != b.Memory.Epoch() {
		t.Errorf("epochs %s and %s", a.Memory.Epoch(), b.Memory.Epoch())
	}
	// Each write is one step, from either node, and both nodes see them in the same order. (A node that is more than the
	// history behind sees fewer.)
	sa, sb := a.watch(t, wire.MemoryWatchParams{Namespace: "n"}), b.watch(t, wire.MemoryWatchParams{Namespace: "n"})
	var all sync.WaitGroup
	for _, n := range []*node{a, b} {
		for range 4 {
			all.Go(func() {
				for range 25 {
					n.put(t, "n", "hot", "x")
				}
			})
		}
	}
	all.Wait()
	e := b.put(t, "n", "last", "x")
	sa.until(e.Revision)
	sb.until(e.Revision)
	for _, s := range []*watched{sa, sb} {
		previous := uint64(0)
		for _, e := range s.seen {
			if e.Key == "hot" && (e.Previous < previous || e.Previous >= e.Revision) {
				t.Errorf("revision %d follows %d, and says it follows %d", e.Revision, previous, e.Previous)
			}
			if e.Key == "hot" {
				previous = e.Revision
			}
		}
	}
	// The largest values fit into the messages that an external server takes by default.
	for i, unit := range []string{`"`, "\x1b", "<"} {
		big := b.put(t, "n", fmt.Sprint("big", i), strings.Repeat(unit, wire.MaxMemoryValue))
		sa.until(big.Revision)
		if got := a.get(t, "n", big.Key); got != strings.Repeat(unit, wire.MaxMemoryValue) {
			t.Errorf("a value full of %q came back with %d bytes", unit, len(got))
		}
	}
	// A repeated request is known on the other node.
	by := noun.Caller{Actor: "tester", Request: "7"}
	once, err := a.Memory.Store(t.Context(), by, value("n", "once", "x"))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := b.Memory.Store(t.Context(), by, value("n", "once", "x")); err != nil || again.Revision != once.Revision {
		t.Errorf("%+v, %v; want %+v", again, err, once)
	}
	// What expires is deleted once.
	if _, err := a.Memory.Store(t.Context(), me, brief("n", "brief", "x", 50*time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	a.deleted(t, "n", "brief")
	b.deleted(t, "n", "brief")
	h, err := b.Memory.History(t.Context(), wire.MemoryHistoryParams{Namespace: "n", Key: "brief"})
	if err != nil || len(h.Entries) != 2 {
		t.Errorf("%+v, %v", h, err)
	}
	// A purge by one node is a purge for both.
	a.purged(t, "n", "brief")
	for _, n := range []*node{a, b} {
		p := value("n", "brief", "again")
		p.IfRevision = new(uint64)
		kit.Eventually(t, "this node knows of the deletion", func() bool {
			_, err := n.Memory.Store(t.Context(), me, p)
			return err == nil
		})
		if _, err := n.Memory.Delete(t.Context(), me, key("n", "brief")); err != nil {
			t.Error(err)
		}
	}
}

func TestMemoryIsReadAgainWhenAPurgeWasMissed(t *testing.T) {
	a, b := cluster(t, memory.Options{Sweep: time.Hour})
	a.put(t, "n", "gone", "remembered")
	stays := a.put(t, "n", "stays", "x")
	kit.Eventually(t, "the entry is read again", func() bool { _, err := b.Memory.Retrieve(t.Context(), key("n", "stays")); return err == nil })
	s := b.watch(t, wire.MemoryWatchParams{Namespace: "n"})
	s.next()
	// As if this node had been away while the other one deleted and purged twice: the second announcement refers to a first
	// that never arrived here.
	if err := a.store.PurgeMemory(t.Context(), "n", "gone", stays.Revision); err != nil {
		t.Fatal(err)
	}
	first, err := a.store.AnnouncePurge(t.Context(), 1, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if at := b.Memory.LastPurge(); at != first {
		t.Fatalf("the other node knows of the purge %d, not of %d", at, first)
	}
	b.Memory.ForgetPurge()
	if _, err := a.store.AnnouncePurge(t.Context(), stays.Revision, first, nil); err != nil {
		t.Fatal(err)
	}
	kit.Eventually(t, "the other node forgets it too", func() bool {
		_, err := b.Memory.Retrieve(t.Context(), key("n", "gone"))
		return errors.Is(err, wire.Errorf(wire.CodeNotFound, ""))
	})
	ctx, cancel := context.WithTimeout(t.Context(), kit.Patience)
	defer cancel()
	for {
		if _, err := s.w.Next(ctx); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("a watch from before ends with %v", err)
		}
	}
	if again := b.watch(t, wire.MemoryWatchParams{Namespace: "n", After: 1}); again.res.Recovered {
		t.Error("its cursor is still good")
	}
	if got := b.found(t, "remembered"); got != "" {
		t.Errorf("a search finds %s", got)
	}
	if got := b.found(t, "stays"); got != "n/stays" {
		t.Errorf("a search finds %q", got)
	}
	if e := b.put(t, "n", "stays", "y"); e.Previous != stays.Revision {
		t.Errorf("%+v", e)
	}
}

// deleted waits until an entry's deletion is in the log, which must happen by itself.
func (n *node) deleted(t *testing.T, ns, k string) wire.MemoryEntry {
	t.Helper()
	return kit.Until(t, k+" is deleted", func() wire.MemoryEntry {
		h, err := n.Memory.History(t.Context(), wire.MemoryHistoryParams{Namespace: ns, Key: k})
		if err != nil {
			t.Fatal(err)
		}
		return h.Entries[0]
	}, func(e wire.MemoryEntry) bool { return e.Deleted })
}

func brief(ns, k, v string, ttl time.Duration) wire.MemoryStoreParams {
	p := value(ns, k, v)
	p.TTLMS = ttl.Milliseconds()
	return p
}

func TestMemoryExpires(t *testing.T) {
	n := openMemory(t)
	store := func(p wire.MemoryStoreParams) *wire.MemoryEntry {
		t.Helper()
		e, err := n.Memory.Store(t.Context(), me, p)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	// An entry that is stored again without a ttl stays; with a longer one it stays longer.
	store(brief("n", "kept", "x", 300*time.Millisecond))
	n.put(t, "n", "kept", "y")
	store(brief("n", "longer", "x", 300*time.Millisecond))
	store(brief("n", "longer", "y", time.Hour))
	e := store(brief("n", "brief", "x", 500*time.Millisecond))
	if e.ExpiresAt == nil || e.ExpiresAt.Sub(e.UpdatedAt) != 500*time.Millisecond {
		t.Fatalf("%+v", e)
	}
	if n.get(t, "n", "brief") != "x" {
		t.Error("it is not there before it expires")
	}
	time.Sleep(time.Until(*e.ExpiresAt)) // the moment itself: from then on it must not be read
	n.absent(t, "n", "brief")
	if l, err := n.Memory.List(t.Context(), wire.MemoryListParams{Namespace: "n"}); err != nil || l.Total != 2 || len(l.Entries) != 2 {
		t.Errorf("%+v, %v", l, err)
	}
	if d := n.deleted(t, "n", "brief"); d.Previous != e.Revision || d.Writer != "server" || d.ExpiresAt == nil {
		t.Errorf("the deletion is %+v", d)
	}
	if n.get(t, "n", "kept") != "y" || n.get(t, "n", "longer") != "y" {
		t.Error("a later value expired with the ttl of an earlier one")
	}
	p := value("n", "brief", "z")
	p.IfRevision = new(uint64)
	if e := store(p); e.Previous != 0 {
		t.Errorf("%+v", e)
	}
}

func TestMemoryExpiresAcrossARestart(t *testing.T) {
	n := openMemory(t)
	soon, err := n.Memory.Store(t.Context(), me, brief("n", "soon", "x", 250*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	later, err := n.Memory.Store(t.Context(), me, brief("n", "later", "x", 2*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	n.close()
	time.Sleep(time.Until(*soon.ExpiresAt))
	n = openOn(t, jet.Config{Dir: n.dir})
	n.absent(t, "n", "soon")
	n.deleted(t, "n", "soon")
	if _, err := n.Memory.Retrieve(t.Context(), key("n", "later")); err != nil && time.Now().Before(*later.ExpiresAt) {
		t.Errorf("it expired early: %v", err)
	}
	n.deleted(t, "n", "later")
	if time.Now().Before(*later.ExpiresAt) {
		t.Error("it was deleted early")
	}
}
