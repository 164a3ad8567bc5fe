package server

import (
	"net/http"
	"strings"
	"testing"

	"skein.dev/skein/webtransport/wire"
)

// Behind a proxy that changes Host, the page's origin is a foreign one, as is that of a page elsewhere that uses the library.
func TestAnOriginThatIsNotAllowedIsToldHowToBe(t *testing.T) {
	t.Parallel()
	const origin = "https://ops.example"
	strange, known := start(t), start(t, func(o *Options) { o.AllowOrigins = []string{origin} })
	for name, from := range map[string]func(*http.Request){
		"its own page behind a proxy": func(r *http.Request) { header("Sec-Fetch-Site", "same-origin")(r); r.AddCookie(strange.login(t)) },
		"a page elsewhere":            func(r *http.Request) { header("Sec-Fetch-Site", "cross-site")(r); bearer(strange.token)(r) },
		"without a login":             header("Sec-Fetch-Site", "same-origin"),
	} {
		a := strange.ask(t, "POST", "/connect", header("Origin", origin), from)
		if e := a.reason(t); a.StatusCode != http.StatusForbidden || e.Code != wire.CodeOrigin || !strings.Contains(e.Message, "--allow-origin "+origin) {
			t.Errorf("%s: %s, %+v", name, a.Status, e)
		}
		if a.Header.Get("Access-Control-Allow-Origin") != origin || a.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: the page can't read that: %v", name, a.Header)
		}
	}
	a := known.ask(t, "POST", "/connect", header("Origin", origin), header("Sec-Fetch-Site", "cross-site"), bearer(known.token))
	if readDocument(t, a); a.Header.Get("Access-Control-Allow-Origin") != origin || a.Header.Get("Vary") != "Origin" {
		t.Errorf("an allowed page can't read its document: %v", a.Header)
	}
	a = known.ask(t, "OPTIONS", "/connect", header("Origin", origin), header("Access-Control-Request-Method", "POST"), header("Access-Control-Request-Headers", "authorization"))
	if a.StatusCode != http.StatusNoContent || a.Header.Get("Access-Control-Allow-Origin") != origin || !strings.Contains(a.Header.Get("Access-Control-Allow-Headers"), "Authorization") {
		t.Errorf("it may not send its token: %s, %v", a.Status, a.Header)
	}
}

// The connect document has the endpoints that the client can reach.
func TestEndpointsBesideAProxy(t *testing.T) {
	t.Parallel()
	const name, origin = "skein.example", "https://skein.example"
	hosts := func(o *Options) { o.AllowHosts = []string{name} }
	for what, c := range map[string]struct {
		change []func(*Options)
		host   string
		origin string
		quic   bool
	}{
		"this machine's page":                {nil, "", "", true},
		"from elsewhere, UDP for loopback":   {nil, name, origin, false},
		"a program, from elsewhere":          {nil, name, "", false},
		"UDP is mapped, a program":           {[]func(*Options){func(o *Options) { o.QUICPort = 443 }}, name, "", true},
		"UDP is mapped, to 443, a page":      {[]func(*Options){func(o *Options) { o.QUICPort = 443 }}, name, origin, true},
		"UDP is mapped, to the page's port":  {[]func(*Options){func(o *Options) { o.QUICPort = 443 }}, name + ":443", origin + ":443", true},
		"UDP for all, a page":                {[]func(*Options){func(o *Options) { o.Listen, o.InsecureListen = ":0", true }}, name, origin, false},
		"UDP for all, a page that may":       {[]func(*Options){func(o *Options) { o.Listen, o.InsecureListen, o.AllowOrigins = ":0", true, []string{origin} }}, name, origin, true},
		"this machine's page behind a proxy": {nil, "localhost:8443", "https://localhost:8443", false},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			n := start(t, append(c.change, hosts)...)
			as := []func(*http.Request){bearer(n.token)}
			if c.host != "" {
				as = append(as, header("Host", c.host))
			}
			if c.origin != "" {
				as = append(as, header("Origin", c.origin), header("Sec-Fetch-Site", "same-origin"))
			}
			doc := n.document(t, as...)
			if s := endpoint(t, doc, wire.WebSocket); !strings.HasSuffix(s.URL, "/ws") {
				t.Errorf("WebSocket: %s", s.URL)
			}
			if quic := len(doc.Endpoints) == 2; quic != c.quic {
				t.Errorf("WebTransport is there: %v, want %v", quic, c.quic)
			}
		})
	}
}
