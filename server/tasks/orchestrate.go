package tasks

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// Orchestrate submits a task that no agent gets, with a child for each input. The mode decides when the task ends.
func (ts *Tasks) Orchestrate(_ context.Context, by noun.Caller, p wire.OrchestrateParams) (*wire.Task, error) {
	p.Mode = cmp.Or(p.Mode, wire.AggregateAll)
	if err := ts.checkOrchestration(&p); err != nil {
		return nil, err
	}
	parent := wire.TaskSpec{Name: cmp.Or(p.Name, p.Task.Name, "orchestration"), Queue: p.Task.Queue, Priority: p.Task.Priority, Parent: p.Parent,
		IdempotencyKey: p.Task.IdempotencyKey, Labels: p.Task.Labels}
	parent.Queue, parent.Priority = cmp.Or(parent.Queue, wire.DefaultQueue), cmp.Or(parent.Priority, wire.PriorityNormal)
	parent.Retry.Max = 1
	ts.mu.Lock()
	batch, err := ts.makeOrchestration(by, parent, p)
	ts.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if err := ts.admit(batch); err != nil {
		return nil, err
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	rec := batch[0].t.rec
	return &rec, nil
}

func (ts *Tasks) checkOrchestration(p *wire.OrchestrateParams) error {
	n := len(p.Inputs)
	if err := noun.CheckNames(p.Name, nil); err != nil {
		return err
	}
	switch {
	case n < 1 || n > wire.MaxBatch:
		return noun.Bad("inputs", "give 1 to %d inputs", wire.MaxBatch)
	case !slices.Contains(wire.AggregateModes, p.Mode):
		return wire.Errorf(wire.CodeInvalidParams, "mode %q is not one of %v", p.Mode, wire.AggregateModes).WithField("mode")
	case p.Mode == wire.AggregateQuorum && (p.Quorum < 1 || p.Quorum > n):
		return noun.Bad("quorum", "a quorum of %d inputs is between 1 and %d", n, n)
	case p.Mode != wire.AggregateQuorum && p.Quorum != 0:
		return noun.Bad("quorum", "a quorum goes with mode quorum")
	case (p.Mode == wire.AggregateReduce) != (p.Reduce != nil):
		return noun.Bad("reduce", "mode reduce, and no other, has a reduce task")
	case len(p.Task.DependsOn) > 0:
		return noun.Bad("task", "the children of an orchestration depend on nothing; let a task depend on the orchestration")
	}
	for i, in := range p.Inputs {
		s := p.Task
		s.Input, s.Key, s.Parent = in, "", ""
		if err := ts.check(&s); err != nil {
			return wire.AsError(err).In(fmt.Sprintf("inputs[%d]", i), n > 1)
		}
	}
	if p.Reduce == nil {
		return nil
	}
	s := *p.Reduce
	s.Input = wire.Payload{}
	if err := ts.check(&s); err != nil {
		return wire.AsError(err).In("reduce", true)
	}
	p.Reduce = &s // without an input: the results of the children become its input
	return nil
}

// makeOrchestration makes the task and its children as one batch. The caller holds mu.
func (ts *Tasks) makeOrchestration(by noun.Caller, parent wire.TaskSpec, p wire.OrchestrateParams) ([]made, error) {
	batch, err := ts.makeLocked(by, []wire.TaskSpec{parent})
	if err != nil || !batch[0].fresh {
		return batch, err
	}
	root := batch[0].t
	root.rec.State = wire.TaskWorking
	root.rec.Orchestration = &wire.Orchestration{Mode: p.Mode, Quorum: p.Quorum, FailFast: p.FailFast, Children: len(p.Inputs), Reduce: p.Reduce}
	for i, in := range p.Inputs {
		s := p.Task
		s.Input, s.Key, s.IdempotencyKey, s.Parent = in, "", "", root.id
		s.Name = fmt.Sprintf("%s %d", parent.Name, i+1)
		if err := ts.check(&s); err != nil {
			ts.release(batch)
			return nil, err
		}
		c := ts.newTask(noun.Caller{Actor: by.Actor}, s, 0)
		c.rec.Index = &i
		batch = append(batch, made{c, true})
	}
	return batch, nil
}

// evaluate ends an orchestration if its mode says so. The caller holds mu.
func (ts *Tasks) evaluate(t *task) {
	o := t.rec.Orchestration
	if o == nil || t.rec.State.Terminal() || t.ending {
		return
	}
	next := *o
	next.Completed, next.Failed = 0, 0
	var done []*task // by ordinal
	for _, c := range t.children {
		switch {
		case c.rec.Index == nil || !c.rec.State.Terminal():
			continue
		case c.rec.State == wire.TaskCompleted:
			next.Completed++
		default:
			next.Failed++
		}
		done = append(done, c)
	}
	slices.SortFunc(done, func(a, b *task) int { return cmp.Compare(a.rec.Ordinal, b.rec.Ordinal) })
	if next != *o {
		ts.set(t, func(rec *wire.Task) { rec.Orchestration = &next })
		ts.saveLater(t)
	}
	left := next.Children - next.Completed - next.Failed
	switch {
	case next.FailFast && next.Failed > 0:
		ts.conclude(t, runner.TaskResult{Failure: wire.FailChildren, Message: "a child failed: " + firstFailure(done)})
	case next.Mode == wire.AggregateFirst && next.Completed > 0:
		ts.conclude(t, runner.TaskResult{Output: completed(done)[0].rec.Result.Bytes()})
	case next.Mode == wire.AggregateQuorum && next.Completed >= next.Quorum:
		ts.conclude(t, runner.TaskResult{Output: results(completed(done)[:next.Quorum])})
	case next.Mode == wire.AggregateQuorum && next.Completed+left < next.Quorum:
		ts.conclude(t, runner.TaskResult{Failure: wire.FailChildren, Message: fmt.Sprintf("%d of %d can no longer complete: %s", next.Quorum, next.Children, firstFailure(done))})
	case left > 0:
	case next.Completed == 0:
		ts.conclude(t, runner.TaskResult{Failure: wire.FailChildren, Message: "every child failed: " + firstFailure(done)})
	case next.Mode == wire.AggregateReduce:
		ts.reduce(t, done)
	default:
		ts.conclude(t, runner.TaskResult{Output: results(done)})
	}
}

func completed(done []*task) []*task {
	return slices.DeleteFunc(slices.Clone(done), func(c *task) bool { return c.rec.State != wire.TaskCompleted })
}

func firstFailure(done []*task) string {
	for _, c := range done {
		if c.rec.State != wire.TaskCompleted {
			return cmp.Or(c.rec.Message, string(c.rec.State))
		}
	}
	return ""
}

// conclude ends an orchestration and cancels its children that are not over. The caller holds mu.
func (ts *Tasks) conclude(t *task, o runner.TaskResult) {
	ts.happens(t, concludes{o})
	for _, c := range t.children {
		ts.cancelTree(c, "the orchestration is over")
	}
}

// reduce submits the task that combines the results. When that task is over, reduce ends the orchestration with it. The
// caller holds mu.
func (ts *Tasks) reduce(t *task, done []*task) {
	var reducer *task
	for _, c := range t.children {
		if c.rec.Index == nil {
			reducer = c
		}
	}
	switch {
	case reducer == nil:
		in := encode(resultsOf(done))
		if len(in) > wire.MaxTaskInput {
			ts.conclude(t, runner.TaskResult{Failure: wire.FailTooLarge, Message: fmt.Sprintf("the results have %d bytes; a reduce task takes %d", len(in), wire.MaxTaskInput)})
			return
		}
		s := *t.rec.Orchestration.Reduce
		s.Input, s.Parent, s.Key, s.IdempotencyKey = wire.NewPayload(in), t.id, "", "reduce "+string(t.id)
		s.Name = cmp.Or(s.Name, t.rec.Name+" reduce")
		ts.pending.Go(func() {
			if _, err := ts.Submit(context.Background(), noun.Caller{Actor: t.rec.Actor}, wire.SubmitParams{Tasks: []wire.TaskSpec{s}}); err != nil {
				ts.mu.Lock()
				defer ts.mu.Unlock()
				if !t.rec.State.Terminal() && !t.ending {
					ts.conclude(t, runner.TaskResult{Failure: wire.FailChildren, Message: "the reduce task could not be submitted: " + wire.AsError(err).Message})
				}
			}
		})
	case !reducer.rec.State.Terminal():
	case reducer.rec.State == wire.TaskCompleted:
		ts.conclude(t, runner.TaskResult{Output: reducer.rec.Result.Bytes()})
	default:
		ts.conclude(t, runner.TaskResult{Failure: wire.FailChildren, Message: "the reduce task " + string(reducer.rec.State) + ": " + reducer.rec.Message})
	}
}

// results returns the outcomes of children as JSON, by index. If they do not fit into a result, their outputs are left out;
// a client reads these from the result lane or from the children.
func results(done []*task) []byte {
	all := resultsOf(done)
	b := encode(all)
	if len(b) <= wire.MaxTaskOutput {
		return b
	}
	for i := range all {
		all[i].Output = nil
	}
	if b = encode(all); len(b) > wire.MaxTaskOutput {
		for i := range all {
			all[i].Message = wire.Payload{Text: all[i].Message}.Cut(briefMessage).Text
		}
		b = encode(all)
	}
	return b
}

// briefMessage is the length, in bytes, to which the messages of children are cut if they do not fit into a result.
const briefMessage = 40

// resultsOf returns the outcomes of children by index.
func resultsOf(done []*task) []wire.Result {
	all := make([]wire.Result, 0, len(done))
	for _, c := range done {
		all = append(all, resultFrom(c))
	}
	slices.SortFunc(all, func(a, b wire.Result) int { return cmp.Compare(a.Index, b.Index) })
	return all
}

func encode(all []wire.Result) []byte {
	b, err := json.Marshal(all)
	if err != nil { // impossible for plain data
		panic(fmt.Sprintf("tasks: encode results: %v", err))
	}
	return b
}

func resultFrom(c *task) wire.Result {
	return wire.Result{Ordinal: c.rec.Ordinal, Index: *c.rec.Index, Task: c.id, State: c.rec.State, Output: c.rec.Result,
		Failure: c.rec.Failure, Message: c.rec.Message}
}

// ResultFollower reads the results of an orchestration in the order of their completion. It is for use by one goroutine.
type ResultFollower struct {
	ts   *Tasks
	t    *task
	last int // ordinal
	news chan struct{}
}

// FollowResults returns a follower that starts after the result with the ordinal after.
func (ts *Tasks) FollowResults(id wire.TaskID, after int) (*ResultFollower, error) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := ts.all[id]
	if t == nil {
		return nil, noTask(id)
	}
	if t.rec.Orchestration == nil {
		return nil, wire.Errorf(wire.CodePrecondition, "task %s is not an orchestration: it has one result, which task.get gives", id).WithField("task")
	}
	f := &ResultFollower{ts: ts, t: t, last: after, news: make(chan struct{}, 1)}
	if t.followers == nil {
		t.followers = map[chan struct{}]struct{}{}
	}
	t.followers[f.news] = struct{}{}
	return f, nil
}

