package jet

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

const (
	// AnswerAge is how long a reply is kept.
	AnswerAge      = 15 * time.Minute
	maxAnswerBytes = 256 << 20
)

func (s *Store) openAnswers(ctx context.Context) (err error) {
	s.answers, err = s.events.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: answerStream, Subjects: []string{answerSubject + "*"}, Storage: jetstream.FileStorage,
		Discard: jetstream.DiscardOld, MaxBytes: maxAnswerBytes, MaxAge: AnswerAge, MaxMsgsPerSubject: 1, AllowDirect: true,
	})
	if err != nil {
		return fmt.Errorf("open the answers: %w", err)
	}
	return nil
}

// PutAnswer keeps a reply for AnswerAge. It does not wait: the kernel has it within a millisecond, and kill -9 does not
// take it back after that. If a crash of the machine does, the idempotency keys in the records themselves still identify
// the request.
func (s *Store) PutAnswer(a noun.Answer) error {
	b, err := wire.Encode(a)
	if err == nil {
		_, err = s.events.js.PublishMsgAsync(&nats.Msg{Subject: answerSubject + a.Key, Data: b})
	}
	if err != nil {
		return fmt.Errorf("store an answer: %w", err)
	}
	return nil
}

// Answers calls f for each reply that is kept, oldest first.
func (s *Store) Answers(ctx context.Context, f func(noun.Answer)) error {
	err := eachOf(ctx, s.answers, func(seq uint64, data []byte) error {
		var a noun.Answer
		if err := json.Unmarshal(data, &a); err != nil {
			return fmt.Errorf("answer %d: %w", seq, err)
		}
		f(a)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the answers: %w", err)
	}
	return nil
}
