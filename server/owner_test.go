package server

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"

	"skein.dev/skein/server/jet"
	"skein.dev/skein/webtransport/wire"
)

// A second server on a store would record the agents of the first as ended and run its tasks again. So it does not start,
// and says who owns the store.
func TestASecondServerOnAStoreIsRefused(t *testing.T) {
	srv, err := natsserver.NewServer(&natsserver.Options{Host: "127.0.0.1", Port: natsserver.RANDOM_PORT, NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(patience) {
		t.Fatal("no NATS server")
	}
	url := "nats://" + srv.Addr().(*net.TCPAddr).String()
	n := start(t, func(o *Options) { o.NATS, o.Node = url, "first" })
	a := n.shell(t, "exec sleep 300")
	second, err := New(t.Context(), Options{DataDir: t.TempDir(), HTTP: "localhost:0", Listen: "off", NATS: url, Node: "second"})
	var owned *jet.OwnedError
	if !errors.As(err, &owned) || owned.Node != "first" {
		t.Fatalf("a second server: %+v, %v", second, err)
	}
	if rec, err := n.plane.Get(a.ID); err != nil || rec.Status != wire.StatusRunning {
		t.Errorf("the first's agent: %+v, %v", rec, err)
	}
	recs, err := n.store.Agents(t.Context())
	if err != nil || len(recs) != 1 || !recs[0].Status.Alive() {
		t.Errorf("in the store: %+v, %v", recs, err)
	}
	n.stop()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	third, err := New(ctx, Options{DataDir: t.TempDir(), HTTP: "localhost:0", Listen: "off", NATS: url, Node: "third", OwnerLease: time.Minute})
	if err != nil {
		t.Fatalf("the first gave the store back, and %v", err)
	}
	third.Close()
}
