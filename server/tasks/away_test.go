package tasks

import (
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// farAway is a world with an agent that never says anything by itself.
type farAway struct{ *world }

func (farAway) Deliver(context.Context, wire.AgentID, *wire.Task) error { return nil }

// An agent that can't be reached is not stopped because it does not let go of a task: it can't know. Once it is back, it has the usual
// time for that.
func TestATaskThatIsCanceledWhileItsAgentIsAway(t *testing.T) {
	for name, lets := range map[string]bool{"and let go of": true, "and kept": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &world{t: t, calm: true, rand: rand.New(rand.NewPCG(1, 1)), records: map[wire.TaskID]wire.Task{}, agents: map[wire.AgentID]*actor{}}
				closing, end := context.WithCancel(context.Background())
				ts := New(Options{Store: w, Fleet: farAway{w}, Node: "n", Timeout: time.Minute, Closing: closing, Answered: func(_ wire.AgentID, _ wire.TaskID, then func()) { then() },
					Types: map[string]wire.AgentType{"far": {Name: "far", Kind: wire.KindRemote, Tasks: wire.TasksLines}}}, slog.New(slog.NewTextHandler(io.Discard, nil)))
				w.ts = ts
				ctx, stop := context.WithCancel(context.Background())
				over := make(chan struct{})
				go func() { defer close(over); ts.Schedule(ctx) }()
				a := &actor{alive: true, gone: make(chan struct{}), rec: wire.Agent{ID: "a1", Type: "far", Kind: wire.KindRemote, Status: wire.StatusRunning, Desired: wire.DesiredRun}}
				w.agents["a1"] = a
				ts.Started(a.rec)
				res, err := ts.Submit(t.Context(), noun.Caller{Actor: "me"}, wire.SubmitParams{Tasks: []wire.TaskSpec{{Type: "far"}}})
				if err != nil {
					t.Fatal(err)
				}
				id := res.Tasks[0].ID
				synctest.Wait()
				ts.Hold("a1", true)
				if _, err := ts.Cancel(noun.Caller{Actor: "me"}, wire.TaskCancelParams{IDs: []wire.TaskID{id}}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Hour)
				if w.stops(a) {
					t.Error("an agent that is away was stopped, because it did not let go of a task")
				}
				ts.Hold("a1", false)
				if lets {
					time.Sleep(cancelGrace - time.Millisecond)
					ts.Answered("a1", runner.Failed(id, "let go", false))
				}
				time.Sleep(time.Hour)
				if w.stops(a) == lets {
					t.Errorf("it is back: it is stopped: %v", !lets)
				}
				end()
				w.Stop("a1")
				w.stopped.Wait()
				ts.Close()
				stop()
				<-over
			})
		})
	}
}
