package webtransport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"

	"github.com/coder/websocket"

	"skein.dev/skein/webtransport/pace"
	"skein.dev/skein/webtransport/qmux"
)

// wsRecord is the largest WebSocket message that this side accepts: one QMux record of the default size, with room for a
// peer that counts the header separately.
const wsRecord = 16382 + 64

// Subprotocols returns the WebSocket subprotocols for an application protocol, best first.
func Subprotocols(protocol string) []string {
	return []string{"qmux-02." + protocol, "qmux-01." + protocol}
}

// WebSocketConfig configures both ends of the WebSocket carrier.
type WebSocketConfig struct {
	Protocols   []string                   // application protocols, best first
	CheckOrigin func(r *http.Request) bool // server; nil: the same origin only
	HTTPClient  *http.Client               // client
	Header      http.Header                // client
	Mux         qmux.Config
}

func (c WebSocketConfig) subprotocols() (all []string) {
	for _, p := range c.Protocols {
		all = append(all, Subprotocols(p)...)
	}
	return all
}

// AcceptWebSocket turns a WebSocket request into a session. If it fails, it has answered the request.
func AcceptWebSocket(w http.ResponseWriter, r *http.Request, c WebSocketConfig) (Session, error) {
	opts := &websocket.AcceptOptions{Subprotocols: c.subprotocols(), InsecureSkipVerify: c.CheckOrigin != nil}
	if c.CheckOrigin != nil && !c.CheckOrigin(r) {
		http.Error(w, "this origin may not open a session", http.StatusForbidden)
		return nil, fmt.Errorf("websocket: origin %q is not allowed", r.Header.Get("Origin"))
	}
	if !offers(r, opts.Subprotocols) {
		http.Error(w, "offer one of the subprotocols "+strings.Join(opts.Subprotocols, ", "), http.StatusBadRequest)
		return nil, errors.New("websocket: no subprotocol in common")
	}
	conn, err := websocket.Accept(cutWriter{w}, r, opts)
	if err != nil {
		return nil, err
	}
	c.Mux.ConnWindow = cmp.Or(c.Mux.ConnWindow, serverConnWindow)
	return newWSSession(conn, tcpOf(r.Context().Value(tcpConnKey{})), c, remoteAddr(r.RemoteAddr), qmux.Server), nil
}

// offers reports whether the client lists one of the subprotocols. Without one, the peers would not know how to read each
// other.
func offers(r *http.Request, subprotocols []string) bool {
	for _, line := range r.Header.Values("Sec-WebSocket-Protocol") {
		for p := range strings.SplitSeq(line, ",") {
			for _, ours := range subprotocols {
				if strings.EqualFold(strings.TrimSpace(p), ours) {
					return true
				}
			}
		}
	}
	return false
}

// DialWebSocket opens a session at a ws or wss URL.
func DialWebSocket(ctx context.Context, url string, c WebSocketConfig) (Session, error) {
	var below net.Conn
	conn, _, err := websocket.Dial(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { below = i.Conn }}), url, &websocket.DialOptions{
		HTTPClient: cutClient(c.HTTPClient), HTTPHeader: c.Header, Subprotocols: c.subprotocols(),
	})
	if err != nil {
		return nil, fmt.Errorf("open a WebSocket at %s: %w", url, err)
	}
	if conn.Subprotocol() == "" {
		conn.CloseNow()
		return nil, fmt.Errorf("open a WebSocket at %s: the server speaks none of %s", url, strings.Join(c.subprotocols(), ", "))
	}
	host, _ := hostPort(url)
	c.Mux.ConnWindow = cmp.Or(c.Mux.ConnWindow, clientConnWindow)
	return newWSSession(conn, tcpOf(below), c, remoteAddr(host), qmux.Client), nil
}

// newWSSession returns the session of a WebSocket on tcp, which is nil if it is not known.
func newWSSession(conn *websocket.Conn, tcp *net.TCPConn, c WebSocketConfig, remote net.Addr, side func(qmux.Conn, qmux.Config) *qmux.Session) Session {
	conn.SetReadLimit(wsRecord)
	version, protocol, _ := strings.Cut(conn.Subprotocol(), ".")
	c.Mux.Version = qmux.Draft02
	if version == "qmux-01" {
		c.Mux.Version = qmux.Draft01
	}
	if tcp != nil {
		keepUnsentShort(tcp)
	}
	return &muxSession{Session: side(&wsConn{conn: conn}, c.Mux), tcp: tcp,
		info: Info{Transport: "websocket", Protocol: protocol, RemoteAddr: remote}}
}

// wsConn is a WebSocket in the form that QMux needs: complete binary messages.
type wsConn struct {
	conn  *websocket.Conn
	close sync.Once
}

var errTextMessage = errors.New("websocket: a text message; QMux sends binary ones")

func (c *wsConn) ReadMessage(ctx context.Context) ([]byte, error) {
	t, b, err := c.conn.Read(ctx)
	if err == nil && t != websocket.MessageBinary {
		return nil, errTextMessage
	}
	return b, err
}

func (c *wsConn) WriteMessage(ctx context.Context, b []byte) error {
	return c.conn.Write(ctx, websocket.MessageBinary, b)
}

func (c *wsConn) Close() error {
	var err error
	c.close.Do(func() { err = c.conn.CloseNow() })
	return err
}

// Pipe returns the two ends of a session in memory. The first is the client's.
func Pipe() (client, server Session) {
	a, b := qmux.Pipe()
	info := Info{Transport: "pipe"}
	return &muxSession{Session: qmux.Client(a, qmux.Config{}), info: info},
		&muxSession{Session: qmux.Server(b, qmux.Config{}), info: info}
}

// muxSession is a Session on QMux.
type muxSession struct {
	*qmux.Session
	tcp  *net.TCPConn // the connection below; nil if it is not known
	info Info         // the part that does not change
}

func (s *muxSession) OpenStream(ctx context.Context) (Stream, error) {
	str, err := s.Session.OpenStream(ctx)
	if err != nil {
		return nil, err
	}
	return str, nil
}

func (s *muxSession) AcceptStream(ctx context.Context) (Stream, error) {
	str, err := s.Session.AcceptStream(ctx)
	if err != nil {
		return nil, err
	}
	return str, nil
}

func (s *muxSession) Close(code uint32, reason string) error {
	return s.Session.Close(code, cutReason(reason))
}

func (s *muxSession) Info() Info {
	i, st := s.info, s.Session.Stats()
	i.RTT, i.MaxDatagramSize = s.Session.RTT(), s.Session.MaxDatagramSize()
	i.BytesSent, i.BytesReceived = st.BytesSent, st.BytesReceived
	return i
}

func (s *muxSession) path() pace.Path {
	if s.tcp == nil {
		return pace.Path{}
	}
	return tcpPath(s.tcp)
}

// hostPort returns host:port of a URL, with the default port of the scheme if the URL has none.
func hostPort(rawURL string) (string, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return "", err
	}
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "http" || u.Scheme == "ws":
		port = "80"
	default:
		port = "443"
	}
	return net.JoinHostPort(u.Hostname(), port), nil
}

// remoteAddr is an address that is known only as text.
type remoteAddr string

func (a remoteAddr) Network() string { return "tcp" }
func (a remoteAddr) String() string  { return string(a) }
