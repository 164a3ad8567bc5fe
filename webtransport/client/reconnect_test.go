package client_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
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

// link is a server behind relays that a test can cut.
type link struct {
	*node
	tcp *tcpRelay
	udp *kit.UDPRelay
}

func behindRelays(t *testing.T, change ...func(*server.Options)) *link {
	t.Helper()
	l := &link{udp: kit.RelayUDP(t)}
	l.node = serve(t, append(change, func(o *server.Options) { o.QUICPort = l.udp.Port() })...)
	l.udp.To(port(t, l.addrs.HTTPS))
	l.tcp = relayTCP(t, fmt.Sprintf("127.0.0.1:%d", port(t, l.addrs.HTTP)))
	return l
}

// cut ends the client's session so that nobody says goodbye. QUIC finds out by its silence only, which takes the
// client two pings: there the client's own end is cut.
func (l *link) cut(c *client.Client, tr string) {
	if tr == client.WebSocket {
		l.tcp.cut()
	} else if s := c.Session(); s != nil {
		s.Close(uint32(wire.CloseLost), "cut by the test")
	}
}

// session waits for another session than the one named.
func another(t *testing.T, c *client.Client, old string) client.Connection {
	t.Helper()
	var conn client.Connection
	kit.Eventually(t, "the client is connected again", func() bool {
		var ok bool
		conn, ok = c.Connection()
		return ok && conn.Session != old
	})
	return conn
}

func TestNoEventIsLostOrComesTwice(t *testing.T) {
	t.Parallel()
	const cuts = 3
	lines := kit.Less(2000, 600)
	overBoth(t, func(t *testing.T, tr string) {
		t.Parallel()
		l := behindRelays(t)
		c := dial(t, l.node, over(tr), at(l.tcp.url()))
		a := script(t, c, fmt.Sprintf("repeat %d\nsay line ${i}\nwait 1ms\nend", lines))
		next, cut, sessions := 1, 0, map[string]bool{}
		var seq uint64
		for e, err := range c.Events(t.Context(), a.ID, client.EventOptions{Follow: true, Attached: func(at wire.Attached) {
			conn, _ := c.Connection()
			sessions[conn.Session] = true
			if !at.Recovered {
				t.Error("attached again, and not recovered")
			}
		}}) {
			if err != nil {
				t.Fatalf("after line %d: %v", next-1, err)
			}
			if e.Seq <= seq {
				t.Fatalf("seq %d after %d", e.Seq, seq)
			}
			seq = e.Seq
			if e.Type != wire.EventStdout {
				continue
			}
			for line := range strings.Lines(e.Data.Text) {
				if want := fmt.Sprintf("line %d\n", next); line != want {
					t.Fatalf("%q, want %q", line, want)
				}
				if next++; cut < cuts && next == (cut+1)*lines/(cuts+2) {
					cut++
					l.cut(c, tr)
				}
			}
		}
		if next != lines+1 || len(sessions) < cuts {
			t.Errorf("%d lines over %d sessions", next-1, len(sessions))
		}
	})
}

// TestUDPGoesAndComes blocks UDP before a session, lets it pass, and blocks it again in the middle of one.
func TestUDPGoesAndComes(t *testing.T) {
	t.Parallel()
	l := behindRelays(t)
	l.udp.Lose(1)
	c := dial(t, l.node, at(l.tcp.url()))
	on := func(want wire.Transport) {
		t.Helper()
		kit.Eventually(t, fmt.Sprintf("the client is on %s", want), func() bool {
			conn, ok := c.Connection()
			return ok && conn.Transport == want
		})
	}
	on(wire.WebSocket)
	a := script(t, c, "repeat forever\nsay line ${i}\nwait 5ms\nend")
	var next atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	var reading sync.WaitGroup
	reading.Go(func() {
		for e, err := range c.Events(ctx, a.ID, client.EventOptions{Follow: true}) {
			if err != nil {
				if ctx.Err() == nil {
					t.Error(err)
				}
				return
			}
			if e.Type != wire.EventStdout {
				continue
			}
			for line := range strings.Lines(e.Data.Text) {
				if want := fmt.Sprintf("line %d\n", next.Add(1)); line != want {
					t.Errorf("%q, want %q", line, want)
				}
			}
		}
	})
	goesOn := func() {
		t.Helper()
		from := next.Load()
		kit.Eventually(t, "lines come", func() bool { return next.Load() > from+50 })
	}
	goesOn()
	l.udp.Lose(0)
	on(wire.WebTransport)
	goesOn()
	l.udp.Lose(1)
	on(wire.WebSocket)
	goesOn()
	if _, err := c.Stop(t.Context(), wire.StopParams{IDs: []wire.AgentID{a.ID}}); err != nil {
		t.Error(err)
	}
	cancel()
	reading.Wait()
}

