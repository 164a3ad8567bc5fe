package fleet

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/jet"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/server/runner/remote"
	"skein.dev/skein/webtransport/wire"
)

// silent is the way to a program that says nothing.
type silent struct{}

func (silent) Send([]byte) error { return nil }
func (silent) Close()            {}

// That a program was away is no silence: when it is back, it has as long as any agent until it gives a sign of life.
func TestAProgramThatIsBackHasTimeToGiveASign(t *testing.T) {
	store, err := jet.Open(t.Context(), jet.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	const beat = 10 * time.Millisecond
	f := New(Options{
		Store: store, WorkDir: t.TempDir(), Kinds: map[wire.Kind]runner.Kind{wire.KindRemote: &remote.Kind{}}, Work: nobodys{}, Closing: context.Background(),
		Types:        map[string]wire.AgentType{"far": {Name: "far", Kind: wire.KindRemote, Tasks: wire.TasksLines, HeartbeatMS: beat.Milliseconds(), LeaseMS: time.Hour.Milliseconds()}},
		StoreTimeout: time.Minute, Logger: slog.New(slog.DiscardHandler),
	})
	f.Begin()
	defer f.End()
	defer f.Close(t.Context())
	join := wire.WorkerJoin{Type: "far", Key: "a key that nobody knows"}
	link, j, err := f.Join(t.Context(), noun.Caller{Actor: "test"}, join, silent{})
	if err != nil {
		t.Fatal(err)
	}
	a, err := f.agent(j.Agent)
	if err != nil {
		t.Fatal(err)
	}
	link.Gone()
	time.Sleep(2 * lostAfter * beat)
	now := time.Now()
	a.beat(now)
	join.Agent = j.Agent
	if link, _, err = f.Join(t.Context(), noun.Caller{Actor: "test"}, join, silent{}); err != nil {
		t.Fatal(err)
	}
	kit.Eventually(t, "it is back", func() bool { return a.record().Status == wire.StatusRunning })
	a.beat(now)
	if rec := a.record(); rec.Status != wire.StatusRunning {
		t.Errorf("it is %s", rec.Status)
	}
	link.Gone()
}
