package web

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"skein.dev/skein/ui/frame"
)

var basePattern = regexp.MustCompile(`^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$`)

// ParseBase parses --base-path and returns it as a prefix of paths: "/skein" for /skein/, "" for /.
func ParseBase(p string) (string, error) {
	base := strings.TrimSuffix(p, "/")
	if base == "" || len(base) < 200 && basePattern.MatchString(base) {
		return base, nil
	}
	return "", fmt.Errorf("--base-path %q: a base path is /word/ or /word/word/, of letters, digits, - . _ and ~", p)
}

// redirect redirects to a path of this server.
func redirect(w http.ResponseWriter, r *http.Request, path string) {
	http.Redirect(w, r, frame.At(r.Context(), path), http.StatusSeeOther)
}

// cameFrom returns the path of this server's page that r was sent from, "" if it is unknown.
func cameFrom(r *http.Request) string {
	u, err := url.Parse(r.Referer())
	if err != nil || u.Host != r.Host {
		return ""
	}
	p, ok := strings.CutPrefix(u.RequestURI(), frame.Base(r.Context()))
	if !ok {
		return ""
	}
	return localPath(p)
}

// localPath returns p if it is a path of this server below the base path, and "" otherwise: a login must not redirect elsewhere.
func localPath(p string) string {
	control := func(r rune) bool { return r < 0x20 || r == 0x7f }
	path, _, _ := strings.Cut(p, "?")
	for part := range strings.SplitSeq(path, "/") {
		if dots := strings.ReplaceAll(strings.ToLower(part), "%2e", "."); dots == "." || dots == ".." {
			return ""
		}
	}
	if !strings.HasPrefix(p, "/") || strings.HasPrefix(p, "//") || strings.Contains(p, `\`) || strings.ContainsFunc(p, control) {
		return ""
	}
	return p
}
