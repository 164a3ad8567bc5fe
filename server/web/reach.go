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

// Reach describes how clients reach the server, and which pages may open sessions.
type Reach struct {
	// static
	Base         string          // the prefix of every path; usually ""
	Hosts        map[string]bool // the names of the server, in addition to those in the certificate
	AllowOrigins []string        // the origins whose pages may open sessions, in addition to the server's own
	Certs        *cert.Keeper
	Mapped       bool // whether --quic-port is set

	// static once the server listens
	HTTPPort, TLSPort int  // 0 if nothing listens
	QUICPort          int  // the UDP port that clients are told
	LocalTLS          bool // whether HTTPS listens on this machine's loopback only
}

// Allowed checks the Origin header of a request for a session. Programs send none, and only the ticket decides.
func (p *Reach) Allowed(r *http.Request) bool {
	return p.mayOpen(r.Header.Get("Origin"), r.Host, r.TLS != nil)
}

// mayOpen reports whether a page of an origin may open sessions at host[:port], one of the server's names. These are the
// pages of --allow-origin, of the listeners, and of the same host, which is that of a proxy that forwards Host. The proxy
// may have removed TLS but not added it.
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

// sameHost reports whether host[:port] is that of an origin. Both origins and Host headers omit the default port of the scheme.
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

// pageOrigin returns the origin of the page that r asks for, as far as r shows it.
func pageOrigin(r *http.Request) string {
	if encrypted(r) {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// secureContext reports whether browsers treat a page of an origin as a secure context.
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

// webTransport returns the URL of the WebTransport endpoint for the sender of r, "" if there is none. HTTP proxies do not
// forward UDP. If r came through one, from another machine, the sender can reach the endpoint only past the proxy: if
// --listen is for other machines, or --quic-port is set. A page whose origin would be refused gets no URL, to save it the
// attempt.
func (p *Reach) webTransport(r *http.Request, origin string) string {
	host := fmt.Sprintf("%s:%d", hostname(r.Host), p.QUICPort)
	reached := r.TLS != nil || !p.LocalTLS || p.Mapped || local(r.Host)
	if p.TLSPort == 0 || !reached || !p.mayOpen(origin, host, true) {
		return ""
	}
	return "https://" + host + p.Base + wire.WebTransportPath
}

// webSocket returns the URL of the WebSocket endpoint for the sender of r, for people to read.
func (p *Reach) webSocket(r *http.Request) string {
	return strings.Replace(pageOrigin(r), "http", "ws", 1) + p.Base + "/ws"
}

// hostname returns the host of host:port as in a URL, with an IPv6 address in brackets.
func hostname(hostport string) string {
	if i := strings.LastIndexByte(hostport, ':'); i > strings.LastIndexByte(hostport, ']') {
		return hostport[:i]
	}
	return hostport
}

// encrypted reports whether the browser's connection is encrypted: the one to this server or, as X-Forwarded-Proto says, to
// a proxy in front of it. The header need not be trusted, because only the Secure flag of the sender's own cookie depends
// on it.
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
