package api

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

func TestRepliesForgetsWhatIsOld(t *testing.T) {
	r, now := newReplies(func(noun.Answer) error { return nil }, slog.New(slog.DiscardHandler)), time.Now()
	e, mine := r.claim("1", sha256.Sum256(nil), now)
	if !mine {
		t.Fatal("the first was not to be carried out")
	}
	r.settle(e, "one", nil)
	if again, mine := r.claim("1", sha256.Sum256(nil), now.Add(replyAge-time.Second)); mine || string(again.result) != `"one"` {
		t.Errorf("before its time: %+v", again)
	}
	if _, mine := r.claim("1", sha256.Sum256(nil), now.Add(replyAge)); !mine {
		t.Error("it is remembered beyond its time")
	}
}

func TestRepliesKeepsWhatIsInWork(t *testing.T) {
	r, now := newReplies(func(noun.Answer) error { return nil }, slog.New(slog.DiscardHandler)), time.Now()
	e, _ := r.claim("1", sha256.Sum256(nil), now)
	if _, mine := r.claim("1", sha256.Sum256(nil), now.Add(2*replyAge)); mine {
		t.Error("a request in work was begun again")
	}
	r.settle(e, nil, errors.New("failed"))
	<-e.done
	if e.err == nil {
		t.Error("the failure was not kept")
	}
}

func TestRepliesIsBounded(t *testing.T) {
	r, now := newReplies(func(noun.Answer) error { return nil }, slog.New(slog.DiscardHandler)), time.Now()
	large := json.RawMessage(`"` + strings.Repeat("x", wire.MaxResult-2) + `"`)
	for i := range 80 {
		e, _ := r.claim(fmt.Sprint(i), sha256.Sum256(nil), now)
		r.settle(e, large, nil)
	}
	if r.size > replyBytes+2<<20 || r.order.Len() != len(r.entries) {
		t.Errorf("%d MiB in %d entries, %d in order", r.size>>20, len(r.entries), r.order.Len())
	}
	if _, mine := r.claim("79", sha256.Sum256(nil), now); mine {
		t.Error("the newest was forgotten")
	}
	e, mine := r.claim("0", sha256.Sum256(nil), now)
	if !mine {
		t.Error("the oldest was kept")
	}
	r.settle(e, nil, nil)
	r.claim("last", sha256.Sum256(nil), now.Add(2*replyAge))
	if len(r.entries) != 1 || r.size != replyEntry {
		t.Errorf("%d entries of %d bytes are left", len(r.entries), r.size)
	}
}
