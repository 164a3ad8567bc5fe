package server

import (
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"skein.dev/skein/server/auth"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

func TestStrangersAreRefused(t *testing.T) {
	t.Parallel()
	n := start(t)
	routes := []string{"GET /", "GET /agents/a234567234567", "GET /stories", "POST /connect", "POST /login/token", "POST /logout",
		"GET /static/skein.css", "GET /metrics", "GET /nowhere", "DELETE /", "POST /ws"}
	strangers := map[string]func(*http.Request){
		"nothing":               func(*http.Request) {},
		"a wrong token":         bearer(n.token[1:] + "x"),
		"an empty token":        bearer(""),
		"a wrong cookie":        with(&http.Cookie{Name: auth.CookieName, Value: "guess"}),
		"no cookie":             with(&http.Cookie{Name: auth.CookieName, Value: ""}),
		"the token as a cookie": with(&http.Cookie{Name: auth.CookieName, Value: n.token}),
	}
	for _, base := range []string{n.addrs.HTTP, n.addrs.HTTPS} {
		for _, route := range routes {
			method, path, _ := strings.Cut(route, " ")
			for who, stranger := range strangers {
				a := n.ask(t, method, base+path, stranger)
				if a.StatusCode != http.StatusUnauthorized {
					t.Errorf("%s %s with %s: %s", base, route, who, a.Status)
				} else if e := a.reason(t); e.Code != wire.CodeUnauthorized || !strings.Contains(e.Message, "skein login") {
					t.Errorf("%s with %s: the reason is %v", route, who, e)
				}
			}
			a := n.ask(t, method, base+path, header("Accept", "text/html"))
			if a.StatusCode != http.StatusUnauthorized || !strings.Contains(a.body, "skein login") || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
				t.Errorf("%s for a browser: %s, %s", route, a.Status, a.Header.Get("Content-Type"))
			}
		}
		for _, path := range []string{"/healthz", "/readyz"} {
			if a := n.ask(t, "GET", base+path); a.StatusCode != http.StatusOK {
				t.Errorf("%s%s: %s", base, path, a.Status)
			}
		}
	}
}

func TestTheTokenLetsIn(t *testing.T) {
	t.Parallel()
	n := start(t)
	for _, base := range []string{n.addrs.HTTP, n.addrs.HTTPS} {
		for _, path := range []string{"/", "/stories", "/metrics"} {
			if a := n.ask(t, "GET", base+path, bearer(n.token)); a.StatusCode != http.StatusOK {
				t.Errorf("%s%s: %s", base, path, a.Status)
			}
		}
	}
	if a := n.ask(t, "GET", "/nowhere", bearer(n.token)); a.StatusCode != http.StatusNotFound || a.reason(t).Code != wire.CodeNotFound {
		t.Errorf("/nowhere: %s", a.Status)
	}
}

func TestLoginLink(t *testing.T) {
	t.Parallel()
	n := start(t)
	link, err := url.Parse(n.addrs.Login)
	if err != nil {
		t.Fatal(err)
	}
	for _, base := range []string{n.addrs.HTTP, n.addrs.HTTPS} {
		token := n.auth.OneTimeToken()
		if base == n.addrs.HTTP { // the one that was printed
			token = link.Query().Get("token")
		}
		for range 2 { // loading the page does not use up the link: mail programs and chats load links
			a := n.ask(t, "GET", base+"/login?token="+token)
			if a.StatusCode != http.StatusOK || !strings.Contains(a.body, token) || a.cookie() != nil {
				t.Fatalf("the page of the link: %s, cookie %v", a.Status, a.cookie())
			}
		}
		a := n.ask(t, "POST", base+"/login", form(url.Values{"token": {token}}))
		c := a.cookie()
		if a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/" || c == nil {
			t.Fatalf("%s: %s to %q, cookie %v", base, a.Status, a.Header.Get("Location"), c)
		}
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Secure != strings.HasPrefix(base, "https") || c.MaxAge <= 0 || c.Domain != "" {
			t.Errorf("%s: cookie %v", base, c)
		}
		if a := n.ask(t, "GET", base+"/", with(c)); a.StatusCode != http.StatusOK {
			t.Errorf("%s with the cookie: %s", base, a.Status)
		}
		again := n.ask(t, "POST", base+"/login", form(url.Values{"token": {token}}), header("Accept", "text/html"))
		if again.StatusCode != http.StatusForbidden || again.cookie() != nil || !strings.Contains(again.body, "used before") {
			t.Errorf("the second use: %s, cookie %v", again.Status, again.cookie())
		}
	}
	if a := n.ask(t, "POST", "/login", form(url.Values{"token": {"guess"}})); a.StatusCode != http.StatusForbidden || a.cookie() != nil {
		t.Errorf("a guess: %s", a.Status)
	}
	if a := n.ask(t, "GET", "/login"); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a token: %s", a.Status)
	}
}

func TestALoginLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	n := start(t)
	for next, want := range map[string]string{
		"":                          "/",
		"/agents/a1?tail=3#end":     "/agents/a1?tail=3#end",
		"/?status=failed":           "/?status=failed",
		"//evil.example":            "/",
		"///evil.example":           "/",
		`/\evil.example`:            "/",
		`\/evil.example`:            "/",
		`\\evil.example`:            "/",
		"https://evil.example":      "/",
		"https:evil.example":        "/",
		"javascript:alert(1)":       "/",
		"evil.example":              "/",
		"/\t/evil.example":          "/", // browsers drop tabs and line breaks in URLs
		"\t//evil.example":          "/",
		"/\n/evil.example":          "/",
		"/\r\nSet-Cookie: a=b":      "/",
		" //evil.example":           "/",
		"/\x00/evil.example":        "/",
		"//user@localhost:1/../x":   "/",
		n.addrs.HTTP + "/agents/a1": "/",
	} {
		a := n.ask(t, "POST", "/login", form(url.Values{"token": {n.auth.OneTimeToken()}, "next": {next}}))
		if got := a.Header.Get("Location"); a.StatusCode != http.StatusSeeOther || got != want {
			t.Errorf("next=%q leads to %q, want %q", next, got, want)
		}
		page := n.ask(t, "GET", "/login?"+url.Values{"token": {"t"}, "next": {next}}.Encode())
		if want == "/" && strings.Contains(page.body, "evil") {
			t.Errorf("the login page carries next=%q", next)
		}
	}
}

func TestCookieSurvivesARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(o *Options) { o.DataDir = dir }
	n := start(t, in)
	c := n.login(t)
	link, _ := url.Parse(n.addrs.Login)
	n.stop()

	again := start(t, in)
	if a := again.ask(t, "GET", "/", with(c)); a.StatusCode != http.StatusOK {
		t.Errorf("the cookie after a restart: %s", a.Status)
	}
	if again.token != n.token {
		t.Error("the token changed")
	}
	if a := again.ask(t, "POST", "/login", form(url.Values{"token": {link.Query().Get("token")}})); a.StatusCode != http.StatusForbidden {
		t.Errorf("a login link of the run before: %s", a.Status)
	}
}

func TestLogout(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t)
		mine, theirs := n.login(t), n.login(t)
		ticket := endpoint(t, n.document(t, with(mine)), tr) // fetched, not used yet
		s, k := n.session(t, tr, with(mine))
		my := enter(t, s, k)
		s, k = n.session(t, tr, with(theirs))
		their := enter(t, s, k)
		cli := n.join(t, tr)

		a := n.ask(t, "POST", "/logout", with(mine))
		if c := a.cookie(); a.StatusCode != http.StatusSeeOther || c == nil || c.Value != "" || c.MaxAge >= 0 {
			t.Errorf("logout: %s, cookie %v", a.Status, c)
		}
		if bye, came := my.goodbye(); came && (bye.Code != wire.CloseLoggedOut || bye.ReconnectAfterMS != -1 || bye.Reason == "") {
			t.Errorf("goodbye %+v", bye)
		}
		if code, _ := closed(t, my); code != wire.CloseLoggedOut {
			t.Errorf("closed with %d, want %d", code, wire.CloseLoggedOut)
		}
		if a := n.ask(t, "GET", "/", with(mine)); a.StatusCode != http.StatusUnauthorized {
			t.Errorf("the cookie after logout: %s", a.Status)
		}
		if a := n.ask(t, "GET", "/", with(theirs)); a.StatusCode != http.StatusOK {
			t.Errorf("another browser's cookie: %s", a.Status)
		}
		their.ping(t)
		cli.ping(t)

		// A ticket is valid only as long as the login that it was fetched with.
		late, err := through(t.Context(), ticket, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer late.Close(0, "")
		open(t, late, controlHeader, helloLine(wire.Hello{Versions: []string{wire.Version}, Ticket: ticket.Ticket, Client: wire.ClientInfo{ID: clientID()}}))
		if code, _ := closed(t, late); code != wire.CloseTicketExpired { // without a close the ticket opened a session
			t.Errorf("a ticket from before the logout: closed with %d", code)
		}
	})
}

func TestLoginToken(t *testing.T) {
	t.Parallel()
	n := start(t)
	link, err := client.LoginURL(t.Context(), client.Options{URL: n.addrs.HTTP, Token: n.token})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(link)
	if err != nil || u.Scheme+"://"+u.Host != n.addrs.HTTP || u.Path != "/login" {
		t.Fatalf("the link is %q", link)
	}
	if a := n.ask(t, "POST", "/login", form(u.Query())); a.cookie() == nil {
		t.Errorf("the link does not sign in: %s", a.Status)
	}
	if a := n.ask(t, "POST", "/login/token", with(n.login(t))); a.StatusCode != http.StatusForbidden {
		t.Errorf("asked for by a browser: %s", a.Status)
	}
	if _, err := client.LoginURL(t.Context(), client.Options{URL: n.addrs.HTTP, Token: "guess"}); err == nil {
		t.Error("a wrong token got a link")
	}
}

func TestSecretsAreTheOwnersAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(o *Options) { o.DataDir = dir }
	n := start(t, in)
	private := func() {
		t.Helper()
		for _, name := range []string{"token", "instance", "server.json", "lock", "tls/dev.key"} {
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v", name, info, err)
			}
		}
	}
	private()
	n.stop()
	if _, err := os.Stat(filepath.Join(dir, wire.LocalFile)); !os.IsNotExist(err) {
		t.Errorf("%s after the end: %v", wire.LocalFile, err)
	}
	for _, name := range []string{"token", "instance"} { // files that a careless copy lacks
		if err := os.Chmod(filepath.Join(dir, name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	start(t, in)
	private()

	made := filepath.Join(t.TempDir(), "new", "folder")
	start(t, func(o *Options) { o.DataDir = made })
	filepath.WalkDir(made, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // a temporary file that was removed meanwhile
		}
		if info, err := d.Info(); err == nil && path == made && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %s", path, info.Mode())
		}
		return nil
	})
}

func TestOtherSitesPagesAreRefused(t *testing.T) {
	t.Parallel()
	n := start(t, func(o *Options) { o.AllowOrigins = []string{"https://ops.example"} })
	crossSite := func(r *http.Request) {
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.Header.Set("Origin", "https://evil.example")
	}
	for name, from := range map[string]func(*http.Request){
		"a new browser":           crossSite,
		"without an origin":       header("Sec-Fetch-Site", "cross-site"),
		"the same site elsewhere": header("Sec-Fetch-Site", "same-site"),
		"an old browser":          header("Origin", "https://evil.example"),
		"a sandboxed frame":       header("Origin", "null"),
		"another port":            header("Origin", "http://localhost:1"),
	} {
		t.Run(name, func(t *testing.T) {
			c, token := n.login(t), n.auth.OneTimeToken()
			for _, path := range []string{"/logout", "/connect", "/login/token"} {
				if a := n.ask(t, "POST", path, with(c), from); a.StatusCode != http.StatusForbidden {
					t.Errorf("%s: %s", path, a.Status)
				}
			}
			if a := n.ask(t, "GET", "/", with(c)); a.StatusCode != http.StatusOK {
				t.Errorf("the login was revoked: %s", a.Status)
			}
			if a := n.ask(t, "POST", "/login", form(url.Values{"token": {token}}), from); a.StatusCode != http.StatusForbidden || a.cookie() != nil {
				t.Errorf("login: %s", a.Status)
			}
			if a := n.ask(t, "POST", "/login", form(url.Values{"token": {token}})); a.cookie() == nil {
				t.Errorf("the refused login used the link up: %s", a.Status)
			}
		})
	}
	for name, from := range map[string]func(*http.Request){
		"its own page": func(r *http.Request) {
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			r.Header.Set("Origin", n.addrs.HTTP)
		},
		"an allowed origin": func(r *http.Request) { crossSite(r); r.Header.Set("Origin", "https://ops.example") },
		"a program":         func(*http.Request) {},
	} {
		if a := n.ask(t, "POST", "/connect", with(n.login(t)), from); a.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", name, a.Status)
		}
	}
}

func TestOtherNamesAreRefused(t *testing.T) {
	t.Parallel()
	n := start(t, func(o *Options) { o.AllowHosts = []string{"skein.example"} })
	c := n.login(t)
	for host, want := range map[string]int{
		"evil.example":           http.StatusMisdirectedRequest,
		"evil.example:4480":      http.StatusMisdirectedRequest,
		"localhost.evil.example": http.StatusMisdirectedRequest,
		"127.0.0.1.nip.example":  http.StatusMisdirectedRequest,
		"[::2]:4480":             http.StatusMisdirectedRequest,
		"0.0.0.0":                http.StatusMisdirectedRequest,
		"localhost":              http.StatusOK,
		"localhost:4480":         http.StatusOK,
		"127.0.0.1:9":            http.StatusOK,
		"[::1]":                  http.StatusOK,
		"[::1]:4480":             http.StatusOK,
		"skein.example":          http.StatusOK,
		"skein.example:443":      http.StatusOK,
	} {
		for _, base := range []string{n.addrs.HTTP, n.addrs.HTTPS} {
			if a := n.ask(t, "GET", base+"/", with(c), header("Host", host)); a.StatusCode != want {
				t.Errorf("%s as %s: %s, want %d", base, host, a.Status, want)
			}
		}
		if a := n.ask(t, "POST", "/connect", bearer(n.token), header("Host", host)); a.StatusCode != want {
			t.Errorf("/connect as %s: %s, want %d", host, a.Status, want)
		}
	}
}

func TestMetricsNeedATokenButOnTheirOwnAddress(t *testing.T) {
	t.Parallel()
	n := start(t, func(o *Options) { o.MetricsListen = "127.0.0.1:0" })
	if a := n.ask(t, "GET", "/metrics"); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("/metrics for a stranger: %s", a.Status)
	}
	for to, as := range map[string]func(*http.Request){"/metrics": bearer(n.token), n.addrs.Metrics: func(*http.Request) {}} {
		if a := n.ask(t, "GET", to, as); a.StatusCode != http.StatusOK || !strings.Contains(a.body, "skein_sessions") {
			t.Errorf("%s: %s", to, a.Status)
		}
	}
}
