// Package wire defines the protocol skein.v1: the types that the store, the protocol, the pages and the command line all
// use, and their encoding. It imports nothing of Skein, so that every other package may import it. docs/protocol.md
// describes the same for readers who write a client in another language.
//
// # Protocol flow
//
//	client                                              server
//	  | POST /connect (cookie or bearer token)            |
//	  |-------------------------------------------------->|
//	  |  Connect{endpoints, tickets, certificate hashes}  |
//	  |<--------------------------------------------------|
//	  | session over one of the endpoints (/wt or /ws)    |
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
// Every stream is bidirectional and starts with one JSON line, its [Header], which names its [Lane]. On an RPC lane,
// JSON-RPC 2.0 follows, with one message per line.
package wire

import "time"

// Version is the protocol version this package speaks.
const Version = "skein.v1"

// Limits of the protocol. A peer that exceeds one gets a typed error or a close code, never silence.
const (
	// MaxHeader bounds the header line of a stream, in bytes, including the newline.
	MaxHeader = 4 << 10
	// MaxMessage bounds one JSON-RPC line, in bytes, including the newline.
	MaxMessage = 1 << 20
	// MaxBatch bounds the agents of one agent.spawn request.
	MaxBatch = 1000
	// MaxStreams is how many streams of one session a peer may have open at the same time.
	MaxStreams = 1000
	// MaxInFlight is how many requests of one lane the server handles at the same time. Further ones wait unread.
	MaxInFlight = 64
	// MaxRequestID bounds a JSON-RPC id, in bytes of its JSON text.
	MaxRequestID = 128
	// MaxOutput bounds the payload of one output event, in bytes before encoding.
	MaxOutput = 32 << 10
	// MaxInput bounds the payload of one agent.input request, in bytes.
	MaxInput = 256 << 10

	// HelloTimeout is how long a session may exist without an accepted hello.
	HelloTimeout = 5 * time.Second
	// HeaderTimeout is how long a stream may exist without its header line.
	HeaderTimeout = 5 * time.Second
	// TicketLifetime is how long an unused ticket is valid.
	TicketLifetime = 30 * time.Second
	// StatusInterval is the shortest time between two status datagrams of an agent whose status and activity stay (10 Hz).
	StatusInterval = 100 * time.Millisecond
	// RaceDelay is how long a client waits for WebTransport before WebSocket joins the race.
	RaceDelay = 500 * time.Millisecond
)

// Limits of a message and of its parts.
const (
	// MaxLine is the longest line that a client reads. It exceeds MaxMessage because servers without paging sent longer
	// lines.
	MaxLine = 16 << 20
	// MaxResult bounds the result of an answer, in bytes of JSON. The rest of MaxMessage is for the fields around it.
	MaxResult = MaxMessage - 4<<10
	// MaxPage bounds the number of records of one page of a list, and PageBytes their size as JSON. A page has at least one
	// record.
	MaxPage   = 1000
	PageBytes = 512 << 10
	// MaxRecord bounds the size, as JSON, of what a request adds to one record besides its payload (argv, labels, environment
	// …), so that every record fits into a message.
	MaxRecord = 384 << 10
	// MaxErrorMessage bounds Error.Message, and maxSupported the texts of Error.Data.Supported, in bytes.
	MaxErrorMessage = 1 << 10
	maxSupported    = 32 << 10
)
