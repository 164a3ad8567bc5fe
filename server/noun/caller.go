// Package noun has what the nouns of the control plane share: who asks, what makes an id, and how parameters
// are read and refused.
package noun

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// Caller is who asks for something.
type Caller struct {
	Actor string // for events and records: a client's name, an agent's id, or "server"
	// Request marks the request, the same for a repeated one, over sessions and restarts; "": it can't come twice. What
	// has a lasting effect keeps the mark with the effect, in one write, so that a repeat finds it.
	Request string
	// Namespaces says which namespaces of memory it may touch; nil: all.
	Namespaces func(ns string) bool
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

// Answer is what a request was answered with: Result or Error.
type Answer struct {
	Key    string          `json:"key"`  // marks the request; of [A-Za-z0-9_-]
	Body   []byte          `json:"body"` // SHA-256 of what was asked
	At     time.Time       `json:"at"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  *wire.Error     `json:"error,omitempty"`
}

// NewID makes an id: a letter that tells what it is of, and twelve characters.
func NewID(letter string) string {
	var b [8]byte
	rand.Read(b[:])
	return letter + strings.ToLower(base32.StdEncoding.EncodeToString(b[:])[:12])
}

// Bad says what is wrong with a field of the parameters.
func Bad(field, format string, args ...any) error {
	return wire.Errorf(wire.CodeInvalidParams, format, args...).WithField(field)
}

// With reads parameters and goes on with them.
func With[P any](params json.RawMessage, f func(P) (any, error)) (any, error) {
	var v P
	if err := wire.DecodeParams(params, &v); err != nil {
		return nil, err
	}
	return f(v)
}
