package jet

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	startTimeout = 20 * time.Second
	opTimeout    = 10 * time.Second

	// maxPending bounds the events under way to the stream. When it is reached, Append blocks, and with it the agent that
	// prints.
	maxPending = 2048
)

// node is a NATS server and the connection to it.
type node struct {
	srv *server.Server // nil if the server is external
	nc  *nats.Conn
	js  jetstream.JetStream
}

func dial(url string, srv *server.Server) (*node, error) {
	opts := []nats.Option{nats.Name("skein"), nats.MaxReconnects(-1)}
	if srv != nil {
		opts = append(opts, nats.InProcessServer(srv))
	}
	nc, err := nats.Connect(url, opts...)
	if err != nil {
		return &node{srv: srv}, fmt.Errorf("connect to the store: %w", err)
	}
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(2*maxPending))
	return &node{srv, nc, js}, err
}

// embed starts a server that accepts no network connections. With sync, every write is on the disk before it is
// acknowledged; otherwise it is with the kernel.
func embed(dir string, sync bool) (*node, error) {
	srv, err := server.NewServer(&server.Options{
		ServerName: "skein-" + filepath.Base(dir), DontListen: true, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: dir, SyncAlways: sync,
		JetStreamMaxStore: 1 << 44, JetStreamMaxMemory: 64 << 20, MaxPayload: 8 << 20,
	})
	if err != nil {
		return nil, fmt.Errorf("open the store in %s: %w", dir, err)
	}
	srv.Start()
	if !srv.ReadyForConnections(startTimeout) {
		return &node{srv: srv}, fmt.Errorf("open the store in %s: it did not start within %s", dir, startTimeout)
	}
	return dial("", srv)
}

func (n *node) close() {
	if n == nil {
		return
	}
	if n.nc != nil {
		n.nc.Close()
	}
	if n.srv != nil {
		n.srv.Shutdown()
		n.srv.WaitForShutdown()
	}
}

// bucket opens a bucket of records.
func (n *node) bucket(ctx context.Context, name string) (jetstream.KeyValue, error) {
	kv, err := n.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: name, History: 1, Storage: jetstream.FileStorage})
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", name, err)
	}
	return kv, nil
}
