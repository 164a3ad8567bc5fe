package webtransport

import (
	"context"
	"errors"

	"github.com/quic-go/quic-go"
)

// Fault is what an error of DialQUIC is about.
type Fault string

// The faults, in the order of the steps.
const (
	FaultSilent  Fault = "silent"  // nothing answered the handshake
	FaultVersion Fault = "version" // no version of QUIC in common
	FaultTLS     Fault = "tls"     // TLS failed: the certificate is not the right one, or no protocol is in common
	FaultConnect Fault = "connect" // another error before there was a connection
	FaultSession Fault = "session" // there is QUIC, but no WebTransport session
)

// connectError marks an error of DialQUIC from before there was a connection.
type connectError struct{ error }

func (e connectError) Unwrap() error { return e.error }

// FaultOf tells what an error of DialQUIC is about.
func FaultOf(err error) Fault {
	var ce connectError
	if !errors.As(err, &ce) {
		return FaultSession
	}
	var (
		handshake *quic.HandshakeTimeoutError
		idle      *quic.IdleTimeoutError
		version   *quic.VersionNegotiationError
		transport *quic.TransportError
	)
	switch {
	case errors.As(err, &version):
		return FaultVersion
	case errors.As(err, &transport) && transport.ErrorCode.IsCryptoError():
		return FaultTLS
	case errors.As(err, &handshake), errors.As(err, &idle), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return FaultSilent
	}
	return FaultConnect
}
