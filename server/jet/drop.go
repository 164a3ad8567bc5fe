package jet

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"skein.dev/skein/webtransport/wire"
)

// makeRoom drops events whenever room is short, until the store closes.
func (s *Store) makeRoom() {
	for {
		select {
		case <-s.shares.short:
		case <-s.quit:
			return
		}
		for id, c, sh, bytes, ok := s.shares.most(); ok; id, c, sh, bytes, ok = s.shares.most() {
			if err := s.drop(id, c, sh, bytes); err != nil {
				s.log.Error("the event log could not make room; trying again", "agent", id, "err", err)
				select {
				case <-time.After(time.Second):
				case <-s.quit:
					return
				}
			}
		}
	}
}

// drop removes the oldest of an agent's events: at least one, and about as many bytes as given.
func (s *Store) drop(id wire.AgentID, c class, sh share, bytes uint64) error {
	ctx, cancel := context.WithTimeout(context.Background(), opTimeout)
	defer cancel()
	subject := subjectOf(id, c)
	d := sh.dropped
	if d.From.IsZero() && sh.begin.Events == 0 {
		first, err := s.next(ctx, subject, 0)
		if err != nil {
			return err
		}
		d.From = first.time
	}
	cut, kept, err := s.cut(ctx, subject, sh, bytes)
	if err != nil {
		return err
	}
	d.Amount, d.To, d.Last = kept.before.Amount, kept.time, cut
	s.shares.tell(id, c, d)
	if err := s.purge(ctx, subject, cut+1); err != nil {
		return err
	}
	s.shares.dropped(id, c, kept)
	return nil
}

// cut returns the seq up to which events are dropped, and the first event that stays. If the only event is dropped, the
// second value is what the next event will have before it.
func (s *Store) cut(ctx context.Context, subject string, sh share, bytes uint64) (uint64, found, error) {
	if sh.first == sh.last {
		only, err := s.next(ctx, subject, sh.first-1)
		if only.seq == 0 { // it was dropped by somebody else
			only.before = sh.end
		}
		return sh.last, found{before: only.after(), time: time.Now().UTC()}, err
	}
	target := sh.begin.stored + bytes
	cut, err := seek(sh.first, sh.last-1, func(seq uint64) (bool, error) {
		f, err := s.next(ctx, subject, seq)
		return f.before.stored >= target, err
	})
	if err != nil {
		return 0, found{}, err
	}
	kept, err := s.next(ctx, subject, cut)
	return cut, kept, err
}

// purge removes the events of a subject with a seq less than before.
func (s *Store) purge(ctx context.Context, subject string, before uint64) error {
	if err := s.stream.Purge(ctx, jetstream.WithPurgeSubject(subject), jetstream.WithPurgeSequence(before)); err != nil {
		return fmt.Errorf("drop events: %w", err)
	}
	return nil
}
