package fleet

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// saved is a record that is stored asynchronously.
type saved interface {
	name() wire.AgentID
	save(ctx context.Context) error
}

// saver stores records asynchronously. It stores only the latest record of an agent, however often that has changed. Changes
// that a client gets an answer about are stored before the answer, by agent.save.
type saver struct {
	log   *slog.Logger
	mu    sync.Mutex
	dirty map[saved]struct{} // bounded by the number of agents
	wake  chan struct{}
}

func newSaver(log *slog.Logger) saver {
	return saver{log: log, dirty: map[saved]struct{}{}, wake: make(chan struct{}, 1)}
}

func (s *saver) later(a saved) {
	s.mu.Lock()
	s.dirty[a] = struct{}{}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *saver) run(ctx context.Context) {
	for {
		select {
		case <-s.wake:
			select {
			case <-time.After(saveDelay): // so that an agent that ends at once is written once
			case <-ctx.Done():
			}
			s.flush()
		case <-ctx.Done():
			s.flush()
			return
		}
	}
}

func (s *saver) flush() {
	s.mu.Lock()
	dirty := s.dirty
	s.dirty = map[saved]struct{}{}
	s.mu.Unlock()
	for a := range dirty {
		if err := a.save(context.Background()); err != nil && !errors.Is(err, context.Canceled) {
			s.log.Error("a record could not be stored; the next change tries again", "agent", a.name(), "err", err)
		}
	}
}
