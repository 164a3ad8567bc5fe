package session

import (
	"log/slog"
	"testing"

	"go.uber.org/goleak"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/control"
	"skein.dev/skein/server/telemetry"
	"skein.dev/skein/webtransport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve serves a session over a carrier in memory. It may open streams, but they lead to nothing.
func serve(t *testing.T, c Config) (*Endpoint, webtransport.Session) {
	t.Helper()
	c.Plane, c.Metrics, c.Logger = &control.Plane{}, telemetry.New(), slog.New(slog.DiscardHandler)
	e := New(c)
	client, server := webtransport.Pipe()
	t.Cleanup(func() {
		client.Close(0, "")
		e.Close()
	})
	e.Serve(server)
	kit.Eventually(t, "the session is served", func() (there bool) { e.each(func(*conn) { there = true }); return there })
	return e, client
}
