package client_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

func TestMain(m *testing.M) {
	*client.TicketWait = 5 * time.Second // a busy machine takes longer than people should wait
	*client.PieceSize = kit.Less[int64](1<<20, 256<<10)
	goleak.VerifyTestMain(m)
}

// patience bounds every wait for something that must happen.
const patience = kit.Patience

// node is a server that runs.
type node struct {
	o     server.Options
	addrs server.Addresses
	token string
	stop  func() // says stop and waits; Run must give nil
}

// serve runs a server until the test ends.
func serve(t *testing.T, change ...func(*server.Options)) *node {
	t.Helper()
	o := server.Options{DataDir: t.TempDir(), HTTP: "localhost:0", Listen: "localhost:0", Node: "test", Version: "test",
		StoreTimeout: kit.Patience, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
	for _, f := range change {
		f(&o)
	}
	ready := make(chan server.Addresses, 1)
	o.Ready = func(a server.Addresses) { ready <- a }
	s, err := server.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{o: o}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	n.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(n.stop)
	select {
	case n.addrs = <-ready:
	case err := <-ended:
		ended <- nil
		t.Fatalf("Run: %v", err)
	}
	if n.token, err = client.ReadToken(o.DataDir); err != nil {
		t.Fatal(err)
	}
	return n
}

// unhurried lets WebTransport win the race on a machine that is busy for longer than the race's usual delay.
func unhurried(o *server.Options) { o.RaceDelay = patience }

// restart stops a server and starts another on the same folder and ports.
func (n *node) restart(t *testing.T, change ...func(*server.Options)) *node {
	t.Helper()
	n.stop()
	return serve(t, append([]func(*server.Options){func(o *server.Options) {
		o.DataDir, o.QUICPort = n.o.DataDir, n.o.QUICPort
		o.HTTP, o.Listen = strings.TrimPrefix(n.addrs.HTTP, "http://"), strings.TrimPrefix(n.addrs.HTTPS, "https://")
	}}, change...)...)
}

func port(t *testing.T, url string) int {
	t.Helper()
	var p int
	if _, err := fmt.Sscanf(url[strings.LastIndexByte(url, ':'):], ":%d", &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// dial connects a client until the test ends.
func dial(t *testing.T, n *node, change ...func(*client.Options)) *client.Client {
	t.Helper()
	o := client.Options{URL: n.addrs.HTTP, Token: n.token, Name: "test", Version: "test"}
	for _, f := range change {
		f(&o)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := client.Dial(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func over(tr string) func(*client.Options) {
	return func(o *client.Options) { o.Transport = tr }
}

func at(url string) func(*client.Options) { return func(o *client.Options) { o.URL = url } }

// overBoth runs a test over each transport.
func overBoth(t *testing.T, f func(t *testing.T, tr string)) {
	for _, tr := range []string{client.WebTransport, client.WebSocket} {
		t.Run(tr, func(t *testing.T) { f(t, tr) })
	}
}

func spawn(t *testing.T, c *client.Client, p wire.SpawnParams) wire.Agent {
	t.Helper()
	res, err := c.Spawn(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return res.Agents[0]
}

func script(t *testing.T, c *client.Client, s string) wire.Agent {
	t.Helper()
	return spawn(t, c, wire.SpawnParams{Type: "scripted", Script: s})
}

// output reads what an agent prints, to its end.
func output(t *testing.T, c *client.Client, id wire.AgentID) string {
	t.Helper()
	var b strings.Builder
	for e, err := range c.Events(t.Context(), id, client.EventOptions{Follow: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Type == wire.EventStdout {
			b.Write(e.Data.Bytes())
		}
	}
	return b.String()
}

// wire between a client and a server that a test can cut: TCP.
type tcpRelay struct {
	ln     net.Listener
	target string
	work   sync.WaitGroup

	mu      sync.Mutex
	conns   map[net.Conn]bool
	stalled map[net.Conn]bool // nothing more is read of these
	release chan struct{}     // closed at the end, for them
}

func relayTCP(t *testing.T, target string) *tcpRelay {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &tcpRelay{ln: ln, target: target, conns: map[net.Conn]bool{}, stalled: map[net.Conn]bool{}, release: make(chan struct{})}
	r.work.Go(r.run)
	t.Cleanup(func() {
		ln.Close()
		close(r.release)
		r.cut()
		r.work.Wait()
	})
	return r
}

func (r *tcpRelay) url() string { return "http://" + r.ln.Addr().String() }

func (r *tcpRelay) run() {
	for {
		in, err := r.ln.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", r.target)
		if err != nil {
			in.Close()
			continue
		}
		r.mu.Lock()
		r.conns[in], r.conns[out] = true, true
		r.mu.Unlock()
		r.work.Go(func() { r.pass(in, out) })
		r.work.Go(func() { r.pass(out, in) })
	}
}

func (r *tcpRelay) pass(from, to net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		r.mu.Lock()
		stalled := r.stalled[from]
		r.mu.Unlock()
		if stalled {
			<-r.release
		}
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			break
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range []net.Conn{from, to} {
		c.Close()
		delete(r.conns, c)
	}
}

// stall makes every connection that is there now fall silent, for ever.
func (r *tcpRelay) stall() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		r.stalled[c] = true
	}
}

// cut ends every connection, without a word.
func (r *tcpRelay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
}
