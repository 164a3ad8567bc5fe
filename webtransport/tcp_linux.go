package webtransport

import (
	"net"
	"time"

	"golang.org/x/sys/unix"

	"skein.dev/skein/webtransport/pace"
)

// keepUnsentShort makes writes wait while more than unsentMost bytes have not gone out (TCP_NOTSENT_LOWAT). A kernel that
// refuses that works as well, if not as promptly.
func keepUnsentShort(c *net.TCPConn) {
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) {
		unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsentMost)
	})
}

// tcpPath asks the kernel (TCP_INFO).
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
