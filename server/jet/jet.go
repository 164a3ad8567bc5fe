// Package jet keeps Skein's records and events in NATS JetStream: embedded in the process by default, an external
// server or cluster by its URL. It is the only importer of NATS.
//
// What is kept where:
//
//	KV bucket "agents"   one record per agent, History 1; every write is synced to the disk before it is acknowledged
//	KV bucket "tasks"    one record per task, written by compare-and-set
//	KV bucket "asks"     one record per question of an agent
//	KV bucket "schedules"   one record per schedule
//	KV bucket "usage"    one record per day and type: what its agents have spent
//	KV bucket "logins"   SHA-256 of a login cookie → when it ends
//	KV bucket "meta"     the epoch, and whether admission is closed
//	KV bucket "artifacts", object store "artifacts"   records and bytes of artifacts, synced like the agents' records
//	stream    "MEMORY"   subject mem.<namespace>.<key>: every change of an entry of the shared memory; the
//	                     stream's sequence is the entry's revision. Synced like the agents' records
//	stream    "MARKS"    idempotency keys of requests whose changes have left memory's history, kept for AnswerAge
//	stream    "LOG"      subjects log.<agent>.e and log.<agent>.o: lifecycle events and output, in order; the
//	                     stream's sequence is the event's seq. shares.go says what is dropped when it is full. A write
//	                     is with the kernel before it is acknowledged, and is synced later: kill -9
//	                     loses nothing, a crash of the machine may lose the last minutes
//
//	stream    "ANSWERS"  subject ans.<request>: the replies to requests, kept for AnswerAge; synced as the events are
//
// Whether writes are synced is a setting of a NATS server as a whole. So the embedded store runs two servers: one for the
// records and one for the events.
//
// A crash of the machine may take back events that a client has already seen. The epoch changes with such a crash, and a
// cursor of another epoch is never trusted.
//
// # Locks
//
// No lock is taken while another is held.
//
//	writer.mu   which records have a write whose outcome is unknown
//	shares.mu   what each agent has in the event log; Drops calls its function with it held
package jet

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"
)

// Config says where the store lives.
type Config struct {
	Dir           string        // of the embedded server
	URL           string        // of an external server; empty: embedded
	MaxEventBytes int64         // bound of the event log, see shares.go; 0: 4 GiB; otherwise at least MinEventBytes
	Attempt       time.Duration // how long one attempt of a write waits for the store, before the record is read back; 0: 2 s
	Owner         *Owner        // claims an external store, so that a second node is refused; nil: no claim
	OwnerLease    time.Duration // 0: OwnerLease
	Logger        *slog.Logger
	boot          string // identifies the boot of the machine, for tests; empty: the kernel's boot id
}

// Open starts the store and waits until it answers.
func Open(ctx context.Context, c Config) (*Store, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.MaxEventBytes == 0 {
		c.MaxEventBytes = 4 << 30
	}
	if c.MaxEventBytes < MinEventBytes {
		return nil, fmt.Errorf("the event log's bound is %d bytes: at least %d (1 MiB) are needed", c.MaxEventBytes, MinEventBytes)
	}
	s := &Store{log: c.Logger, writer: newWriter(c.Logger, c.Attempt), appends: make(chan appended, maxPending), acks: make(chan appended, maxPending),
		shares: newShares(c.MaxEventBytes), quit: make(chan struct{})}
	dir := c.Dir
	if c.URL != "" {
		dir = ""
	}
	s.room.open(dir)
	if err := s.connect(c); err != nil {
		s.shutdown()
		return nil, err
	}
	if c.boot == "" {
		c.boot = bootID()
	}
	if c.URL == "" {
		if err := check(ctx, s.nodes(), filepath.Join(c.Dir, "store"), c.boot); err != nil {
			s.shutdown()
			return nil, err
		}
	}
	if c.URL != "" && c.Owner != nil {
		claiming, cancel := context.WithTimeout(ctx, startTimeout)
		defer cancel()
		var err error
		if s.claim, err = own(claiming, s.records, s.log, *c.Owner, c.OwnerLease); err != nil {
			s.shutdown()
			return nil, err
		}
	}
	err := s.takeOver(ctx)
	if err == nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, startTimeout)
		defer cancel()
		err = s.prepare(ctx, c)
	}
	if err != nil {
		s.giveBack(ctx)
		s.shutdown()
		return nil, err
	}
	if c.URL == "" {
		s.keeper = keep(s.nodes(), s.log, filepath.Join(c.Dir, "store"), c.boot)
	}
	s.done.Go(s.publish)
	s.done.Go(s.settle)
	s.making.Go(s.makeRoom)
	return s, nil
}

