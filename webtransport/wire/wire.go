// Package wire holds the words of the protocol skein.v1: the types that the store, the protocol, the pages and the
// command line all use, and the codec that carries them. It imports nothing of Skein, so that every other room may
// import it. docs/protocol.md is the same story for a reader who writes a client in another language.
//
// # Protocol flow
//
//	client                                              server
//	  | POST /connect (cookie or bearer token)            |
//	  |-------------------------------------------------->|
//	  |      Connect{doors, tickets, certificate hashes}  |
//	  |<--------------------------------------------------|
//	  | session over one of the doors (/wt or /ws)        |
//	  |==================================================>|
//	  | stream: {"lane":"control"}\n                      |
//	  |         hello{versions, ticket, client}           |
//	  |-------------------------------------------------->|
//	  |         welcome{version, session, epoch, limits}  |
//	  |<--------------------------------------------------|
//	  |                     stream: {"lane":"status"}\n   |
//	  |                             status.snapshot …     |
//	  |<--------------------------------------------------|
//	  |                     datagrams: packed status      |
//	  |<- - - - - - - - - - - - - - - - - - - - - - - - - |
//	  | stream: {"lane":"agent","agent":"a…","after":0}\n |
//	  |-------------------------------------------------->|
//	  |         attached, then events …                   |
//	  |<--------------------------------------------------|
//
// Every stream is bidirectional and starts with one JSON line, its [Header], which names its [Lane]. What follows on
// an RPC lane is JSON-RPC 2.0, one message a line.
package wire

import "time"

// Version is the protocol version this package speaks.
const Version = "skein.v1"

// Limits of the protocol. A peer that exceeds one gets a typed error or a close code, never silence.
const (
	// MaxHeader bounds a stream's header line, in bytes, newline included.
	MaxHeader = 4 << 10
	// MaxMessage bounds one JSON-RPC line, in bytes, newline included.
	MaxMessage = 1 << 20
	// MaxBatch bounds the agents that one agent.spawn request may ask for.
	MaxBatch = 1000
	// MaxStreams is how many streams a peer may have open at once in one session.
	MaxStreams = 1000
	// MaxInFlight is how many requests of one lane the server works on at once; more wait unread.
	MaxInFlight = 64
	// MaxRequestID bounds a JSON-RPC id, in bytes of its JSON text.
	MaxRequestID = 128
	// MaxOutput bounds the payload of one output event, in bytes before encoding.
	MaxOutput = 32 << 10
	// MaxInput bounds the payload of one agent.input request, in bytes.
	MaxInput = 256 << 10

	// HelloTimeout is how long a session may stay without an accepted hello.
	HelloTimeout = 5 * time.Second
	// HeaderTimeout is how long a stream may stay without its header line.
	HeaderTimeout = 5 * time.Second
	// TicketLifetime is how long an unused ticket stays good.
	TicketLifetime = 30 * time.Second
	// StatusInterval is the shortest time between two rounds of status datagrams on one session (10 Hz).
	StatusInterval = 100 * time.Millisecond
	// RaceDelay is how long a client waits for WebTransport before WebSocket joins the race.
	RaceDelay = 500 * time.Millisecond
)

// How much goes into a message, and into its parts.
const (
	// MaxLine is the longest line that a client reads: servers before paging sent longer ones than MaxMessage.
	MaxLine = 16 << 20
	// MaxResult bounds the result of an answer, in bytes of its JSON. The rest of MaxMessage is for what is around it.
	MaxResult = MaxMessage - 4<<10
	// MaxPage bounds the records of one page of a list, and PageBytes what they are as JSON. A page has one record at least.
	MaxPage   = 1000
	PageBytes = 512 << 10
	// MaxRecord bounds, as JSON, what a request puts into one record beside its payload (argv, labels, environment …), so
	// that every record fits into a message.
	MaxRecord = 384 << 10
	// MaxErrorMessage bounds Error.Message, in bytes, and maxSupported what Error.Data.Supported takes.
	MaxErrorMessage = 1 << 10
	maxSupported    = 32 << 10
)
