// Package bare is the libraries that Skein's carriers stand on, used with nothing of Skein's around them: an echo server
// and clients, against which skein-bench measures what Skein adds. Nothing else uses it.
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
	mux.HandleFunc("/wt"+bulkPath, func(w http.ResponseWriter, r *http.Request) {
		if sess, err := s.wt.Upgrade(w, r); err == nil {
			AnswerAll(sess.Context(), sess)
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
		if r.URL.Path == bulkPath {
			answerWebSocket(c)
			return
		}
		m := multiplex(c)
		defer m.end()
		for b := range m.in {
			if !m.write(b) {
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
	sess, err := dialQUIC(ctx, url)
	if err != nil {
		return nil, err
	}
	str, err := sess.OpenStream()
	return &quicConn{sess, str}, err
}

func dialQUIC(ctx context.Context, url string) (*wt.Session, error) {
	t := &wt.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		QUICConfig: &quic.Config{EnableDatagrams: true, EnableStreamResetPartialDelivery: true}}
	_, sess, err := t.Dial(ctx, url, nil)
	return sess, err
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

// wsConn is a WebSocket with what it takes to carry more than one thing: a goroutine that reads and hands over, and one
// that takes over and writes. A caller that reads and writes by itself, and so can do only one thing at a time, is
// quicker by the hand-overs; Alone measures that.
type wsConn struct {
	c   *websocket.Conn
	in  chan []byte
	out chan []byte
	ctx context.Context
	end context.CancelFunc
}

func multiplex(c *websocket.Conn) *wsConn {
	w := &wsConn{c: c, in: make(chan []byte, 1), out: make(chan []byte, 1)}
	w.ctx, w.end = context.WithCancel(context.Background())
	go func() {
		defer close(w.in)
		for {
			_, b, err := c.Read(w.ctx)
			if err != nil {
				return
			}
			select {
			case w.in <- b:
			case <-w.ctx.Done():
				return
			}
		}
	}()
	go func() {
		for {
			select {
			case b := <-w.out:
				if c.Write(w.ctx, websocket.MessageBinary, b) != nil {
					w.end()
					return
				}
			case <-w.ctx.Done():
				return
			}
		}
	}()
	return w
}

func (c *wsConn) write(b []byte) bool {
	select {
	case c.out <- b:
		return true
	case <-c.ctx.Done():
		return false
	}
}

// DialWebSocket opens a WebSocket.
func DialWebSocket(ctx context.Context, url string) (Conn, error) { return dialWebSocket(ctx, url) }

func dialWebSocket(ctx context.Context, url string) (*wsConn, error) {
	hc := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	c, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: hc})
	if err != nil {
		return nil, err
	}
	return multiplex(c), nil
}

func (c *wsConn) Echo(b []byte) error {
	if !c.write(b) {
		return io.ErrClosedPipe
	}
	if _, ok := <-c.in; !ok {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// OpenIdle does nothing: a WebSocket has one stream.
func (c *wsConn) OpenIdle(context.Context) error { return nil }

func (c *wsConn) Close() { c.end(); c.c.CloseNow() }
