// Package noun has what the nouns of the control plane share: who asks, and how parameters are read.
package noun

import (
	"encoding/json"
	"fmt"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// Caller is who asks for something.
type Caller struct {
	Actor string // for events and records: a client's name, an agent's id, or "server"
	// Request marks the request, the same for a repeated one, over sessions and restarts; "": it can't come twice. What
	// has a lasting effect keeps the mark with the effect, in one write, so that a repeat finds it.
	Request string
}

// Part marks one of several effects of a request.
func (c Caller) Part(i int) string {
	if c.Request == "" {
		return ""
	}
	return fmt.Sprintf("%s.%d", c.Request, i)
}

// KeepRequests is for how long a request that comes again is known.
const KeepRequests = 15 * time.Minute

// With reads parameters and goes on with them.
func With[P any](params json.RawMessage, f func(P) (any, error)) (any, error) {
	var v P
	if err := wire.DecodeParams(params, &v); err != nil {
		return nil, err
	}
	return f(v)
}
