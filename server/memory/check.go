package memory

import (
	"errors"
	"unicode"
	"unicode/utf8"

	"skein.dev/skein/webtransport/wire"
)

var (
	errConflict = wire.Errorf(wire.CodeConflict, "")
	errNotFound = wire.Errorf(wire.CodeNotFound, "")
	errFull     = errors.New("the next change drops one whose idempotency key is not noted")
	// errUnknown is returned because an earlier attempt of the same request may still reach the store, whatever the last
	// attempt met.
	errUnknown = wire.Errorf(wire.CodeOutcomeUnknown, "the store does not answer, or others change this entry all the time; whether the change was made is not known")
)

// errClosed is the error of requests after Close.
var errClosed = wire.Errorf(wire.CodeUnavailable, "the server is stopping")

func checkMany(field string, n int) error {
	if n < 1 || n > wire.MaxMemoryBulk {
		return wire.Errorf(wire.CodeInvalidParams, "%s has %d parts; 1 to %d are allowed", field, n, wire.MaxMemoryBulk).WithField(field)
	}
	return nil
}

func checkName(namespace, key string) error {
	if err := checkNamespace(namespace); err != nil {
		return err
	}
	switch {
	case key == "":
		return wire.Errorf(wire.CodeInvalidParams, "the key is missing").WithField("key")
	case len(key) > wire.MaxMemoryKey:
		return wire.Errorf(wire.CodeTooLarge, "the key has %d bytes, the limit is %d", len(key), wire.MaxMemoryKey).WithField("key")
	case !utf8.ValidString(key) || !noControls(key):
		return wire.Errorf(wire.CodeInvalidParams, "a key is UTF-8 without control characters").WithField("key")
	}
	return nil
}

func checkNamespace(ns string) error {
	ok := ns != "" && ns[0] != '.' && ns[0] != '_' && ns[0] != '-'
	for i := range len(ns) {
		c := ns[i]
		ok = ok && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-')
	}
	switch {
	case ns == "":
		return wire.Errorf(wire.CodeInvalidParams, "the namespace is missing").WithField("namespace")
	case len(ns) > wire.MaxMemoryNamespace:
		return wire.Errorf(wire.CodeTooLarge, "the namespace has %d characters, the limit is %d", len(ns), wire.MaxMemoryNamespace).WithField("namespace")
	case !ok:
		return wire.Errorf(wire.CodeInvalidParams, "a namespace is made of a-z, 0-9, '.', '_' and '-', and starts with a letter or a digit").WithField("namespace")
	}
	return nil
}

// manyResult returns the answer to several writes. If the outcome of one is unknown, the client has to repeat the request:
// the writes that were made are found by their idempotency keys.
func manyResult(results []wire.MemoryOne) (wire.MemoryManyResult, error) {
	for _, r := range results {
		if r.Error != nil && r.Error.Code == wire.CodeOutcomeUnknown {
			return wire.MemoryManyResult{}, r.Error
		}
	}
	return wire.MemoryManyResult{Results: results}, nil
}

// noControls reports whether a text has no control characters.
func noControls(s string) bool {
	for _, r := range s {
		if unicode.IsControl(r) {
			return false
		}
	}
	return true
}

// answerBudget bounds, in bytes of JSON, the entries of one answer.
const answerBudget = wire.MaxMessage - 32<<10
