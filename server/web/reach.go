package web

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"skein.dev/skein/server/cert"
	"skein.dev/skein/webtransport/wire"
)

// Reach says how clients reach the server, and whose pages may.
type Reach struct {
	// static
	Base         string          // the path before every path; mostly ""
	Hosts        map[string]bool // the names under which the server is reached, beside the certificate's
	AllowOrigins []string        // the origins, beside the server's own, whose pages may open sessions
	Certs        *cert.Keeper
	Mapped       bool // --quic-port says where UDP arrives

	// static once the server listens
	HTTPPort, TLSPort int  // 0: nothing listens
	QUICPort          int  // the UDP port that clients are told
	LocalTLS          bool // HTTPS is of this machine alone
}

// Allowed checks the Origin header of a request for a session. Programs send none: for them the ticket decides.
func (p *Reach) Allowed(r *http.Request) bool {
	return p.mayOpen(r.Header.Get("Origin"), r.Host, r.TLS != nil)
}

// mayOpen reports whether a page of an origin may open sessions at host[:port], one of the server's names. Those are the
// pages of --allow-origin, the listeners' own, and those of the very host: of a proxy that passes Host on. It may have
// ended TLS, but not begun it.
func (p *Reach) mayOpen(origin, hostport string, encrypted bool) bool {
	if origin == "" || slices.Contains(p.AllowOrigins, origin) {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || !p.allowedHost(u.Host) {
		return false
	}
	if sameHost(u, hostport) && (u.Scheme == "https" || !encrypted) {
		return true
	}
	if u.Scheme == "http" {
		return p.HTTPPort != 0 && portOf(u, 80) == p.HTTPPort
	}
	return p.TLSPort != 0 && portOf(u, 443) == p.TLSPort
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

// webTransport is the URL of the WebTransport endpoint as whoever sent r reaches it; "": there is none. No proxy of HTTP
// passes UDP on. If r came through one, from another machine, the endpoint stands beside the proxy and can be reached if --listen
// is for other machines, or --quic-port says how. A page whose origin would be refused is spared the attempt.
func (p *Reach) webTransport(r *http.Request, origin string) string {
	host := fmt.Sprintf("%s:%d", hostname(r.Host), p.QUICPort)
	reached := r.TLS != nil || !p.LocalTLS || p.Mapped || local(r.Host)
	if p.TLSPort == 0 || !reached || !p.mayOpen(origin, host, true) {
		return ""
	}
	return "https://" + host + p.Base + wire.WebTransportPath
}

// webSocket is the URL of the WebSocket endpoint for people to read, likewise.
func (p *Reach) webSocket(r *http.Request) string {
	return strings.Replace(pageOrigin(r), "http", "ws", 1) + p.Base + "/ws"
}

// hostname gives the host of host:port as a URL has it, an IPv6 address in brackets.
func hostname(hostport string) string {
	if i := strings.LastIndexByte(hostport, ':'); i > strings.LastIndexByte(hostport, ']') {
		return hostport[:i]
	}
	return hostport
}

// encrypted reports whether the browser's connection is: this server's, or that of a proxy before it, by its word. A
// cookie's flag is all that hangs on it, and only the one who asks gets that cookie, so that anybody's word will do.
func encrypted(r *http.Request) bool {
	return r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}

// allowedHost checks the Host header, so that no other name can be made to point at this server (DNS rebinding).
func (p *Reach) allowedHost(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	host = trimBrackets(host)
	if p.Hosts[host] {
		return true
	}
	return !p.Certs.IsDevelopment() && p.Certs.Leaf().VerifyHostname(host) == nil
}

func trimBrackets(host string) string {
	if len(host) > 1 && host[0] == '[' && host[len(host)-1] == ']' {
		return host[1 : len(host)-1]
	}
	return host
}
