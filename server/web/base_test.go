package web

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"skein.dev/skein/ui/frame"
)

// FuzzLocalPath checks that a browser stays on this server, below its base path, whatever a link or a cookie says.
func FuzzLocalPath(f *testing.F) {
	for _, p := range []string{"/", "/tasks?q=a#b", "//evil.example", `/\evil.example`, "/..", "/%2e%2E/x", "/.%2e", "/a%2f..%2f..%2fb", "/\t/x", "/;/../x", "/?/../..", "https://evil.example"} {
		f.Add(p)
	}
	at, err := url.Parse("https://skein.example/skein/login")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, p string) {
		local := localPath(p)
		if local == "" {
			return
		}
		w := httptest.NewRecorder()
		r := httptest.NewRequest("POST", "/login", nil)
		redirect(w, r.WithContext(frame.WithBase(r.Context(), "/skein")), local)
		to, err := at.Parse(w.Header().Get("Location"))
		if err != nil {
			return // a browser could not follow it either
		}
		if to.Scheme != "https" || to.Host != "skein.example" || !strings.HasPrefix(to.Path, "/skein/") {
			t.Errorf("%q leads to %s", p, to)
		}
	})
}

func TestBasePaths(t *testing.T) {
	t.Parallel()
	for p, want := range map[string]string{"": "", "/": "", "/skein": "/skein", "/skein/": "/skein", "/ops/skein-1/": "/ops/skein-1"} {
		if got, err := ParseBase(p); err != nil || got != want {
			t.Errorf("%q is %q, %v, want %q", p, got, err, want)
		}
	}
	for _, p := range []string{"skein", "//", "//evil.example", "/a//b", "/../", "/a/./b", "/a b", "/a?b", "/ä", "/%2e", `/a\b`, "/a\n"} {
		if got, err := ParseBase(p); err == nil || !strings.Contains(err.Error(), "--base-path") {
			t.Errorf("%q is %q, %v", p, got, err)
		}
	}
}