func TestARequestIsCarriedOutOnce(t *testing.T) {
	t.Parallel()
	const agents = 60
	overBoth(t, func(t *testing.T, tr string) {
		t.Parallel()
		l := behindRelays(t)
		c := dial(t, l.node, over(tr), at(l.tcp.url()))
		stubborn := spawn(t, c, wire.SpawnParams{Type: "shell", Argv: []string{"sh", "-c", `trap "" TERM; echo up; while :; do sleep 60; done`}})
		for e, err := range c.Events(t.Context(), stubborn.ID, client.EventOptions{Follow: true}) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Type == wire.EventStdout {
				break
			}
		}
		var all sync.WaitGroup
		all.Go(func() { // in work while the connection is cut
			grace := int64(700)
			res, err := c.Stop(t.Context(), wire.StopParams{IDs: []wire.AgentID{stubborn.ID}, GraceMS: &grace})
			if err != nil || len(res.Reports) != 1 || res.Reports[0].Already || !res.Reports[0].Forced {
				t.Errorf("stop: %+v, %v", res, err)
			}
		})
		ids := make([]wire.AgentID, agents)
		for i := range agents {
			all.Go(func() {
				res, err := c.Spawn(t.Context(), wire.SpawnParams{Type: "scripted", Name: fmt.Sprintf("w-%d", i), Script: "read"})
				if err != nil || len(res.Agents) != 1 {
					t.Errorf("spawn %d: %v", i, err)
					return
				}
				ids[i] = res.Agents[0].ID
			})
			if i%20 == 10 {
				l.cut(c, tr)
			}
		}
		all.Wait()
		direct := dial(t, l.node)
		list, err := direct.List(t.Context(), wire.Filter{Types: []string{"scripted"}})
		if err != nil || list.Total != agents {
			t.Fatalf("%d agents, want %d, %v", list.Total, agents, err)
		}
		seen := map[wire.AgentID]bool{}
		for _, id := range ids {
			seen[id] = true
		}
		for _, a := range list.Agents {
			if !seen[a.ID] {
				t.Errorf("agent %s (%s) was nobody's answer", a.ID, a.Name)
			}
		}
	})
}

func TestTheServerRestarts(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr string) {
		t.Parallel()
		n := serve(t)
		c := dial(t, n, over(tr))
		before, _ := c.Connection()
		a := script(t, c, "say one\nread")
		read := make(chan string, 1)
		said := make(chan struct{}) // else the server could stop the agent before it said anything
		go func() {
			var b strings.Builder
			for e, err := range c.Events(t.Context(), a.ID, client.EventOptions{Follow: true}) {
				if err != nil {
					b.WriteString(err.Error())
				}
				if e.Type == wire.EventStdout {
					close(said)
				}
				if e.Type == wire.EventStdout || e.Type == wire.EventExited {
					b.WriteString(e.Data.Text + string(e.Data.Reason))
				}
			}
			read <- b.String()
		}()
		<-said
		n.stop()
		var all sync.WaitGroup
		for i := range 5 { // nobody is there to answer
			all.Go(func() {
				if _, err := c.Spawn(t.Context(), wire.SpawnParams{Type: "scripted", Name: fmt.Sprintf("late-%d", i), Script: "read"}); err != nil {
					t.Errorf("spawn %d: %v", i, err)
				}
			})
		}
		again := n.restart(t)
		all.Wait()
		after := another(t, c, before.Session)
		if after.Epoch != before.Epoch || string(after.Transport) != tr {
			t.Errorf("%+v after %+v", after, before)
		}
		if got := <-read; got != "one\nstopped" {
			t.Errorf("the reader saw %q", got)
		}
		list, err := dial(t, again).List(t.Context(), wire.Filter{Query: "late-"})
		if err != nil || list.Total != 5 {
			t.Errorf("%d agents, %v", list.Total, err)
		}
	})
}

