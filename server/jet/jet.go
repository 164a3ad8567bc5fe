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
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"skein.dev/skein/webtransport/wire"
)

const (
	logStream  = "LOG"
	logSubject = "log."

	startTimeout = 20 * time.Second
	opTimeout    = 10 * time.Second

	// maxPending bounds the events on their way to the stream. When it is reached, Append waits, and through it the
	// agent that prints.
	maxPending = 2048
)

// node is a NATS server and the connection to it.
type node struct {
	srv *server.Server // nil: an external one
	nc  *nats.Conn
	js  jetstream.JetStream
}

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
	attempt time.Duration
	unsure  unsure

	artifacts jetstream.KeyValue
	objects   jetstream.Stream

	room   room
	keeper keeper
	claim  *claim // nil: the store is this process's alone
	shares *shares
	moved  bool // an earlier version's log was taken over

	appends chan appended
	acks    chan appended
	done    sync.WaitGroup
	quit    chan struct{} // closed when everything is settled
	making  sync.WaitGroup
	closing sync.Once
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
	s := &Store{log: c.Logger, attempt: cmp.Or(c.Attempt, defaultAttempt), appends: make(chan appended, maxPending), acks: make(chan appended, maxPending),
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
		if err := s.check(ctx, filepath.Join(c.Dir, "store"), c.boot); err != nil {
			s.shutdown()
			return nil, err
		}
	}
	if c.URL != "" && c.Owner != nil {
		claiming, cancel := context.WithTimeout(ctx, startTimeout)
		defer cancel()
		if err := s.own(claiming, *c.Owner, c.OwnerLease); err != nil {
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
		s.keep(filepath.Join(c.Dir, "store"), c.boot)
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

func dial(url string, srv *server.Server) (*node, error) {
	opts := []nats.Option{nats.Name("skein"), nats.MaxReconnects(-1)}
	if srv != nil {
		opts = append(opts, nats.InProcessServer(srv))
	}
	nc, err := nats.Connect(url, opts...)
	if err != nil {
		return &node{srv: srv}, fmt.Errorf("connect to the store: %w", err)
	}
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(2*maxPending))
	return &node{srv, nc, js}, err
}

// embed starts a server that nobody else reaches. sync: every write is on the disk before it is answered; otherwise it
// is with the kernel.
func embed(dir string, sync bool) (*node, error) {
	srv, err := server.NewServer(&server.Options{
		ServerName: "skein-" + filepath.Base(dir), DontListen: true, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: dir, SyncAlways: sync,
		JetStreamMaxStore: 1 << 44, JetStreamMaxMemory: 64 << 20, MaxPayload: 8 << 20,
	})
	if err != nil {
		return nil, fmt.Errorf("open the store in %s: %w", dir, err)
	}
	srv.Start()
	if !srv.ReadyForConnections(startTimeout) {
		return &node{srv: srv}, fmt.Errorf("open the store in %s: it did not start within %s", dir, startTimeout)
	}
	return dial("", srv)
}

func (n *node) close() {
	if n == nil {
		return
	}
	if n.nc != nil {
		n.nc.Close()
	}
	if n.srv != nil {
		n.srv.Shutdown()
		n.srv.WaitForShutdown()
	}
}

func (s *Store) prepare(ctx context.Context, c Config) (err error) {
	if s.agents, err = s.bucket(ctx, "agents"); err != nil {
		return err
	}
	if s.tasks, err = s.bucket(ctx, "tasks"); err != nil {
		return err
	}
	if s.logins, err = s.bucket(ctx, "logins"); err != nil {
		return err
	}
	if s.meta, err = s.bucket(ctx, "meta"); err != nil {
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
	if err := s.openEpoch(ctx, c.boot); err != nil {
		return err
	}
	return s.leaveOld(ctx)
}

func (s *Store) bucket(ctx context.Context, name string) (jetstream.KeyValue, error) {
	kv, err := s.records.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: name, History: 1, Storage: jetstream.FileStorage})
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", name, err)
	}
	return kv, nil
}

// epoch names one incarnation of the event log.
type epoch struct {
	ID    string `json:"id"`
	Count int    `json:"count"` // crashes so far that may have cost events
	Clean bool   `json:"clean"` // the last end was a clean one
	Boot  string `json:"boot"`  // the machine's start that the last run belongs to
}

func (e epoch) String() string { return fmt.Sprintf("%s.%d", e.ID, e.Count) }

func (s *Store) openEpoch(ctx context.Context, boot string) error {
	entry, err := s.meta.Get(ctx, "epoch")
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		s.epoch = epoch{ID: rand.Text()[:8]}
	case err != nil:
		return fmt.Errorf("read the epoch: %w", err)
	default:
		if err := json.Unmarshal(entry.Value(), &s.epoch); err != nil {
			return fmt.Errorf("read the epoch: %w", err)
		}
		// What the kernel had been given is there as long as the kernel is the same.
		if s.moved || s.records.srv != nil && !s.epoch.Clean && (boot == "" || boot != s.epoch.Boot) {
			s.epoch.Count++
		}
	}
	s.epoch.Clean, s.epoch.Boot = false, boot
	return s.putJSON(ctx, s.meta, "epoch", s.epoch)
}

// bootID names this start of the machine; "" when the kernel does not tell.
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func (s *Store) putJSON(ctx context.Context, kv jetstream.KeyValue, key string, v any) error {
	b, err := json.Marshal(v)
	if err == nil {
		_, err = kv.Put(ctx, key, b)
	}
	if err != nil {
		return fmt.Errorf("store %s %s: %w", kv.Bucket(), key, err)
	}
	return nil
}

