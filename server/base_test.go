package server

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/doctor"
	"skein.dev/skein/webtransport/wire"
)

// based starts a server below /skein/ with at least one record of each sort.
func based(t *testing.T) *node {
	t.Helper()
	n := start(t, func(o *Options) { o.BasePath = "/skein/" })
	a := n.script(t, "say hello\nask Go on?")
	kit.Eventually(t, "the agent asks", func() bool {
		got, err := n.plane.Get(a.ID)
		return err == nil && got.Activity == wire.ActivityRequiresAction
	})
	n.keep(t, wire.ArtifactCreateParams{Name: "notes.md", Agent: a.ID}, "# x")
	cookie := n.login(t)
	for path, v := range map[string]url.Values{
		"/memory":    {"do": {"save"}, "namespace": {"demo"}, "key": {"a key/with a slash"}, "value": {"one"}},
		"/admission": {"type": {"worker"}, "closed": {"true"}, "reason": {"test"}},
	} {
		if a := n.ask(t, "POST", n.addrs.HTTP+path, with(cookie), form(v)); a.StatusCode != http.StatusSeeOther {
			t.Fatalf("%s: %s %s", path, a.Status, a.body)
		}
	}
	return n
}

// Follows all links from the fleet page on: each URL in a page, and each redirect, stays below the base path and exists.
func TestEveryLinkStaysBelowTheBasePath(t *testing.T) {
	t.Parallel()
	n := based(t)
	cookie := n.login(t)
	root, _ := url.Parse(n.addrs.HTTP + "/")
	seen := map[string]bool{}
	todo := []string{root.String(), root.String() + "stories", root.String() + "login?token=x"}
	for ; len(todo) > 0; todo = todo[1:] {
		at := todo[0]
		page, query, _ := strings.Cut(at, "?")
		name, _, _ := strings.Cut(query, "=") // one filter of each kind is enough
		if seen[page+"?"+name] {
			continue
		}
		seen[page+"?"+name] = true
		a := n.ask(t, "GET", at, with(cookie), header("Accept", "text/html"))
		if a.StatusCode/100 == 3 && !strings.HasPrefix(a.Header.Get("Location"), "/skein/") {
			t.Errorf("%s leads to %s", at, a.Header.Get("Location"))
		}
		if a.StatusCode >= 400 {
			t.Errorf("%s: %s", at, a.Status)
			continue
		}
		for _, link := range addressesIn(t, a.body) {
			u, err := url.Parse(link.to)
			switch {
			case err != nil:
				t.Errorf("%s: %q: %v", at, link.to, err)
			case u.Scheme == "data", u.Host == "" && u.Path == "" && u.RawQuery == "": // of this page
			case u.Host != "" || !strings.HasPrefix(u.Path, "/skein/"):
				t.Errorf("%s: %s leads to %q", at, link.from, link.to)
			case link.follow && !strings.HasSuffix(at, "/stories"):
				todo = append(todo, root.ResolveReference(u).String())
			}
		}
	}
	artifact := n.plane.Artifacts.List(wire.ArtifactFilter{}).Artifacts[0].ID
	for _, want := range []string{"artifacts/" + string(artifact), "artifacts/" + string(artifact) + "/content", "tasks", "memory", "memory/demo", "artifacts", "network", "memory/demo/a%20key%2Fwith%20a%20slash"} {
		if !seen[root.String()+want+"?"] {
			t.Errorf("no link led to %s", want)
		}
	}
}

type address struct {
	from, to string
	follow   bool
}

// addressesIn returns every URL in a page.
func addressesIn(t *testing.T, page string) (all []address) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for e := range doc.Descendants() {
		blank := isHidden(e) // filled in by scripts
		for up := range e.Ancestors() {
			blank = blank || up.Data == "template" || isHidden(up)
		}
		for _, a := range e.Attr {
			switch a.Key {
			case "href", "src", "action", "formaction", "poster", "srcset", "data":
				all = append(all, address{"<" + e.Data + " " + a.Key + ">", a.Val, !blank && (e.Data == "a" || e.Data == "link" || e.Data == "script")})
			}
		}
	}
	return all
}

func isHidden(e *html.Node) bool {
	return slices.ContainsFunc(e.Attr, func(a html.Attribute) bool { return a.Key == "hidden" })
}

