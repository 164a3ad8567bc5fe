package jet

import (
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// wrongSequence reads the refusal of a compare-and-set, which has a code of its own in a cluster of several replicas. The
// sequence that is there stands only in its text, and in a cluster nowhere.
func wrongSequence(err error) (last uint64, is bool) {
	var ae *jetstream.APIError
	if !errors.As(err, &ae) || ae.ErrorCode != jetstream.JSErrCodeStreamWrongLastSequence && ae.ErrorCode != jetstream.JSErrCodeStreamWrongLastSequenceConstant {
		return 0, false
	}
	fmt.Sscanf(ae.Description, "wrong last sequence: %d", &last)
	return last, true
}

// isConflict reports whether a write was refused because the key had changed.
func isConflict(err error) bool {
	_, changed := wrongSequence(err)
	return changed || errors.Is(err, jetstream.ErrKeyExists)
}
