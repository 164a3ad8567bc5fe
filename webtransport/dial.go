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

	flowControl *wt.Config // for tests; nil: only the flow control of QUIC
}

// DialQUIC opens a session at an https URL, on a QUIC connection of its own.
func DialQUIC(ctx context.Context, url string, c QUICDialConfig) (Session, error) {
	q, err := dialQUIC(ctx, url, c, (*quic.Transport).Dial)
	if err != nil {
		return nil, err
	}
	return q.Session(ctx, url)
}

// QUICConn is a client's QUIC connection that has no session yet. Requests can be sent on it before the handshake is
// complete.
type QUICConn struct {
	config QUICDialConfig
	host   string // host:port of the URL
	conn   *quic.Conn
	flow   *mask.Flow
	paths  *paths
}

// DialQUICEarly starts a connection to the host of an https URL. If the cache in c.TLS has a session ticket that allows
// early data, it returns at once, and what is sent then goes into the first packets (RFC 9001, section 4.6), which anyone
// can replay to the server. Otherwise it returns when the handshake is complete.
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

// resolve returns an address of host:port, an IPv4 address if there is one. It is like net.ResolveUDPAddr but ends with
// ctx.
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

// HandshakeComplete returns a channel that is closed when the server has proved its identity.
func (q *QUICConn) HandshakeComplete() <-chan struct{} { return q.conn.HandshakeComplete() }

// Context returns a context that ends with the connection.
func (q *QUICConn) Context() context.Context { return q.conn.Context() }

// Close ends the connection.
func (q *QUICConn) Close() error {
	return q.conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "")
}

// Session opens the session of the connection, which owns the connection from then on. It waits for the handshake. It
// must be called only once. If it fails, it closes the connection.
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
	if _, err := q.conn.NextConnection(ctx); err != nil { // also needed if early data was refused
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
