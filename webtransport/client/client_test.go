package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

func TestEveryRequest(t *testing.T) {
	t.Parallel()
	n := serve(t)
	overBoth(t, func(t *testing.T, tr string) {
		c := dial(t, n, over(tr))
		conn, ok := c.Connection()
		if !ok || string(conn.Transport) != tr || conn.Node != "test" || conn.Server != "test" || conn.Session == "" || conn.Epoch == "" || conn.Reason == "" {
			t.Errorf("connection %+v", conn)
		}
		if got := c.Session().Info().Transport; got != tr {
			t.Errorf("the session's transport is %s", got)
		}
		file := filepath.Join(t.TempDir(), "f")
		a := spawn(t, c, wire.SpawnParams{Type: "shell", Name: "writer-" + tr, Argv: []string{"sh", "-c", `read line; echo "$line" | tee "$FILE"; exit 3`},
			Env: map[string]string{"FILE": file}, Labels: map[string]string{"over": tr}})
		if err := c.Input(t.Context(), wire.InputParams{ID: a.ID, Text: "hello\n"}); err != nil {
			t.Fatal(err)
		}
		if got := output(t, c, a.ID); got != "hello\n" {
			t.Errorf("output %q", got)
		}
		if b, err := os.ReadFile(file); string(b) != "hello\n" {
			t.Errorf("the file holds %q, %v", b, err)
		}
		end, err := c.Get(t.Context(), a.ID)
		if err != nil || end.Exit == nil || end.Exit.Code != 3 {
			t.Errorf("%+v, %v", end, err)
		}
		list, err := c.List(t.Context(), wire.Filter{Labels: map[string]string{"over": tr}})
		if err != nil || list.Total != 1 || list.Agents[0].ID != a.ID {
			t.Errorf("%+v, %v", list, err)
		}
		page, err := c.EventPage(t.Context(), wire.AgentEventsParams{ID: a.ID, Which: wire.LifecycleEvents, Newest: true, Limit: 1})
		if err != nil || len(page.Events) != 1 || page.Events[0].Type != wire.EventExited || !page.More || page.Last != page.Events[0].Seq {
			t.Errorf("%+v, %v", page, err)
		}
		types, err := c.Types(t.Context())
		if err != nil || len(types) != 4 {
			t.Errorf("%+v, %v", types, err)
		}
		b := script(t, c, "read")
		stopped, err := c.Stop(t.Context(), wire.StopParams{IDs: []wire.AgentID{b.ID}})
		if err != nil || len(stopped.Reports) != 1 || stopped.Reports[0].Reason != wire.ReasonStopped {
			t.Errorf("%+v, %v", stopped, err)
		}
		if v, err := c.Network(t.Context()); err != nil || string(v.Transport) != tr || v.BytesSent == 0 || len(v.Lanes) != len(wire.Lanes) {
			t.Errorf("the network: %+v, %v", v, err)
		}
		if rtt, err := c.Ping(t.Context()); err != nil || rtt <= 0 {
			t.Errorf("ping: %s, %v", rtt, err)
		}
		kit.Eventually(t, "the round trip is measured", func() bool { conn, _ := c.Connection(); return conn.RTT > 0 })
	})
}

// TestSearchGoesOn: an answer has so many matches, and the search goes on until there are no more, or nobody wants more.
func TestSearchGoesOn(t *testing.T) {
	t.Parallel()
	n := serve(t)
	c := dial(t, n)
	a := spawn(t, c, wire.SpawnParams{Type: "shell", Argv: []string{"sh", "-c", "i=0; while [ $i -lt 12000 ]; do i=$((i+1)); echo line $i; done"}})
	output(t, c, a.ID)
	p := wire.AgentSearchParams{ID: a.ID, Query: "LINE"}
	if page, err := c.SearchPage(t.Context(), p); err != nil || !page.More || len(page.Matches) == 0 {
		t.Errorf("one answer has all: %d matches, more %v, %v", len(page.Matches), page.More, err)
	}
	i := 0
	for m, err := range c.Search(t.Context(), p) {
		if i++; err != nil || m.Line != fmt.Sprintf("line %d", i) {
			t.Fatalf("match %d: %+v, %v", i, m, err)
		}
	}
	if i != 12000 {
		t.Errorf("%d matches", i)
	}
	for m, err := range c.Search(t.Context(), p) {
		if err != nil || m.Line != "line 1" {
			t.Errorf("%+v, %v", m, err)
		}
		break
	}
	for _, err := range c.Search(t.Context(), wire.AgentSearchParams{ID: a.ID, Query: "(", Regexp: true}) {
		if !errors.Is(err, &wire.Error{Code: wire.CodeInvalidParams}) {
			t.Errorf("half an expression: %v", err)
		}
	}
}

