package client

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"reflect"

	"skein.dev/skein/webtransport/wire"
)

// TaskSubmit creates all of the tasks or none. If their records do not fit into one message, they are Trimmed, and
// TaskGet returns the whole record.
func (c *Client) TaskSubmit(ctx context.Context, p wire.SubmitParams) (*wire.SubmitResult, error) {
	var r wire.SubmitResult
	return &r, c.calls.do(ctx, wire.MethodTaskSubmit, p, &r)
}

// TaskGet returns a task with all of its payloads.
func (c *Client) TaskGet(ctx context.Context, id wire.TaskID) (*wire.Task, error) {
	var r wire.Task
	return &r, c.calls.do(ctx, wire.MethodTaskGet, wire.TaskParams{ID: id}, &r)
}

// TaskList returns the matching tasks, newest first, with the beginnings of their payloads: f.Limit of them, or all if it
// is 0. It sends as many requests as that takes. Tasks that are created in the meantime are not included. Next is where
// another TaskList can continue.
func (c *Client) TaskList(ctx context.Context, f wire.TaskFilter) (*wire.TaskListResult, error) {
	var all wire.TaskListResult
	err := pages(f.Limit, func(limit int) (int, bool, error) {
		r := wire.TaskListResult{}
		f.Limit = limit
		err := c.calls.do(ctx, wire.MethodTaskList, f, &r)
		if all.Tasks == nil {
			all = r
		} else {
			all.Tasks, all.Next = append(all.Tasks, r.Tasks...), r.Next
		}
		f.After = r.Next
		return len(r.Tasks), r.Next != 0, err
	})
	return &all, err
}

// TaskCancel cancels tasks together with their descendants. It returns those that had not ended yet.
func (c *Client) TaskCancel(ctx context.Context, p wire.TaskCancelParams) (*wire.TaskCancelResult, error) {
	var r wire.TaskCancelResult
	return &r, c.calls.do(ctx, wire.MethodTaskCancel, p, &r)
}

// TaskRetry allows new attempts of a task that ended without success.
func (c *Client) TaskRetry(ctx context.Context, id wire.TaskID) (*wire.Task, error) {
	var r wire.Task
	return &r, c.calls.do(ctx, wire.MethodTaskRetry, wire.TaskParams{ID: id}, &r)
}

// TaskOrchestrate creates a child task for each input. It returns the task that stands for all of them; TaskResults
// yields the children's results as they complete.
func (c *Client) TaskOrchestrate(ctx context.Context, p wire.OrchestrateParams) (*wire.Task, error) {
	var r wire.Task
	return &r, c.calls.do(ctx, wire.MethodTaskOrchestrate, p, &r)
}

// Admission reports whether agents may be spawned and tasks may start.
func (c *Client) Admission(ctx context.Context) (*wire.Admission, error) {
	var r wire.Admission
	return &r, c.calls.do(ctx, wire.MethodAdmission, nil, &r)
}

// SetAdmission closes or opens admission for one type or for all.
func (c *Client) SetAdmission(ctx context.Context, p wire.AdmissionParams) (*wire.Admission, error) {
	var r wire.Admission
	return &r, c.calls.do(ctx, wire.MethodSetAdmission, p, &r)
}

// TaskChange is a group of changes of tasks: the latest state of each, with the beginnings of its payloads. Another watch
// can continue at its Cursor and Epoch.
type TaskChange struct {
	wire.TaskUpdate
	Epoch string
	Reset bool // discard what came before: Tasks are all that exist
}

// TaskWatch yields the matching tasks and then every change, across reconnects and restarts of the server. The first
// change has all tasks, unless p.After says what the caller already has. Changes that arrive while the caller is busy are
// merged. After a reconnect, the state of a task that has not ended may be repeated; the end of a task comes once.
//
// TaskWatch uses a lane of its own, so that a slow caller delays nothing else. The sequence ends with an error when ctx
// ends or the Client fails.
func (c *Client) TaskWatch(ctx context.Context, p wire.TaskWatchParams) iter.Seq2[TaskChange, error] {
	return func(yield func(TaskChange, error) bool) {
		w := &taskWatch{c: c, p: p, ended: map[wire.TaskID]wire.Task{}}
		err := c.subscribe(ctx, w.open, func(m *wire.Message) error {
			ch, err := w.take(m)
			if err != nil || ch == nil || yield(*ch, nil) {
				return err
			}
			return errDone
		})
		if err != nil {
			yield(TaskChange{}, err)
		}
	}
}

// taskWatch is the state of a watch.
type taskWatch struct {
	c       *Client
	p       wire.TaskWatchParams // After and Epoch are those of the last complete update
	reset   bool                 // the next update starts a list of all tasks
	partial wire.TaskUpdate      // the parts of the update that arrived so far
	// ended has the ends above the cursor that were yielded. The server sends them again when the watch continues at the
	// cursor. Their number is bounded by the server's writes under way.
	ended map[wire.TaskID]wire.Task
}

