package client

// Final and DoorsError are for the tests.
var Final = final

// TicketWait is set before any test.
var TicketWait = &ticketWait

type DoorsError = doorsError
