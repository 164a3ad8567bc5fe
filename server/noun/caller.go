// Package noun has what the nouns of the control plane have in common: who makes a request, how ids are made, and how
// parameters are decoded and refused.
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

// Caller is who makes a request.
type Caller struct {
	Actor string // for events and records: a client's name, an agent's id, or "server"
	// Request is the idempotency key of the request, which stays the same when the request is repeated, across sessions
	// and restarts. It is "" for a request that can't be repeated. What has a lasting effect stores the key together with
	// the effect, in one write, so that a repetition finds it.
	Request string
	// Namespaces reports whether it may use a namespace of memory. If nil, it may use all.
	Namespaces func(ns string) bool
	// Artifacts reports whether it may see an artifact. If nil, it may see all.
	Artifacts func(f wire.Artifact) bool
}

// Part returns the idempotency key of one of several effects of a request.
func (c Caller) Part(i int) string {
	if c.Request == "" {
		return ""
	}
	return fmt.Sprintf("%s.%d", c.Request, i)
}

// KeepRequests is how long the idempotency key of a request is remembered.
const KeepRequests = 15 * time.Minute

// Answer is the reply to a request: Result or Error.
type Answer struct {
	Key    string          `json:"key"`  // the idempotency key of the request; of [A-Za-z0-9_-]
	Body   []byte          `json:"body"` // SHA-256 of method and parameters
	At     time.Time       `json:"at"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  *wire.Error     `json:"error,omitempty"`
}

// NewID returns a new id: a letter for the type of what it identifies, and twelve characters.
func NewID(letter string) string {
	var b [8]byte
	rand.Read(b[:])
	return letter + strings.ToLower(base32.StdEncoding.EncodeToString(b[:])[:12])
}

// Bad returns an error for a field of the parameters.
func Bad(field, format string, args ...any) error {
	return wire.Errorf(wire.CodeInvalidParams, format, args...).WithField(field)
}

// With decodes parameters and calls f with them.
func With[P any](params json.RawMessage, f func(P) (any, error)) (any, error) {
	var v P
	if err := wire.DecodeParams(params, &v); err != nil {
		return nil, err
	}
	return f(v)
}
