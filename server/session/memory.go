package session

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"time"

	"skein.dev/skein/server/memory"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

const (
	// MaxWatches bounds the watches of one memory lane.
	MaxWatches = 64
	// watchRetry is the pause between two attempts to read a log that can't be read.
	watchRetry = time.Second
)

// memoryLane is a memory lane: requests, and watches.
type memoryLane struct {
	l *lane

	mu      sync.Mutex
	next    uint64
	watches map[uint64]context.CancelFunc
	running sync.WaitGroup
}

// serveMemory serves a memory lane until the client ends it.
func (c *conn) serveMemory(l *lane) {
	m := &memoryLane{l: l, watches: map[uint64]context.CancelFunc{}}
	defer m.running.Wait()
	defer m.unwatchAll()
	l.serveRequests(m.requests)
}

func (ml *memoryLane) unwatchAll() {
	ml.mu.Lock()
	defer ml.mu.Unlock()
	for _, cancel := range ml.watches {
		cancel()
	}
}

func (ml *memoryLane) requests(ctx context.Context, l *lane, m *wire.Message) (any, error) {
	switch m.Method {
	case wire.MethodMemoryRetrieve:
		return noun.With(m.Params, func(v wire.MemoryKeyParams) (any, error) { return ml.retrieve(ctx, v) })
	case wire.MethodMemoryWatch:
		return noun.With(m.Params, ml.watch)
	case wire.MethodMemoryUnwatch:
		return noun.With(m.Params, ml.unwatch)
	}
	return l.c.call(ctx, wire.LaneMemory, m)
}

// retrieve reads a value. The lane's next requests wait for it, so a value that must be read from the disk or from another
// machine is answered later.
func (ml *memoryLane) retrieve(ctx context.Context, p wire.MemoryKeyParams) (any, error) {
	mem := ml.l.c.s.Plane.Memory
	if e, held, err := mem.Held(p); held {
		return e, err
	}
	return later(func() (any, error) { return mem.Retrieve(ctx, p) }), nil
}

// watch starts a watch. The updates follow the answer.
func (ml *memoryLane) watch(p wire.MemoryWatchParams) (any, error) {
	ml.mu.Lock()
	defer ml.mu.Unlock()
	if len(ml.watches) >= MaxWatches {
		return nil, wire.Errorf(wire.CodeExhausted, "a lane has %d watches at most: end one, or open another lane", MaxWatches)
	}
	w, res, err := ml.l.c.s.Plane.Memory.Watch(p)
	if err != nil {
		return nil, err
	}
	ml.next++
	res.Watch = ml.next
	ctx, cancel := context.WithCancel(ml.l.c.ctx)
	ml.watches[res.Watch] = cancel
	ml.running.Add(1)
	return then{res, func() { go ml.follow(ctx, res.Watch, w) }}, nil
}

// follow sends the updates of a watch as fast as the client reads them.
func (ml *memoryLane) follow(ctx context.Context, id uint64, w *memory.Watch) {
	defer ml.running.Done()
	defer w.Close()
	defer ml.forget(id)
	for {
		u, err := w.Next(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, io.EOF): // the client goes on at its cursor, on another lane
			ml.l.cancel(wire.StreamInternal)
			return
		case err != nil:
			ml.l.c.log.Error("a memory watch can't go on; it tries again", "err", err)
			select {
			case <-time.After(watchRetry):
			case <-ctx.Done():
			}
			continue
		}
		u.Watch = id
		if ml.l.notify(wire.NoteMemory, u) != nil {
			return
		}
	}
}

func (ml *memoryLane) unwatch(p wire.MemoryUnwatchParams) (any, error) {
	ml.mu.Lock()
	defer ml.mu.Unlock()
	cancel := ml.watches[p.Watch]
	if cancel == nil {
		return nil, wire.Errorf(wire.CodeNotFound, "there is no watch %d on this lane", p.Watch).WithField("watch")
	}
	cancel()
	return json.RawMessage("{}"), nil
}

func (ml *memoryLane) forget(id uint64) {
	ml.mu.Lock()
	defer ml.mu.Unlock()
	if cancel := ml.watches[id]; cancel != nil {
		cancel()
		delete(ml.watches, id)
	}
}
