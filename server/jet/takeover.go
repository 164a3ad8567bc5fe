package jet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"skein.dev/skein/webtransport/wire"
)

// takeOver copies the events of an earlier version's log into the current one, once. Their seqs change, and so the epoch
// does. A migration that was interrupted starts again.
func (s *Store) takeOver(ctx context.Context) error {
	old, err := s.events.js.Stream(ctx, oldStream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	if err == nil {
		err = s.makeLog(ctx)
	}
	if err == nil {
		err = s.stream.Purge(ctx)
	}
	if err != nil {
		return fmt.Errorf("take over the event log: %w", err)
	}
	s.log.Info("the event log of an earlier version is taken over", "events", old.CachedInfo().State.Msgs)
	ends := map[string]*totals{}
	for after := uint64(0); ; {
		msgs, err := batch(ctx, s.events.js, oldStream, "ev.*", after, 1000, batchBytes)
		if err != nil {
			return fmt.Errorf("take over the event log: %w", err)
		}
		if len(msgs) == 0 {
			break
		}
		if err := s.copyEvents(ctx, msgs, ends); err != nil {
			return fmt.Errorf("take over the event log: %w", err)
		}
		after = msgs[len(msgs)-1].Sequence
	}
	s.moved = true
	return nil
}

func (s *Store) copyEvents(ctx context.Context, msgs []*jetstream.RawStreamMsg, ends map[string]*totals) error {
	var last jetstream.PubAckFuture
	for _, m := range msgs {
		var e wire.Event
		if err := json.Unmarshal(m.Data, &e); err != nil {
			return fmt.Errorf("event %d: %w", m.Sequence, err)
		}
		subject := subjectOf(e.Subject, classOf(e.Type))
		t := ends[subject]
		if t == nil {
			t = new(totals)
			ends[subject] = t
		}
		data := t.appendTo(m.Data)
		t.Events++
		t.Bytes += uint64(e.Data.Len())
		t.stored += uint64(msgSize(subject, data))
		f, err := s.events.js.PublishMsgAsync(&nats.Msg{Subject: subject, Data: data})
		if err != nil {
			return err
		}
		last = f
	}
	select {
	case <-last.Ok(): // acknowledgments come in order
	case err := <-last.Err():
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// leaveOld removes the earlier version's log, after everything was copied.
func (s *Store) leaveOld(ctx context.Context) error {
	if !s.moved {
		return nil
	}
	if err := s.events.js.DeleteStream(ctx, oldStream); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("leave the earlier event log: %w", err)
	}
	return nil
}
