package static_test

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"skein.dev/skein/static"
)

func TestFiles(t *testing.T) {
	h := http.StripPrefix("/static/", http.FileServerFS(static.Files()))
	for path, want := range map[string]int{
		static.URL("style.css"): http.StatusOK,
		"/static/no.such":       http.StatusNotFound,
		"/static/.keep":         http.StatusNotFound,
		"/static/":              http.StatusNotFound,
		"/static/dist/":         http.StatusNotFound,
		"/static/embed.go":      http.StatusNotFound,
		"/static/package.json":  http.StatusNotFound,
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != want {
			t.Errorf("%s: status %d, want %d", path, w.Code, want)
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
	if _, err := fs.Stat(static.Files(), "style.css"); err != nil {
		t.Error(err)
	}
}
