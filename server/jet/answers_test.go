package jet

import (
	"context"
	"fmt"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/noun"
)

// All replies are read at a start, oldest first, through one consumer: one for each would take seconds for those of a few minutes.
func TestAllAnswersAreReadThroughOneConsumer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openSmall(t, dir)
	if err := s.Answers(t.Context(), func(a noun.Answer) { t.Errorf("a new store has the answer %s", a.Key) }); err != nil {
		t.Fatal(err)
	}
	const count = 300
	for i := range count {
		if err := s.PutAnswer(noun.Answer{Key: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	kit.Eventually(t, "all are stored", func() bool {
		info, err := s.answers.Info(context.Background())
		return err == nil && info.State.Msgs == count
	})
	made, err := s.events.nc.SubscribeSync("$JS.EVENT.ADVISORY.CONSUMER.CREATED.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.events.nc.Flush(); err != nil {
		t.Fatal(err)
	}
	var keys []string
	if err := s.Answers(t.Context(), func(a noun.Answer) { keys = append(keys, a.Key) }); err != nil {
		t.Fatal(err)
	}
	for i, key := range keys {
		if key != fmt.Sprint(i) {
			t.Fatalf("answer %d is %s", i, key)
		}
	}
	if len(keys) != count {
		t.Errorf("%d of %d answers were read", len(keys), count)
	}
	if err := s.events.nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if n, _, err := made.Pending(); err != nil || n != 1 {
		t.Errorf("%d consumers were made, %v", n, err)
	}
}
