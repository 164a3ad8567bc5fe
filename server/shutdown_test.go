package server

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/fork"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// serveEnv names a data folder: with it, the test binary is a server in a separate process, for tests that kill it.
const serveEnv = "TEST_SERVE_DATA_DIR"

func serveProcess(dir string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	s, err := New(ctx, Options{DataDir: dir, HTTP: "localhost:0", Listen: "localhost:0", Node: "test", KeepExited: 100_000,
		Ready: func(a Addresses) { json.NewEncoder(os.Stdout).Encode(a) }})
	if err == nil {
		err = s.Run(ctx)
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// startProcess runs a server in a separate process.
func startProcess(t *testing.T, dir string) (*exec.Cmd, Addresses) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), serveEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := fork.Start(cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			cmd.Process.Kill()
			cmd.Wait()
		}
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var a Addresses
	if err := json.Unmarshal(line, &a); err != nil {
		t.Fatal(err)
	}
	return cmd, a
}

const stubborn = `agent_types:
  stubborn:
    kind: exec
    argv: [sh, -c, 'trap "" TERM; echo up; while :; do sleep 60; done']
    stop_grace: 1500ms
`

func TestShutdownSaysGoodbyeAndStopsAgents(t *testing.T) {
	t.Parallel()
	config := write(t, "skein.yaml", stubborn)
	n := start(t, func(o *Options) { o.ConfigFile = config })
	agents := []wire.Agent{n.shell(t, "echo up; sleep 300 & sleep 300"), n.spawn(t, wire.SpawnParams{Type: "stubborn"}), n.script(t, "repeat forever\nwait 1s\nend")}
	var all []*peer
	for _, tr := range []wire.Transport{wire.WebTransport, wire.WebSocket, wire.WebSocket} {
		p := n.join(t, tr)
		all = append(all, p)
		lane, _ := p.attach(t, wire.Header{Agent: agents[1].ID, Follow: true})
		lane.until(t, func(m *wire.Message) bool {
			return m.Method == wire.NoteEvents && strings.Contains(string(m.Params), `up\n`)
		})
	}
	late, ticket := n.session(t, wire.WebSocket)

	stopped := make(chan struct{})
	go func() { defer close(stopped); n.stop() }()
	for _, p := range all {
		var bye wire.Goodbye
		p.ctrl.note(t, wire.NoteGoodbye, &bye)
		if bye.Code != wire.CloseShutdown || bye.ReconnectAfterMS <= 0 || bye.Reason == "" {
			t.Errorf("goodbye %+v", bye)
		}
	}
	// The stubborn agent delays the server by its grace; meanwhile all clients are told that the server is stopping.
	if a := n.ask(t, "GET", "/readyz"); a.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("/readyz: %s", a.Status)
	}
	if a := n.ask(t, "GET", "/healthz"); a.StatusCode != http.StatusOK {
		t.Errorf("/healthz: %s", a.Status)
	}
	if a := n.ask(t, "POST", "/connect", bearer(n.token)); a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" || a.reason(t).Code != wire.CodeUnavailable {
		t.Errorf("/connect: %s", a.Status)
	}
	isError(t, all[0].call(t, "1", wire.MethodSpawn, wire.SpawnParams{Type: "scripted"}), wire.CodeUnavailable, "")
	open(t, late, controlHeader, helloLine(wire.Hello{Versions: []string{wire.Version}, Ticket: ticket, Client: wire.ClientInfo{ID: clientID()}}))
	if code, _ := closed(t, late); code != wire.CloseShutdown {
		t.Errorf("a hello while the server stops: closed with %d", code)
	}
	for _, p := range all {
		if code, reason := closed(t, p); code != wire.CloseShutdown || reason == "" {
			t.Errorf("closed with %d %q", code, reason)
		}
	}
	<-stopped
	for _, a := range agents {
		if left := processes(t, a.ID); len(left) > 0 {
			t.Errorf("%s left processes %v", a.Name, left)
		}
	}
}

