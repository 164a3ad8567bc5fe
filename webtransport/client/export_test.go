package client

// Final and EndpointsError are for the tests.
var Final = final

// TicketWait is set before any test.
var TicketWait = &ticketWait

type EndpointsError = endpointsError
