package jet

import (
	"log/slog"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"skein.dev/skein/webtransport/wire"
)

// Store holds the records and the event log. A process opens it once; Close waits for writes that are under way.
type Store struct {
	// static after Open
	log       *slog.Logger
	records   *node
	events    *node // the same node as records if the server is external
	stream    jetstream.Stream
	agents    jetstream.KeyValue
	tasks     jetstream.KeyValue
	asks      jetstream.KeyValue
	schedules jetstream.KeyValue
	usage     jetstream.KeyValue
	answers   jetstream.Stream
	logins    jetstream.KeyValue
	meta      jetstream.KeyValue
	epoch     epoch
	memory    jetstream.Stream
	noted     jetstream.Stream
	tickets   jetstream.KeyValue
	boot      string // identifies the boot of the machine
	writer    *writer

	artifacts jetstream.KeyValue
	objects   jetstream.Stream

	room   room
	keeper *keeper // nil if the store is external
	claim  *claim  // nil if the store needs no claim
	shares *shares
	moved  bool // the log of an earlier version was migrated

	appends chan appended
	acks    chan appended
	done    sync.WaitGroup
	quit    chan struct{} // closed when every event is stored
	making  sync.WaitGroup
	closing sync.Once
}

// appended is an event on its way to the stream.
type appended struct {
	event  *wire.Event
	msg    *nats.Msg
	future jetstream.PubAckFuture
	done   func(seq uint64)
}

// Epoch identifies the incarnation of the event log that cursors belong to.
func (s *Store) Epoch() string { return s.epoch.String() }

// Room returns an error with CodeUnavailable if the disk has no room for anything new. What continues something that
// exists, such as the end of a task, is stored without this check: the reserve is for it.
func (s *Store) Room() error { return s.room.check() }

// Drain lets agents print into the reserve. The server calls it when it stops, since agents that wait for space could not
// end.
func (s *Store) Drain() { s.room.drainOnce.Do(func() { close(s.room.drain) }) }

// Lost returns a channel that receives an error when another node owns the store, because the claim expired without being
// renewed. It is nil if there is no claim.
func (s *Store) Lost() <-chan error {
	if s.claim == nil {
		return nil
	}
	return s.claim.lost
}
