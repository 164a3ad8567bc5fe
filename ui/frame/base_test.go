package frame

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every address in a page goes through Link, so that none forgets the base path. Left out are fragments and data.
func TestEveryAddressGoesThroughLink(t *testing.T) {
	t.Parallel()
	attribute := regexp.MustCompile(`[ \t](href|src|action|formaction|poster|srcset)=(\S+ ?\S*)`)
	fine := regexp.MustCompile(`^(\{ (?:frame\.)?Link\(ctx,|\{ "#|"#|"data:)`)
	var files []string
	for _, pattern := range []string{"../*.templ", "../*/*.templ"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	seen := 0
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range attribute.FindAllStringSubmatch(string(b), -1) {
			seen++
			if !fine.MatchString(m[2]) {
				t.Errorf("%s: %s=%s; write { frame.Link(ctx, …) }", file, m[1], m[2])
			}
		}
		if strings.Contains(string(b), "templ.SafeURL(") {
			t.Errorf("%s has templ.SafeURL: Link takes its place", file)
		}
	}
	if seen < 50 {
		t.Errorf("%d addresses were found", seen)
	}
}

func TestAtPutsTheBaseBeforePaths(t *testing.T) {
	t.Parallel()
	ctx := WithBase(t.Context(), "/skein")
	for path, want := range map[string]string{"/": "/skein/", "/tasks?q=a": "/skein/tasks?q=a", "#main": "#main", "": ""} {
		if got := At(ctx, path); got != want {
			t.Errorf("At(%q) is %q, want %q", path, got, want)
		}
		if got := At(t.Context(), path); got != path {
			t.Errorf("without a base, At(%q) is %q", path, got)
		}
	}
}
