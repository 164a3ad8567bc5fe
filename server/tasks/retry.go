package tasks

import (
	"context"
	"time"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// Retry gives a task that ended without success new attempts, and returns its record, which is submitted again. A repeated
// request has no effect and returns the present record.
func (ts *Tasks) Retry(by noun.Caller, id wire.TaskID) (*wire.Task, error) {
	rec, stored, err := ts.again(by, id)
	if err != nil {
		return nil, err
	}
	select {
	case <-stored:
	case <-time.After(ts.o.Timeout):
		return nil, errUnsureRetry
	case <-ts.o.Closing.Done():
		return nil, errUnsureRetry
	}
	return &rec, nil
}

var errUnsureRetry = wire.Errorf(wire.CodeOutcomeUnknown, "the store does not answer, so that it is not known yet whether the task is tried again. Send the same request again to find out")

// again makes a task that is over a submitted one. It is scheduled once that is stored.
func (ts *Tasks) again(by noun.Caller, id wire.TaskID) (rec wire.Task, stored <-chan struct{}, err error) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := ts.all[id]
	if t == nil {
		return rec, nil, noTask(id)
	}
	if by.Request != "" && t.rec.RetryRequest == by.Request {
		return t.rec, t.retrying.Done(), nil
	}
	if err := t.retriable(); err != nil {
		return rec, nil, err
	}
	spec := t.rec.TaskSpec
	if err := ts.checkDoer(&spec); err != nil { // for example because its agent is gone
		return rec, nil, err
	}
	if ts.closed {
		return rec, nil, noun.ErrClosing
	}
	again, _, _ := transition(t.rec, retries{by.Request}, time.Now().UTC()) // stored first, then queued
	ts.set(t, func(rec *wire.Task) { *rec = again })
	t.unsaved = true
	done, finish := context.WithCancel(context.Background())
	t.retrying = done
	ts.pending.Go(func() { ts.storeRetry(t); finish() })
	return t.rec, done.Done(), nil
}

// storeRetry tries to store a task that is to be tried again until that succeeds, and then schedules it.
func (ts *Tasks) storeRetry(t *task) {
	for {
		err := ts.save(ts.o.Closing, t)
		ts.mu.Lock()
		if err == nil {
			if t.rec.State == wire.TaskSubmitted && t.list == nil && t.run == nil && !t.ending && !ts.closed {
				ts.queue(t)
			}
			ts.mu.Unlock()
			return
		}
		t.unsaved = true
		ts.mu.Unlock()
		ts.log.Error("a task that is to be tried again could not be stored; trying again", "task", t.id, "err", err)
		select {
		case <-time.After(undoGap):
		case <-ts.o.Closing.Done(): // the next start finds what was stored
			return
		}
	}
}

// retriable returns an error if the task can't be tried again. The caller holds Tasks.mu.
func (t *task) retriable() error {
	switch state := t.rec.State; {
	case !state.Terminal() || t.ending:
		return wire.Errorf(wire.CodePrecondition, "task %s is %s: there is nothing to retry", t.id, state).WithField("id")
	case state == wire.TaskCompleted:
		return wire.Errorf(wire.CodePrecondition, "task %s is completed: submit it again for another result", t.id).WithField("id")
	case t.rec.Orchestration != nil || t.rec.Index != nil:
		return wire.Errorf(wire.CodePrecondition, "task %s is part of an orchestration: orchestrate again", t.id).WithField("id")
	}
	return nil
}