func TestNothingIsServedBesideTheBasePath(t *testing.T) {
	t.Parallel()
	n := start(t, func(o *Options) { o.BasePath = "/skein" })
	host := strings.TrimSuffix(n.addrs.HTTP, "/skein")
	for _, path := range []string{"/", "/healthz", "/tasks", "/ws", "/skeins", "/login?token=x"} {
		if a := n.ask(t, "GET", host+path, bearer(n.token)); a.StatusCode != http.StatusNotFound || !strings.Contains(a.body, "/skein/") {
			t.Errorf("%s: %s %s", path, a.Status, a.body)
		}
	}
	for path, to := range map[string]string{"/skein": "/skein/", "/skein//tasks": "/skein/tasks", "/skein/x/../tasks?q=1": "/skein/tasks?q=1", "/skein/static": ""} {
		if a := n.ask(t, "GET", host+path, bearer(n.token)); a.Header.Get("Location") != to {
			t.Errorf("%s: %s, to %q, want %q", path, a.Status, a.Header.Get("Location"), to)
		}
	}
}

// A form redirects to a page below the base path, and the cookies of the login and of the next page are valid only there.
func TestFormsAndCookiesStayBelowTheBasePath(t *testing.T) {
	t.Parallel()
	n := based(t)
	a := n.ask(t, "POST", n.addrs.HTTP+"/login", form(url.Values{"token": {n.auth.OneTimeToken()}, "next": {"/tasks?q=a"}}))
	if c := a.cookie(); a.Header.Get("Location") != "/skein/tasks?q=a" || c == nil || c.Path != "/skein/" {
		t.Errorf("a login leads to %q with %+v", a.Header.Get("Location"), c)
	}
	in := n.login(t)
	from := func(r *http.Request) { r.Header.Set("Referer", n.addrs.HTTP+"/network") }
	a = n.ask(t, "POST", n.addrs.HTTP+"/admission", with(in), from, form(url.Values{"type": {"worker"}}))
	if a.Header.Get("Location") != "/skein/network" {
		t.Errorf("a form leads to %q", a.Header.Get("Location"))
	}
	if a = n.ask(t, "POST", n.addrs.HTTP+"/logout", with(in)); a.Header.Get("Location") != "/skein/login?out" || a.cookie() == nil || a.cookie().Path != "/skein/" {
		t.Errorf("signing out leads to %q, and takes away %v", a.Header.Get("Location"), a.cookie())
	}
}

// Programs find a server below a base path by its URL, through both endpoints.
func TestClientsGoBelowTheBasePath(t *testing.T) {
	t.Parallel()
	n := based(t)
	local, err := client.FindLocal(n.o.DataDir)
	if err != nil || local.URL != n.addrs.HTTP || !strings.HasSuffix(local.URL, "/skein") {
		t.Fatalf("%+v, %v", local, err)
	}
	for _, slash := range []string{"", "/"} {
		overBoth(t, func(t *testing.T, tr wire.Transport) {
			o := local
			o.URL, o.Transport = local.URL+slash, string(tr)
			c, err := client.Dial(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if res, err := c.List(t.Context(), wire.Filter{}); err != nil || len(res.Agents) != 1 {
				t.Errorf("%+v, %v", res, err)
			}
			link, err := client.LoginURL(t.Context(), o)
			if err != nil || !strings.HasPrefix(link, n.addrs.HTTP+"/login?token=") {
				t.Errorf("%s, %v", link, err)
			}
		})
	}
}

// A request without the base path gets a clear error, from the doctor too.
func TestTheDoctorKnowsABasePath(t *testing.T) {
	t.Parallel()
	n := start(t, func(o *Options) { o.BasePath = "/skein" })
	o := client.Options{URL: strings.TrimSuffix(n.addrs.HTTP, "/skein"), Token: n.token}
	rep, err := doctor.Examine(t.Context(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c := rep.Check(doctor.CheckHTTP); c.Verdict != doctor.Failed || c.Found != "Skein, but not at this path" || !strings.Contains(c.Do, "/skein/") {
		t.Errorf("%+v", c)
	}
	if _, err := client.Dial(t.Context(), o); err == nil || !strings.Contains(err.Error(), "/skein/") {
		t.Errorf("%v", err)
	}
}

// Redirects must use the function redirect, which adds the base path.
func TestRedirectsGoThroughOneFunction(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if file != "base.go" && !strings.HasSuffix(file, "_test.go") && regexp.MustCompile(`http\.Redirect|"Location"`).Match(b) {
			t.Errorf("%s leads elsewhere without redirect", file)
		}
	}
}