func TestASecondStartGoesOnWithTheSameLog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(o *Options) { o.DataDir = dir }
	n := start(t, in)
	a := n.shell(t, "echo one; echo two; sleep 300")
	p := n.join(t, wire.WebSocket)
	lane, at := p.attach(t, wire.Header{Agent: a.ID, Follow: true})
	lane.until(t, func(m *wire.Message) bool { return strings.Contains(string(m.Params), `two\n`) })
	n.stop()

	again := start(t, in)
	q := again.join(t, wire.WebTransport, func(h *wire.Hello) {
		h.Resume = &wire.Resume{Session: p.welcome.Session, Epoch: p.welcome.Epoch}
	})
	if !q.welcome.Recovered || q.welcome.Epoch != at.Epoch || q.welcome.Session == p.welcome.Session {
		t.Errorf("welcome %+v after epoch %s", q.welcome, at.Epoch)
	}
	lane, at = q.attach(t, wire.Header{Agent: a.ID, After: at.First, Epoch: at.Epoch, Follow: true})
	events, end := lane.events(t)
	if !at.Recovered || output(events) != "one\ntwo\n" || end.Agent.Status != wire.StatusExited || end.Agent.Reason != wire.ReasonStopped {
		t.Errorf("recovered %t, output %q, agent %+v", at.Recovered, output(events), end.Agent)
	}
}

