package web

import (
	"cmp"
	"net/http"

	"skein.dev/skein/server/exchange"
	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

// connect answers with the connect document, which has the endpoints as the client can reach them.
func (s *site) connect(w http.ResponseWriter, r *http.Request) {
	if s.Sessions.Draining() {
		w.Header().Set("Retry-After", "1")
		exchange.WriteJSON(w, http.StatusServiceUnavailable, map[string]*wire.Error{"error": wire.Errorf(wire.CodeUnavailable, "the server is stopping")})
		return
	}
	who, _ := s.Auth.Request(r)
	contained := s.Processes.Containment()
	doc := wire.Connect{Version: wire.Version, Node: s.Plane.Node(), Policy: s.policy(), Containment: &contained}
	endpoint := func(t wire.Transport, url string) *wire.Endpoint {
		doc.Endpoints = append(doc.Endpoints, wire.Endpoint{Transport: t, URL: url, Ticket: s.Auth.Ticket(who), TicketExpiresMS: wire.TicketLifetime.Milliseconds()})
		return &doc.Endpoints[len(doc.Endpoints)-1]
	}
	if url := s.Reach.webTransport(r, r.Header.Get("Origin")); url != "" {
		d := endpoint(wire.WebTransport, url)
		d.CertificateHashes = s.Reach.Certs.Hashes()
	}
	d := endpoint(wire.WebSocket, s.Reach.Base+"/ws") // without a scheme, since a proxy may terminate TLS: the scheme of the page decides
	d.Protocols = webtransport.Subprotocols(wire.Version)
	exchange.WriteJSON(w, http.StatusOK, doc)
}

// policy tells clients what to try, and when.
func (s *site) policy() wire.Policy {
	return wire.Policy{RaceDelayMS: cmp.Or(s.RaceDelay, wire.RaceDelay).Milliseconds(), BackoffMinMS: 500, BackoffMaxMS: 20_000, HealthyMS: 10_000, PingMS: 5_000}
}
