package client

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

// maxWriters is how many bulk writes are under way in a session at once, so that what is urgent waits behind few.
const maxWriters = 8

// open opens a session through a door and says hello.
func (c *Client) open(ctx context.Context, doc *wire.Connect, d wire.Door) (*link, error) {
	var sess webtransport.Session
	var err error
	switch d.Transport {
	case wire.WebTransport:
		sess, err = webtransport.DialQUIC(ctx, d.URL, c.quicConfig(doc, d))
	default:
		hc := &http.Client{Transport: &http.Transport{TLSClientConfig: TLSConfig(c.o.CertificateHashes)}}
		defer hc.CloseIdleConnections() // of a door that answered something else
		sess, err = webtransport.DialWebSocket(ctx, d.URL, webtransport.WebSocketConfig{Protocols: []string{wire.Version}, HTTPClient: hc})
	}
	if err != nil {
		return nil, err
	}
	l, err := c.greet(ctx, sess, d)
	if err != nil {
		return nil, err
	}
	l.doors = doc.Doors
	return l, nil
}

// greet says hello on a new session, and closes it when that fails.
func (c *Client) greet(ctx context.Context, sess webtransport.Session, d wire.Door) (*link, error) {
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

// hello introduces this client, with the session that it had before, if any.
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

// quicConfig is how a WebTransport door is dialed.
func (c *Client) quicConfig(doc *wire.Connect, d wire.Door) webtransport.QUICDialConfig {
	conf := TLSConfig(d.CertificateHashes)
	if c.cache.dir != "" {
		conf.ClientSessionCache = c.cache
	}
	return webtransport.QUICDialConfig{TLS: conf, Protocols: []string{doc.Version}, Mask: webtransport.MaskConfig{Off: c.o.NoMasking}}
}
