package jet

import (
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// wrongSequence reports whether a compare-and-set was refused, which a cluster with several replicas reports with another
// code. last is the current sequence, which only the text of the error has, or 0 if a cluster leaves it out.
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
