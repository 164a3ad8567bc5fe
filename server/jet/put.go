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
	// defaultAttempt is how long one try of a write waits for the store's answer.
	defaultAttempt = 2 * time.Second
	// attemptGap lies between two tries, the first of which was refused at once.
	attemptGap = 100 * time.Millisecond
)

// writer writes records by compare-and-set.
type writer struct {
	log     *slog.Logger
	attempt time.Duration

	mu     sync.Mutex
	unsure map[string]struct{} // records of which a write was sent and not answered: it may have been carried out, and it may still be
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

// put writes a record over the one with a revision, 0: there must be none, and gives the new one. Who writes a record is its
// only writer. A write that is not answered is tried again as long as ctx lives: what an earlier try may have written
// is looked up, so that the answer is what is in the store. CodeConflict: somebody else wrote in between.
// CodeOutcomeUnknown: ctx ended before that was known; the write may be carried out yet, until another put of the same
// record is answered.
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
			case err == nil: // an earlier write of ours
				continue
			case errors.Is(err, jetstream.ErrKeyNotFound):
				return 0, wire.Errorf(wire.CodeConflict, "%s was deleted meanwhile", key)
			}
		} else if errors.As(err, &refused) || errors.Is(err, jetstream.ErrInvalidKey) {
			return 0, err
		} else if !errors.Is(err, jetstream.ErrNoStreamResponse) { // which says that nobody got it
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
	return kv.Update(ctx, key, b, revision) // 0: it must not be there
}

// lookUp reads a record; a deleted one is empty.
func (w *writer) lookUp(ctx context.Context, kv jetstream.KeyValue, key string) (b []byte, revision uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, w.attempt)
	defer cancel()
	e, err := kv.Get(ctx, key)
	if err != nil {
		return nil, 0, fmt.Errorf("look up %s: %w", key, err)
	}
	return e.Value(), e.Revision(), nil
}

// putJSON writes a record whatever is there.
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
