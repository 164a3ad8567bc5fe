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

// Options say where the server is and who asks. URL and Token are needed.
type Options struct {
	URL               string                 // such as http://localhost:4480
	Token             string                 // of the server's data folder
	CertificateHashes []wire.CertificateHash // for an https URL with a development certificate
	Transport         string                 // Auto, WebTransport or WebSocket; empty: Auto
	Name, Version     string                 // of the program
	NoMasking         bool                   // send no packet twice, whatever is lost
	NoStatus          bool                   // Watch will not be called: the server need not send the fleet's status
	// Cache is a folder for what makes the next Dial short: the server's doors and TLS session tickets, in files that are
	// the user's alone. With it Dial may return before there is a connection, and the first requests go out in the very
	// first packets; that nobody answers then shows in their errors, as a *ConnectError. Empty: none.
	Cache string
	// Connections is how many a download of an artifact uses at once; 0: this client's own alone. More get more of a link
	// that loses packets, where congestion control holds each one back, and take it from others there.
	Connections int
	Logger      *slog.Logger
}

// ErrClosed is returned by a Client after Close.
var ErrClosed = errors.New("skein client: closed")
