package server

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"skein.dev/skein/server/web"
	"skein.dev/skein/static"
	"skein.dev/skein/webtransport/wire"
)

var gzipped = header("Accept-Encoding", "gzip, br")

// unzip returns the content of an answer, which must be compressed.
func unzip(t *testing.T, a answer) string {
	t.Helper()
	if got := a.Header.Get("Content-Encoding"); got != "gzip" {
		t.Fatalf("%s: Content-Encoding %q", a.Request.URL, got)
	}
	if got := strings.Join(a.Header.Values("Vary"), ", "); !strings.Contains(got, "Accept-Encoding") {
		t.Errorf("%s: Vary %q", a.Request.URL, got)
	}
	r, err := gzip.NewReader(strings.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// pagePaths are pages of every kind.
var pagePaths = []string{"/", "/tasks", "/memory", "/artifacts", "/network", "/stories"}

func TestPagesAreCompressed(t *testing.T) {
	t.Parallel()
	n := start(t)
	for range 30 {
		n.script(t, "idle 1h")
	}
	for _, path := range pagePaths {
		a := n.ask(t, "GET", path, bearer(n.token), gzipped)
		page := unzip(t, a)
		if !strings.Contains(page, "</html>") || len(a.body) > len(page)/3 {
			t.Errorf("%s: %d bytes for a page of %d", path, len(a.body), len(page))
		}
		if got := a.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control %q", path, got)
		}
		plain := n.ask(t, "GET", path, bearer(n.token), header("Accept-Encoding", "identity"))
		if plain.Header.Get("Content-Encoding") != "" || !strings.Contains(plain.body, "</html>") {
			t.Errorf("%s without gzip: %q", path, plain.Header.Get("Content-Encoding"))
		}
	}
}

// A page with a secret and text chosen by an attacker is not compressed, since an eavesdropper sees its length (BREACH).
// Files of users come as they are stored.
func TestWhatStaysUncompressed(t *testing.T) {
	t.Parallel()
	n := start(t)
	p := n.join(t, wire.WebSocket)
	text := bytes.Repeat([]byte(`{"a":1}`), 1000)
	a := p.createArtifact(t, `"a"`, wire.ArtifactCreateParams{Name: "x.json", MediaType: "application/json", Size: int64(len(text))})
	up := p.bulk(t, wire.BulkPut, a.ID, 0)
	up.line(t)
	up.Write(text)
	up.Close()
	up.hears(t)
	for path, method := range map[string]string{
		"/login?next=/tasks&token=" + n.auth.OneTimeToken(): "GET",
		"/artifacts/" + string(a.ID) + "/content":           "GET",
		"/healthz": "GET",
	} {
		got := n.ask(t, method, path, bearer(n.token), gzipped)
		if got.StatusCode != http.StatusOK || got.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s: %s, Content-Encoding %q", path, got.Status, got.Header.Get("Content-Encoding"))
		}
	}
	// The tickets of /connect, in a document that is long enough to be compressed.
	name, base := strings.Repeat("a.", 120)+"example", "/"+strings.Repeat("b", 190)
	n = start(t, func(o *Options) { o.AllowHosts, o.BasePath, o.QUICPort = []string{name}, base, 443 })
	got := n.ask(t, "POST", "/connect", bearer(n.token), gzipped, header("Host", name))
	if got.Header.Get("Content-Encoding") != "" || len(got.body) < web.MinCompressed {
		t.Errorf("/connect: %d bytes, Content-Encoding %q", len(got.body), got.Header.Get("Content-Encoding"))
	}
}

var (
	assetURL = regexp.MustCompile(`(?:src|href)="(/static/[^"]*)"`)
	imported = regexp.MustCompile(`(?:from|import)\s*\(?"\./([^"]+)"`) // dynamic imports, too
)

// Each file that a page refers to, and each that those import, is compressed, cached forever, and requested by its hash.
func TestAssetsAreKeptByTheirHash(t *testing.T) {
	t.Parallel()
	n := start(t)
	seen := map[string]bool{}
	var look func(url string)
	look = func(url string) {
		if seen[url] {
			return
		}
		seen[url] = true
		a := n.ask(t, "GET", url, bearer(n.token), gzipped)
		if got := a.Header.Get("Cache-Control"); a.StatusCode != http.StatusOK || !strings.Contains(got, "immutable") || !strings.Contains(got, "max-age=31536000") {
			t.Errorf("%s: %s, Cache-Control %q", url, a.Status, got)
		}
		content := a.body
		if a.Header.Get("Content-Encoding") != "" || strings.HasSuffix(strings.Split(url, "?")[0], "css") {
			content = unzip(t, a)
		}
		for _, m := range imported.FindAllStringSubmatch(content, -1) {
			look("/static/" + m[1])
		}
	}
	defer func() {
		if _, built := static.Find("skein.js"); built && !slices.ContainsFunc(slices.Collect(maps.Keys(seen)), func(url string) bool { return strings.HasPrefix(url, "/static/extra-") }) {
			t.Error("no page has the module that is loaded when it is needed")
		}
	}()
	for _, path := range pagePaths {
		page := n.ask(t, "GET", path, bearer(n.token)).body
		urls := assetURL.FindAllStringSubmatch(page, -1)
		if len(urls) == 0 {
			t.Errorf("%s names no file", path)
		}
		for _, m := range urls {
			look(m[1])
		}
	}
}

func TestAssetsAreAskedForAgain(t *testing.T) {
	t.Parallel()
	n := start(t)
	f, _ := static.Find("style.css")
	tags := map[string]bool{}
	for encoding, size := range map[string]int{"gzip": len(f.Gzip()), "gzip;q=0": len(f.Content), "br": len(f.Content), "deflate, GZIP;q=0.5": len(f.Gzip())} {
		for query, cache := range map[string]string{"": "private, no-cache", "?v=0000000000": "private, no-cache", "?v=" + f.Hash: "private, max-age=31536000, immutable"} {
			a := n.ask(t, "GET", "/static/style.css"+query, bearer(n.token), header("Accept-Encoding", encoding))
			if len(a.body) != size || a.Header.Get("Cache-Control") != cache || a.Header.Get("Vary") != "Accept-Encoding" {
				t.Errorf("%s %s: %d bytes, want %d; %q, %q", encoding, query, len(a.body), size, a.Header.Get("Cache-Control"), a.Header.Get("Vary"))
			}
			if got := a.Header.Get("Content-Type"); got != "text/css; charset=utf-8" {
				t.Errorf("Content-Type %q", got)
			}
			tag := a.Header.Get("ETag")
			tags[tag] = true
			again := n.ask(t, "GET", "/static/style.css"+query, bearer(n.token), header("Accept-Encoding", encoding), header("If-None-Match", tag))
			if again.StatusCode != http.StatusNotModified || again.body != "" {
				t.Errorf("%s %s again: %s", encoding, query, again.Status)
			}
		}
	}
	if len(tags) != 2 {
		t.Errorf("the two forms have the tags %v", tags)
	}
	for _, path := range []string{"/static/no.such", "/static/.keep.gz", "/static/.keep", "/static/skein.js.gz", "/static/skein.js.map", "/static/", "/static/embed.go"} {
		if a := n.ask(t, "GET", path, bearer(n.token)); a.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, a.Status)
		}
	}
}