func TestARefusalForGoodEndsTheClient(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr string) {
		t.Parallel()
		n := serve(t)
		c := dial(t, n, over(tr))
		n.restart(t, func(o *server.Options) { o.DataDir = t.TempDir() }) // another token
		var last error
		for _, err := range c.Watch(t.Context()) {
			last = err
		}
		var se *client.StatusError
		if !errors.As(last, &se) || se.Status != 401 {
			t.Errorf("Watch ends with %v", last)
		}
		if _, err := c.Ping(t.Context()); !errors.As(err, &se) || se.Status != 401 {
			t.Errorf("Ping: %v", err)
		}
	})
}

func TestACloseCodeMayForbidToComeBack(t *testing.T) {
	t.Parallel()
	n := serve(t)
	overBoth(t, func(t *testing.T, tr string) {
		c := dial(t, n, over(tr))
		go c.Session().Close(uint32(wire.CloseLoggedOut), "")
		var last error
		for _, err := range c.Watch(t.Context()) {
			last = err
		}
		var ce *webtransport.CloseError
		if !errors.As(last, &ce) || ce.Code != uint32(wire.CloseLoggedOut) {
			t.Errorf("Watch ends with %v", last)
		}
		if _, ok := c.Connection(); ok {
			t.Error("it is connected")
		}
	})
}

// fleet is what a watcher knows.
type fleet struct {
	next   func() (client.Change, error, bool)
	agents map[wire.AgentID]wire.Agent
	resets int
}

func watch(t *testing.T, c *client.Client) *fleet {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	next, stop := iter.Pull2(c.Watch(ctx))
	t.Cleanup(func() { cancel(); stop() })
	return &fleet{next: next, agents: map[wire.AgentID]wire.Agent{}}
}

// until takes changes until the fleet is as wanted.
func (f *fleet) until(t *testing.T, what string, want func(ch client.Change) bool) {
	t.Helper()
	for {
		ch, err, ok := f.next()
		if err != nil || !ok {
			t.Fatalf("before %s: %v; the fleet is %+v", what, err, f.agents)
		}
		if ch.Reset {
			f.agents = map[wire.AgentID]wire.Agent{}
			f.resets++
		}
		for _, a := range ch.Agents {
			if old := f.agents[a.ID]; old.Rev > a.Rev {
				t.Errorf("revision %d of %s after %d", a.Rev, a.ID, old.Rev)
			}
			f.agents[a.ID] = a
		}
		for _, id := range ch.Removed {
			delete(f.agents, id)
		}
		if want(ch) {
			return
		}
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr string) {
		t.Parallel()
		l := behindRelays(t, func(o *server.Options) { o.KeepExited = 1 })
		c := dial(t, l.node, over(tr), at(l.tcp.url()))
		a := script(t, c, "say a\nread")
		f := watch(t, c)
		f.until(t, "a snapshot", func(client.Change) bool { return f.resets > 0 && f.agents[a.ID].Status == wire.StatusRunning })
		b := script(t, c, "ask Shall I?\nsay b says ${reply}\nexit 4")
		f.until(t, "a new agent's question", func(client.Change) bool {
			return f.agents[b.ID].Activity == wire.ActivityRequiresAction && f.agents[b.ID].Question == "Shall I?"
		})
		if err := c.Input(t.Context(), wire.InputParams{ID: b.ID, Text: "yes\n"}); err != nil {
			t.Fatal(err)
		}
		f.until(t, "its end", func(client.Change) bool {
			got := f.agents[b.ID]
			return got.Status == wire.StatusExited && got.Exit != nil && got.Exit.Code == 4 && got.LastLine == "b says yes"
		})
		late := watch(t, c) // a second one, while the status lane is open already
		late.until(t, "a late snapshot", func(client.Change) bool { return late.resets > 0 && late.agents[a.ID].ID == a.ID })

		conn, _ := c.Connection()
		resets := f.resets
		l.cut(c, tr)
		another(t, c, conn.Session)
		f.until(t, "a snapshot of the next session", func(client.Change) bool { return f.resets > resets && f.agents[a.ID].Status == wire.StatusRunning })
		d := script(t, c, "say d")
		f.until(t, "the oldest exited agent's removal", func(client.Change) bool {
			_, there := f.agents[b.ID]
			return !there && f.agents[d.ID].Status == wire.StatusExited
		})
		late.until(t, "the same in the other", func(client.Change) bool { _, there := late.agents[b.ID]; return !there })
	})
}

