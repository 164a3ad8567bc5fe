// Package bare is the libraries that Skein's carriers stand on, used with nothing of Skein's around them: an echo server
// and clients, against which `skein bench` measures what Skein adds. Nothing else uses it.
package bare

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"

	"github.com/coder/websocket"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	wt "github.com/quic-go/webtransport-go"
)

// Server echoes on both carriers.
type Server struct {
	QUIC string // https URL
	WS   string // wss URL
	wt   *wt.Server
	ws   *httptest.Server
}

// Serve starts a server on loopback with the certificate of cert.
func Serve(cert tls.Certificate) (*Server, error) {
	s := &Server{}
	mux := http.NewServeMux()
	h3 := &http3.Server{
		TLSConfig: http3.ConfigureTLSConfig(&tls.Config{Certificates: []tls.Certificate{cert}}), Handler: mux,
		QUICConfig: &quic.Config{MaxIncomingStreams: 2000},
	}
	s.wt = &wt.Server{H3: h3}
	mux.HandleFunc("/wt", func(w http.ResponseWriter, r *http.Request) {
		sess, err := s.wt.Upgrade(w, r)
		if err != nil {
			return
		}
		for {
			str, err := sess.AcceptStream(context.Background())
			if err != nil {
				return
			}
			go io.CopyBuffer(str, struct{ io.Reader }{str}, make([]byte, 512))
		}
	})
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go s.wt.Serve(pc)
	s.QUIC = "https://" + pc.LocalAddr().String() + "/wt"

	s.ws = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		for {
			typ, b, err := c.Read(context.Background())
			if err != nil || c.Write(context.Background(), typ, b) != nil {
				return
			}
		}
	}))
	s.ws.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	s.ws.StartTLS()
	s.WS = "wss" + s.ws.URL[len("https"):]
	return s, nil
}

// Close ends the server.
func (s *Server) Close() {
	s.wt.Close()
	s.ws.CloseClientConnections()
	s.ws.Close()
}

// Conn is one connection to the server. Echo sends b and reads it back.
type Conn interface {
	Echo(b []byte) error
	OpenIdle(ctx context.Context) error // one more stream, which carried one byte each way
	Close()
}

type quicConn struct {
	sess *wt.Session
	str  *wt.Stream
}

// DialQUIC opens a WebTransport session with one stream.
func DialQUIC(ctx context.Context, url string) (Conn, error) {
	t := &wt.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		QUICConfig: &quic.Config{EnableDatagrams: true, EnableStreamResetPartialDelivery: true}}
	_, sess, err := t.Dial(ctx, url, nil)
	if err != nil {
		return nil, err
	}
	str, err := sess.OpenStream()
	return &quicConn{sess, str}, err
}

func (c *quicConn) Echo(b []byte) error { return echo(c.str, b) }

func echo(rw io.ReadWriter, b []byte) error {
	if _, err := rw.Write(b); err != nil {
		return err
	}
	_, err := io.ReadFull(rw, b)
	return err
}

func (c *quicConn) OpenIdle(ctx context.Context) error {
	str, err := c.sess.OpenStreamSync(ctx)
	if err != nil {
		return err
	}
	return echo(str, []byte{1})
}

func (c *quicConn) Close() { c.sess.CloseWithError(0, "") }

type wsConn struct{ c *websocket.Conn }

// DialWebSocket opens a WebSocket.
func DialWebSocket(ctx context.Context, url string) (Conn, error) {
	hc := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	c, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: hc})
	if err != nil {
		return nil, err
	}
	return &wsConn{c}, nil
}

func (c *wsConn) Echo(b []byte) error {
	ctx := context.Background()
	if err := c.c.Write(ctx, websocket.MessageBinary, b); err != nil {
		return err
	}
	_, _, err := c.c.Read(ctx)
	return err
}

// OpenIdle does nothing: a WebSocket has one stream.
func (c *wsConn) OpenIdle(context.Context) error { return nil }

func (c *wsConn) Close() { c.c.CloseNow() }
