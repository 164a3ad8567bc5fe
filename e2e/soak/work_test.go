package soak

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// submit submits tasks, each once, whatever becomes of the request.
func (l *loader) submit(ctx context.Context) {
	n := 0
	every(ctx, time.Second, func(ctx context.Context) {
		p := wire.SubmitParams{}
		for _, kind := range []string{"liner", "liner", remoteType, remoteType, onceType} {
			n++
			p.Tasks = append(p.Tasks, wire.TaskSpec{Type: kind, Input: wire.Payload{Text: fmt.Sprintf("input %d", n)},
				IdempotencyKey: fmt.Sprintf("soak-%d", n), Labels: map[string]string{label: "task"}, Retry: wire.Retry{Max: 20}})
		}
		var r *wire.SubmitResult
		if !until(ctx, func() (ok bool) {
			var err error
			r, err = l.any().TaskSubmit(ctx, p)
			return l.tried("submit", err)
		}) {
			return
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		for i, t := range r.Tasks {
			l.tasks[t.ID] = p.Tasks[i].Input.Text
		}
	})
}

func (l *loader) underWay() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.tasks)
}

// hearTasks hears of the end of each task. One may end before its submission is answered.
func (l *loader) hearTasks(ctx context.Context) {
	early, done := map[wire.TaskID]wire.Task{}, map[wire.TaskID]bool{}
	for change, err := range l.clients[0].TaskWatch(ctx, wire.TaskWatchParams{Filter: wire.TaskFilter{Labels: map[string]string{label: "task"}}}) {
		if err != nil {
			if ctx.Err() == nil {
				l.wrong("the watch of tasks ended: %v", err)
			}
			return
		}
		for _, t := range change.Tasks {
			if t.State.Terminal() && !done[t.ID] {
				early[t.ID] = t
			}
		}
		for id, t := range early {
			if l.ended(t) {
				delete(early, id)
				done[id] = true
			}
		}
		if len(early) > 1000 {
			l.wrong("%d tasks ended that nobody submitted", len(early))
			clear(early)
		}
	}
}

// ended takes the end of a task; false: its submission is not answered yet.
func (l *loader) ended(t wire.Task) bool {
	l.mu.Lock()
	want, known := l.tasks[t.ID]
	delete(l.tasks, t.ID)
	l.mu.Unlock()
	if !known {
		return false
	}
	got := ""
	if t.Result != nil {
		got = string(t.Result.Bytes())
	}
	if t.State != wire.TaskCompleted || got != want {
		l.wrong("task %s of type %s with %q: %s with %q, %s %s", t.ID, t.Type, want, t.State, got, t.Failure, t.Message)
		return true
	}
	l.count("tasks of type " + t.Type + " done")
	if t.Attempt > 1 {
		l.count("tasks that took several attempts")
	}
	return true
}

// serveTasks makes remote agents, each of which dials in again when it is lost.
func (l *loader) serveTasks(ctx context.Context) {
	n := 0
	for _, g := range groups {
		if g.name == remoteType {
			n = g.size(l.size)
		}
	}
	for i := range n {
		w := l.clients[i%len(l.clients)].Worker(client.WorkerOptions{Type: remoteType, Name: fmt.Sprintf("program %d", i), Handle: l.handle})
		l.all.Go(func() {
			for ctx.Err() == nil {
				if err := w.Run(ctx); err != nil && ctx.Err() == nil {
					l.count("programs that joined anew")
					pause(ctx, time.Second)
				}
			}
		})
	}
}

// handle does a task of a remote agent, which at times asks and remembers something.
func (l *loader) handle(ctx context.Context, t *client.Work) ([]byte, error) {
	t.Progress("half of it", 0.5)
	t.Print("at it\n")
	if err := pause(ctx, 200*time.Millisecond); err != nil {
		return nil, err
	}
	if rand.IntN(20) == 0 {
		if _, err := t.Ask(ctx, "May I?", wire.AskOption{ID: "yes", Name: "Yes", Kind: "allow_once"}); err != nil {
			return nil, client.TryAgain(err)
		}
		l.count("questions of programs that were answered")
	}
	return t.Input, nil
}
