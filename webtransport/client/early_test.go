package client_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server"
	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// behindUDP is a server whose UDP goes through a relay, from afar.
func behindUDP(t *testing.T, change ...func(*server.Options)) (*node, *kit.UDPRelay) {
	t.Helper()
	udp := kit.RelayUDP(t)
	udp.Delay(30 * time.Millisecond) // far enough away for early data
	n := serve(t, append(change, func(o *server.Options) { o.QUICPort = udp.Port() })...)
	udp.To(port(t, n.addrs.HTTPS))
	return n, udp
}

func remembering(dir string) func(*client.Options) {
	return func(o *client.Options) { o.Cache = dir }
}

// visit makes a client that leaves its cache behind.
func visit(t *testing.T, n *node, dir string) {
	t.Helper()
	c := dial(t, n, remembering(dir), over(client.WebTransport))
	if _, err := c.Types(t.Context()); err != nil {
		t.Fatal(err)
	}
	kit.Eventually(t, "a ticket", func() bool { return len(files(t, dir, "ticket-")) > 0 })
	c.Close()
}

// files lists the files below dir whose names begin so.
func files(t *testing.T, dir, prefix string) (found []string) {
	t.Helper()
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasPrefix(d.Name(), prefix) {
			found = append(found, path)
		}
		return nil
	})
	return found
}

// metric reads a metric without labels.
func (n *node) metric(t *testing.T, name string) (v float64) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, n.addrs.HTTP+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+n.token)
	tr := &http.Transport{DisableKeepAlives: true}
	res, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			if _, err := fmt.Sscan(rest, &v); err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

