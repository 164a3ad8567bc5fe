package server

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"skein.dev/skein/server/web"
	"skein.dev/skein/webtransport/wire"
)

// kept returns the cookie with the page that was requested without a login, or nil.
func (a answer) kept() *http.Cookie {
	for _, c := range a.Cookies() {
		if c.Name == web.NextCookieName {
			return c
		}
	}
	return nil
}

var asBrowser = header("Accept", "text/html,application/xhtml+xml")

func TestALoginLinkLeadsBackToThePageThatWasAskedFor(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"", "/skein"} {
		n := start(t, func(o *Options) { o.BasePath = base })
		for asked, want := range map[string]string{
			"/tasks/t2345?view=a%20b":        "/tasks/t2345?view=a%20b",
			"/memory/demo/a%2Fb%20c":         "/memory/demo/a%2Fb%20c",
			"/no/such/page":                  "/no/such/page",
			"/":                              "/",
			"/?" + strings.Repeat("a", 3000): "/",
		} {
			c := n.ask(t, "GET", n.addrs.HTTP+asked, asBrowser).kept()
			in := []func(*http.Request){form(url.Values{"token": {n.auth.OneTimeToken()}})}
			if (c == nil) != (want == "/") {
				t.Errorf("%.40s: the page is kept as %v", asked, c)
			} else if c != nil {
				if !c.HttpOnly || c.Path != base+"/" || c.SameSite != http.SameSiteLaxMode || c.MaxAge != 900 {
					t.Errorf("%+v", c)
				}
				in = append(in, with(c))
			}
			a := n.ask(t, "POST", n.addrs.HTTP+"/login", in...)
			if to := a.Header.Get("Location"); to != base+want {
				t.Errorf("asked for %.40s, led to %q", asked, to)
			}
			if gone := a.kept(); c != nil && (gone == nil || gone.MaxAge >= 0) {
				t.Errorf("it is kept on: %v", gone)
			}
		}
		// The page in the link itself takes precedence.
		a := n.ask(t, "POST", n.addrs.HTTP+"/login", form(url.Values{"token": {n.auth.OneTimeToken()}, "next": {"/memory"}}), with(&http.Cookie{Name: web.NextCookieName, Value: "%2Ftasks"}))
		if to := a.Header.Get("Location"); to != base+"/memory" {
			t.Errorf("the link says /memory, and leads to %q", to)
		}
	}
}

func TestARememberedPageLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	n := start(t, func(o *Options) { o.BasePath = "/skein" })
	for _, evil := range []string{"//evil.example", `/\evil.example`, "https://evil.example/", "/%0d%0aSet-Cookie:a=b", "%zz", "/../", "/..", "/a/%2e%2E/../x", "javascript:alert(1)", "", "/\t/evil.example"} {
		a := n.ask(t, "POST", n.addrs.HTTP+"/login", form(url.Values{"token": {n.auth.OneTimeToken()}}), header("Cookie", web.NextCookieName+"="+url.QueryEscape(evil)))
		if to := a.Header.Get("Location"); !strings.HasPrefix(to, "/skein/") || strings.Contains(to, "evil") && !strings.HasPrefix(to, "/skein/%") || a.cookie() == nil {
			t.Errorf("%q leads to %q", evil, to)
		}
	}
	if c := n.ask(t, "GET", n.addrs.HTTP+"/tasks").kept(); c != nil {
		t.Errorf("a program gets %v", c)
	}
	if c := n.ask(t, "POST", n.addrs.HTTP+"/stop", asBrowser).kept(); c != nil {
		t.Errorf("a form gets %v", c)
	}
}

// A sign-out between a session's ticket and its welcome must end the session, too.
func TestASessionThatOpensWhileItsLoginEndsIsClosed(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t)
		cookie := n.login(t)
		browser, _ := http.NewRequest("GET", "/", nil)
		browser.AddCookie(cookie)
		who, _ := n.auth.Request(browser)
		n.auth.Revoke(who)
		s, k := n.session(t, tr, with(cookie))
		if code, _ := closed(t, enter(t, s, k)); code != wire.CloseLoggedOut {
			t.Errorf("closed with %d, want %d", code, wire.CloseLoggedOut)
		}
	})
}

func TestSigningOutShowsThatItIsDone(t *testing.T) {
	t.Parallel()
	n := start(t)
	in := n.login(t)
	a := n.ask(t, "POST", "/logout", with(in), asBrowser)
	page := n.ask(t, "GET", a.Header.Get("Location"), with(in), asBrowser)
	if page.StatusCode != http.StatusUnauthorized || !strings.Contains(page.body, "You are signed out") || page.kept() != nil {
		t.Errorf("%s %s, %v", page.Status, page.body, page.Cookies())
	}
	fleet := n.ask(t, "GET", "/network", with(n.login(t)), asBrowser)
	if !strings.Contains(fleet.body, `action="/logout"`) {
		t.Error("a page has no way to sign out")
	}
}
