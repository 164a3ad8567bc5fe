package webtransport

import (
	"context"
	"errors"

	"github.com/quic-go/quic-go"
)

// Fault says which step of DialQUIC failed.
type Fault string

// The faults, in the order of the steps.
const (
	FaultSilent  Fault = "silent"  // there was no answer to the handshake
	FaultVersion Fault = "version" // there is no common version of QUIC
	FaultTLS     Fault = "tls"     // TLS failed: the certificate is wrong, or there is no common protocol
	FaultConnect Fault = "connect" // another error before the connection was established
	FaultSession Fault = "session" // QUIC works, but no WebTransport session was opened
)

// connectError is an error of DialQUIC from before the connection was established.
type connectError struct{ error }

func (e connectError) Unwrap() error { return e.error }

// FaultOf returns the Fault of an error of DialQUIC.
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
