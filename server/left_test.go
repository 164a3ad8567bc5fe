package server

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/webtransport/wire"
)

// errorsOnly keeps only log records of level error.
type errorsOnly struct {
	mu  sync.Mutex
	all []string
}

func (h *errorsOnly) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }
func (h *errorsOnly) WithAttrs([]slog.Attr) slog.Handler           { return h }
func (h *errorsOnly) WithGroup(string) slog.Handler                { return h }
func (h *errorsOnly) Handle(_ context.Context, r slog.Record) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	line := r.Message
	r.Attrs(func(a slog.Attr) bool { line += " " + a.String(); return true })
	h.all = append(h.all, line)
	return nil
}

// A client that leaves in the middle of its requests must not cause errors in the server's log.
func TestRequestsOfAClientThatLeftAreNoErrors(t *testing.T) {
	t.Parallel()
	logged := &errorsOnly{}
	n := start(t, func(o *Options) { o.Logger = slog.New(logged) })
	first := open(t, n.join(t, wire.WebSocket), `{"lane":"memory"}`)
	for i := range 20 {
		first.say(t, request(fmt.Sprint(i), wire.MethodMemoryStore, wire.MemoryStoreParams{Namespace: "n", Key: "k", Value: wire.Payload{Text: strings.Repeat("x", 10_000)}}))
		if m := first.answerTo(t, fmt.Sprint(i)); m.Error != nil {
			t.Fatal(m.Error)
		}
	}
	for i := range kit.Less(40, 4) {
		p := n.join(t, []wire.Transport{wire.WebTransport, wire.WebSocket}[i%2])
		lane := open(t, p, `{"lane":"memory"}`)
		var lines []string
		for j := range 10 {
			lines = append(lines, request(fmt.Sprint(j), wire.MethodMemoryHistory, wire.MemoryHistoryParams{Namespace: "n", Key: "k"}))
		}
		lane.say(t, lines...)
		lane.answerTo(t, "0") // the others are under way
		p.Close(0, "")
	}
	n.stop()
	if len(logged.all) > 0 {
		t.Errorf("%d errors were logged, such as %s", len(logged.all), logged.all[0])
	}
}
