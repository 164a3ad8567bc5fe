package jet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"skein.dev/skein/webtransport/wire"
)

const (
	// defaultAttempt is how long one try of a write waits for the store's answer.
	defaultAttempt = 2 * time.Second
	// attemptGap lies between two tries, the first of which was refused at once.
	attemptGap = 100 * time.Millisecond
)

// unsure names the records of which a write was sent and not answered: it may have been carried out, and it may still be.
type unsure struct {
	mu      sync.Mutex
	records map[string]struct{}
}

func (u *unsure) set(name string, is bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case !is:
		delete(u.records, name)
	case u.records == nil:
		u.records = map[string]struct{}{name: {}}
	default:
		u.records[name] = struct{}{}
	}
}

func (u *unsure) is(name string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	_, is := u.records[name]
	return is
}

// put writes a record over the one with a revision, 0: there must be none, and gives the new one. Who writes a record is its
// only writer. A write that is not answered is tried again as long as ctx lives: what an earlier try may have written
// is looked up, so that the answer is what is in the store. CodeConflict: somebody else wrote in between.
// CodeOutcomeUnknown: ctx ended before that was known; the write may be carried out yet, until another put of the same
// record is answered.
func (s *Store) put(ctx context.Context, kv jetstream.KeyValue, key string, b []byte, revision uint64) (uint64, error) {
	name := kv.Bucket() + "/" + key
	for {
		now, err := s.tryPut(ctx, kv, key, b, revision)
		if err == nil {
			s.unsure.set(name, false)
			return now, nil
		}
		var refused *jetstream.APIError
		if _, moved := wrongSequence(err); moved {
			if !s.unsure.is(name) {
				return 0, wire.Errorf(wire.CodeConflict, "%s was changed meanwhile", key)
			}
			var there []byte
			there, revision, err = s.lookUp(ctx, kv, key)
			switch {
			case err == nil && bytes.Equal(there, b):
				s.unsure.set(name, false)
				return revision, nil
			case err == nil: // an earlier write of ours
				continue
			case errors.Is(err, jetstream.ErrKeyNotFound):
				return 0, wire.Errorf(wire.CodeConflict, "%s was deleted meanwhile", key)
			}
		} else if errors.As(err, &refused) || errors.Is(err, jetstream.ErrInvalidKey) {
			return 0, err
		} else if !errors.Is(err, jetstream.ErrNoStreamResponse) { // which says that nobody got it
			s.unsure.set(name, true)
		}
		select {
		case <-ctx.Done():
			if !s.unsure.is(name) {
				return 0, err
			}
			s.log.Warn("the store does not answer; whether a record was written is not known", "record", name, "err", err)
			return 0, wire.Errorf(wire.CodeOutcomeUnknown, "the store does not answer; whether %s was stored is not known", key)
		case <-time.After(attemptGap):
		}
	}
}

func (s *Store) tryPut(ctx context.Context, kv jetstream.KeyValue, key string, b []byte, revision uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, s.attempt)
	defer cancel()
	return kv.Update(ctx, key, b, revision) // 0: it must not be there
}

// lookUp reads a record; a deleted one is empty.
func (s *Store) lookUp(ctx context.Context, kv jetstream.KeyValue, key string) (b []byte, revision uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.attempt)
	defer cancel()
	e, err := kv.Get(ctx, key)
	if err != nil {
		return nil, 0, fmt.Errorf("look up %s: %w", key, err)
	}
	return e.Value(), e.Revision(), nil
}