func TestSearchAllGoesOn(t *testing.T) {
	t.Parallel()
	n := serve(t)
	c := dial(t, n)
	var names []string
	for i := range 2 {
		a := spawn(t, c, wire.SpawnParams{Name: fmt.Sprintf("counter-%d", i), Type: "shell", Argv: []string{"sh", "-c", "i=0; while [ $i -lt 60 ]; do i=$((i+1)); echo line $i; done"}})
		output(t, c, a.ID)
		names = append([]string{a.Name}, names...) // the newest first
	}
	p := wire.LogSearchParams{Query: "LINE", Limit: wire.MaxFoundPage}
	if page, err := c.SearchAllPage(t.Context(), wire.LogSearchParams{Query: "LINE 1", Limit: 1}); err != nil || !page.More || len(page.Matches) == 0 {
		t.Errorf("one answer: %+v, %v", page, err)
	}
	i := 0
	for m, err := range c.SearchAll(t.Context(), p) {
		if err != nil || m.Name != names[i/60] || m.Line != fmt.Sprintf("line %d", 60-i%60) {
			t.Fatalf("match %d: %+v, %v", i, m, err)
		}
		i++
	}
	if i != 120 {
		t.Errorf("%d matches", i)
	}
	for _, err := range c.SearchAll(t.Context(), wire.LogSearchParams{Query: "(", Regexp: true}) {
		if !errors.Is(err, &wire.Error{Code: wire.CodeInvalidParams}) {
			t.Errorf("half an expression: %v", err)
		}
	}
}

func TestRefusalsAreTyped(t *testing.T) {
	t.Parallel()
	n := serve(t)
	c := dial(t, n)
	for name, f := range map[string]func() error{
		"an unknown agent": func() error { _, err := c.Get(t.Context(), "anope"); return err },
		"an unknown type":  func() error { _, err := c.Spawn(t.Context(), wire.SpawnParams{Type: "nope"}); return err },
		"its events": func() (last error) {
			for _, err := range c.Events(t.Context(), "anope", client.EventOptions{}) {
				last = err
			}
			return last
		},
	} {
		if err := f(); !errors.Is(err, &wire.Error{Code: wire.CodeNotFound}) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.Spawn(t.Context(), wire.SpawnParams{Type: "scripted", Script: strings.Repeat("# long\n", wire.MaxMessage/7)}); err == nil {
		t.Error("a request over the limit was sent")
	}
	if _, err := c.Ping(t.Context()); err != nil {
		t.Errorf("after the refusals: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 { // an answer must not win against it
		if _, err := c.Spawn(ctx, wire.SpawnParams{Type: "scripted"}); !errors.Is(err, context.Canceled) {
			t.Fatalf("with a context that ended: %v", err)
		}
	}
	if all, err := c.List(t.Context(), wire.Filter{}); err != nil || len(all.Agents) != 0 {
		t.Errorf("for a context that had ended, %d agents were spawned: %v", len(all.Agents), err)
	}
}

func TestDialRefusals(t *testing.T) {
	t.Parallel()
	n := serve(t)
	halfServer := serve(t, func(o *server.Options) { o.Listen = "off" })
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/page") {
			http.NotFound(w, r)
			return
		}
		fmt.Fprintln(w, "<!DOCTYPE html>")
	}))
	defer elsewhere.Close()
	hash := []wire.CertificateHash{{Algorithm: "sha-256", Value: make([]byte, 32)}}
	for name, c := range map[string]struct {
		o    client.Options
		want string
	}{
		"nobody there":               {client.Options{URL: "http://127.0.0.1:1", Token: n.token}, "refused"},
		"no Skein":                   {client.Options{URL: elsewhere.URL, Token: n.token}, "404"},
		"a page, no Skein":           {client.Options{URL: elsewhere.URL + "/page", Token: n.token}, "no Skein document"},
		"another certificate":        {client.Options{URL: n.addrs.HTTPS, Token: n.token, CertificateHashes: hash}, "certificate"},
		"no certificate hash":        {client.Options{URL: n.addrs.HTTPS, Token: n.token}, "certificate"},
		"an unknown transport":       {client.Options{URL: n.addrs.HTTP, Token: n.token, Transport: "pigeon"}, "webtransport"},
		"an endpoint that is closed": {client.Options{URL: halfServer.addrs.HTTP, Token: halfServer.token, Transport: client.WebTransport}, "webtransport"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			cl, err := client.Dial(ctx, c.o)
			if err == nil {
				cl.Close()
				t.Fatal("it connects")
			}
			if !strings.Contains(err.Error(), c.want) || ctx.Err() != nil {
				t.Errorf("the error does not name %q, or it tried until its time was over: %v", c.want, err)
			}
		})
	}
	t.Run("a wrong token", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		_, err := client.Dial(ctx, client.Options{URL: n.addrs.HTTP, Token: "guess"})
		var se *client.StatusError
		if !errors.As(err, &se) || se.Status != 401 || !errors.Is(err, &wire.Error{Code: wire.CodeUnauthorized}) || !strings.Contains(err.Error(), "skein login") || ctx.Err() != nil {
			t.Errorf("%v", err)
		}
	})
}