// open requests what follows the last complete update.
func (w *taskWatch) open() (wire.Header, *wire.Message) {
	w.partial = wire.TaskUpdate{}
	m, err := wire.NewRequest(w.c.calls.newID(), wire.MethodTaskWatch, w.p)
	if err != nil { // impossible: the parameters are plain data
		panic(fmt.Sprintf("client: encode a watch: %v", err))
	}
	return wire.Header{Lane: wire.LaneTask}, m
}

// take collects the parts of an update and hands it over when it is complete.
func (w *taskWatch) take(m *wire.Message) (*TaskChange, error) {
	if m.IsResponse() {
		return nil, w.opened(m)
	}
	if m.Method != wire.NoteTasks {
		return nil, nil
	}
	var u wire.TaskUpdate
	if err := json.Unmarshal(m.Params, &u); err != nil {
		return nil, fmt.Errorf("%s: %w", wire.MethodTaskWatch, err)
	}
	w.partial.Tasks = append(w.partial.Tasks, u.Tasks...)
	w.partial.Removed = append(w.partial.Removed, u.Removed...)
	if u.More {
		return nil, nil
	}
	u.Tasks, u.Removed = w.fresh(w.partial.Tasks, u.Cursor), w.partial.Removed
	ch := &TaskChange{TaskUpdate: u, Epoch: w.p.Epoch, Reset: w.reset}
	w.p.After, w.reset, w.partial = u.Cursor, false, wire.TaskUpdate{}
	if len(u.Tasks)+len(u.Removed) == 0 && !ch.Reset {
		return nil, nil
	}
	return ch, nil
}

func (w *taskWatch) opened(m *wire.Message) error {
	var r wire.TaskWatchResult
	if err := json.Unmarshal(m.Result, &r); err != nil {
		return fmt.Errorf("%s: read the answer: %w", wire.MethodTaskWatch, err)
	}
	if w.reset = w.p.After == 0 || !r.Recovered; w.reset {
		w.p.After = 0 // an incomplete list starts over if the session breaks
		clear(w.ended)
	}
	w.p.Epoch = r.Epoch
	return nil
}

// fresh removes the ends that were yielded before the watch was interrupted. Their revisions do not identify them, because
// an answer that arrives after the end is in the record before it has been stored.
func (w *taskWatch) fresh(tasks []wire.Task, cursor uint64) []wire.Task {
	kept := tasks[:0]
	for _, t := range tasks {
		if known, ok := w.ended[t.ID]; ok && reflect.DeepEqual(known, t) {
			continue
		}
		kept = append(kept, t)
	}
	for _, t := range kept {
		if delete(w.ended, t.ID); t.State.Terminal() {
			w.ended[t.ID] = t
		}
	}
	for id, t := range w.ended {
		if t.Rev <= cursor {
			delete(w.ended, id)
		}
	}
	return kept
}

// Results are the results of one orchestration in the order of their completion. They must not be used by several
// goroutines at once.
type Results struct {
	c    *Client
	ctx  context.Context
	id   wire.TaskID
	last int        // ordinal
	task *wire.Task // set when it has ended
}

// TaskResults returns the results of an orchestration that follow the one with the ordinal after, or all if after is 0.
//
//	results := c.TaskResults(ctx, id, 0)
//	for res, err := range results.All() { … }
//	task, err := results.Aggregate()
func (c *Client) TaskResults(ctx context.Context, id wire.TaskID, after int) *Results {
	return &Results{c: c, ctx: ctx, id: id, last: after}
}

// All yields each result once as it completes, across reconnects and restarts of the server, until the orchestration has
// ended. If a loop is left early, the next one continues there. If there is an error, it comes with the last pair.
func (r *Results) All() iter.Seq2[wire.Result, error] {
	return func(yield func(wire.Result, error) bool) {
		if r.task != nil {
			return
		}
		err := r.c.subscribe(r.ctx, r.open, func(m *wire.Message) error { return r.take(m, yield) })
		if err != nil {
			yield(wire.Result{}, err)
		}
	}
}

func (r *Results) open() (wire.Header, *wire.Message) {
	return wire.Header{Lane: wire.LaneResult, Task: r.id, After: uint64(r.last)}, nil
}

func (r *Results) take(m *wire.Message, yield func(wire.Result, error) bool) error {
	switch m.Method {
	case wire.NoteResult:
		var res wire.Result
		if err := json.Unmarshal(m.Params, &res); err != nil {
			return fmt.Errorf("results of %s: %w", r.id, err)
		}
		if res.Ordinal <= r.last {
			return nil
		}
		r.last = res.Ordinal
		if !yield(res, nil) {
			return errDone
		}
	case wire.NoteAggregate:
		var a wire.Aggregate
		if err := json.Unmarshal(m.Params, &a); err != nil {
			return fmt.Errorf("results of %s: %w", r.id, err)
		}
		r.task = &a.Task
		return errDone
	}
	return nil
}

// Last returns the ordinal of the last result that was yielded. TaskResults with that ordinal continues after it.
func (r *Results) Last() int { return r.last }

// Aggregate waits for the end of the orchestration and returns its task, whose Result is what the mode of the
// orchestration made of the results. It skips results that were not read.
func (r *Results) Aggregate() (*wire.Task, error) {
	for _, err := range r.All() {
		if err != nil {
			return nil, err
		}
	}
	return r.task, nil
}
