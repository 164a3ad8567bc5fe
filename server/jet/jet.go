// Package jet keeps Skein's records and events in NATS JetStream: embedded in the process by default, an external
// server or cluster by its URL. It is the only importer of NATS.
//
// What stands where:
//
//	KV bucket "agents"   one record an agent, History 1; every write is synced to the disk before it is answered
//	KV bucket "tasks"    one record a task, written by compare-and-set
//	KV bucket "logins"   SHA-256 of a login cookie → when it ends
//	KV bucket "meta"     the epoch, and whether admission is closed
//	KV bucket "artifacts", object store "artifacts"   records and bytes of artifacts, synced like the agents' records
//	stream    "MEMORY"   subject mem.<namespace>.<key>: every change of an entry that agents and people share; the
//	                     stream's sequence is the entry's revision. Synced like the agents' records
//	stream    "MARKS"    marks of requests that memory's history has dropped, for AnswerAge
//	stream    "LOG"      subjects log.<agent>.e and log.<agent>.o: what happened and what was printed, in order; the
//	                     stream's sequence is the event's seq. When it is full, shares.go says what is dropped. Handed
//	                     to the kernel before it is answered, and synced now and then: kill -9
//	                     costs nothing, a crash of the machine may cost the last minutes
//
//	stream    "ANSWERS"  subject ans.<request>: what requests were answered with, for AnswerAge; beside the events
//
// Whether writes are synced is a setting of a NATS server, so the embedded store is two of them: one for the records,
// one for the events.
//
// Because a crash of the machine may take back events that a client has seen, the epoch changes with it: a cursor of
// another epoch is never trusted.
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
	MaxEventBytes int64         // the event log makes room beyond this, see shares.go; 0: 4 GiB; else at least MinEventBytes
	Attempt       time.Duration // how long one try of a write waits for the store's answer, before it looks what is there; 0: 2 s
	Owner         *Owner        // of an external store, which is refused to a second one; nil: it is shared
	OwnerLease    time.Duration // 0: OwnerLease
	Logger        *slog.Logger
	boot          string // names the machine's start, for tests; empty: the kernel tells
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
	if err = s.openMarks(ctx); err != nil {
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

// Close settles every event that was appended and stops the store. No Append may follow.
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
			s.log.Error("the store closes without its mark; clients will reload", "err", err)
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

// Healthy reports whether the store answers before ctx ends: where the records are, and where the events are.
func (s *Store) Healthy(ctx context.Context) error {
	if err := s.room.check(); err != nil {
		return err
	}
	if _, err := s.meta.Get(ctx, epochKey); err != nil {
		return fmt.Errorf("read the records: %w", err)
	}
	if _, err := s.stream.Info(ctx); err != nil {
		return fmt.Errorf("look at the event log: %w", err)
	}
	return nil
}

func (s *Store) giveBack(ctx context.Context) {
	if s.claim != nil {
		s.claim.release(ctx)
	}
}

// nodes are the NATS servers of an embedded store.
func (s *Store) nodes() []*node { return []*node{s.records, s.events} }
