package client

import (
	"errors"
	"log/slog"

	"skein.dev/skein/webtransport/wire"
)

// Transport choices of Options.
const (
	Auto         = "auto"
	WebTransport = string(wire.WebTransport)
	WebSocket    = string(wire.WebSocket)
)

// Options say where the server is and who connects. URL and Token are required.
type Options struct {
	URL               string                 // such as http://localhost:4480
	Token             string                 // as in the server's data folder
	CertificateHashes []wire.CertificateHash // for an https URL with a development certificate
	Transport         string                 // Auto, WebTransport or WebSocket; empty: Auto
	Name, Version     string                 // of the program
	NoMasking         bool                   // do not repeat packets on paths that lose many
	NoStatus          bool                   // do not send the fleet's status; Watch must not be called then
	// Cache is a folder that keeps what makes the next Dial faster: the server's endpoints and TLS session tickets, in
	// files that only the user can read. With a cache, Dial may return before there is a connection, and the first
	// requests are sent in the very first packets. If the server can't be reached, these requests fail with a
	// *ConnectError. Empty: no cache.
	Cache string
	// Connections is how many connections a download of an artifact uses; 0: only this client's own. On a link that loses
	// packets, where congestion control slows each connection down, several get a larger share than one, at the expense
	// of others.
	Connections int
	Logger      *slog.Logger
}

// ErrClosed is the error of calls to a Client that was closed.
var ErrClosed = errors.New("skein client: closed")