func TestHTTPSWithItsCertificateHash(t *testing.T) {
	t.Parallel()
	n := serve(t, func(o *server.Options) { o.HTTP = "off" })
	overBoth(t, func(t *testing.T, tr string) {
		o, err := client.FindLocal(n.o.DataDir)
		if err != nil {
			t.Fatal(err)
		}
		o.Transport = tr
		c, err := client.Dial(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Ping(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestFindLocal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := client.FindLocal(dir); !errors.Is(err, client.ErrNoServer) || !strings.Contains(err.Error(), dir) {
		t.Errorf("an empty folder: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, wire.LocalFile), []byte("{half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := client.FindLocal(dir); err == nil || errors.Is(err, client.ErrNoServer) || !strings.Contains(err.Error(), wire.LocalFile) {
		t.Errorf("a broken file: %v", err)
	}
}

// silence is a UDP port that answers nothing.
func silence(t *testing.T) int {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	return pc.LocalAddr().(*net.UDPAddr).Port
}

func loopback(t *testing.T, n *node) string {
	return fmt.Sprintf("http://127.0.0.1:%d", port(t, n.addrs.HTTP))
}

func TestTheRace(t *testing.T) {
	t.Run("WebTransport wins", func(t *testing.T) {
		c := dial(t, serve(t, unhurried))
		if conn, _ := c.Connection(); conn.Transport != wire.WebTransport || conn.Reason != "the first choice" {
			t.Errorf("%+v", conn)
		}
	})
	t.Run("a black hole for UDP", func(t *testing.T) {
		n := serve(t, func(o *server.Options) { o.QUICPort = silence(t) })
		begin := time.Now()
		c := dial(t, n, at(loopback(t, n)))
		took := time.Since(begin)
		conn, _ := c.Connection()
		if conn.Transport != wire.WebSocket || !strings.Contains(conn.Reason, "500 ms") || !strings.Contains(conn.Reason, "UDP") {
			t.Errorf("%s, since %q", conn.Transport, conn.Reason)
		}
		if took < wire.RaceDelay {
			t.Errorf("it took %s", took)
		}
		if a := script(t, c, "say x"); output(t, c, a.ID) != "x\n" {
			t.Error("no output")
		}
	})
	t.Run("no WebTransport endpoint", func(t *testing.T) {
		c := dial(t, serve(t, func(o *server.Options) { o.Listen = "off" }))
		if conn, _ := c.Connection(); conn.Transport != wire.WebSocket || !strings.Contains(conn.Reason, "offers no WebTransport") {
			t.Errorf("%+v", conn)
		}
	})
	t.Run("asked for", func(t *testing.T) {
		n := serve(t)
		overBoth(t, func(t *testing.T, tr string) {
			if conn, _ := dial(t, n, over(tr)).Connection(); string(conn.Transport) != tr || !strings.HasPrefix(conn.Reason, "asked for") {
				t.Errorf("%+v", conn)
			}
		})
	})
	t.Run("asked for, through a black hole", func(t *testing.T) {
		n := serve(t, func(o *server.Options) { o.QUICPort = silence(t) })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if c, err := client.Dial(ctx, client.Options{URL: loopback(t, n), Token: n.token, Transport: client.WebTransport}); err == nil {
			c.Close()
			t.Error("it connects")
		} else if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
}

func TestInputsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	n := serve(t)
	overBoth(t, func(t *testing.T, tr string) {
		c := dial(t, n, over(tr))
		a := spawn(t, c, wire.SpawnParams{Type: "shell", Argv: []string{"cat"}})
		var want strings.Builder
		for i := range 200 {
			fmt.Fprintf(&want, "line %d\n", i)
			if err := c.Input(t.Context(), wire.InputParams{ID: a.ID, Text: fmt.Sprintf("line %d\n", i)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Input(t.Context(), wire.InputParams{ID: a.ID, EOF: true}); err != nil {
			t.Fatal(err)
		}
		if got := output(t, c, a.ID); got != want.String() {
			t.Errorf("%d bytes, want %d, or they are out of order", len(got), want.Len())
		}
	})
}

func TestEventsFromAnywhere(t *testing.T) {
	t.Parallel()
	n := serve(t)
	overBoth(t, func(t *testing.T, tr string) {
		c := dial(t, n, over(tr))
		a := script(t, c, "repeat 500\nsay line ${i}\nend")
		read := func(o client.EventOptions) (all []wire.Event) {
			for e, err := range c.Events(t.Context(), a.ID, o) {
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, e)
			}
			return all
		}
		all := read(client.EventOptions{Follow: true})
		if e := all[len(all)-1]; e.Type != wire.EventExited {
			t.Errorf("the last event is %+v", e)
		}
		if got := read(client.EventOptions{}); len(got) != len(all) {
			t.Errorf("%d events, want %d", len(got), len(all))
		}
		if got := read(client.EventOptions{Tail: 10}); len(got) != 10 || got[9].Seq != all[len(all)-1].Seq {
			t.Errorf("a tail of 10 has %d events", len(got))
		}
		if got := read(client.EventOptions{After: all[99].Seq}); len(got) != len(all)-100 {
			t.Errorf("%d events after the hundredth, want %d", len(got), len(all)-100)
		}
		var attached []wire.Attached
		got := read(client.EventOptions{After: all[99].Seq, Epoch: "another.0", Attached: func(at wire.Attached) { attached = append(attached, at) }})
		if len(attached) != 1 || attached[0].Recovered || len(got) != len(all) {
			t.Errorf("with a cursor of another epoch: %d events, attached %+v", len(got), attached)
		}
		seen := 0
		for _, err := range c.Events(t.Context(), a.ID, client.EventOptions{Follow: true}) { // leaves early
			if err != nil {
				t.Fatal(err)
			}
			if seen++; seen == 5 {
				break
			}
		}
		if _, err := c.Ping(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestCloseEndsEverything(t *testing.T) {
	t.Parallel()
	n := serve(t)
	overBoth(t, func(t *testing.T, tr string) {
		c := dial(t, n, over(tr))
		a := script(t, c, "say up\nread")
		var all sync.WaitGroup
		up := make(chan struct{}, 2)
		ended := func(what string, err error) {
			if !errors.Is(err, client.ErrClosed) {
				t.Errorf("%s ends with %v", what, err)
			}
		}
		all.Go(func() {
			var last error
			for e, err := range c.Events(context.Background(), a.ID, client.EventOptions{Follow: true}) {
				if last = err; e.Type == wire.EventStdout {
					up <- struct{}{}
				}
			}
			ended("Events", last)
		})
		all.Go(func() {
			var last error
			for ch, err := range c.Watch(context.Background()) {
				if last = err; ch.Reset {
					up <- struct{}{}
				}
			}
			ended("Watch", last)
		})
		<-up
		<-up
		c.Close()
		all.Wait()
		_, err := c.Ping(context.Background())
		ended("Ping", err)
		_, err = c.Spawn(context.Background(), wire.SpawnParams{Type: "scripted"})
		ended("Spawn", err)
		if _, ok := c.Connection(); ok {
			t.Error("a closed client is connected")
		}
		if c.Close(); c.Session() != nil {
			t.Error("a closed client has a session")
		}
		d := dial(t, n, over(tr))
		if got, err := d.Get(t.Context(), a.ID); err != nil || got.Status != wire.StatusRunning {
			t.Errorf("the agent is %+v, %v", got, err)
		}
	})
}

func TestContextsEndWaiting(t *testing.T) {
	t.Parallel()
	n := serve(t)
	c := dial(t, n)
	a := script(t, c, "read")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	for e, err := range c.Events(ctx, a.ID, client.EventOptions{Follow: true}) {
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Events: %+v, %v", e, err)
		}
	}
	for _, err := range c.Watch(ctx) {
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Watch: %v", err)
		}
	}
	if _, err := c.Ping(t.Context()); err != nil {
		t.Errorf("the client ended with it: %v", err)
	}
}

func TestCriticalRequestsRace(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr string) {
		t.Parallel()
		n := serve(t)
		c := dial(t, n, over(tr))
		raced := func() string {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, n.addrs.HTTP+"/metrics", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+n.token)
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			b, _ := io.ReadAll(res.Body)
			_, after, _ := strings.Cut(string(b), "\nskein_raced_requests_total ")
			count, _, _ := strings.Cut(after, "\n")
			return count
		}
		a := script(t, c, "idle 1h")
		if _, err := c.Get(t.Context(), a.ID); err != nil {
			t.Fatal(err)
		}
		if got := raced(); got != "0" {
			t.Errorf("%s requests came as datagrams that are not critical", got)
		}
		if res, err := c.Stop(t.Context(), wire.StopParams{IDs: []wire.AgentID{a.ID}}); err != nil || res.Reports[0].Status != wire.StatusExited {
			t.Errorf("%+v, %v", res, err)
		}
		if tr == client.WebSocket {
			if got := raced(); got != "0" {
				t.Errorf("%s datagrams went over a WebSocket", got)
			}
			return
		}
		kit.Eventually(t, "it went as a datagram too", func() bool { return raced() != "0" })
		http.DefaultClient.CloseIdleConnections()
	})
}
