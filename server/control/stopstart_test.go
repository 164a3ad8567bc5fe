package control_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/control"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// second hooks the second start of an agent, and the end of the first process.
type second struct {
	runner.Kind
	starts atomic.Int32
	hold   func()
	first  func(runner.Session) runner.Session
}

func (s *second) Start(ctx context.Context, l runner.Launch, sink runner.Sink) (runner.Session, error) {
	n := s.starts.Add(1)
	if n == 2 && s.hold != nil {
		s.hold()
	}
	run, err := s.Kind.Start(ctx, l, sink)
	if n == 1 && err == nil && s.first != nil {
		run = s.first(run)
	}
	return run, err
}

// failsOnce is a type whose first process fails and whose second stays alive.
func failsOnce(dir string) wire.AgentType {
	return wire.AgentType{Name: "once", Kind: wire.KindExec, StopGraceMS: 200,
		Argv:    []string{"sh", "-c", "mkdir " + dir + "/ran 2>/dev/null && exit 3; exec sleep 600"},
		Restart: &wire.RestartPolicy{Mode: wire.RestartFail, Attempts: 3, IntervalMS: 60_000, DelayMS: 1}}
}

// A stop while the restart policy starts the agent again ends the process that is being started.
func TestStopDuringARestart(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	dir := t.TempDir()
	n := open(t, dir, with(failsOnce(dir)), func(o *control.Options) {
		o.Kinds[wire.KindExec] = &second{Kind: o.Kinds[wire.KindExec], hold: func() { close(begun); <-release }}
	})
	a := n.spawn(t, wire.SpawnParams{Type: "once"})
	<-begun
	reports := make(chan wire.StopReport, 1)
	go func() {
		res, err := n.Stop(context.Background(), noun.Caller{Actor: "test"}, wire.StopParams{IDs: []wire.AgentID{a.ID}})
		if err != nil || len(res.Reports) != 1 {
			t.Errorf("%+v, %v", res, err)
			return
		}
		reports <- res.Reports[0]
	}()
	n.untilAgent(t, a.ID, "to be stopped", func(a wire.Agent) bool { return a.Desired == wire.DesiredStop })
	close(release)
	started := n.untilAgent(t, a.ID, "started again", func(a wire.Agent) bool { return a.Process != nil })
	select {
	case rep := <-reports:
		if rep.Status != wire.StatusExited || rep.Reason != wire.ReasonStopped || alive(started.Process.PID) {
			t.Errorf("the stop says %+v", rep)
		}
	case <-time.After(kit.Patience):
		unix.Kill(started.Process.PID, unix.SIGKILL)
		t.Error("the stop waits for a process that nobody ends")
	}
}

// leaves is a process whose end leaves another one behind.
type leaves struct {
	runner.Session
	left []wire.Leftover
}

func (l leaves) Unwrap() runner.Session { return l.Session }

func (l leaves) Exit() wire.Exit {
	e := l.Session.Exit()
	e.Leftovers = l.left
	return e
}

// What a failed process left behind is not forgotten when its agent is started again.
func TestLeftoversOutliveARestart(t *testing.T) {
	dir := t.TempDir()
	s := &stubborn{there: []wire.Leftover{{Process: wire.Process{PID: 4711, StartTime: 1}, Name: "disk", User: "root"}}}
	n := open(t, dir, with(failsOnce(dir)), func(o *control.Options) {
		o.Leftovers = s.end
		o.Kinds[wire.KindExec] = &second{Kind: o.Kinds[wire.KindExec], first: func(r runner.Session) runner.Session {
			return leaves{r, slices.Clone(s.there)}
		}}
	})
	a := n.spawn(t, wire.SpawnParams{Type: "once"})
	n.untilAgent(t, a.ID, "started again", func(a wire.Agent) bool { return a.Restarts == 1 && a.Process != nil })
	res, err := n.Stop(t.Context(), noun.Caller{Actor: "test"}, wire.StopParams{IDs: []wire.AgentID{a.ID}})
	if err != nil || !slices.Equal(res.Reports[0].Leftovers, s.there) {
		t.Errorf("the stop says %+v, %v", res, err)
	}
	if rec, _ := n.Get(a.ID); !rec.LeftBehind() {
		t.Errorf("the record says %+v", rec.Exit)
	}
}
