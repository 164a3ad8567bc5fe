package webtransport

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	wt "github.com/quic-go/webtransport-go"

	"skein.dev/skein/webtransport/mask"
)

// QUICDialConfig configures DialQUIC.
type QUICDialConfig struct {
	TLS        *tls.Config // "h3" is added to its protocols
	Header     http.Header
	Protocols  []string
	MaxStreams int64 // 0: 1000
	Mask       MaskConfig

	flowControl *wt.Config // of tests; nil: QUIC's alone
}

// DialQUIC opens a session at an https URL, on a QUIC connection of its own.
func DialQUIC(ctx context.Context, url string, c QUICDialConfig) (Session, error) {
	q, err := dialQUIC(ctx, url, c, (*quic.Transport).Dial)
	if err != nil {
		return nil, err
	}
	return q.Session(ctx, url)
}

// QUICConn is a client's QUIC connection on its way to a session. Requests may go out before its handshake is done.
type QUICConn struct {
	config QUICDialConfig
	host   string // host:port of the URL
	conn   *quic.Conn
	flow   *mask.Flow
	paths  *paths
}

// DialQUICEarly begins a connection to the host of an https URL. With a session ticket in c.TLS's cache that is good for
// early data it returns at once, and what is sent then goes out with the first packets (RFC 9001, section 4.6): anyone
// may send it to the server again. Else it returns when the handshake is done.
func DialQUICEarly(ctx context.Context, url string, c QUICDialConfig) (*QUICConn, error) {
	return dialQUIC(ctx, url, c, (*quic.Transport).DialEarly)
}

type dialFunc func(t *quic.Transport, ctx context.Context, to net.Addr, c *tls.Config, config *quic.Config) (*quic.Conn, error)

func dialQUIC(ctx context.Context, url string, c QUICDialConfig, dial dialFunc) (*QUICConn, error) {
	if c.MaxStreams == 0 {
		c.MaxStreams = 1000
	}
	tlsConf := &tls.Config{}
	if c.TLS != nil {
		tlsConf = c.TLS.Clone()
	}
	tlsConf.NextProtos = []string{http3.NextProtoH3}
	host, err := hostPort(url)
	if err != nil {
		return nil, err
	}
	if tlsConf.ServerName == "" {
		tlsConf.ServerName, _, _ = net.SplitHostPort(host)
	}
	failed := func(err error) error { return fmt.Errorf("connect to %s over QUIC: %w", host, connectError{err}) }
	to, err := resolve(ctx, host)
	if err != nil {
		return nil, failed(err)
	}
	p := &paths{mask: c.Mask, to: to}
	t, pc, err := p.open()
	if err != nil {
		return nil, failed(err)
	}
	conn, err := dial(t, ctx, to, tlsConf, quicConfig(c.MaxStreams, clientConnWindow))
	if err != nil {
		p.close()
		return nil, failed(err)
	}
	flow := watch(pc, conn, p.server)
	context.AfterFunc(conn.Context(), func() {
		flow.Stop()
		p.close()
	})
	return &QUICConn{config: c, host: host, conn: conn, flow: flow, paths: p}, nil
}

// resolve gives an address of host:port, an IPv4 one if there is any, as net.ResolveUDPAddr does; but ctx ends it.
func resolve(ctx context.Context, hostport string) (*net.UDPAddr, error) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, err
	}
	all, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	at := max(0, slices.IndexFunc(all, func(a netip.Addr) bool { return a.Unmap().Is4() }))
	return net.UDPAddrFromAddrPort(netip.AddrPortFrom(all[at].Unmap(), uint16(n))), nil
}

// HandshakeComplete is closed when the server has proved who it is.
func (q *QUICConn) HandshakeComplete() <-chan struct{} { return q.conn.HandshakeComplete() }

// Context ends with the connection.
func (q *QUICConn) Context() context.Context { return q.conn.Context() }

// Close ends the connection.
func (q *QUICConn) Close() error {
	return q.conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "")
}

// Session opens the connection's session, which owns the connection from then on. It waits for the handshake. Call it
// once; when it fails the connection is closed.
func (q *QUICConn) Session(ctx context.Context, url string) (Session, error) {
	// webtransport-go does not check ctx while it waits for the answer to CONNECT: only the end of the connection ends the wait.
	stop := context.AfterFunc(ctx, func() { q.Close() })
	sess, err := q.session(ctx, url)
	if !stop() {
		err = context.Cause(ctx)
	}
	if err != nil {
		q.Close()
		return nil, fmt.Errorf("open a WebTransport session at %s: %w", url, err)
	}
	return sess, nil
}

func (q *QUICConn) session(ctx context.Context, url string) (Session, error) {
	if _, err := q.conn.NextConnection(ctx); err != nil { // also after early data that was refused
		return nil, err
	}
	t := &wt.Transport{Config: q.config.flowControl, ApplicationProtocols: q.config.Protocols}
	cc, err := t.NewClientConn(q.conn)
	if err != nil {
		return nil, err
	}
	_, sess, err := cc.Dial(ctx, url, q.config.Header)
	if err != nil {
		return nil, err
	}
	s := newQUICSession(sess, q.conn, q.flow)
	s.paths, s.remote = q.paths, q.paths.server
	return s, nil
}
