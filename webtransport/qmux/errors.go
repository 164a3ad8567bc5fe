package qmux

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ErrIdleTimeout ends a session that received nothing for the idle timeout.
var ErrIdleTimeout = errors.New("qmux: the peer fell silent (idle timeout)")

// ErrDatagramTooLarge is returned for a datagram larger than MaxDatagramSize.
var ErrDatagramTooLarge = errors.New("qmux: datagram larger than the peer takes")

// errNotTold is returned by Close if the last frame could not be written to the connection.
var errNotTold = errors.New("qmux: closed, but the peer could not be told")

// CloseError is the error of a session that one side closed, with the Code and Reason that it gave. Remote reports
// whether that was the peer.
type CloseError struct {
	Code   uint32
	Reason string
	Remote bool
}

func (e *CloseError) Error() string {
	text := fmt.Sprintf("session closed %s with code %d", side(e.Remote), e.Code)
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	return text
}

// Is reports whether target is a *CloseError with the same fields.
func (e *CloseError) Is(target error) bool {
	t, ok := target.(*CloseError)
	return ok && *t == *e
}

// StreamError is the error of a stream that one side canceled with Code.
type StreamError struct {
	Code   uint32
	Remote bool
}

func (e *StreamError) Error() string {
	return fmt.Sprintf("stream cancelled %s with code %d", side(e.Remote), e.Code)
}

// Is reports whether target is a *StreamError with the same fields.
func (e *StreamError) Is(target error) bool {
	t, ok := target.(*StreamError)
	return ok && *t == *e
}

// TransportCode is a transport error code (RFC 9000, section 20.1).
type TransportCode uint64

// The codes that this package gives.
const (
	FlowControlError        TransportCode = 0x03
	StreamLimitError        TransportCode = 0x04
	StreamStateError        TransportCode = 0x05
	FinalSizeError          TransportCode = 0x06
	FrameEncodingError      TransportCode = 0x07
	TransportParameterError TransportCode = 0x08
	ProtocolViolation       TransportCode = 0x0a
)

var transportNames = map[TransportCode]string{
	FlowControlError: "FLOW_CONTROL_ERROR", StreamLimitError: "STREAM_LIMIT_ERROR",
	StreamStateError: "STREAM_STATE_ERROR", FinalSizeError: "FINAL_SIZE_ERROR",
	FrameEncodingError: "FRAME_ENCODING_ERROR", TransportParameterError: "TRANSPORT_PARAMETER_ERROR",
	ProtocolViolation: "PROTOCOL_VIOLATION",
}

func (c TransportCode) String() string {
	if name, ok := transportNames[c]; ok {
		return name
	}
	return fmt.Sprintf("transport error %#x", uint64(c))
}

// TransportError is the error of a session in which one side broke the protocol and the other one reported that
// (CONNECTION_CLOSE). Frame is the type of the offending frame, or 0 if there is none. Remote means that the peer
// reported this side.
type TransportError struct {
	Code   TransportCode
	Frame  uint64
	Reason string
	Remote bool
}

func (e *TransportError) Error() string {
	return fmt.Sprintf("qmux: %s, found %s: %s", e.Code, side(e.Remote), e.Reason)
}

func side(remote bool) string {
	if remote {
		return "by the peer"
	}
	return "by this side"
}

// fault returns the error for a frame of type typ with which the peer broke the protocol.
func fault(code TransportCode, typ uint64, format string, args ...any) error {
	return &TransportError{Code: code, Frame: typ, Reason: fmt.Sprintf(format, args...)}
}

// cutReason turns a reason into valid UTF-8 of at most MaxCloseReason bytes.
func cutReason(reason string) string {
	if len(reason) > MaxCloseReason {
		n := MaxCloseReason
		for n > MaxCloseReason-utf8.UTFMax && !utf8.RuneStart(reason[n]) {
			n--
		}
		reason = reason[:n]
	}
	return strings.ToValidUTF8(reason, "")
}

// errNoDatagrams is returned if the peer accepts no datagrams at all.
var errNoDatagrams = errors.New("qmux: the peer takes no datagrams")
