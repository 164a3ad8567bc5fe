package jet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"skein.dev/skein/webtransport/wire"
)

// The message of a change of memory carries the idempotency key of its request, so that neither is ever stored without
// the other. But a key of memory keeps only wire.MemoryHistory messages, while a request may be repeated for AnswerAge.
// So before a message younger than that is dropped, its idempotency key is noted in a stream of its own, with the reply
// to the request.
const maxNoteBytes = 256 << 20

// notedRequest is a request to memory and its outcome: the entry without its value.
type notedRequest struct {
	IdempotencyKey string            `json:"mark"`
	Entry          *wire.MemoryEntry `json:"entry"`
}

func (s *Store) openIdempotencyKeys(ctx context.Context) (err error) {
	s.noted, err = s.records.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: markStream, Subjects: []string{markSubject}, Storage: jetstream.FileStorage,
		Discard: jetstream.DiscardOld, MaxBytes: maxNoteBytes, MaxAge: AnswerAge, AllowDirect: true,
	})
	if err != nil {
		return fmt.Errorf("open the idempotency keys of requests: %w", err)
	}
	return nil
}

// NoteIdempotencyKeys notes the idempotency keys of the changes of a memory key since a time. It calls noted for each with the
// sequence of the note. The notes are on the disk when NoteIdempotencyKeys returns.
func (s *Store) NoteIdempotencyKeys(ctx context.Context, namespace, key string, since time.Time, noted func(idempotencyKey string, revision, note uint64)) error {
	all, err := s.idempotencyKeysOf(ctx, memoryKey(namespace, key), since)
	if err != nil || len(all) == 0 {
		return err
	}
	b, err := wire.Encode(all)
	if err != nil {
		return fmt.Errorf("note the idempotency keys of memory: %w", err)
	}
	ack, err := s.records.js.PublishMsg(ctx, &nats.Msg{Subject: markSubject, Data: b})
	if err != nil {
		return fmt.Errorf("note the idempotency keys of memory: %w", err)
	}
	for _, m := range all {
		noted(m.IdempotencyKey, m.Entry.Revision, ack.Sequence)
	}
	return nil
}

// idempotencyKeysOf returns the idempotency keys of the messages of a subject of memory.
func (s *Store) idempotencyKeysOf(ctx context.Context, subject string, since time.Time) (all []notedRequest, err error) {
	for after := uint64(0); ; {
		msgs, err := batch(ctx, s.records.js, memoryStream, subject, after, wire.MemoryHistory, batchBytes)
		if err != nil {
			return nil, fmt.Errorf("read the idempotency keys of memory: %w", err)
		}
		if len(msgs) == 0 {
			return all, nil
		}
		for _, m := range msgs {
			after = m.Sequence
			idempotencyKey := m.Header.Get(jetstream.MsgIDHeader)
			if idempotencyKey == "" || m.Time.Before(since) {
				continue
			}
			if e := s.entry(m.Subject, m.Sequence, m.Data); e != nil {
				e.Value = wire.Payload{}
				all = append(all, notedRequest{idempotencyKey, e})
			}
		}
	}
}

// NotedOutcome returns the outcome of a request from the note that NoteIdempotencyKeys reported.
func (s *Store) NotedOutcome(ctx context.Context, idempotencyKey string, note uint64) (*wire.MemoryEntry, error) {
	m, err := s.noted.GetMsg(ctx, note)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, wire.Errorf(wire.CodeNotFound, "note %d is gone", note)
	}
	if err != nil {
		return nil, fmt.Errorf("read note %d of idempotency keys: %w", note, err)
	}
	all, err := decodeNote(m.Data)
	if err != nil {
		return nil, fmt.Errorf("read note %d of idempotency keys: %w", note, err)
	}
	for _, m := range all {
		if m.IdempotencyKey == idempotencyKey {
			return m.Entry, nil
		}
	}
	return nil, wire.Errorf(wire.CodeNotFound, "note %d has the idempotency key of another request", note)
}

func decodeNote(b []byte) (all []notedRequest, err error) {
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, err
	}
	for _, m := range all {
		if m.Entry == nil {
			return nil, fmt.Errorf("idempotency key %q has no entry", m.IdempotencyKey)
		}
	}
	return all, nil
}

// notedKeys calls each for every noted idempotency key, oldest first.
func (s *Store) notedKeys(ctx context.Context, each func(idempotencyKey string, revision, note uint64)) error {
	err := eachOf(ctx, s.noted, func(seq uint64, data []byte) error {
		all, err := decodeNote(data)
		if err != nil { // on an external server, others may write to the stream too
			s.log.Error("a note of idempotency keys can't be read; it is skipped", "sequence", seq, "err", err)
			return nil
		}
		for _, m := range all {
			each(m.IdempotencyKey, m.Entry.Revision, seq)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the noted idempotency keys: %w", err)
	}
	return nil
}

// IdempotencyKeys calls each for every noted idempotency key, and then for those in the log since a time, at most limit of
// them. Each part is ordered oldest first.
func (s *Store) IdempotencyKeys(ctx context.Context, since time.Time, limit uint64, each func(idempotencyKey string, revision, note uint64)) error {
	if err := s.notedKeys(ctx, each); err != nil {
		return err
	}
	from := jetstream.OrderedConsumerConfig{HeadersOnly: true, DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &since}
	msgs, pending, err := s.readMemory(ctx, from)
	if err == nil && pending > limit {
		msgs.Stop()
		var info *jetstream.StreamInfo
		if info, err = s.memory.Info(ctx); err == nil {
			from.DeliverPolicy, from.OptStartTime, from.OptStartSeq = jetstream.DeliverByStartSequencePolicy, nil, info.State.LastSeq-limit+1
			msgs, pending, err = s.readMemory(ctx, from)
		}
	}
	if err != nil {
		return fmt.Errorf("read the idempotency keys of memory: %w", err)
	}
	defer msgs.Stop()
	for pending > 0 {
		m, err := msgs.Next(jetstream.NextContext(ctx))
		if err != nil {
			return fmt.Errorf("read the idempotency keys of memory: %w", err)
		}
		meta, err := m.Metadata()
		if err != nil {
			return fmt.Errorf("read the idempotency keys of memory: %w", err)
		}
		if id := m.Headers().Get(jetstream.MsgIDHeader); id != "" {
			each(id, meta.Sequence.Stream, 0)
		}
		pending = meta.NumPending
	}
	return nil
}
