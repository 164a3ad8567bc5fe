package jet

import (
	"context"
	"fmt"

	"skein.dev/skein/webtransport/wire"
)

// PutAsk stores the record of a question, which is on the disk when PutAsk returns.
func (s *Store) PutAsk(ctx context.Context, a *wire.Ask) error {
	return putJSON(ctx, s.asks, string(a.ID), a)
}

// DeleteAsk removes the record of a question.
func (s *Store) DeleteAsk(ctx context.Context, id wire.AskID) error {
	if err := s.asks.Purge(ctx, string(id)); err != nil {
		return fmt.Errorf("delete question %s: %w", id, err)
	}
	return nil
}

// Asks returns the records of all questions.
func (s *Store) Asks(ctx context.Context) ([]wire.Ask, error) {
	return allOf[wire.Ask](ctx, s.asks, "questions")
}
