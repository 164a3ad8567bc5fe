package server

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"skein.dev/skein/ui/frame"
)

var basePattern = regexp.MustCompile(`^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$`)

// parseBase gives --base-path as it stands before a path: "/skein" for /skein/, "" for /.
func parseBase(p string) (string, error) {
	base := strings.TrimSuffix(p, "/")
	if base == "" || len(base) < 200 && basePattern.MatchString(base) {
		return base, nil
	}
	return "", fmt.Errorf("--base-path %q: a base path is /word/ or /word/word/, of letters, digits, - . _ and ~", p)
}

// below serves routes under the base path, and nothing beside it. Only here is the base taken off a request: all that
// is behind has paths without it, and frame.At puts it before them again.
func (s *Server) below(routes http.Handler) http.Handler {
	if s.base == "" {
		return routes
	}
	mux := http.NewServeMux() // sends to the clean form of a path before the base is off it
	mux.Handle(s.base+"/", http.StripPrefix(s.base, routes))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.refuse(w, r, http.StatusNotFound, "Skein is below "+s.base+"/ here (--base-path).")
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mux.ServeHTTP(w, r.WithContext(frame.WithBase(r.Context(), s.base)))
	})
}

// redirect leads to a path of this server.
func redirect(w http.ResponseWriter, r *http.Request, path string) {
	http.Redirect(w, r, frame.At(r.Context(), path), http.StatusSeeOther)
}

// cameFrom is the path of this server's page that r was sent from; "": it is unknown.
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