func TestAKilledServersAgentsAreReaped(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server, addrs := startProcess(t, dir)
	token, err := client.ReadToken(dir)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.Dial(t.Context(), client.Options{URL: addrs.HTTP, Token: token, Transport: client.WebSocket})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	spawn := func(p wire.SpawnParams) wire.Agent {
		t.Helper()
		res, err := c.Spawn(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		return res.Agents[0]
	}
	quiet := spawn(wire.SpawnParams{Type: "shell", Argv: []string{"sh", "-c", `trap "" HUP PIPE; echo one; echo two; sleep 300 & exec sleep 300`}})
	fork := spawn(wire.SpawnParams{Type: "shell", Argv: []string{"sh", "-c", `setsid sleep 300 & echo up; exec sleep 300`}})
	script := spawn(wire.SpawnParams{Type: "scripted", Script: "say scripted\nread"})
	before := spawn(wire.SpawnParams{Type: "scripted", Script: "say done"})
	seen := map[wire.AgentID][]wire.Event{}
	for _, want := range []struct {
		a wire.Agent
		n int // lines
	}{{quiet, 2}, {fork, 1}, {script, 1}, {before, 1}} {
		for e, err := range c.Events(t.Context(), want.a.ID, client.EventOptions{Follow: true}) {
			if err != nil {
				t.Fatal(err)
			}
			seen[want.a.ID] = append(seen[want.a.ID], e)
			if strings.Count(output(seen[want.a.ID]), "\n") == want.n && want.a.ID != before.ID {
				break
			}
		}
	}
	conn, _ := c.Connection()
	if err := server.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	server.Wait()
	for _, a := range []wire.Agent{quiet, fork} {
		kit.Eventually(t, "two processes of "+a.Name+" outlive the server", func() bool { return len(processes(t, a.ID)) == 2 }) // one may begin just now
	}

	n := start(t, func(o *Options) { o.DataDir = dir })
	for _, a := range []wire.Agent{quiet, fork, script} {
		if left := processes(t, a.ID); len(left) > 0 {
			t.Errorf("%s: processes %v are left", a.Name, left)
		}
		got, err := n.plane.Get(a.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got.Status != wire.StatusExited || got.Reason != wire.ReasonFailed || got.Exit == nil || !strings.Contains(got.Exit.Message, "orphaned") || len(got.Exit.Leftovers) > 0 {
			t.Errorf("%s: %+v, exit %+v", a.Name, got, got.Exit)
		}
	}
	if got, err := n.plane.Get(before.ID); err != nil || got.Reason != wire.ReasonCompleted {
		t.Errorf("an agent that had ended before: %+v, %v", got, err)
	}

	p := n.join(t, wire.WebTransport, func(h *wire.Hello) { h.Resume = &wire.Resume{Session: conn.Session, Epoch: conn.Epoch} })
	if p.welcome.Epoch != conn.Epoch || !p.welcome.Recovered {
		t.Errorf("welcome %+v after epoch %s: the machine did not crash", p.welcome, conn.Epoch)
	}
	for id, old := range seen {
		last := old[len(old)-1].Seq
		lane, at := p.attach(t, wire.Header{Agent: id, After: last, Epoch: conn.Epoch, Follow: true})
		rest, end := lane.events(t)
		if !at.Recovered || output(rest) != "" || end.Agent.Status != wire.StatusExited {
			t.Errorf("%s goes on: recovered %t, %+v", id, at.Recovered, rest)
		}
		lane, _ = p.attach(t, wire.Header{Agent: id, Follow: true})
		all, _ := lane.events(t)
		if len(all) != len(old)+len(rest) || output(all) != output(old) {
			t.Errorf("%d events, output %q became %d, %q", len(old), output(old), len(all), output(all))
		}
		if e := all[len(all)-1]; e.Type != wire.EventExited {
			t.Errorf("the last event is %+v", e)
		}
	}
	page := n.ask(t, "GET", "/agents/"+string(quiet.ID), bearer(n.token))
	if page.StatusCode != http.StatusOK || !strings.Contains(page.body, "rphaned: Skein ended without stopping it") || !strings.Contains(page.body, ">two<") {
		t.Errorf("the agent's page: %s", page.Status)
	}
}

func TestNothingOfARunIsLeft(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(o *Options) { o.DataDir = dir }
	n := start(t, in)
	n.script(t, "read")
	n.join(t, wire.WebTransport, withStatus)
	n.stop()
	if err := n.Close(); err != nil {
		t.Errorf("Close after Run: %v", err)
	}
	var left []string
	for _, f := range []string{wire.LocalFile} {
		if found, _ := filepath.Glob(filepath.Join(dir, f+"*")); len(found) > 0 {
			left = append(left, found...)
		}
	}
	if len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	s, err := New(t.Context(), Options{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil { // without Run
		t.Error(err)
	}
}

func TestAStartThatFailsLeavesTheFolderFree(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := New(t.Context(), Options{DataDir: dir, HTTP: "off", Listen: "off"}); err == nil {
		t.Error("a server without listeners was opened")
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	s, err := New(t.Context(), Options{DataDir: dir, HTTP: taken.Addr().String(), Listen: "off"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); err == nil {
		t.Error("a server ran whose port is another's")
	}
	bad := write(t, "skein.yaml", "agents: {}\n")
	if _, err := New(t.Context(), Options{DataDir: dir, ConfigFile: bad}); err == nil {
		t.Error("a bad configuration was taken")
	}
	if _, err := New(t.Context(), Options{DataDir: dir, TLSCert: bad, TLSKey: bad}); err == nil {
		t.Error("a bad certificate was taken")
	}
	n := start(t, func(o *Options) { o.DataDir = dir })
	if !slices.ContainsFunc(n.plane.Types(), func(at wire.AgentType) bool { return at.Name == "shell" }) {
		t.Error("the built-in types are not there")
	}
}

func TestADrainIsBounded(t *testing.T) {
	t.Parallel()
	config := write(t, "skein.yaml", strings.Replace(stubborn, "1500ms", "1ms", 1))
	n := start(t, func(o *Options) { o.ConfigFile = config })
	a := n.spawn(t, wire.SpawnParams{Type: "stubborn"})
	begin := time.Now()
	n.stop()
	if took := time.Since(begin); took > 8*time.Second && !kit.Quick {
		t.Errorf("a stop with one stubborn agent of 1 ms grace took %s", took)
	}
	if left := processes(t, a.ID); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
}
