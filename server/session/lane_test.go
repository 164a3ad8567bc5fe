package session

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

// tally counts what is written to a stream.
type tally struct {
	webtransport.Stream
	bytes int
}

func (w *tally) SetWriteDeadline(time.Time) error { return nil }

func (w *tally) Write(b []byte) (int, error) {
	w.bytes += len(b)
	return len(b), nil
}

// A message that is too long all the same is not sent, because the client could read nothing after it.
func TestAMessagePastTheLimitIsNotSent(t *testing.T) {
	t.Parallel()
	out := new(tally)
	l := &lane{c: &conn{log: slog.New(slog.DiscardHandler)}, str: out}
	if err := l.send(strings.Repeat("x", wire.MaxMessage)); !errors.Is(err, wire.ErrLineTooLong) || out.bytes > 0 {
		t.Errorf("%d bytes were written, %v", out.bytes, err)
	}
	if err := l.send("x"); err != nil || out.bytes != len("\"x\"\n") {
		t.Errorf("%d bytes were written, %v", out.bytes, err)
	}
}