func agents(t *testing.T, c *client.Client) int {
	t.Helper()
	l, err := c.List(t.Context(), wire.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	return len(l.Agents)
}

// The server acts on what came with the first packets, before it has said a word; whoever sends those packets again gets
// nothing done.
func TestAFirstFlightHasItsEffectOnce(t *testing.T) {
	t.Parallel()
	for _, restarted := range []bool{false, true} {
		t.Run(fmt.Sprintf("restarted %v", restarted), func(t *testing.T) {
			n, udp := behindUDP(t)
			dir := t.TempDir()
			visit(t, n, dir)
			if restarted {
				n = n.restart(t)
			}
			for _, f := range files(t, dir, "") {
				if st, err := os.Stat(f); err != nil || st.Mode() != 0o600 {
					t.Errorf("%s: %v, %v; want 0600", f, st.Mode(), err)
				}
			}
			direct := dial(t, n, over(client.WebSocket))
			var mu sync.Mutex
			var flight [][]byte
			udp.Guard(func(_ *kit.UDPFlow, toServer bool, b []byte) bool {
				mu.Lock()
				defer mu.Unlock()
				if toServer {
					flight = append(flight, bytes.Clone(b))
				}
				return toServer
			})
			c := dial(t, n, remembering(dir), over(client.WebTransport))
			answered := make(chan error, 1)
			go func() {
				_, err := c.Spawn(t.Context(), wire.SpawnParams{Type: "scripted", Script: "say hello\nidle 1h"})
				answered <- err
			}()
			kit.Eventually(t, "the agent of a request without any answer", func() bool { return agents(t, direct) == 1 })
			select {
			case err := <-answered:
				t.Fatalf("an answer, though nothing came back: %v", err)
			default:
			}
			if got := n.metric(t, "skein_early_requests_total"); got != 1 {
				t.Errorf("%v requests came as early data, want 1", got)
			}
			udp.Guard(nil)
			if err := <-answered; err != nil {
				t.Fatal(err)
			}
			c.Close()

			mu.Lock()
			defer mu.Unlock()
			to, err := net.Dial("udp", udp.Target())
			if err != nil {
				t.Fatal(err)
			}
			defer to.Close()
			kit.Eventually(t, "what is sent again begins a handshake", func() bool { // not while the server remembers the connection that was closed
				for _, b := range flight {
					to.Write(b)
				}
				to.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
				reply := make([]byte, 2000)
				n, err := to.Read(reply)
				return err == nil && n > 0 && reply[0]&0xb0 == 0x80
			})
			time.Sleep(300 * time.Millisecond) // for an effect that must not come
			if got := agents(t, direct); got != 1 {
				t.Errorf("%d agents after the first flight was sent again, want 1", got)
			}
			if got := n.metric(t, "skein_early_requests_total"); got != 1 {
				t.Errorf("%v requests were taken from early data, want the first one only", got)
			}
		})
	}
}

// While a server waits for the end of the handshake it takes nothing that has an effect each time.
func TestEarlyDataThatIsNotReplaySafeIsRefused(t *testing.T) {
	t.Parallel()
	n, udp := behindUDP(t)
	udp.Delay(0) // the gate below holds back what is to come late
	local, err := client.FindLocal(n.o.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	sessions := tls.NewLRUClientSessionCache(4)
	url := fmt.Sprintf("https://localhost:%d/wt", udp.Port())
	conf := webtransport.QUICDialConfig{TLS: &tls.Config{InsecureSkipVerify: true, ClientSessionCache: sessions}}
	ask := func(q *webtransport.QUICConn, path, body string) (int, string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+local.Token)
		req.Header.Set(wire.ClientIDHeader, "a client of a test")
		res, err := q.Do(ctx, req, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(b)
	}
	connect := func() *webtransport.QUICConn {
		q, err := webtransport.DialQUICEarly(t.Context(), url, conf)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { q.Close() })
		return q
	}
	list := `[{"jsonrpc":"2.0","id":1,"method":"agent.list"}]`
	for _, c := range []struct {
		path, body string
		code       int
	}{
		{"/rpc", list, http.StatusTooEarly},
		{"/connect", "", http.StatusTooEarly},
		{"/rpc", `[{"jsonrpc":"2.0","id":2,"method":"agent.spawn","params":{"type":"scripted","script":"say a"}},{"jsonrpc":"2.0","id":1,"method":"agent.list"}]`, http.StatusTooEarly},
		{"/rpc", `[{"jsonrpc":"2.0","id":3,"method":"agent.spawn","params":{"type":"scripted","script":"say a"}}]`, http.StatusOK},
	} {
		udp.Guard(nil)
		q := connect() // for a ticket
		if code, body := ask(q, "/rpc", list); code != http.StatusOK || !strings.Contains(body, `"agents"`) {
			t.Fatalf("after the handshake: %d %s", code, body)
		}
		q.Close()
		// The end of the handshake is held back: the client's packets pass for a while, in which the server is not heard. A busy
		// machine needs a while for the request.
		heard := kit.Less(500*time.Millisecond, 2500*time.Millisecond)
		var begun sync.Map // flow: when
		udp.Guard(func(f *kit.UDPFlow, toServer bool, _ []byte) bool {
			at, did := begun.LoadOrStore(f, time.Now())
			if age := time.Since(at.(time.Time)); toServer {
				return !did || age < heard*4/5
			} else if age < heard {
				time.Sleep(heard - age)
			}
			return true
		})
		q = connect()
		select {
		case <-q.HandshakeComplete():
			t.Fatalf("%s: no early data: the handshake is done", c.path)
		default:
		}
		code, body := ask(q, c.path, c.body)
		t.Log(c.path, c.body, code)
		if code != c.code {
			t.Errorf("%s %s: %d %s; want %d", c.path, c.body, code, body, c.code)
		}
		q.Close()
	}
	if got := agents(t, dial(t, n, over(client.WebSocket))); got != 1 {
		t.Errorf("%d agents, want 1: of the batch that was refused none", got)
	}
}

func TestACacheThatLies(t *testing.T) {
	t.Parallel()
	t.Run("nobody is there", func(t *testing.T) {
		n, _ := behindUDP(t)
		dir := t.TempDir()
		visit(t, n, dir)
		n.stop()
		c := dial(t, n, remembering(dir))
		_, err := c.Spawn(t.Context(), wire.SpawnParams{Type: "scripted", Script: "say a"})
		if ce := new(client.ConnectError); !errors.As(err, &ce) {
			t.Errorf("%v, want a ConnectError", err)
		}
	})
	t.Run("another token", func(t *testing.T) {
		n, _ := behindUDP(t)
		dir := t.TempDir()
		visit(t, n, dir)
		c := dial(t, n, remembering(dir), func(o *client.Options) { o.Token = "wrong" })
		_, err := c.Spawn(t.Context(), wire.SpawnParams{Type: "scripted", Script: "say a"})
		if se := new(client.StatusError); !errors.As(err, &se) || se.Status != http.StatusUnauthorized {
			t.Errorf("%v, want a StatusError 401", err)
		}
	})
	t.Run("another port", func(t *testing.T) {
		n, udp := behindUDP(t)
		dir := t.TempDir()
		visit(t, n, dir)
		endpoints := files(t, dir, "doors.json")[0]
		b, err := os.ReadFile(endpoints)
		if err != nil {
			t.Fatal(err)
		}
		b = bytes.ReplaceAll(b, fmt.Appendf(nil, ":%d/wt", udp.Port()), []byte(":9/wt"))
		if err := os.WriteFile(endpoints, b, 0o600); err != nil {
			t.Fatal(err)
		}
		c := dial(t, n, remembering(dir))
		script(t, c, "say a")
	})
	t.Run("broken files", func(t *testing.T) {
		n, _ := behindUDP(t)
		dir := t.TempDir()
		for i, junk := range []string{"", "{", `{"key":"localhost","ticket":"AAAA","state":"AAAA"}`, strings.Repeat("x", 1<<17)} {
			visit(t, n, dir)
			for _, f := range files(t, dir, "ticket-") {
				if err := os.WriteFile(f, []byte(junk), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if i%2 == 1 {
				for _, f := range files(t, dir, "doors") {
					if err := os.WriteFile(f, []byte(junk), 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			c := dial(t, n, remembering(dir))
			script(t, c, "say a")
			c.Close()
		}
	})
	t.Run("a ticket that was used", func(t *testing.T) {
		n, _ := behindUDP(t)
		dir := t.TempDir()
		visit(t, n, dir)
		ticket := files(t, dir, "ticket-")[0]
		b, err := os.ReadFile(ticket)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			for _, f := range files(t, dir, "ticket-") {
				os.Remove(f)
			}
			if err := os.WriteFile(ticket, b, 0o600); err != nil {
				t.Fatal(err)
			}
			c := dial(t, n, remembering(dir), over(client.WebTransport))
			script(t, c, "say a")
			c.Close()
		}
		if got := n.metric(t, "skein_early_requests_total"); got > 1 { // none, if the handshake was faster than the request
			t.Errorf("%v requests came as early data, want the first one only", got)
		}
		if got := agents(t, dial(t, n)); got != 3 {
			t.Errorf("%d agents, want 3", got)
		}
	})
	t.Run("no folder can be made", func(t *testing.T) {
		n, _ := behindUDP(t)
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		script(t, dial(t, n, remembering(file)), "say a")
	})
}

// A ticket is good once: of two clients that begin at once with one ticket, one goes the usual way.
func TestClientsShareNoTicket(t *testing.T) {
	t.Parallel()
	n, _ := behindUDP(t, unhurried) // over a WebSocket there are no tickets
	dir := t.TempDir()
	visit(t, n, dir)
	for _, f := range files(t, dir, "ticket-")[1:] {
		os.Remove(f)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			c := dial(t, n, remembering(dir))
			if _, err := c.Spawn(t.Context(), wire.SpawnParams{Type: "scripted", Script: "say a"}); err != nil {
				t.Error(err)
			}
			c.Close()
		})
	}
	all.Wait()
	if got := n.metric(t, "skein_early_requests_total"); got > 1 { // none, if the handshake was faster than the request
		t.Errorf("%v requests came as early data, want 1 at most", got)
	}
	if got := agents(t, dial(t, n)); got != 4 {
		t.Errorf("%d agents, want 4", got)
	}
	if len(files(t, dir, "ticket-")) < 4 {
		t.Errorf("the next four clients have %d tickets", len(files(t, dir, "ticket-")))
	}
}

// An input without an answer may still be on its way: the next one waits for the session, and does not overtake it.
func TestInputsKeepTheirOrderBeforeThereIsASession(t *testing.T) {
	t.Parallel()
	n, udp := behindUDP(t)
	dir := t.TempDir()
	visit(t, n, dir)
	direct := dial(t, n, over(client.WebSocket))
	a := script(t, direct, "read\nsay got ${reply}\nread\nsay got ${reply}")
	last := func() string {
		t.Helper()
		rec, err := direct.Get(t.Context(), a.ID)
		if err != nil {
			t.Fatal(err)
		}
		return rec.LastLine
	}
	udp.Guard(func(_ *kit.UDPFlow, toServer bool, _ []byte) bool { return toServer })
	c := dial(t, n, remembering(dir), over(client.WebTransport))
	var inputs sync.WaitGroup
	input := func(text string) {
		inputs.Go(func() {
			if err := c.Input(t.Context(), wire.InputParams{ID: a.ID, Text: text + "\n"}); err != nil {
				t.Error(err)
			}
		})
	}
	input("one")
	kit.Eventually(t, "the first input, without an answer", func() bool { return last() == "got one" })
	input("two")
	time.Sleep(300 * time.Millisecond) // for an effect that must not come
	if got := last(); got != "got one" {
		t.Errorf("%q while the input before has no answer", got)
	}
	udp.Guard(nil)
	inputs.Wait()
	if got := output(t, direct, a.ID); !strings.Contains(got, "got one\ngot two\n") {
		t.Errorf("output %q", got)
	}
}

// Everything that a client does works from a cache, also what needs a session.
func TestAClientFromACache(t *testing.T) {
	t.Parallel()
	n, _ := behindUDP(t, unhurried, func(o *server.Options) { o.BasePath = "/skein/" })
	dir := t.TempDir()
	visit(t, n, dir)
	c := dial(t, n, remembering(dir))
	a := script(t, c, "say hello\nread\nsay you said ${reply}")
	if err := c.Input(t.Context(), wire.InputParams{ID: a.ID, Text: "yes\n"}); err != nil {
		t.Fatal(err)
	}
	if got := output(t, c, a.ID); !strings.Contains(got, "you said yes") {
		t.Errorf("output %q", got)
	}
	conn, ok := c.Connection()
	if !ok || conn.Transport != wire.WebTransport || !strings.Contains(conn.Reason, "remembered") {
		t.Errorf("connection %+v, %v", conn, ok)
	}
	if _, err := c.Network(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := c.Stop(t.Context(), wire.StopParams{Scope: wire.ScopeAll}); err != nil {
		t.Error(err)
	}
}

// A network that passes no UDP is remembered: the next client begins with the WebSocket, and still finds back.
func TestAChoiceIsRemembered(t *testing.T) {
	t.Parallel()
	n, udp := behindUDP(t, func(o *server.Options) { o.RaceDelay = kit.Less(500*time.Millisecond, 3*time.Second) }) // after which UDP joins a slow WebSocket
	dir := t.TempDir()
	udp.Lose(1)
	transport := func() client.Connection {
		t.Helper()
		c := dial(t, n, remembering(dir))
		script(t, c, "say a")
		conn, _ := c.Connection()
		c.Close()
		return conn
	}
	if conn := transport(); conn.Transport != wire.WebSocket || strings.Contains(conn.Reason, "remembered") {
		t.Fatalf("%+v", conn)
	}
	var tried atomic.Int64
	udp.Lose(0)
	udp.Guard(func(*kit.UDPFlow, bool, []byte) bool { tried.Add(1); return true })
	conn := transport()
	if conn.Transport != wire.WebSocket || !strings.Contains(conn.Reason, "is UDP blocked?") || !strings.Contains(conn.Reason, "remembered from") {
		t.Errorf("%+v", conn)
	}
	if tried.Load() > 0 {
		t.Errorf("%d packets over UDP before the WebSocket was there", tried.Load())
	}
	c := dial(t, n, remembering(dir))
	kit.Eventually(t, "the client is back on WebTransport", func() bool {
		conn, ok := c.Connection()
		return ok && conn.Transport == wire.WebTransport
	})
	if found := files(t, dir, "choice.json"); len(found) > 0 {
		t.Error("what is no longer true is still remembered")
	}
	c.Close()
	if conn := transport(); strings.Contains(conn.Reason, "remembered from") {
		t.Errorf("%+v", conn)
	}
}
