package jet

import (
	"context"
	"fmt"

	"skein.dev/skein/webtransport/wire"
)

// PutUsage stores what was spent on a day by the agents of a type.
func (s *Store) PutUsage(ctx context.Context, u *wire.UsageDay) error {
	return putJSON(ctx, s.usage, u.Day+"."+u.Type, u)
}

// DeleteUsage removes it.
func (s *Store) DeleteUsage(ctx context.Context, u *wire.UsageDay) error {
	if err := s.usage.Purge(ctx, u.Day+"."+u.Type); err != nil {
		return fmt.Errorf("delete the usage of %s: %w", u.Day, err)
	}
	return nil
}

// Usage returns what was spent on all days.
func (s *Store) Usage(ctx context.Context) ([]wire.UsageDay, error) {
	return allOf[wire.UsageDay](ctx, s.usage, "usage")
}
