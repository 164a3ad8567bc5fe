package server

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"skein.dev/skein/server/exchange"
	"skein.dev/skein/webtransport/wire"
)

// origins says which pages may open sessions.
type origins struct{ s *Server }

// Allowed checks the Origin header of a request for a session. Programs send none: for them the ticket decides.
func (o origins) Allowed(r *http.Request) bool {
	return o.s.mayOpen(r.Header.Get("Origin"), r.Host, r.TLS != nil)
}

// mayOpen reports whether a page of an origin may open sessions at host[:port], one of the server's names. Those are the
// pages of --allow-origin, the listeners' own, and those of the very host: of a proxy that passes Host on. It may have
// ended TLS, but not begun it.
func (s *Server) mayOpen(origin, hostport string, encrypted bool) bool {
	if origin == "" || slices.Contains(s.o.AllowOrigins, origin) {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || !s.allowedHost(u.Host) {
		return false
	}
	if sameHost(u, hostport) && (u.Scheme == "https" || !encrypted) {
		return true
	}
	if u.Scheme == "http" {
		return s.httpPort != 0 && portOf(u, 80) == s.httpPort
	}
	return s.tlsPort != 0 && portOf(u, 443) == s.tlsPort
}

// sameHost reports whether host[:port] is that of an origin. Neither origins nor Host headers name the scheme's own port.
func sameHost(origin *url.URL, hostport string) bool {
	def := 80
	if origin.Scheme == "https" {
		def = 443
	}
	to := &url.URL{Host: hostport}
	return origin.Hostname() == to.Hostname() && portOf(origin, def) == portOf(to, def)
}

func portOf(u *url.URL, def int) int {
	if u.Port() == "" {
		return def
	}
	n, err := strconv.Atoi(u.Port())
	if err != nil {
		return -1
	}
	return n
}

// fromPages lets pages ask for /connect: those that may open sessions are answered, wherever they are from, and the others
// can read why not. No cookie comes from another origin: such a page sends a token.
func (s *Server) fromPages(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin := r.Header.Get("Origin")
		h := w.Header()
		h.Add("Vary", "Origin")
		if origin != "" {
			h.Set("Access-Control-Allow-Origin", origin)
		}
		switch {
		case r.Method == http.MethodOptions:
			h.Set("Access-Control-Allow-Methods", http.MethodPost)
			h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
			h.Set("Access-Control-Max-Age", "600")
			w.WriteHeader(http.StatusNoContent)
		case !origins{s}.Allowed(r):
			s.log.Warn("a page of an origin that is not allowed asked for a session", "origin", wire.Cut(origin, 200), "host", r.Host)
			exchange.WriteJSON(w, http.StatusForbidden, map[string]*wire.Error{"error": wire.Errorf(wire.CodeOrigin,
				"pages of %s may not open sessions here (the server was asked as %s): allow them with --allow-origin %s, or have the proxy pass the header Host on",
				wire.Cut(origin, 200), wire.Cut(r.Host, 80), wire.Cut(origin, 200))})
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// pageOrigin is the origin of the page that r asks for, as far as r tells.
func pageOrigin(r *http.Request) string {
	if encrypted(r) {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// secureContext reports whether browsers take a page of an origin for one that nobody on the way can change.
func secureContext(origin string) bool {
	scheme, host, _ := strings.Cut(origin, "://")
	return scheme == "https" || local(host) || strings.HasSuffix(hostname(host), ".localhost")
}

// local reports whether host[:port] names this machine itself.
func local(hostport string) bool {
	host := trimBrackets(hostname(hostport))
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
