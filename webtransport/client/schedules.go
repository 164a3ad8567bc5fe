package client

import (
	"context"

	"skein.dev/skein/webtransport/wire"
)

// ScheduleSet makes a schedule, or replaces the one that p.ID names. The error has CodeConflict if another one has the name, or if
// p.IfRevision is not that of the schedule.
func (c *Client) ScheduleSet(ctx context.Context, p wire.ScheduleSetParams) (*wire.Schedule, error) {
	var r wire.Schedule
	return &r, c.calls.do(ctx, wire.MethodScheduleSet, p, &r)
}

// Schedules returns the matching schedules by name, with the beginnings of their inputs: p.Limit of them, or all if it is 0. It sends as
// many requests as that takes. With p.Since it waits for a change.
func (c *Client) Schedules(ctx context.Context, p wire.ScheduleListParams) (*wire.ScheduleListResult, error) {
	var all wire.ScheduleListResult
	err := pages(p.Limit, func(limit int) (int, bool, error) {
		r := wire.ScheduleListResult{}
		p.Limit = limit
		err := c.calls.do(ctx, wire.MethodScheduleList, p, &r)
		if all.Schedules == nil {
			all = r
		} else {
			all.Schedules, all.Next = append(all.Schedules, r.Schedules...), r.Next
		}
		p.After, p.Since = r.Next, ""
		return len(r.Schedules), r.Next != "", err
	})
	return &all, err
}

// Schedule returns the schedule with an id or a name.
func (c *Client) Schedule(ctx context.Context, id wire.ScheduleID) (*wire.Schedule, error) {
	var r wire.Schedule
	return &r, c.calls.do(ctx, wire.MethodScheduleGet, wire.ScheduleParams{ID: id}, &r)
}

// ScheduleDelete removes a schedule. Its tasks stay.
func (c *Client) ScheduleDelete(ctx context.Context, id wire.ScheduleID) error {
	return c.calls.do(ctx, wire.MethodScheduleDelete, wire.ScheduleParams{ID: id}, nil)
}

// SchedulePause keeps a schedule from running until ScheduleResume.
func (c *Client) SchedulePause(ctx context.Context, id wire.ScheduleID) (*wire.Schedule, error) {
	var r wire.Schedule
	return &r, c.calls.do(ctx, wire.MethodSchedulePause, wire.ScheduleParams{ID: id}, &r)
}

// ScheduleResume lets a schedule run again. The runs that were due meanwhile count as missed.
func (c *Client) ScheduleResume(ctx context.Context, id wire.ScheduleID) (*wire.Schedule, error) {
	var r wire.Schedule
	return &r, c.calls.do(ctx, wire.MethodScheduleResume, wire.ScheduleParams{ID: id}, &r)
}

// ScheduleRun submits the task of a schedule now, once.
func (c *Client) ScheduleRun(ctx context.Context, id wire.ScheduleID) (*wire.Task, error) {
	var r wire.Task
	return &r, c.calls.do(ctx, wire.MethodScheduleRun, wire.ScheduleParams{ID: id}, &r)
}

// SchedulePreview returns when a schedule would run.
func (c *Client) SchedulePreview(ctx context.Context, t wire.ScheduleTime) (*wire.SchedulePreview, error) {
	var r wire.SchedulePreview
	return &r, c.calls.do(ctx, wire.MethodSchedulePreview, wire.SchedulePreviewParams{ScheduleTime: t}, &r)
}