// Epoch names the incarnation of the event log that cursors belong to.
func (s *Store) Epoch() string { return s.epoch.String() }

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
		if err := s.putJSON(ctx, s.meta, "epoch", s.epoch); err != nil {
			s.log.Error("the store closes without its mark; clients will reload", "err", err)
		}
		s.stopKeeping()
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
	if _, err := s.meta.Get(ctx, "epoch"); err != nil {
		return fmt.Errorf("read the records: %w", err)
	}
	if _, err := s.stream.Info(ctx); err != nil {
		return fmt.Errorf("look at the event log: %w", err)
	}
	return nil
}

// PutAgent stores an agent's record. It is on the disk when PutAgent returns.
func (s *Store) PutAgent(ctx context.Context, a *wire.Agent) error {
	return s.putJSON(ctx, s.agents, string(a.ID), a)
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

// Agents reads every agent's record.
func (s *Store) Agents(ctx context.Context) ([]wire.Agent, error) {
	w, err := s.agents.WatchAll(ctx, jetstream.IgnoreDeletes())
	if err != nil {
		return nil, fmt.Errorf("read the agents: %w", err)
	}
	defer w.Stop()
	var all []wire.Agent
	for {
		select {
		case e := <-w.Updates():
			if e == nil { // the marker: every record was sent
				return all, nil
			}
			var a wire.Agent
			if err := json.Unmarshal(e.Value(), &a); err != nil {
				return nil, fmt.Errorf("read agent %s: %w", e.Key(), err)
			}
			all = append(all, a)
		case <-ctx.Done():
			return nil, fmt.Errorf("read the agents: %w", ctx.Err())
		}
	}
}

// appended is an event on its way to the stream.
type appended struct {
	event  *wire.Event
	msg    *nats.Msg
	future jetstream.PubAckFuture
	done   func(seq uint64)
}

// Append adds an event to the log; done is told its seq, in the order of the calls, from one goroutine, once it is
// there. The event's own Seq is not read; its Before is set. The calls for one agent come one after another. Append waits
// while too many events are on their way or room is made for more, and, with output, while the disk is full: the agent
// that prints waits with it.
func (s *Store) Append(e *wire.Event, done func(seq uint64)) {
	if e.Type.IsOutput() {
		s.room.wait()
	}
	b, err := json.Marshal(e)
	if err != nil { // cannot be: an event is plain data
		panic(fmt.Sprintf("jet: encode event: %v", err))
	}
	c := classOf(e.Type)
	subject := subjectOf(e.Subject, c)
	before := s.shares.add(e.Subject, c, e.Data.Len(), func(before totals) int {
		b = before.appendTo(b)
		return msgSize(subject, b)
	}, s.room.drain)
	e.Before = before.Amount
	s.appends <- appended{event: e, msg: &nats.Msg{Subject: subject, Data: b}, done: done}
}

// publish owns the way in: one publisher keeps the order.
func (s *Store) publish() {
	defer close(s.acks)
	for a := range s.appends {
		var err error
		for wait := time.Millisecond; ; wait = min(2*wait, time.Second) {
			if a.future, err = s.events.js.PublishMsgAsync(a.msg); err == nil {
				break
			}
			if s.events.nc.IsClosed() {
				break
			}
			s.log.Warn("the event log does not take events; agents wait", "err", err)
			time.Sleep(wait)
		}
		s.acks <- a
	}
}

// settle waits for each event's place in the log, in order.
func (s *Store) settle() {
	for a := range s.acks {
		if a.future == nil { // the store was closed under it
			continue
		}
		var seq uint64
		select {
		case ack := <-a.future.Ok():
			seq = ack.Sequence
		case err := <-a.future.Err():
			seq = s.retry(a.msg, err)
		}
		if seq != 0 {
			s.shares.placed(a.event.Subject, classOf(a.event.Type), seq)
			a.done(seq)
		}
	}
}

// retry stores an event that was refused, such as by a full disk, for as long as it takes: its agent waits meanwhile,
// and nothing is lost. 0: the store was closed, which waits for opTimeout at most.
func (s *Store) retry(m *nats.Msg, err error) uint64 {
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		s.log.Error("the event log refused an event; trying again", "err", err, "wait", wait)
		time.Sleep(wait)
		ctx, cancel := context.WithTimeout(context.Background(), opTimeout)
		var ack *jetstream.PubAck
		ack, err = s.events.js.PublishMsg(ctx, &nats.Msg{Subject: m.Subject, Data: m.Data})
		cancel()
		if err == nil {
			return ack.Sequence
		}
		if s.events.nc.IsClosed() {
			return 0
		}
	}
}

// Login is a browser that signed in.
type Login struct {
	Expires time.Time `json:"expires"`
	Created time.Time `json:"created"`
	Agent   string    `json:"agent,omitempty"` // the browser's User-Agent
}

// PutLogin stores a login under the hash of its cookie.
func (s *Store) PutLogin(ctx context.Context, hash string, l Login) error {
	return s.putJSON(ctx, s.logins, hash, l)
}

// GetLogin finds a login; false: there is none.
func (s *Store) GetLogin(ctx context.Context, hash string) (Login, bool, error) {
	var l Login
	e, err := s.logins.Get(ctx, hash)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return l, false, nil
	}
	if err != nil {
		return l, false, fmt.Errorf("read a login: %w", err)
	}
	return l, true, json.Unmarshal(e.Value(), &l)
}

// DeleteLogin revokes a login.
func (s *Store) DeleteLogin(ctx context.Context, hash string) error {
	return s.logins.Purge(ctx, hash)
}
