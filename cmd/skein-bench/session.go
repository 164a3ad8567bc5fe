package main

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/bare"
	"skein.dev/skein/webtransport/client"
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

// openSession opens a session with one stream, and openBare the same with the bare library.
func (b *benchRun) openSession(transport string) (str io.ReadWriter, end func(), err error) {
	var sess webtransport.Session
	tlsConf := &tls.Config{InsecureSkipVerify: true}
	if transport == client.WebTransport {
		sess, err = webtransport.DialQUIC(b.ctx, b.bares.SessionQUIC, webtransport.QUICDialConfig{TLS: tlsConf, Protocols: sessionProtocols})
	} else {
		sess, err = webtransport.DialWebSocket(b.ctx, b.bares.SessionWS, webtransport.WebSocketConfig{Protocols: sessionProtocols,
			HTTPClient: &http.Client{Transport: &http.Transport{TLSClientConfig: tlsConf}}})
	}
	if err != nil {
		return nil, nil, err
	}
	end = func() { sess.Close(0, "") }
	if str, err = sess.OpenStream(b.ctx); err != nil {
		end()
		return nil, nil, err
	}
	return str, end, nil
}

func (b *benchRun) openBare(transport string) (str io.ReadWriter, end func(), err error) {
	if transport == client.WebTransport {
		return bare.OpenQUIC(b.ctx, b.bares.QUIC)
	}
	return bare.OpenWebSocket(b.ctx, b.bares.WS)
}

// benchSessionEcho is the round trip of raw bytes, in turns of a few, so that the machine's moods hit both.
func benchSessionEcho(b *benchRun, transport string) (r result, err error) {
	ours, end, err := b.openSession(transport)
	if err != nil {
		return r, err
	}
	defer end()
	echo, err := bare.Echo(ours)
	if err != nil {
		return r, err
	}
	theirs, err := b.dialBare(transport)
	if err != nil {
		return r, err
	}
	defer theirs.Close()
	msg := []byte(`{"jsonrpc":"2.0","id":1,"method":"ping","params":{}}` + "\n")
	var took, tookBare []time.Duration
	for range b.n(150) {
		for range 20 {
			begin := time.Now()
			if err := echo(msg); err != nil {
				return r, err
			}
			took = append(took, time.Since(begin))
		}
		for range 20 {
			begin := time.Now()
			if err := theirs.Echo(slices.Clone(msg)); err != nil {
				return r, err
			}
			tookBare = append(tookBare, time.Since(begin))
		}
	}
	r = percentiles(took, time.Microsecond)
	r.Bare = percentiles(tookBare, time.Microsecond).P50
	return r, nil
}

// benchSessionBulk is one stream as fast as it may, in turns.
func benchSessionBulk(b *benchRun, transport string) (r result, err error) {
	const size = 64 << 20
	one := func(open func(string) (io.ReadWriter, func(), error)) (rate float64, err error) {
		str, end, err := open(transport)
		if err != nil {
			return 0, err
		}
		defer end()
		begin := time.Now()
		err = bare.Receive(str, size, nil)
		return size / 1e6 / time.Since(begin).Seconds(), err
	}
	var ours, theirs []float64
	for i := range b.n(10) {
		// The first one warms both up.
		for _, side := range []struct {
			open  func(string) (io.ReadWriter, func(), error)
			rates *[]float64
		}{{b.openSession, &ours}, {b.openBare, &theirs}} {
			rate, err := one(side.open)
			if err != nil {
				return r, err
			}
			if i > 0 || b.n(10) == 1 {
				*side.rates = append(*side.rates, rate)
			}
		}
	}
	r.Value, r.Bare = median(ours), median(theirs)
	return r, context.Cause(b.ctx)
}

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}
