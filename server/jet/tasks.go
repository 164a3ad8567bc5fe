package jet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"skein.dev/skein/webtransport/wire"
)

// PutTask replaces the revision t.Rev of a task's record, and sets t.Rev to the new revision. The record is on the disk
// when PutTask returns. The error has CodeConflict if the record has another revision, and CodeOutcomeUnknown if ctx
// ended before the store acknowledged the write.
func (s *Store) PutTask(ctx context.Context, t *wire.Task) error {
	b, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("encode task %s: %w", t.ID, err)
	}
	rev, err := s.writer.put(ctx, s.tasks, string(t.ID), b, t.Rev)
	if err != nil {
		return fmt.Errorf("store task %s: %w", t.ID, err)
	}
	t.Rev = rev
	return nil
}

// DeleteTask removes a task's record.
func (s *Store) DeleteTask(ctx context.Context, id wire.TaskID) error {
	if err := s.tasks.Delete(ctx, string(id)); err != nil {
		return fmt.Errorf("delete task %s: %w", id, err)
	}
	return nil
}

// Tasks returns the records of all tasks. deleted is the revision of the last deletion.
func (s *Store) Tasks(ctx context.Context) (all []wire.Task, deleted uint64, err error) {
	w, err := s.tasks.WatchAll(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("read the tasks: %w", err)
	}
	defer w.Stop()
	for {
		select {
		case e := <-w.Updates():
			switch {
			case e == nil: // the end of the records
				return all, deleted, nil
			case e.Operation() != jetstream.KeyValuePut:
				deleted = max(deleted, e.Revision())
				continue
			}
			var t wire.Task
			if err := json.Unmarshal(e.Value(), &t); err != nil {
				return nil, 0, fmt.Errorf("read task %s: %w", e.Key(), err)
			}
			t.Rev = e.Revision()
			all = append(all, t)
		case <-ctx.Done():
			return nil, 0, fmt.Errorf("read the tasks: %w", ctx.Err())
		}
	}
}

// admission is the current admission and those before it.
type admission struct {
	wire.Admission
	Before []wire.Admission `json:"before,omitempty"` // the newest first
}

// PutAdmission stores who may start agents and tasks. changes are the current admission and those before it, newest
// first.
func (s *Store) PutAdmission(ctx context.Context, changes []wire.Admission) error {
	return putJSON(ctx, s.meta, "admission", admission{changes[0], changes[1:]})
}

// Admission returns the changes that were stored last, or none if there were none.
func (s *Store) Admission(ctx context.Context) (changes []wire.Admission, err error) {
	e, err := s.meta.Get(ctx, "admission")
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, nil
	}
	var a admission
	if err == nil {
		err = json.Unmarshal(e.Value(), &a)
	}
	if err != nil {
		return nil, fmt.Errorf("read the admission: %w", err)
	}
	return append([]wire.Admission{a.Admission}, a.Before...), nil
}
