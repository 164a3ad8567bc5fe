package client

// Final and EndpointsError are for the tests.
var Final = final

// TicketWait and PieceSize are set before any test.
var (
	TicketWait = &ticketWait
	PieceSize  = &pieceSize
)

type EndpointsError = endpointsError
