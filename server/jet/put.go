package jet

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"skein.dev/skein/webtransport/wire"
)

const (
	// defaultAttempt is how long one attempt of a write waits for the store.
	defaultAttempt = 2 * time.Second
	// attemptGap is the pause between two attempts.
	attemptGap = 100 * time.Millisecond
)

// writer writes records by compare-and-set.
type writer struct {
	log     *slog.Logger
	attempt time.Duration

	mu     sync.Mutex
	unsure map[string]struct{} // records with a write that was not acknowledged: it may have been done, or may still be done
}

func newWriter(log *slog.Logger, attempt time.Duration) *writer {
	return &writer{log: log, attempt: cmp.Or(attempt, defaultAttempt), unsure: map[string]struct{}{}}
}

func (w *writer) setUnsure(name string, is bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if is {
		w.unsure[name] = struct{}{}
	} else {
		delete(w.unsure, name)
	}
}

func (w *writer) isUnsure(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, is := w.unsure[name]
	return is
}

// put replaces the revision of a record that is given, or creates the record if revision is 0, and returns the new
// revision. A record must have a single writer. put retries a write that is not acknowledged until ctx ends, and reads
// the record back to learn whether an earlier attempt succeeded, so that its result is what the store holds.
//
// The error has CodeConflict if somebody else wrote the record. It has CodeOutcomeUnknown if ctx ended first: the write
// may still be done, until another put of the same record is acknowledged.
func (w *writer) put(ctx context.Context, kv jetstream.KeyValue, key string, b []byte, revision uint64) (uint64, error) {
	name := kv.Bucket() + "/" + key
	for {
		now, err := w.tryPut(ctx, kv, key, b, revision)
		if err == nil {
			w.setUnsure(name, false)
			return now, nil
		}
		var refused *jetstream.APIError
		if _, moved := wrongSequence(err); moved {
			if !w.isUnsure(name) {
				return 0, wire.Errorf(wire.CodeConflict, "%s was changed meanwhile", key)
			}
			var there []byte
			there, revision, err = w.lookUp(ctx, kv, key)
			switch {
			case err == nil && bytes.Equal(there, b):
				w.setUnsure(name, false)
				return revision, nil
			case err == nil: // an earlier attempt wrote it
				continue
			case errors.Is(err, jetstream.ErrKeyNotFound):
				return 0, wire.Errorf(wire.CodeConflict, "%s was deleted meanwhile", key)
			}
		} else if errors.As(err, &refused) || errors.Is(err, jetstream.ErrInvalidKey) {
			return 0, err
		} else if !errors.Is(err, jetstream.ErrNoStreamResponse) { // with that error no server got it
			w.setUnsure(name, true)
		}
		select {
		case <-ctx.Done():
			if !w.isUnsure(name) {
				return 0, err
			}
			w.log.Warn("the store does not answer; whether a record was written is not known", "record", name, "err", err)
			return 0, wire.Errorf(wire.CodeOutcomeUnknown, "the store does not answer; whether %s was stored is not known", key)
		case <-time.After(attemptGap):
		}
	}
}

func (w *writer) tryPut(ctx context.Context, kv jetstream.KeyValue, key string, b []byte, revision uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, w.attempt)
	defer cancel()
	return kv.Update(ctx, key, b, revision) // 0: the key must not exist
}

// lookUp returns a record and its revision.
func (w *writer) lookUp(ctx context.Context, kv jetstream.KeyValue, key string) (b []byte, revision uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, w.attempt)
	defer cancel()
	e, err := kv.Get(ctx, key)
	if err != nil {
		return nil, 0, fmt.Errorf("look up %s: %w", key, err)
	}
	return e.Value(), e.Revision(), nil
}

// putJSON writes a record, whatever its revision is.
func putJSON(ctx context.Context, kv jetstream.KeyValue, key string, v any) error {
	b, err := json.Marshal(v)
	if err == nil {
		_, err = kv.Put(ctx, key, b)
	}
	if err != nil {
		return fmt.Errorf("store %s %s: %w", kv.Bucket(), key, err)
	}
	return nil
}
