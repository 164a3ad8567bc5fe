package jet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"skein.dev/skein/webtransport/wire"
)

// Memory is one stream. Each message is an entry as it was after a change, where a deletion is a change too, and the
// sequence of the message is the revision of the entry. The subject is mem.<namespace>.<key>, each name encoded as one
// token. Deleted entries are purged after a while. A message on mem.purged precedes each purge and tells every node what
// is purged and up to which revision.
const (
	// repeatWindow is how long the stream itself refuses a second message with the same idempotency key. It need only
	// cover the time until every node has read the first one, because the nodes remember the keys for longer.
	repeatWindow = 2 * time.Minute

	// readAhead bounds the messages, of at most 1 MiB each, that are fetched before a follower has read those before
	// them. A greater bound is not faster. With a bound in bytes, the queue of the NATS client overflows and the follower
	// starts again.
	readAhead = 64
)

// openMemory creates the stream of memory. It has a single replica, so that a read never comes from a copy that lags
// behind.
func (s *Store) openMemory(ctx context.Context) (err error) {
	s.memory, err = s.records.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: memoryStream, Subjects: []string{memorySubject + ">"}, Storage: jetstream.FileStorage,
		MaxMsgsPerSubject: wire.MemoryHistory, Duplicates: repeatWindow, AllowDirect: true,
	})
	if err != nil {
		return fmt.Errorf("open memory: %w", err)
	}
	return nil
}

// MemoryEpoch identifies the stream that revisions belong to.
func (s *Store) MemoryEpoch() string {
	return fmt.Sprintf("m%x", s.memory.CachedInfo().Created.UnixNano())
}

// MemoryBytes returns how many bytes the stream takes of the disk.
func (s *Store) MemoryBytes(ctx context.Context) (int64, error) {
	info, err := s.memory.Info(ctx)
	if err != nil {
		return 0, fmt.Errorf("read the size of memory: %w", err)
	}
	return int64(info.State.Bytes), nil
}

func memoryKey(namespace, key string) string {
	return memorySubject + encodeToken(namespace) + "." + encodeToken(key)
}

// PutMemory appends an entry if expect is the newest revision of its key, counting deletions, or 0 if the key has none.
// It ignores e.Revision. The entry is on the disk when PutMemory returns.
//
// If idempotencyKey is not empty and a message with it was stored recently, PutMemory stores nothing and returns the
// revision of that message. If the revision is another one, the error has CodeConflict, and the returned revision is the
// newest one if the store reports it, otherwise 0.
func (s *Store) PutMemory(ctx context.Context, e *wire.MemoryEntry, expect uint64, idempotencyKey string) (revision uint64, err error) {
	if !e.Deleted { // deletions are always allowed: they make room
		if err := s.Room(); err != nil {
			return 0, err
		}
	}
	b, err := wire.Encode(e)
	if err != nil {
		return 0, fmt.Errorf("encode an entry of memory: %w", err)
	}
	opts := []jetstream.PublishOpt{jetstream.WithExpectLastSequencePerSubject(expect)}
	if idempotencyKey != "" {
		opts = append(opts, jetstream.WithMsgID(idempotencyKey))
	}
	ack, err := s.records.js.PublishMsg(ctx, &nats.Msg{Subject: memoryKey(e.Namespace, e.Key), Data: b}, opts...)
	if last, moved := wrongSequence(err); moved {
		return last, wire.Errorf(wire.CodeConflict, "the entry has changed")
	}
	if err != nil {
		return 0, fmt.Errorf("store an entry of memory: %w", err)
	}
	return ack.Sequence, nil
}

// MemoryAt returns the entry with a revision. The error has CodeNotFound if the entry has left the history.
func (s *Store) MemoryAt(ctx context.Context, revision uint64) (*wire.MemoryEntry, error) {
	m, err := s.memory.GetMsg(ctx, revision)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, wire.Errorf(wire.CodeNotFound, "revision %d is gone", revision)
	}
	if err != nil {
		return nil, fmt.Errorf("read revision %d of memory: %w", revision, err)
	}
	return decodeEntry(m.Subject, m.Sequence, m.Data)
}

// MemorySince returns entries of a namespace with a revision greater than after, oldest first. With an empty key, it
// returns those of all keys. It returns at most limit entries and may return fewer than there are, but none only if there
// are none.
func (s *Store) MemorySince(ctx context.Context, namespace, key string, after uint64, limit int) ([]*wire.MemoryEntry, error) {
	subject := memorySubject + encodeToken(namespace) + ".*"
	if key != "" {
		subject = memoryKey(namespace, key)
	}
	for {
		msgs, err := batch(ctx, s.records.js, memoryStream, subject, after, limit, batchBytes)
		if err != nil {
			return nil, fmt.Errorf("read memory %s: %w", namespace, err)
		}
		var all []*wire.MemoryEntry
		for _, m := range msgs {
			after = m.Sequence
			if e := s.entry(m.Subject, m.Sequence, m.Data); e != nil {
				all = append(all, e)
			}
		}
		if len(all) > 0 || len(msgs) == 0 {
			return all, nil
		}
	}
}

// entry decodes an entry. It returns nil if the message is no entry: on an external server, others may write to the
// stream too.
func (s *Store) entry(subject string, seq uint64, data []byte) *wire.MemoryEntry {
	e, err := decodeEntry(subject, seq, data)
	if err != nil {
		s.log.Error("a message in memory's stream is not an entry; it is skipped", "sequence", seq, "subject", subject, "err", err)
		return nil
	}
	return e
}

