package webtransport

import (
	"context"
	"crypto/tls"
	"net"
)

// unsentMost is how many bytes may wait in the kernel to be sent on a TCP connection. Urgent bytes can't overtake those.
// Bytes under way do not count.
const unsentMost = 64 << 10

type tcpConnKey struct{}

// ConnContext is for the field of http.Server with that name. With it, AcceptWebSocket can find the connection of a
// request.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, tcpConnKey{}, c)
}

// tcpOf returns the TCP connection below c, or nil if there is none.
func tcpOf(c any) *net.TCPConn {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	t, _ := c.(*net.TCPConn)
	return t
}
