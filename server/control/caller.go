package control

// Caller is who asks for something.
type Caller struct {
	Actor string // for events and records: a client's name, an agent's id, or "server"
	// Request marks the request, the same for a repeated one, over sessions and restarts; "": it can't come twice. What
	// has a lasting effect keeps the mark with the effect, in one write, so that a repeat finds it.
	Request string
}