func TestWatchIsRightInTheEndWhateverIsLost(t *testing.T) {
	t.Parallel()
	l := behindRelays(t)
	c := dial(t, l.node, over(client.WebTransport), at(l.tcp.url()))
	f := watch(t, c)
	f.until(t, "a snapshot", func(ch client.Change) bool { return ch.Reset })
	l.udp.Lose(7)
	ids := map[wire.AgentID]bool{}
	for range 5 {
		ids[script(t, c, "repeat 50\nsay line ${i}\nwait 10ms\nend\nidle 1h").ID] = true
	}
	direct := dial(t, l.node, over(client.WebSocket))
	for id := range ids {
		kit.Eventually(t, "the agents are idle", func() bool {
			a, err := direct.Get(t.Context(), id)
			return err == nil && a.Activity == wire.ActivityIdle
		})
	}
	// The record says idle before the event of it is counted, so what the server knows is asked for anew with each change:
	// heartbeats bring one every second.
	f.until(t, "what the server knows", func(client.Change) bool {
		want, err := direct.List(t.Context(), wire.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range want.Agents {
			if got := f.agents[a.ID]; got.Activity != a.Activity || got.LastSeq != a.LastSeq || got.LastLine != "line 50" {
				return false
			}
		}
		return len(want.Agents) == len(ids)
	})
}

func TestACallEndsWithItsContextWhileNobodyIsThere(t *testing.T) {
	t.Parallel()
	n := serve(t)
	c := dial(t, n)
	n.stop()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := c.Ping(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Ping: %v", err)
	}
	for _, err := range c.Events(ctx, "a1", client.EventOptions{}) {
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Events: %v", err)
		}
	}
	c.Close() // does not wait for the server
}

// Another origin's page is refused by /connect for what it is, and not for its login. Programs send no Origin; a proxy may.
func TestARefusedOriginIsFinalAndNoMatterOfLogins(t *testing.T) {
	t.Parallel()
	n := serve(t)
	to, err := url.Parse(n.addrs.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int32
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		asked.Add(1)
		r.SetURL(to)
		r.Out.Header.Set("Origin", "https://ops.example")
	}})
	defer proxy.Close()
	_, err = client.Dial(t.Context(), client.Options{URL: proxy.URL, Token: n.token})
	var we *wire.Error
	if !errors.As(err, &we) || we.Code != wire.CodeOrigin || !strings.Contains(we.Message, "--allow-origin https://ops.example") {
		t.Errorf("%v", err)
	}
	if asked.Load() != 1 {
		t.Errorf("it asked %d times", asked.Load())
	}
}
