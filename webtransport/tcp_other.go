//go:build !linux

package webtransport

import (
	"net"

	"skein.dev/skein/webtransport/pace"
)

func keepUnsentShort(*net.TCPConn) {}

func tcpPath(*net.TCPConn) pace.Path { return pace.Path{} }
