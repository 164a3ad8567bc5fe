package wire

// CloseCode tells a client what to do after a session has ended. After 3000–3499 and 4000–4499 it connects again; after
// 3500–3999 and 4500–4999 it does not (the convention of Centrifugo). Codes from 4000 on are for applications. 0 is a normal
// close.
type CloseCode uint32

const (
	CloseNormal CloseCode = 0

	CloseShutdown      CloseCode = 3000 // the server is stopping and will be back
	CloseDraining      CloseCode = 3001 // the server sends its clients elsewhere
	CloseSlowConsumer  CloseCode = 3002 // the client read nothing for too long
	CloseInternal      CloseCode = 3003 // the server's fault
	CloseHelloTimeout  CloseCode = 3004 // no hello within HelloTimeout
	CloseTicketExpired CloseCode = 3005 // the ticket is old, used or unknown: fetch a fresh /connect
	CloseLost          CloseCode = 3006 // the connection broke; set by the client, never sent

	CloseUnauthorized CloseCode = 3500 // hello has no ticket
	CloseProtocol     CloseCode = 3501 // the peer broke the protocol
	CloseVersion      CloseCode = 3502 // no version in common
	CloseTooMuch      CloseCode = 3503 // more streams or bytes than the limits allow
	CloseLoggedOut    CloseCode = 3504 // the login behind the session was revoked
)

// Reconnect reports whether a client should connect again after this code. It should not after a normal close, which the
// client itself has asked for.
func (c CloseCode) Reconnect() bool {
	return c >= 3000 && c < 3500 || c >= 4000 && c < 4500
}

func (c CloseCode) String() string {
	switch c {
	case CloseNormal:
		return "normal"
	case CloseShutdown:
		return "shutdown"
	case CloseDraining:
		return "draining"
	case CloseSlowConsumer:
		return "slow consumer"
	case CloseInternal:
		return "internal error"
	case CloseHelloTimeout:
		return "no hello in time"
	case CloseTicketExpired:
		return "ticket expired"
	case CloseLost:
		return "connection lost"
	case CloseUnauthorized:
		return "unauthorized"
	case CloseProtocol:
		return "protocol error"
	case CloseVersion:
		return "unsupported version"
	case CloseTooMuch:
		return "limit exceeded"
	case CloseLoggedOut:
		return "logged out"
	}
	if c.Reconnect() {
		return "closed, connect again"
	}
	return "closed"
}

// StreamCode is an application error code on RESET_STREAM and STOP_SENDING.
type StreamCode uint32

const (
	StreamCanceled   StreamCode = 0 // no longer wanted
	StreamBadHeader  StreamCode = 1 // the header line is missing, too long or not JSON
	StreamBadLane    StreamCode = 2 // no such lane, or not allowed now
	StreamTooLarge   StreamCode = 3 // a line longer than MaxMessage
	StreamTimeout    StreamCode = 4 // no header line within HeaderTimeout, or no reader
	StreamBadMessage StreamCode = 5 // a line that is not a JSON-RPC 2.0 message
	StreamInternal   StreamCode = 6
)
