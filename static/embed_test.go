package static_test

import (
	"bytes"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"skein.dev/skein/static"
)

func TestFind(t *testing.T) {
	for name, want := range map[string]bool{"style.css": true, "icon.svg": true, "no.such": false, ".keep.gz": false, ".keep": false, "skein.js.gz": false, "skein.js.map": false, "": false, "dist/": false, "embed.go": false, "package.json": false} {
		if _, ok := static.Find(name); ok != want {
			t.Errorf("%q is there: %t, want %t", name, ok, want)
		}
	}
}

func TestURL(t *testing.T) {
	name, hash, ok := strings.Cut(static.URL("style.css"), "?v=")
	if name != "/static/style.css" || !ok || len(hash) != 10 {
		t.Errorf("URL(style.css) = %q", static.URL("style.css"))
	}
	if got := static.URL("no.such"); got != "/static/no.such" {
		t.Errorf("URL of a file that is not there = %q", got)
	}
}

func TestGzipIsTheSameFileAndSmaller(t *testing.T) {
	for _, f := range static.All() {
		z := f.Gzip()
		if z == nil {
			continue
		}
		r, err := gzip.NewReader(bytes.NewReader(z))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(r); err != nil || !bytes.Equal(b, f.Content) || len(z) >= len(f.Content) {
			t.Errorf("%s: %d bytes of %d, %v", f.Name, len(z), len(f.Content), err)
		}
	}
}

// largestLibrary is how much of the library a page may fetch before it has a session, compressed, in bytes.
const largestLibrary = 20_000

func TestTheLibraryIsSmall(t *testing.T) {
	f, ok := static.Find("skein.js")
	if !ok {
		t.Skip("it is not built: npm run build in static")
	}
	if n := len(f.Gzip()); n > largestLibrary {
		t.Errorf("skein.js has %d bytes compressed; it may have %d (and none of SKEIN_DEV=1)", n, largestLibrary)
	}
	if m := regexp.MustCompile(`(?:from|import)\s*"\./[^"]+"`).Find(f.Content); m != nil {
		t.Errorf("skein.js can't begin without another file: %s", m)
	}
}
