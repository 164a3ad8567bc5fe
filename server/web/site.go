package web

import (
	"crypto/rand"
	"net/http"
	"strings"
	"time"

	"github.com/a-h/templ"

	"skein.dev/skein/server/exchange"
	"skein.dev/skein/static"
	"skein.dev/skein/ui/artifact"
	"skein.dev/skein/ui/frame"
	"skein.dev/skein/ui/login"
	"skein.dev/skein/webtransport/wire"
)

// site is the common base of all pages and forms.
type site struct{ Config }

// frame returns the data of the frame around every page.
func (s *site) frame(r *http.Request) frame.Frame {
	return frame.Frame{Node: s.Plane.Node(), Version: s.Version, Epoch: s.Plane.Epoch(), Now: time.Now(), Assets: static.URL, Theme: frame.Theme(r),
		Admission: s.Plane.Admission(), Waiting: s.waiting()}
}

func (s *site) waiting() (w frame.Waiting) {
	w.Count, w.Position = s.Plane.Asks.Waiting()
	return w
}

// kept returns the artifacts for the page of an agent or a task.
func (s *site) kept(agent wire.AgentID, task wire.TaskID) artifact.Kept {
	res := s.Plane.Artifacts.List(wire.ArtifactFilter{Task: task, Agent: agent, Limit: artifact.MaxKept})
	return artifact.Kept{Task: task, Agent: agent, Artifacts: res.Artifacts, Total: res.Total}
}

// refuse answers with an error: as a page to a browser, as an error object to a program.
func (s *site) refuse(w http.ResponseWriter, r *http.Request, status int, detail string) {
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		v := login.RefusedView{Status: status, Detail: detail, Nonce: nonce(w)}
		s.page(w, r, status, login.Refused(v))
		return
	}
	code := map[int]wire.ErrorCode{401: wire.CodeUnauthorized, 403: wire.CodeUnauthorized, 404: wire.CodeNotFound, 409: wire.CodePrecondition}[status]
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="skein"`)
		detail = "not signed in: send the token of the data folder as a bearer token, or run `skein login` and open the URL it prints"
	}
	exchange.WriteJSON(w, status, map[string]*wire.Error{"error": wire.Errorf(code, "%s", detail)})
}

func (s *site) noPage(w http.ResponseWriter, r *http.Request) {
	s.refuse(w, r, http.StatusNotFound, "There is no page at "+wire.Cut(r.URL.Path, 80)+".")
}

func csp(nonce string) string {
	script, style := "'self'", "'self'"
	if nonce != "" {
		script, style = "'nonce-"+nonce+"'", "'nonce-"+nonce+"'"
	}
	return "default-src 'none'; script-src " + script + "; style-src " + style + "; img-src 'self' data:; font-src 'self'; worker-src 'self'; manifest-src 'self'; " +
		"connect-src 'self' https: wss: ws:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
}

// nonce sets the content security policy of a page without other files, and returns its nonce.
func nonce(w http.ResponseWriter) string {
	n := rand.Text()
	w.Header().Set("Content-Security-Policy", csp(n))
	return n
}

// failed logs why a request could not be answered, unless its client has left, so that nobody waits for it.
func (s *site) failed(r *http.Request, what string, err error) {
	if r.Context().Err() == nil {
		s.Logger.Error(what, "path", r.URL.Path, "err", err)
	}
}

func (s *site) page(w http.ResponseWriter, r *http.Request, status int, c templ.Component) {
	w.Header().Set("Cache-Control", "no-store")
	if s.overSocketAlone(r) {
		r = r.WithContext(frame.WithEarly(r.Context(), static.Extra()))
	}
	templ.Handler(c, templ.WithStatus(status), templ.WithErrorHandler(func(r *http.Request, err error) http.Handler {
		s.failed(r, "a page could not be rendered", err)
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "the page could not be rendered; the server's log says why", http.StatusInternalServerError)
		})
	})).ServeHTTP(w, r)
}

// overSocketAlone reports whether the page that r asks for can connect only over WebSocket: it gets no WebTransport
// endpoint, or its browser has no WebTransport, because that needs a secure context.
func (s *site) overSocketAlone(r *http.Request) bool {
	origin := pageOrigin(r)
	return s.Reach.webTransport(r, origin) == "" || !secureContext(origin)
}

// endShown is how long a page waits for something that has happened but is not stored yet: the end of a task after its form
// was posted, or the last output of an agent that has exited.
const endShown = 2 * time.Second
