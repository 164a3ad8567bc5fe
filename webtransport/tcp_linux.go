package webtransport

import (
	"net"
	"time"

	"golang.org/x/sys/unix"

	"skein.dev/skein/webtransport/pace"
)

// keepUnsentShort makes writes wait while more than unsentMost bytes are unsent (TCP_NOTSENT_LOWAT). If the kernel
// refuses that, everything still works, but urgent bytes wait longer.
func keepUnsentShort(c *net.TCPConn) {
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) {
		unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsentMost)
	})
}

// tcpPath reads the state of the path from the kernel (TCP_INFO).
func tcpPath(c *net.TCPConn) (p pace.Path) {
	raw, err := c.SyscallConn()
	if err != nil {
		return p
	}
	raw.Control(func(fd uintptr) {
		if i, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			p = pace.Path{RTT: time.Duration(i.Rtt) * time.Microsecond, MinRTT: time.Duration(i.Min_rtt) * time.Microsecond, Sent: i.Bytes_sent}
		}
	})
	return p
}
