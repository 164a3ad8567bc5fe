package jet

import (
	"context"
	"fmt"

	"skein.dev/skein/webtransport/wire"
)

// PutSchedule stores the record of a schedule, which is on the disk when PutSchedule returns.
func (s *Store) PutSchedule(ctx context.Context, r *wire.Schedule) error {
	return putJSON(ctx, s.schedules, string(r.ID), r)
}

// DeleteSchedule removes the record of a schedule.
func (s *Store) DeleteSchedule(ctx context.Context, id wire.ScheduleID) error {
	if err := s.schedules.Purge(ctx, string(id)); err != nil {
		return fmt.Errorf("delete schedule %s: %w", id, err)
	}
	return nil
}

// Schedules returns the records of all schedules.
func (s *Store) Schedules(ctx context.Context) ([]wire.Schedule, error) {
	return allOf[wire.Schedule](ctx, s.schedules, "schedules")
}
