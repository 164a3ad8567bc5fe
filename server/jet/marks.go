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
// to the request. This package and its callers call such a key a mark for short.
const maxMarkBytes = 256 << 20

// marked is the outcome of a request to memory: the entry without its value.
type marked struct {
	Mark  string            `json:"mark"`
	Entry *wire.MemoryEntry `json:"entry"`
}

func (s *Store) openMarks(ctx context.Context) (err error) {
	s.noted, err = s.records.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: markStream, Subjects: []string{markSubject}, Storage: jetstream.FileStorage,
		Discard: jetstream.DiscardOld, MaxBytes: maxMarkBytes, MaxAge: AnswerAge, AllowDirect: true,
	})
	if err != nil {
		return fmt.Errorf("open the marks of requests: %w", err)
	}
	return nil
}

// NoteMarks notes the idempotency keys of the changes of a memory key since a time. It calls noted for each with the
// sequence of the note. The notes are on the disk when NoteMarks returns.
func (s *Store) NoteMarks(ctx context.Context, namespace, key string, since time.Time, noted func(mark string, revision, note uint64)) error {
	all, err := s.marksOf(ctx, memoryKey(namespace, key), since)
	if err != nil || len(all) == 0 {
		return err
	}
	b, err := wire.Encode(all)
	if err != nil {
		return fmt.Errorf("note the marks of memory: %w", err)
	}
	ack, err := s.records.js.PublishMsg(ctx, &nats.Msg{Subject: markSubject, Data: b})
	if err != nil {
		return fmt.Errorf("note the marks of memory: %w", err)
	}
	for _, m := range all {
		noted(m.Mark, m.Entry.Revision, ack.Sequence)
	}
	return nil
}

// marksOf returns the idempotency keys of the messages of a subject of memory.
func (s *Store) marksOf(ctx context.Context, subject string, since time.Time) (all []marked, err error) {
	for after := uint64(0); ; {
		msgs, err := batch(ctx, s.records.js, memoryStream, subject, after, wire.MemoryHistory, batchBytes)
		if err != nil {
			return nil, fmt.Errorf("read the marks of memory: %w", err)
		}
		if len(msgs) == 0 {
			return all, nil
		}
		for _, m := range msgs {
			after = m.Sequence
			mark := m.Header.Get(jetstream.MsgIDHeader)
			if mark == "" || m.Time.Before(since) {
				continue
			}
			if e := s.entry(m.Subject, m.Sequence, m.Data); e != nil {
				e.Value = wire.Payload{}
				all = append(all, marked{mark, e})
			}
		}
	}
}

// NotedMark returns the outcome of a request from the note that NoteMarks reported.
func (s *Store) NotedMark(ctx context.Context, mark string, note uint64) (*wire.MemoryEntry, error) {
	m, err := s.noted.GetMsg(ctx, note)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, wire.Errorf(wire.CodeNotFound, "note %d is gone", note)
	}
	if err != nil {
		return nil, fmt.Errorf("read note %d of marks: %w", note, err)
	}
	all, err := decodeMarks(m.Data)
	if err != nil {
		return nil, fmt.Errorf("read note %d of marks: %w", note, err)
	}
	for _, m := range all {
		if m.Mark == mark {
			return m.Entry, nil
		}
	}
	return nil, wire.Errorf(wire.CodeNotFound, "note %d has another request's mark", note)
}

func decodeMarks(b []byte) (all []marked, err error) {
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, err
	}
	for _, m := range all {
		if m.Entry == nil {
			return nil, fmt.Errorf("mark %q has no entry", m.Mark)
		}
	}
	return all, nil
}

// notedMarks calls mark for each noted idempotency key, oldest first.
func (s *Store) notedMarks(ctx context.Context, mark func(mark string, revision, note uint64)) error {
	info, err := s.noted.Info(ctx)
	if err != nil {
		return fmt.Errorf("read the marks that were noted: %w", err)
	}
	if info.State.Msgs == 0 {
		return nil
	}
	c, err := s.noted.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{})
	if err != nil {
		return fmt.Errorf("read the marks that were noted: %w", err)
	}
	msgs, err := c.Messages(jetstream.PullMaxMessages(readAhead))
	if err != nil {
		return fmt.Errorf("read the marks that were noted: %w", err)
	}
	defer msgs.Stop()
	for last := uint64(0); last < info.State.LastSeq; {
		m, err := msgs.Next(jetstream.NextContext(ctx))
		if err != nil {
			return fmt.Errorf("read the marks that were noted: %w", err)
		}
		meta, err := m.Metadata()
		if err != nil {
			return fmt.Errorf("read the marks that were noted: %w", err)
		}
		last = meta.Sequence.Stream
		all, err := decodeMarks(m.Data())
		if err != nil { // on an external server, others may write to the stream too
			s.log.Error("a note of marks can't be read; it is skipped", "sequence", last, "err", err)
			continue
		}
		for _, m := range all {
			mark(m.Mark, m.Entry.Revision, last)
		}
	}
	return nil
}

// MemoryMarks calls mark for each noted idempotency key, and then for those in the log since a time, at most limit of
// them. Each part is ordered oldest first.
func (s *Store) MemoryMarks(ctx context.Context, since time.Time, limit uint64, mark func(mark string, revision, note uint64)) error {
	if err := s.notedMarks(ctx, mark); err != nil {
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
		return fmt.Errorf("read the marks of memory: %w", err)
	}
	defer msgs.Stop()
	for pending > 0 {
		m, err := msgs.Next(jetstream.NextContext(ctx))
		if err != nil {
			return fmt.Errorf("read the marks of memory: %w", err)
		}
		meta, err := m.Metadata()
		if err != nil {
			return fmt.Errorf("read the marks of memory: %w", err)
		}
		if id := m.Headers().Get(jetstream.MsgIDHeader); id != "" {
			mark(id, meta.Sequence.Stream, 0)
		}
		pending = meta.NumPending
	}
	return nil
}
