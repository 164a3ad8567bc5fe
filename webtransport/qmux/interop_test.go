package qmux

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"skein.dev/skein/e2e/kit"
)

// wsConn is a WebSocket as a Conn.
type wsConn struct{ *websocket.Conn }

func (c wsConn) ReadMessage(ctx context.Context) ([]byte, error) {
	_, b, err := c.Read(ctx)
	return b, err
}

func (c wsConn) WriteMessage(ctx context.Context, b []byte) error {
	return c.Write(ctx, websocket.MessageBinary, b)
}

func (c wsConn) Close() error { return c.CloseNow() }

// node is a process of testdata/interop.mjs.
type node struct {
	t       *testing.T
	reports *bufio.Scanner
}

// startNode runs the script with the modules of the static folder. Without them the test is skipped, or fails where
// interop is required.
func startNode(t *testing.T, args ...string) *node {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	modules := filepath.Join(here, "..", "..", "static", "node_modules")
	for _, name := range []string{"@moq/qmux", "ws"} {
		if _, err := os.Stat(filepath.Join(modules, name)); err != nil {
			missing(t, fmt.Sprintf("NO INTEROP TEST: %s is not installed; run make deps", name))
		}
	}
	if _, err := exec.LookPath("node"); err != nil {
		missing(t, "NO INTEROP TEST: node is not installed")
	}
	cmd := exec.Command("node", append([]string{filepath.Join(here, "testdata", "interop.mjs"), modules}, args...)...)
	cmd.Stderr = testLog{t}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return &node{t: t, reports: bufio.NewScanner(out)}
}

func missing(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("SKEIN_REQUIRE_INTEROP") == "1" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// testLog passes what node writes to stderr on to the test's log.
type testLog struct{ t *testing.T }

func (l testLog) Write(b []byte) (int, error) {
	l.t.Logf("node: %s", bytes.TrimSpace(b))
	return len(b), nil
}

// report is what the script says about itself and its session.
type report struct {
	Port      int
	CloseCode *uint32
	Reason    string
	Error     string
}

func (n *node) report() (r report) {
	n.t.Helper()
	if !n.reports.Scan() {
		n.t.Fatalf("node ended without a report: %v", n.reports.Err())
	}
	if err := json.Unmarshal(n.reports.Bytes(), &r); err != nil {
		n.t.Fatalf("%s: %v", n.reports.Bytes(), err)
	}
	return r
}

// moqServed has node dial a server of this package.
func moqServed(t *testing.T, version string, moq string, cfg Config) (*node, *Session) {
	sessions := make(chan *Session, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{version + ".test"}})
		if err != nil {
			t.Error(err)
			return
		}
		conn.SetReadLimit(MinRecord)
		sessions <- Server(wsConn{conn}, cfg)
	}))
	t.Cleanup(server.Close)
	n := startNode(t, "dial", server.URL, version+".test", moq)
	select {
	case s := <-sessions:
		return n, s
	case <-within(t).Done():
		t.Fatal("node did not dial")
	}
	return nil, nil
}

// moqDialled dials a server of @moq/qmux.
func moqDialled(t *testing.T, version string, moq string, cfg Config) (*node, *Session) {
	n := startNode(t, "listen", version+".test", moq)
	url := fmt.Sprintf("ws://127.0.0.1:%d", n.report().Port)
	conn, _, err := websocket.Dial(within(t), url, &websocket.DialOptions{Subprotocols: []string{version + ".test"}})
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(MinRecord)
	return n, Client(wsConn{conn}, cfg)
}

// TestInterop talks to an implementation that we have not written, as server and as client.
func TestInterop(t *testing.T) {
	roles := map[string]func(*testing.T, string, string, Config) (*node, *Session){
		"go server": moqServed, "go client": moqDialled,
	}
	for role, connect := range roles {
		for version, draft := range map[string]Version{"qmux-01": Draft01, "qmux-02": Draft02} {
			for name, test := range map[string]struct {
				window, conn uint64 // of both sides
				size         int    // of each of the streams that are echoed
			}{
				"64 bytes": {64, 200, kit.Less(16<<10, 3<<10)},
				"1 KiB":    {1024, 3000, kit.Less(128<<10, 24<<10)},
				"256 KiB":  {256 << 10, 1 << 20, kit.Less(1<<20, 384<<10)}, // more than a window, and together more than both
			} {
				t.Run(role+"/"+version+"/"+name, func(t *testing.T) {
					moq := fmt.Sprintf(`{"maxData":%d,"maxStreamDataBidiLocal":%d,"maxStreamDataBidiRemote":%[2]d,"maxStreamsBidi":5}`,
						test.conn, test.window)
					n, s := connect(t, version, moq, Config{
						StreamWindow: test.window, ConnWindow: test.conn, MaxStreams: 5, MaxDatagram: 2000, Version: draft})
					defer s.Close(0, "")
					i := interop{t, s}
					i.echo(test.size)
					i.opened(test.size)
					i.cancelled()
					i.datagrams()
					i.close(n)
				})
			}
		}
	}
}

