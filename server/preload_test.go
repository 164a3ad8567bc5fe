package server

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"skein.dev/skein/static"
)

// A page that can connect only over WebSocket loads QMux together with its script. One that has WebTransport loads it when
// it is needed.
func TestPagesOverWebSocketAloneAskForQMuxEarly(t *testing.T) {
	t.Parallel()
	if _, built := static.Find("skein.js"); !built {
		t.Skip("it is not built: npm run build in static")
	}
	const name = "skein.example"
	early := regexp.MustCompile(`<link rel="modulepreload" href="([^"]*)"`)
	secure := []func(*http.Request){header("Host", name), header("X-Forwarded-Proto", "https")}
	for what, c := range map[string]struct {
		change func(*Options)
		as     []func(*http.Request)
		want   bool
	}{
		"this machine's page":              {func(*Options) {}, nil, false},
		"no WebTransport":                  {func(o *Options) { o.Listen = "off" }, nil, true},
		"no WebTransport, below a path":    {func(o *Options) { o.Listen, o.BasePath = "off", "/skein" }, nil, true},
		"no secure context":                {func(o *Options) { o.QUICPort = 443 }, secure[:1], true},
		"behind a proxy, UDP for loopback": {func(*Options) {}, secure, true},
		"behind a proxy, UDP is mapped":    {func(o *Options) { o.QUICPort = 443 }, secure, false},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			n := start(t, func(o *Options) { o.AllowHosts = []string{name} }, c.change)
			as := append([]func(*http.Request){bearer(n.token)}, c.as...)
			for _, path := range []string{"/", "/tasks", "/memory", "/artifacts", "/network"} {
				page := n.ask(t, "GET", n.addrs.HTTP+path, as...)
				m := early.FindStringSubmatch(page.body)
				if page.StatusCode != http.StatusOK || (m != nil) != c.want {
					t.Fatalf("%s: %s, asked for early: %v, want %v", path, page.Status, m != nil, c.want)
				}
				if m == nil {
					continue
				}
				if got := n.ask(t, "GET", strings.TrimSuffix(n.addrs.HTTP, n.reach.Base)+m[1], as...); got.StatusCode != http.StatusOK || got.Header.Get("Content-Type") != "text/javascript; charset=utf-8" {
					t.Errorf("%s is %s, %s", m[1], got.Status, got.Header.Get("Content-Type"))
				}
			}
			if page := n.ask(t, "GET", n.addrs.HTTP+"/stories", as...); early.MatchString(page.body) {
				t.Error("a page without a script asks for it")
			}
		})
	}
}
