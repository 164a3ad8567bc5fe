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
	// batchBytes is about how many bytes one read of a stream returns at most, if the reader has no smaller bound.
	batchBytes = 4 << 20
	// minBatchBytes is the least bound that a read has, so that it includes one message of any length.
	minBatchBytes = 64 << 10
)

var errSilent = errors.New("the store did not answer")

// batch returns the messages of a subject after a sequence, oldest first: at least one if there are any, at most limit of
// them, and about as many bytes as given. It may return fewer messages than there are, but none only if there are none.
//
// The library's iterator ends without an error when its time is over, by default two seconds. On a busy machine that
// would look like the end of the stream, so batch returns an error then.
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

// eachOf calls each for every message that a stream has, oldest first. The library makes one consumer for all of them, while the Next of an
// ordered consumer itself would make one for each: twenty times the time for 20,000 messages.
func eachOf(ctx context.Context, stream jetstream.Stream, each func(seq uint64, data []byte) error) error {
	c, err := stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{})
	if err != nil {
		return err
	}
	pending := c.CachedInfo().NumPending
	if pending == 0 {
		return nil
	}
	msgs, err := c.Messages(jetstream.PullMaxMessages(readAhead))
	if err != nil {
		return err
	}
	defer msgs.Stop()
	for pending > 0 {
		m, err := msgs.Next(jetstream.NextContext(ctx))
		if err != nil {
			return err
		}
		meta, err := m.Metadata()
		if err != nil {
			return err
		}
		if err := each(meta.Sequence.Stream, m.Data()); err != nil {
			return err
		}
		pending = meta.NumPending
	}
	return nil
}