// decodeEntry decodes an entry. Namespace and key come from the subject.
func decodeEntry(subject string, seq uint64, data []byte) (*wire.MemoryEntry, error) {
	namespace, key, err := splitSubject(subject)
	if err != nil {
		return nil, err
	}
	e := &wire.MemoryEntry{}
	if err := json.Unmarshal(data, e); err != nil {
		return nil, fmt.Errorf("read revision %d of memory: %w", seq, err)
	}
	e.Namespace, e.Key, e.Revision = namespace, key, seq
	return e, nil
}

func splitSubject(subject string) (namespace, key string, err error) {
	ns, k, ok := strings.Cut(strings.TrimPrefix(subject, memorySubject), ".")
	if !ok {
		return "", "", fmt.Errorf("the subject %q is not an entry of memory", subject)
	}
	if namespace, err = decodeToken(ns); err == nil {
		key, err = decodeToken(k)
	}
	return namespace, key, err
}

// purge is the message on purgedSubject.
type purge struct {
	Horizon uint64                 `json:"horizon"` // deletions up to this revision are no longer needed
	Before  uint64                 `json:"before"`  // the sequence of the previous purge
	Keys    []wire.MemoryKeyParams `json:"keys"`    // with the revision of the deletion in IfRevision
}

// AnnouncePurge tells every node that deleted entries will be purged. before is the revision of the previous
// announcement, or 0 if this is the first. The error has CodeConflict if another node has announced a purge since.
func (s *Store) AnnouncePurge(ctx context.Context, horizon, before uint64, keys []wire.MemoryKeyParams) (revision uint64, err error) {
	b, err := wire.Encode(purge{horizon, before, keys})
	if err != nil {
		return 0, fmt.Errorf("announce a purge of memory: %w", err)
	}
	ack, err := s.records.js.PublishMsg(ctx, &nats.Msg{Subject: purgedSubject, Data: b}, jetstream.WithExpectLastSequencePerSubject(before))
	if _, moved := wrongSequence(err); moved {
		return 0, wire.Errorf(wire.CodeConflict, "another node purges")
	}
	if err != nil {
		return 0, fmt.Errorf("announce a purge of memory: %w", err)
	}
	return ack.Sequence, nil
}

// PurgeMemory removes the messages of a key up to a revision.
func (s *Store) PurgeMemory(ctx context.Context, namespace, key string, upTo uint64) error {
	err := s.memory.Purge(ctx, jetstream.WithPurgeSubject(memoryKey(namespace, key)), jetstream.WithPurgeSequence(upTo+1))
	if err != nil {
		return fmt.Errorf("purge %s of memory %s: %w", key, namespace, err)
	}
	return nil
}

// FollowMemory reads memory until ctx ends: first the newest entry of every key, then every change, in the order of
// revisions. It calls all functions from this goroutine. Between the two parts it calls ready, once. purged is called
// with the arguments of each AnnouncePurge; if it returns an error, FollowMemory returns it.
func (s *Store) FollowMemory(ctx context.Context, changed func(e *wire.MemoryEntry, idempotencyKey string),
	purged func(revision, horizon, before uint64, keys []wire.MemoryKeyParams) error, ready func()) error {
	msgs, pending, err := s.readMemory(ctx, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy})
	if err != nil {
		return err
	}
	defer msgs.Stop()
	stop := context.AfterFunc(ctx, msgs.Stop) // Next does not notice the end of ctx while the store is unreachable
	defer stop()
	loading := pending > 0
	if !loading {
		ready()
	}
	for {
		m, err := msgs.Next(jetstream.NextContext(ctx))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("follow memory: %w", err)
		}
		meta, err := m.Metadata()
		if err != nil {
			return fmt.Errorf("follow memory: %w", err)
		}
		if err := s.deliver(m, meta.Sequence.Stream, changed, purged); err != nil {
			return err
		}
		if loading && meta.NumPending == 0 {
			loading = false
			ready()
		}
	}
}

func (s *Store) deliver(m jetstream.Msg, seq uint64, changed func(*wire.MemoryEntry, string),
	purged func(revision, horizon, before uint64, keys []wire.MemoryKeyParams) error) error {
	if m.Subject() == purgedSubject {
		var p purge
		if err := json.Unmarshal(m.Data(), &p); err != nil {
			return fmt.Errorf("read purge %d of memory: %w", seq, err)
		}
		return purged(seq, p.Horizon, p.Before, p.Keys)
	}
	if e := s.entry(m.Subject(), seq, m.Data()); e != nil {
		changed(e, m.Headers().Get(jetstream.MsgIDHeader))
	}
	return nil
}

// readMemory reads the stream in order. pending is how many messages there are at the start.
func (s *Store) readMemory(ctx context.Context, c jetstream.OrderedConsumerConfig) (msgs jetstream.MessagesContext, pending uint64, err error) {
	cons, err := s.records.js.OrderedConsumer(ctx, memoryStream, c)
	if err == nil {
		msgs, err = cons.Messages(jetstream.PullMaxMessages(readAhead))
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read memory: %w", err)
	}
	return msgs, cons.CachedInfo().NumPending, nil
}
