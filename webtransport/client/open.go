package client

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

// maxWriters bounds the bulk writes that are under way in a session, so that urgent messages wait behind few.
const maxWriters = 8

// open opens a session through an endpoint and says hello.
func (c *Client) open(ctx context.Context, doc *wire.Connect, d wire.Endpoint) (*link, error) {
	var sess webtransport.Session
	var err error
	switch d.Transport {
	case wire.WebTransport:
		sess, err = webtransport.DialQUIC(ctx, d.URL, c.quicConfig(doc, d))
	default:
		hc := &http.Client{Transport: &http.Transport{TLSClientConfig: TLSConfig(c.o.CertificateHashes)}}
		defer hc.CloseIdleConnections() // of an endpoint that answered something else
		sess, err = webtransport.DialWebSocket(ctx, d.URL, webtransport.WebSocketConfig{Protocols: []string{wire.Version}, HTTPClient: hc})
	}
	if err != nil {
		return nil, err
	}
	l, err := c.greet(ctx, sess, d)
	if err != nil {
		return nil, err
	}
	l.endpoints = doc.Endpoints
	return l, nil
}

// greet says hello in a new session. If that fails, it closes the session.
func (c *Client) greet(ctx context.Context, sess webtransport.Session, d wire.Endpoint) (*link, error) {
	l := &link{ctx: c.ctx, log: c.log, calls: c.calls, watches: c.watches, sess: sess, kind: d.Transport, since: time.Now(),
		writes: webtransport.Shaper{Gate: webtransport.NewGate(maxWriters), Pacer: webtransport.NewPacer(sess)}}
	ctrl, err := SayHello(ctx, sess, c.hello(d.Ticket))
	if err != nil {
		go sess.Close(uint32(wire.CloseNormal), "")
		return nil, fmt.Errorf("%s: %w", d.Transport, err)
	}
	l.ctrl, l.r, l.welcome = &rpcLane{str: ctrl.Stream}, ctrl.Reader, ctrl.Welcome
	return l, nil
}

// hello returns the hello message of this client, which names the previous session if there was one.
func (c *Client) hello(ticket string) wire.Hello {
	h := wire.Hello{Versions: []string{wire.Version}, Ticket: ticket, NoStatus: c.o.NoStatus,
		Client: wire.ClientInfo{ID: c.id, Name: c.o.Name, Version: c.o.Version}}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last.Session != "" {
		h.Resume = &wire.Resume{Session: c.last.Session, Epoch: c.last.Epoch}
	}
	return h
}

// quicConfig returns how a WebTransport endpoint is dialed.
func (c *Client) quicConfig(doc *wire.Connect, d wire.Endpoint) webtransport.QUICDialConfig {
	conf := TLSConfig(d.CertificateHashes)
	if c.cache.dir != "" {
		conf.ClientSessionCache = c.cache
	}
	return webtransport.QUICDialConfig{TLS: conf, Protocols: []string{doc.Version}, Mask: webtransport.MaskConfig{Off: c.o.NoMasking}}
}
