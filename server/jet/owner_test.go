package jet

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"skein.dev/skein/e2e/kit"
)

// external is a NATS server that several stores share.
func external(t *testing.T) (url string) {
	t.Helper()
	srv, err := natsserver.NewServer(&natsserver.Options{Host: "127.0.0.1", Port: natsserver.RANDOM_PORT, NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(startTimeout) {
		t.Fatal("no NATS server")
	}
	return "nats://" + srv.Addr().(*net.TCPAddr).String()
}

func owned(t *testing.T, url, node, folder string, lease time.Duration) (*Store, error) {
	t.Helper()
	s, err := Open(t.Context(), Config{URL: url, Owner: &Owner{Node: node, Host: "host-" + node, PID: 7, Folder: folder, Since: time.Now().UTC()}, OwnerLease: lease})
	if err == nil {
		t.Cleanup(func() { s.Close() })
	}
	return s, err
}

func mustOwn(t *testing.T, url, node, folder string, lease time.Duration) *Store {
	t.Helper()
	s, err := owned(t, url, node, folder, lease)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAStoreHasOneOwner(t *testing.T) {
	url := external(t)
	first := mustOwn(t, url, "one", "f1", time.Minute)
	_, err := owned(t, url, "two", "f2", time.Minute)
	var o *OwnedError
	if !errors.As(err, &o) || o.Node != "one" || o.Host != "host-one" || !strings.Contains(err.Error(), `"one"`) {
		t.Fatalf("a second node got %v", err)
	}
	first.Close()
	mustOwn(t, url, "two", "f2", time.Minute) // at once, since the first has released it
	if _, err := owned(t, url, "one", "f1", time.Minute); !errors.As(err, &o) || o.Node != "two" {
		t.Errorf("it is two's now, and one got %v", err)
	}
}

// A server that was killed owns its store again at once, since no other server can run on its folder.
func TestTheSameFolderTakesItsStoreBack(t *testing.T) {
	url := external(t)
	killed := mustOwn(t, url, "one", "f1", time.Minute)
	killed.claim.stop() // as kill -9 would
	<-killed.claim.done
	mustOwn(t, url, "renamed", "f1", time.Minute)
}

// The claim of a node that is gone expires.
func TestAClaimEnds(t *testing.T) {
	url := external(t)
	gone := mustOwn(t, url, "one", "f1", 200*time.Millisecond)
	gone.claim.stop()
	<-gone.claim.done
	kit.Eventually(t, "another node gets the store", func() bool {
		s, err := owned(t, url, "two", "f2", 200*time.Millisecond)
		if o := new(OwnedError); err != nil && !errors.As(err, &o) {
			t.Fatal(err)
		}
		if err == nil && s.claim.owner.Node != "two" {
			t.Errorf("it is %+v's", s.claim.owner)
		}
		return err == nil
	})
}

// A claim that is renewed does not expire, and one that expired while the store did not answer is taken again.
func TestAClaimIsKept(t *testing.T) {
	url := external(t)
	s := mustOwn(t, url, "one", "f1", 500*time.Millisecond)
	claimed := func() uint64 {
		_, revision, err := s.claim.read(t.Context())
		if err != nil && !errors.Is(err, jetstream.ErrKeyNotFound) {
			t.Fatal(err)
		}
		return revision
	}
	later := func(than uint64) uint64 {
		t.Helper()
		return kit.Until(t, "a renewed claim", claimed, func(r uint64) bool { return r > than })
	}
	renewed := later(claimed())
	if err := s.claim.kv.Purge(context.Background(), ownerKey); err != nil {
		t.Fatal(err)
	}
	later(renewed)
	select {
	case err := <-s.Lost():
		t.Error(err)
	default:
	}
}

// A node that has lost its store is told so.
func TestALostStoreIsSaid(t *testing.T) {
	url := external(t)
	s := mustOwn(t, url, "one", "f1", 500*time.Millisecond)
	if _, err := s.claim.kv.Put(t.Context(), ownerKey, []byte(`{"node":"thief","folder":"f9"}`)); err != nil {
		t.Fatal(err)
	}
	err := kit.Receive(t, "it is told", s.Lost())
	if o := new(OwnedError); !errors.As(err, &o) || o.Node != "thief" {
		t.Error(err)
	}
}
