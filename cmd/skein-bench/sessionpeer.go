package main

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"sync"

	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/bare"
)

// sessionPeer serves raw bytes over Skein's sessions, with nothing of the protocol above them, in the process that
// serves the bare libraries: what webtransport.Session costs is seen between the two.
type sessionPeer struct {
	QUIC, WS string // URLs

	quic *webtransport.QUICServer
	udp  *net.UDPConn
	ws   *http.Server
	run  sync.WaitGroup
}

var sessionProtocols = []string{"raw"}

func serveSessions(cert tls.Certificate) (*sessionPeer, error) {
	tlsConf := &tls.Config{Certificates: []tls.Certificate{cert}}
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		udp.Close()
		return nil, err
	}
	p := &sessionPeer{QUIC: "https://" + udp.LocalAddr().String() + "/", WS: "wss://" + tcp.Addr().String() + "/", udp: udp}
	p.quic = webtransport.NewQUICServer(webtransport.QUICConfig{TLS: tlsConf, Protocols: sessionProtocols, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if sess, err := p.quic.Upgrade(w, r); err == nil {
			answerSession(sess)
		}
	})})
	p.ws = &http.Server{TLSConfig: tlsConf, ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if sess, err := webtransport.AcceptWebSocket(w, r, webtransport.WebSocketConfig{Protocols: sessionProtocols}); err == nil {
			answerSession(sess)
		}
	})}
	p.run.Go(func() { p.quic.Serve(udp) })
	p.run.Go(func() { p.ws.ServeTLS(tcp, "", "") })
	return p, nil
}

// answerSession serves the streams that the client opens, until the session ends.
func answerSession(sess webtransport.Session) {
	var all sync.WaitGroup
	defer all.Wait()
	for {
		str, err := sess.AcceptStream(sess.Context())
		if err != nil {
			return
		}
		all.Go(func() {
			bare.Answer(str)
			str.Close()
		})
	}
}

func (p *sessionPeer) close() {
	p.quic.Close()
	p.udp.Close()
	p.ws.Close()
	p.run.Wait()
}