// Close ends the follower.
func (f *ResultFollower) Close() {
	f.ts.mu.Lock()
	defer f.ts.mu.Unlock()
	delete(f.t.followers, f.news)
}

// Next waits for results. It returns io.EOF, with the record of the orchestration, when the orchestration is over and all
// results were returned.
func (f *ResultFollower) Next(ctx context.Context) ([]wire.Result, wire.Task, error) {
	for {
		if res, rec, over := f.poll(); len(res) > 0 {
			return res, rec, nil
		} else if over {
			return nil, rec, io.EOF
		}
		select {
		case <-f.news:
		case <-ctx.Done():
			return nil, wire.Task{}, ctx.Err()
		}
	}
}

// poll returns the new results in order. It withholds a result while an earlier one is still being stored, because a later
// one may be stored before it.
func (f *ResultFollower) poll() (res []wire.Result, rec wire.Task, over bool) {
	f.ts.mu.Lock()
	defer f.ts.mu.Unlock()
	var next []*task
	open, before := false, math.MaxInt
	for _, c := range f.t.children {
		if c.rec.Index == nil {
			continue
		}
		switch {
		case c.rec.State.Terminal():
			if c.rec.Ordinal > f.last {
				next = append(next, c)
			}
			continue
		case c.ending:
			before = min(before, c.ordinal)
		}
		open = true
	}
	slices.SortFunc(next, func(a, b *task) int { return cmp.Compare(a.rec.Ordinal, b.rec.Ordinal) })
	for _, c := range next {
		if c.rec.Ordinal > before {
			break
		}
		f.last = c.rec.Ordinal
		res = append(res, resultFrom(c))
	}
	return res, f.t.rec, f.t.rec.State.Terminal() && !open
}
