package jet

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"skein.dev/skein/webtransport/wire"
)

// PutAgent stores an agent's record. The record is on the disk when PutAgent returns.
func (s *Store) PutAgent(ctx context.Context, a *wire.Agent) error {
	return putJSON(ctx, s.agents, string(a.ID), a)
}

// DeleteAgent removes an agent's record and its events.
func (s *Store) DeleteAgent(ctx context.Context, id wire.AgentID) error {
	if err := s.agents.Purge(ctx, string(id)); err != nil {
		return fmt.Errorf("delete agent %s: %w", id, err)
	}
	if err := s.stream.Purge(ctx, jetstream.WithPurgeSubject(logSubject+string(id)+".*")); err != nil {
		return fmt.Errorf("delete the events of agent %s: %w", id, err)
	}
	s.shares.forget(id)
	return nil
}

// Agents returns the records of all agents.
func (s *Store) Agents(ctx context.Context) ([]wire.Agent, error) {
	return allOf[wire.Agent](ctx, s.agents, "agents")
}
