package server

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/push"
	"skein.dev/skein/webtransport/wire"
)

// offer is what a browser sends to subscribe.
func offer(t *testing.T, endpoint string) func(*http.Request) {
	t.Helper()
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := json.Marshal(map[string]any{"endpoint": endpoint, "keys": map[string]string{
		"p256dh": base64.RawURLEncoding.EncodeToString(key.PublicKey().Bytes()), "auth": base64.RawURLEncoding.EncodeToString([]byte(rand.Text()[:16]))}})
	return jsonBody(string(b))
}

func jsonBody(s string) func(*http.Request) {
	return func(r *http.Request) {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(s)), int64(len(s))
		r.Header.Set("Content-Type", "application/json")
	}
}

type pushed struct {
	Off           bool
	Key           string
	Subscriptions []push.Record
}

func (n *node) pushed(t *testing.T, change ...func(*http.Request)) (p pushed) {
	t.Helper()
	a := n.ask(t, "GET", n.addrs.HTTP+"/push", change...)
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || a.StatusCode != http.StatusOK {
		t.Fatalf("%s, %q", a.Status, a.body)
	}
	return p
}

func TestABrowserSubscribes(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"", "/skein"} {
		n := start(t, func(o *Options) { o.BasePath = base })
		in := with(n.login(t))
		at := n.addrs.HTTP + "/push"
		endpoint := "https://push.example.com/" + strings.Repeat("a", 300)
		for name, c := range map[string]struct {
			path   string
			change []func(*http.Request)
			want   int
		}{
			"a stranger":                  {"", []func(*http.Request){offer(t, endpoint)}, 401},
			"another site's page":         {"", []func(*http.Request){in, header("Sec-Fetch-Site", "cross-site"), offer(t, endpoint)}, 403},
			"nothing":                     {"", []func(*http.Request){in}, 400},
			"plain HTTP":                  {"", []func(*http.Request){in, offer(t, "http://push.example.com/a")}, 400},
			"this machine":                {"", []func(*http.Request){in, offer(t, "https://127.0.0.1/a")}, 400},
			"a large body":                {"", []func(*http.Request){in, jsonBody(`{"endpoint":"` + strings.Repeat("a", 100_000) + `"}`)}, 413},
			"a test of nothing":           {"/test", []func(*http.Request){in, form(url.Values{"id": {"none"}})}, 404},
			"a test by a stranger":        {"/test", nil, 401},
			"a removal from another site": {"/remove", []func(*http.Request){in, header("Sec-Fetch-Site", "cross-site")}, 403},
		} {
			if a := n.ask(t, "POST", at+c.path, c.change...); a.StatusCode != c.want {
				t.Errorf("%s: %s, %q", name, a.Status, a.body)
			}
		}
		if p := n.pushed(t, in); len(p.Subscriptions) != 0 || p.Off {
			t.Fatalf("%+v", p)
		}
		if a := n.ask(t, "POST", at, in, header("User-Agent", "Mozilla/5.0 (X11; Linux) Firefox/128.0"), offer(t, endpoint)); a.StatusCode != http.StatusOK || strings.Contains(a.body, endpoint) {
			t.Errorf("%s, %q", a.Status, a.body)
		}
		p := n.pushed(t, in)
		key, _ := base64.RawURLEncoding.DecodeString(p.Key)
		if _, err := ecdh.P256().NewPublicKey(key); err != nil {
			t.Errorf("the key is %q: %v", p.Key, err)
		}
		if len(p.Subscriptions) != 1 || p.Subscriptions[0].ID != push.IDOf(endpoint) || p.Subscriptions[0].Browser != "Firefox on Linux" {
			t.Errorf("%+v", p)
		}
		if i, err := os.Stat(filepath.Join(n.o.DataDir, "push", "key.pem")); err != nil || i.Mode() != 0o600 {
			t.Errorf("the key's file: %v, %v", i, err)
		}
		n.stop()

		again := start(t, func(o *Options) { *o = n.o; o.Ready = nil }, func(o *Options) { o.HTTP, o.Listen = "localhost:0", "localhost:0" })
		if q := again.pushed(t, bearer(again.token)); q.Key != p.Key || !kit.SameJSON(t, q.Subscriptions, p.Subscriptions) {
			t.Errorf("after a restart: %+v, was %+v", q, p)
		}
		if a := again.ask(t, "POST", again.addrs.HTTP+"/push/remove", bearer(again.token), form(url.Values{"id": {push.IDOf(endpoint)}})); a.StatusCode != http.StatusNoContent {
			t.Errorf("%s, %q", a.Status, a.body)
		}
		if q := again.pushed(t, bearer(again.token)); len(q.Subscriptions) != 0 {
			t.Errorf("after its end: %+v", q)
		}
	}
}

