package webtransport

import (
	"context"
	"crypto/tls"
	"net"
)

// unsentMost is what may wait in the kernel for its turn on a TCP connection, in bytes: what is there already, the urgent
// can't overtake. What is under way is beside it.
const unsentMost = 64 << 10

type tcpConnKey struct{}

// ConnContext is for the ConnContext of an http.Server: AcceptWebSocket then knows the connection below a request.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, tcpConnKey{}, c)
}

// tcpOf finds the TCP connection below c; nil: there is none.
func tcpOf(c any) *net.TCPConn {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	t, _ := c.(*net.TCPConn)
	return t
}
