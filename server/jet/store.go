package jet

import (
	"log/slog"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"skein.dev/skein/webtransport/wire"
)

// Store is the records and the event log. Open it once a process; Close waits for what is under way.
type Store struct {
	// static after Open
	log     *slog.Logger
	records *node
	events  *node // the same one with an external server
	stream  jetstream.Stream
	agents  jetstream.KeyValue
	tasks   jetstream.KeyValue
	answers jetstream.Stream
	logins  jetstream.KeyValue
	meta    jetstream.KeyValue
	epoch   epoch
	memory  jetstream.Stream
	noted   jetstream.Stream
	tickets jetstream.KeyValue
	boot    string // names the machine's start
	writer  *writer

	artifacts jetstream.KeyValue
	objects   jetstream.Stream

	room   room
	keeper *keeper // nil: an external store
	claim  *claim  // nil: the store is this process's alone
	shares *shares
	moved  bool // an earlier version's log was taken over

	appends chan appended
	acks    chan appended
	done    sync.WaitGroup
	quit    chan struct{} // closed when everything is settled
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

// Epoch names the incarnation of the event log that cursors belong to.
func (s *Store) Epoch() string { return s.epoch.String() }

// Room says whether there is room for something new. Its error is CodeUnavailable. What goes on, such as the end of a
// task, is stored without asking: the reserve is for it.
func (s *Store) Room() error { return s.room.check() }

// Drain lets agents print into the reserve: the server stops, and they must end.
func (s *Store) Drain() { s.room.drainOnce.Do(func() { close(s.room.drain) }) }

// Lost tells when another node has the store: the claim had ended, and was not renewed. nil: there is no claim to lose.
func (s *Store) Lost() <-chan error {
	if s.claim == nil {
		return nil
	}
	return s.claim.lost
}
