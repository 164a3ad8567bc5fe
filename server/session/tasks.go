package session

import (
	"context"
	"slices"
	"sync"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/tasks"
	"skein.dev/skein/webtransport/wire"
)

// taskPart is how many tasks are in one message of a watch at most.
const taskPart = 100

// taskLane is a task lane: requests, and at most one watch.
type taskLane struct {
	l *lane

	mu     sync.Mutex
	cancel context.CancelFunc // ends the watch; nil without one
	watch  sync.WaitGroup
}

// serveTasks serves a task lane until the client ends it.
func (c *conn) serveTasks(l *lane) {
	t := &taskLane{l: l}
	defer t.watch.Wait()
	defer t.replace(nil)
	l.serveRequests(t.requests)
}

// replace ends the current watch; cancel belongs to the next one and is nil if there is none.
func (t *taskLane) replace(cancel context.CancelFunc) {
	t.mu.Lock()
	old := t.cancel
	t.cancel = cancel
	t.mu.Unlock()
	if old != nil {
		old()
	}
}

func (t *taskLane) requests(ctx context.Context, l *lane, m *wire.Message) (any, error) {
	switch m.Method {
	case wire.MethodTaskWatch:
		return noun.With(m.Params, t.open)
	case wire.MethodTaskRender:
		return noun.With(m.Params, func(v wire.TaskRenderParams) (any, error) { return l.c.s.Renderer.Tasks(ctx, v) })
	}
	return l.c.call(ctx, wire.LaneTask, m)
}

// open starts a watch. The updates follow the answer.
func (t *taskLane) open(p wire.TaskWatchParams) (any, error) {
	if err := p.HTML.Check(); err != nil {
		return nil, err
	}
	s := t.l.c.s
	res := wire.TaskWatchResult{Epoch: s.Plane.Epoch()}
	known := p.Epoch == "" || p.Epoch == res.Epoch
	if !known {
		p.After = 0
	}
	ch, recovered := s.Plane.Tasks.Resume(p.After, p.Filter)
	res.Recovered = known && recovered
	ctx, cancel := context.WithCancel(t.l.c.ctx)
	t.replace(cancel)
	return then{res, func() { t.watch.Go(func() { t.follow(ctx, p, ch) }) }}, nil
}

// follow sends the latest state of each task that changed. A client that reads slowly gets fewer, larger updates.
func (t *taskLane) follow(ctx context.Context, p wire.TaskWatchParams, ch tasks.Changed) {
	s := t.l.c.s
	for first := true; ; first = false {
		if len(ch.Tasks)+len(ch.Removed) > 0 || first {
			u := wire.TaskUpdate{Tasks: ch.Tasks, Removed: ch.Removed, Cursor: ch.Cursor, Counts: ch.Counts}
			if !first {
				u.HTML = s.Renderer.Changes(ctx, p, ch.Tasks)
			}
			if t.send(ctx, u) != nil {
				return
			}
		}
		select {
		case <-s.tasks.changed(ch.Now):
		case <-ctx.Done():
			return
		}
		ch = s.Plane.Tasks.Changes(ch.Now, p.Filter)
	}
}

// send sends an update in parts. The last part has the cursor, so that a client with only some parts starts again.
func (t *taskLane) send(ctx context.Context, u wire.TaskUpdate) error {
	tasks, removed := wire.Pages(u.Tasks, taskPart), slices.Collect(slices.Chunk(u.Removed, removedPart))
	if len(u.HTML) > 0 { // the HTML may fill a message
		if err := t.l.notify(wire.NoteTasks, wire.TaskUpdate{HTML: u.HTML, More: true}); err != nil {
			return err
		}
		u.HTML = nil
	}
	for len(tasks)+len(removed) > 0 {
		part := wire.TaskUpdate{More: true}
		if len(tasks) > 0 {
			part.Tasks, tasks = tasks[0], tasks[1:]
		}
		if len(removed) > 0 {
			part.Removed, removed = removed[0], removed[1:]
		}
		if len(tasks)+len(removed) == 0 {
			u.Tasks, u.Removed = part.Tasks, part.Removed
			break
		}
		if ctx.Err() != nil { // another watch has replaced this one
			return ctx.Err()
		}
		if err := t.l.notify(wire.NoteTasks, part); err != nil {
			return err
		}
	}
	return t.l.notify(wire.NoteTasks, u)
}
