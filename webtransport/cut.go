package webtransport

import (
	"bufio"
	"cmp"
	"errors"
	"io"
	"net"
	"net/http"
)

// coder/websocket 1.8.15 takes an io.EOF of the connection within a message for the end of the message, if it comes where one of its
// reads begins. What arrived until then would be a whole record of QMux, whose last stream would end there. So the connection of a
// WebSocket says io.ErrUnexpectedEOF instead: a WebSocket ends with a frame that says so, and not with its connection.

// cutConn is a connection below a WebSocket.
type cutConn struct{ net.Conn }

func (c cutConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	return n, cutShort(err)
}

// cutBody is the same at the client, where net/http has the connection.
type cutBody struct{ io.ReadWriteCloser }

func (c cutBody) Read(b []byte) (int, error) {
	n, err := c.ReadWriteCloser.Read(b)
	return n, cutShort(err)
}

func cutShort(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// cutWriter is a response that becomes a WebSocket.
type cutWriter struct{ http.ResponseWriter }

func (w cutWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	return cutConn{c}, rw, nil
}

// cutClient is c, or the default client, with such connections.
func cutClient(c *http.Client) *http.Client {
	with := *cmp.Or(c, http.DefaultClient)
	with.Transport = cutTransport{with.Transport}
	return &with
}

type cutTransport struct{ to http.RoundTripper }

func (t cutTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	to := t.to
	if to == nil {
		to = http.DefaultTransport
	}
	res, err := to.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if body, ok := res.Body.(io.ReadWriteCloser); ok && res.StatusCode == http.StatusSwitchingProtocols {
		res.Body = cutBody{body}
	}
	return res, nil
}