func TestABrowserThatSignsOutIsNotNotified(t *testing.T) {
	t.Parallel()
	n := start(t)
	one, two := with(n.login(t)), with(n.login(t))
	n.ask(t, "POST", "/push", one, offer(t, "https://push.example.com/1"))
	n.ask(t, "POST", "/push", two, offer(t, "https://push.example.com/2"))
	n.ask(t, "POST", "/logout", one)
	if p := n.pushed(t, two); len(p.Subscriptions) != 1 || p.Subscriptions[0].ID != push.IDOf("https://push.example.com/2") {
		t.Errorf("%+v", p)
	}
}

// A question of a real agent is posted, to an address that is connected to only where that is allowed.
func TestAQuestionIsPushed(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(nil)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	for config, why := range map[string]string{"max_agents: 9\n": "not public", "push: {private: true}\n": "certificate"} {
		n := start(t, func(o *Options) { o.ConfigFile = write(t, "skein.yaml", config) })
		if a := n.ask(t, "POST", "/push", bearer(n.token), offer(t, "https://localhost:"+port+"/a")); a.StatusCode != http.StatusOK {
			t.Fatalf("%s, %q", a.Status, a.body)
		}
		n.script(t, "ask Merge?\nread")
		kit.Eventually(t, "it was tried", func() bool {
			p := n.pushed(t, bearer(n.token))
			return p.Subscriptions[0].Failed != nil && strings.Contains(p.Subscriptions[0].Failure, why)
		})
		a := n.ask(t, "POST", "/push/test", bearer(n.token), form(url.Values{"id": {push.IDOf("https://localhost:" + port + "/a")}}))
		if e := a.reason(t); a.StatusCode != http.StatusServiceUnavailable || e.Code != wire.CodeUnavailable || !strings.Contains(e.Message, why) || strings.Contains(e.Message, port+"/a") {
			t.Errorf("%d, %v", a.StatusCode, e)
		}
	}
}

func TestPushIsTurnedOff(t *testing.T) {
	t.Parallel()
	n := start(t, func(o *Options) { o.ConfigFile = write(t, "skein.yaml", "push: {off: true}\n") })
	if p := n.pushed(t, bearer(n.token)); !p.Off || p.Key != "" {
		t.Errorf("%+v", p)
	}
	if a := n.ask(t, "POST", "/push", bearer(n.token), offer(t, "https://push.example.com/1")); a.StatusCode != http.StatusConflict {
		t.Errorf("%s, %q", a.Status, a.body)
	}
	if _, err := os.Stat(filepath.Join(n.o.DataDir, "push")); err == nil {
		t.Error("it has a folder")
	}
}

func TestTheServiceWorkerIsServedFromTheTop(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"", "/skein"} {
		n := start(t, func(o *Options) { o.BasePath = base })
		at := n.addrs.HTTP + "/sw.js"
		if a := n.ask(t, "GET", at); a.StatusCode != http.StatusUnauthorized {
			t.Errorf("a stranger: %s", a.Status)
		}
		a := n.ask(t, "GET", at, bearer(n.token))
		csp := a.Header.Get("Content-Security-Policy")
		if a.StatusCode != http.StatusOK || a.Header.Get("Cache-Control") != "no-cache" || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/javascript") ||
			!strings.Contains(csp, "worker-src 'self'") || !strings.Contains(a.body, "notificationclick") {
			t.Errorf("%s, %v, %.100s", a.Status, a.Header, a.body)
		}
		if again := n.ask(t, "GET", at, bearer(n.token), header("If-None-Match", a.Header.Get("ETag"))); again.StatusCode != http.StatusNotModified {
			t.Errorf("again: %s", again.Status)
		}
	}
}
