//go:build !linux

package webtransport

import "net"

func keepUnsentShort(*net.TCPConn) {}

func tcpPath(*net.TCPConn) pathStats { return pathStats{} }
