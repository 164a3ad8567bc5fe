package jet

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

const (
	// batchBytes bounds, about, what one read of a stream brings, where the reader has no smaller bound.
	batchBytes = 4 << 20
	// minBatchBytes is what a read asks for at least: one message of any length is to be among it.
	minBatchBytes = 64 << 10
)

var errSilent = errors.New("the store did not answer")

// batch reads the messages of a subject behind a sequence, oldest first: limit of them at most, and about bytes of them, but one
// at least. It may give fewer than
// there are, but none only if there are none. The library's iterator ends without an error when its time, two seconds by
// default, is over: on a busy machine that looked like the end of what there is.
func batch(ctx context.Context, js jetstream.JetStream, stream, subject string, after uint64, limit, bytes int) ([]*jetstream.RawStreamMsg, error) {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	msgs, err := jetstreamext.GetBatch(ctx, js, stream, limit,
		jetstreamext.GetBatchSeq(after+1), jetstreamext.GetBatchSubject(subject), jetstreamext.GetBatchMaxBytes(max(bytes, minBatchBytes)))
	if err != nil {
		return nil, err
	}
	var all []*jetstream.RawStreamMsg
	for m, err := range msgs {
		if errors.Is(err, jetstreamext.ErrNoMessages) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("read the stream %s: %w", stream, cmp.Or(ctx.Err(), errSilent))
	}
	return all, nil
}