// TestInteropRemoteClose has @moq/qmux close the session.
func TestInteropRemoteClose(t *testing.T) {
	_, s := moqServed(t, "qmux-02", "{}", Config{})
	defer s.Close(0, "")
	interop{t, s}.command("close 4007 so long").Close()
	<-s.Context().Done()
	if err := context.Cause(s.Context()); !errors.Is(err, &CloseError{4007, "so long", true}) {
		t.Error(err)
	}
}

// TestInteropKeepAlive outlasts the idle timeout that @moq/qmux asks for, on pings alone.
func TestInteropKeepAlive(t *testing.T) {
	t.Parallel()
	_, s := moqDialled(t, "qmux-02", `{"maxIdleTimeout":4000}`, Config{}) // so long that a busy machine keeps it alive, too
	defer s.Close(0, "")
	st := interop{t, s}.command("echo")
	st.SetReadDeadline(time.Now().Add(5 * time.Second))
	if err := read(st); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("Read: %v", err)
	}
	st.SetReadDeadline(time.Time{})
	must(st.Write([]byte("still here")))(t)
	readN(t, st, 10)
	if s.RTT() == 0 {
		t.Error("the round trip was not measured")
	}
}

// interop is one conversation with testdata/interop.mjs.
type interop struct {
	t *testing.T
	s *Session
}

func (i interop) command(line string) *Stream {
	i.t.Helper()
	st := must(i.s.OpenStream(within(i.t)))(i.t)
	must(st.Write([]byte(line + "\n")))(i.t)
	return st
}

func (i interop) all(st *Stream) string {
	i.t.Helper()
	return string(must(io.ReadAll(st))(i.t))
}

// echo has node echo on several streams at once, more of them than it allows.
func (i interop) echo(size int) {
	var wg sync.WaitGroup
	for k := range 8 {
		wg.Go(func() {
			st := i.command("echo")
			data := random(size + k)
			wg.Go(func() {
				st.Write(data)
				st.Close()
			})
			if got, err := io.ReadAll(st); err != nil || !bytes.Equal(got, data) {
				i.t.Errorf("%d bytes came back as %d, %v", len(data), len(got), err)
			}
		})
	}
	wg.Wait()
}

// opened has node open streams, which this side echoes.
func (i interop) opened(size int) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 8 {
			st, err := i.s.AcceptStream(within(i.t))
			if err != nil {
				i.t.Error(err)
				return
			}
			go func() {
				io.Copy(st, st)
				st.Close()
			}()
		}
	}()
	st := i.command(fmt.Sprintf("open 8 %d", size))
	st.Close()
	if got := i.all(st); got != "same" {
		i.t.Errorf("node got %q", got)
	}
	<-done
}

// cancelled tries the four ways to end a stream early.
func (i interop) cancelled() {
	t := i.t
	st := i.command("abort 11")
	if _, err := io.ReadAll(st); !errors.Is(err, &StreamError{11, true}) {
		t.Errorf("node aborts: %v", err)
	}
	st.Close()

	st = i.command("cancel 12")
	var err error
	for err == nil {
		_, err = st.Write([]byte("more"))
	}
	if got := i.all(st); got != "cancelled" || !errors.Is(err, &StreamError{12, true}) {
		t.Errorf("node cancels: %v, %q", err, got)
	}

	st = i.command("reset")
	readN(t, st, len("ready")) // a reset may overtake the command
	st.CancelWrite(13)
	if got := i.all(st); got != "13" {
		t.Errorf("node is told of reset %q", got)
	}

	st = i.command("stopped")
	readN(t, st, 2500)
	st.CancelRead(14)
	st.Close()
	back := must(i.s.AcceptStream(within(t)))(t)
	if got := i.all(back); got != "14" {
		t.Errorf("node is told to stop with %q", got)
	}
	back.Close()
}

// datagrams echoes some of several sizes; over TCP none gets lost as long as few are on the way.
func (i interop) datagrams() {
	for _, n := range []int{1, 100, 1990} {
		data := random(n)
		must(0, i.s.SendDatagram(data))(i.t)
		if got := must(i.s.ReceiveDatagram(within(i.t)))(i.t); !bytes.Equal(got, data) {
			i.t.Errorf("a datagram of %d bytes came back as %d", n, len(got))
		}
	}
}

func (i interop) close(n *node) {
	if err := i.s.Close(4001, "enough, thank you"); err != nil {
		i.t.Error(err)
	}
	r := n.report()
	if r.CloseCode == nil || *r.CloseCode != 4001 || !strings.HasPrefix(r.Reason, "enough") {
		i.t.Errorf("node reports %+v", r)
	}
}