func (s *Store) connect(c Config) (err error) {
	if c.URL != "" {
		s.records, err = dial(c.URL, nil)
		s.events = s.records
		return err
	}
	if s.records, err = embed(filepath.Join(c.Dir, "store", "records"), true); err != nil {
		return err
	}
	s.events, err = embed(filepath.Join(c.Dir, "store", "events"), false)
	return err
}

func (s *Store) prepare(ctx context.Context, c Config) (err error) {
	if s.agents, err = s.records.bucket(ctx, "agents"); err != nil {
		return err
	}
	if s.tasks, err = s.records.bucket(ctx, "tasks"); err != nil {
		return err
	}
	if s.asks, err = s.records.bucket(ctx, "asks"); err != nil {
		return err
	}
	if s.schedules, err = s.records.bucket(ctx, "schedules"); err != nil {
		return err
	}
	if s.usage, err = s.records.bucket(ctx, "usage"); err != nil {
		return err
	}
	if s.logins, err = s.records.bucket(ctx, "logins"); err != nil {
		return err
	}
	if s.meta, err = s.records.bucket(ctx, "meta"); err != nil {
		return err
	}
	if err = s.openArtifacts(ctx); err != nil {
		return err
	}
	if err = s.openMemory(ctx); err != nil {
		return err
	}
	if err = s.openIdempotencyKeys(ctx); err != nil {
		return err
	}
	if err := s.openLog(ctx); err != nil {
		return err
	}
	if err := s.openAnswers(ctx); err != nil {
		return err
	}
	if err := s.openTickets(ctx, c.boot); err != nil {
		return err
	}
	if s.epoch, err = openEpoch(ctx, s.meta, c.boot, s.records.srv != nil, s.moved); err != nil {
		return err
	}
	return s.leaveOld(ctx)
}

// Close waits until every appended event is stored, and stops the store. Append must not be called after it.
func (s *Store) Close() error {
	s.closing.Do(func() {
		close(s.appends)
		giveUp := time.AfterFunc(opTimeout, s.events.nc.Close)
		s.done.Wait()
		giveUp.Stop()
		close(s.quit)
		s.making.Wait()
		select {
		case <-s.events.js.PublishAsyncComplete(): // answers
		case <-time.After(opTimeout):
		}
		ctx, cancel := context.WithTimeout(context.Background(), opTimeout)
		defer cancel()
		s.epoch.Clean = true
		if err := putJSON(ctx, s.meta, epochKey, s.epoch); err != nil {
			s.log.Error("the store could not note that it closed cleanly; clients will reload", "err", err)
		}
		if s.keeper != nil {
			s.keeper.stop()
		}
		s.giveBack(ctx)
		s.shutdown()
	})
	return nil
}

func (s *Store) shutdown() {
	s.room.close()
	if s.events != s.records {
		s.events.close()
	}
	s.records.close()
}

// Healthy reports whether both the records and the event log answer before ctx ends.
func (s *Store) Healthy(ctx context.Context) error {
	if err := s.room.check(); err != nil {
		return err
	}
	if _, err := s.meta.Get(ctx, epochKey); err != nil {
		return fmt.Errorf("read the records: %w", err)
	}
	if _, err := s.stream.Info(ctx); err != nil {
		return fmt.Errorf("read the state of the event log: %w", err)
	}
	return nil
}

func (s *Store) giveBack(ctx context.Context) {
	if s.claim != nil {
		s.claim.release(ctx)
	}
}

// nodes returns the NATS servers of an embedded store.
func (s *Store) nodes() []*node { return []*node{s.records, s.events} }
