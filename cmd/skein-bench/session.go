package main

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"slices"
	"time"

	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/bare"
	"skein.dev/skein/webtransport/client"
)

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
