package client

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"reflect"

	"skein.dev/skein/webtransport/wire"
)

// TaskSubmit makes tasks, all or none. Where their records do not fit into one message, they are Trimmed: TaskGet has the
// rest of each.
func (c *Client) TaskSubmit(ctx context.Context, p wire.SubmitParams) (*wire.SubmitResult, error) {
	var r wire.SubmitResult
	return &r, c.calls.do(ctx, wire.MethodTaskSubmit, p, &r)
}

// TaskGet finds a task, with all of its payloads.
func (c *Client) TaskGet(ctx context.Context, id wire.TaskID) (*wire.Task, error) {
	var r wire.Task
	return &r, c.calls.do(ctx, wire.MethodTaskGet, wire.TaskParams{ID: id}, &r)
}

// TaskList gives the tasks that match, newest first, with the beginnings of their payloads, however many messages they
// take: all, or f.Limit. Next is where another list goes on. A task that comes while the pages are read is not among them.
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

// TaskCancel ends tasks, each with all below it, and names those that were not over yet.
func (c *Client) TaskCancel(ctx context.Context, p wire.TaskCancelParams) (*wire.TaskCancelResult, error) {
	var r wire.TaskCancelResult
	return &r, c.calls.do(ctx, wire.MethodTaskCancel, p, &r)
}

// TaskRetry gives a task that ended without success new attempts.
func (c *Client) TaskRetry(ctx context.Context, id wire.TaskID) (*wire.Task, error) {
	var r wire.Task
	return &r, c.calls.do(ctx, wire.MethodTaskRetry, wire.TaskParams{ID: id}, &r)
}

// TaskOrchestrate fans inputs out, a child task each. The answer is the task that stands for all of them; TaskResults
// has the children's results as they complete.
func (c *Client) TaskOrchestrate(ctx context.Context, p wire.OrchestrateParams) (*wire.Task, error) {
	var r wire.Task
	return &r, c.calls.do(ctx, wire.MethodTaskOrchestrate, p, &r)
}

// Admission says whether agents may be spawned and tasks started.
func (c *Client) Admission(ctx context.Context) (*wire.Admission, error) {
	var r wire.Admission
	return &r, c.calls.do(ctx, wire.MethodAdmission, nil, &r)
}

// SetAdmission closes or opens admission, for a type or for all.
func (c *Client) SetAdmission(ctx context.Context, p wire.AdmissionParams) (*wire.Admission, error) {
	var r wire.Admission
	return &r, c.calls.do(ctx, wire.MethodSetAdmission, p, &r)
}

// TaskChange is what happened to the tasks since the one before: the latest state of each, with the beginnings of its
// payloads. Its Cursor and its Epoch are where another watch may go on.
type TaskChange struct {
	wire.TaskUpdate
	Epoch string
	Reset bool // what came before is void: Tasks is all there is
}

// TaskWatch gives the tasks that match, and then every change, over reconnects and restarts of the server. The first
// change has everything there is, unless p.After says what the caller has. Changes that come while the caller works are
// merged. After a reconnect a task that is not over may come again as it was; the end of a task comes once.
//
// The watch has a lane of its own, so that a slow caller holds up nothing else. It ends with ctx, or with the Client,
// whose error is the last.
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

// taskWatch is where a watch stands.
type taskWatch struct {
	c       *Client
	p       wire.TaskWatchParams // After and Epoch: of the last whole update
	reset   bool                 // the next update begins a list of everything
	partial wire.TaskUpdate      // its parts that came so far
	// ended has the ends that were handed out and are above the cursor: the server gives them again when the watch goes on
	// there. The server's writes under way bound it.
	ended map[wire.TaskID]wire.Task
}

// open asks for what follows the last whole update.
func (w *taskWatch) open() (wire.Header, *wire.Message) {
	w.partial = wire.TaskUpdate{}
	m, err := wire.NewRequest(w.c.calls.newID(), wire.MethodTaskWatch, w.p)
	if err != nil { // cannot be: it is plain data
		panic(fmt.Sprintf("client: encode a watch: %v", err))
	}
	return wire.Header{Lane: wire.LaneTask}, m
}

// take gives an update when it is whole.
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
		w.p.After = 0 // a list that is not whole when the session breaks is begun anew
		clear(w.ended)
	}
	w.p.Epoch = r.Epoch
	return nil
}

// fresh leaves out the ends that were handed out before the watch was interrupted. The revision does not tell: an answer that
// comes after the end is in the record before it has been stored.
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

// Results are the results of one orchestration, in the order of their completion. They are for one goroutine.
type Results struct {
	c    *Client
	ctx  context.Context
	id   wire.TaskID
	last int        // ordinal
	task *wire.Task // once it is over
}

// TaskResults reads an orchestration's results, behind the one with the ordinal after; 0: from the first.
//
//	results := c.TaskResults(ctx, id, 0)
//	for res, err := range results.All() { … }
//	task, err := results.Aggregate()
func (c *Client) TaskResults(ctx context.Context, id wire.TaskID, after int) *Results {
	return &Results{c: c, ctx: ctx, id: id, last: after}
}

// All gives the results as they complete, each once, over reconnects and restarts of the server. It ends when the
// orchestration is over. A loop that is left early goes on, in another one, where it was. The error, if there is one,
// is the last pair.
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

// Last is the ordinal of the last result that was given: the after of TaskResults that goes on.
func (r *Results) Last() int { return r.last }

// Aggregate waits for the end of the orchestration and gives its task, whose Result is what its mode made of the
// results. Results that nobody took are passed over.
func (r *Results) Aggregate() (*wire.Task, error) {
	for _, err := range r.All() {
		if err != nil {
			return nil, err
		}
	}
	return r.task, nil
}
