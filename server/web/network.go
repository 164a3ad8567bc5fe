package web

import (
	"net"
	"net/http"
	"strconv"

	"skein.dev/skein/ui/network"
	"skein.dev/skein/webtransport/wire"
)

// networkPages serves the page of the network.
type networkPages struct{ *site }

// networkPage shows what is known without a session: the endpoints, the addresses, and the limits of the lanes.
func (s networkPages) networkPage(w http.ResponseWriter, r *http.Request) {
	v := network.NetworkView{Frame: s.frame(r), Remote: r.RemoteAddr, Lanes: s.Lanes, MaskOff: s.MaskOff}
	if url := s.Reach.webTransport(r, pageOrigin(r)); url != "" {
		v.Endpoints = append(v.Endpoints, network.Endpoint{Transport: wire.WebTransport, URL: url, Over: "UDP, port " + strconv.Itoa(s.Reach.QUICPort)})
	}
	url := s.Reach.webSocket(r)
	over := "TCP"
	if _, port, err := net.SplitHostPort(r.Host); err == nil {
		over += ", port " + port
	}
	v.Endpoints = append(v.Endpoints, network.Endpoint{Transport: wire.WebSocket, URL: url, Over: over})
	s.page(w, r, http.StatusOK, network.Network(v))
}
