package web

import (
	"net/url"
	"strings"

	"skein.dev/skein/webtransport/wire"
)

// maxForm bounds the body of a request, in bytes.
const maxForm = 64 << 10

// maxMemoryForm bounds the body of a form with a value, in bytes. Encoding triples a value in the worst case.
const maxMemoryForm = 3*wire.MaxMemoryValue + maxForm

// limitOf returns the bound of a request's body, in bytes.
func limitOf(u *url.URL) int64 {
	if u.Path == "/memory" || strings.HasPrefix(u.Path, "/memory/") {
		return maxMemoryForm
	}
	if u.Path == wire.RPCPath || u.Path == wire.MCPPath {
		return wire.MaxRPCBody
	}
	return maxForm
}
