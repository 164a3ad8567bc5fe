package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// takers is a server with a type take-N, of N agents that complete tasks as fast as they get them.
func (b *benchRun) takers(agents int) (_ *benchRun, typ string, err error) {
	typ = fmt.Sprintf("take-%d", agents)
	own, err := newBenchWith(b.ctx, b.o, fmt.Sprintf("agent_types:\n  %s: {kind: scripted, tasks: lines, max_instances: %d, script: \"repeat forever\\n take\\n result ok\\nend\"}\n", typ, agents))
	return own, typ, err
}

// benchTasks submits tasks in batches and counts their ends as a watch sees them: each task is submitted, stored, given
// to an agent, answered, stored, and told. The bare figure is how often a second the disk stores a record, one after the
// other: a task is two of those at least, and the disk's mood decides.
func benchTasks(agents, tasks int) func(*benchRun, string) (result, error) {
	return func(b *benchRun, transport string) (r result, err error) {
		own, typ, err := b.takers(agents)
		if err != nil {
			return r, err
		}
		defer own.close()
		c, err := own.dial(transport)
		if err != nil {
			return r, err
		}
		defer c.Close()
		if _, err := own.through(c, typ, 2*agents); err != nil { // starts the agents
			return r, err
		}
		before, err := fsyncs(own.dir)
		if err != nil {
			return r, err
		}
		n := b.n(tasks)
		took, err := own.through(c, typ, n)
		if err != nil {
			return r, err
		}
		after, err := fsyncs(own.dir)
		r.Value, r.Bare = float64(n)/took.Seconds(), (before+after)/2
		return r, err
	}
}

// fsyncs is how often a second a file in the folder is written and synced.
func fsyncs(dir string) (float64, error) {
	const rounds = 200
	f, err := os.CreateTemp(dir, "fsync-")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	begin := time.Now()
	for range rounds {
		if _, err := f.Write(make([]byte, 600)); err != nil { // about a task's record
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
	}
	return rounds / time.Since(begin).Seconds(), nil
}

// through gives tasks to a type's agents and waits until the last is completed.
func (b *benchRun) through(c *client.Client, typ string, tasks int) (took time.Duration, err error) {
	ctx, fail := context.WithCancelCause(b.ctx)
	var submits sync.WaitGroup
	defer submits.Wait()
	defer fail(nil)
	round := map[string]string{"round": rand.Text()}
	begin := time.Now()
	submits.Go(func() {
		if err := submitAll(ctx, c, wire.TaskSpec{Type: typ, Labels: round}, tasks); err != nil {
			fail(err)
		}
	})
	done := 0
	for ch, err := range c.TaskWatch(ctx, wire.TaskWatchParams{Filter: wire.TaskFilter{Labels: round}}) {
		if err != nil {
			return 0, context.Cause(ctx)
		}
		for _, t := range ch.Tasks {
			switch {
			case t.State == wire.TaskCompleted:
				done++
			case t.State.Terminal():
				return 0, fmt.Errorf("task %s %s: %s", t.ID, t.State, t.Message)
			}
		}
		if done == tasks {
			break
		}
	}
	return time.Since(begin), nil
}

func submitAll(ctx context.Context, c *client.Client, s wire.TaskSpec, n int) error {
	for n > 0 {
		batch := make([]wire.TaskSpec, min(n, 100))
		for i := range batch {
			batch[i] = s
		}
		if _, err := c.TaskSubmit(ctx, wire.SubmitParams{Tasks: batch}); err != nil {
			return err
		}
		n -= len(batch)
	}
	return nil
}

// benchFanOut orchestrates 1,000 inputs over 100 agents, from the request to the aggregate.
func benchFanOut(b *benchRun, transport string) (r result, err error) {
	const inputs, agents = 1000, 100
	own, typ, err := b.takers(agents)
	if err != nil {
		return r, err
	}
	defer own.close()
	c, err := own.dial(transport)
	if err != nil {
		return r, err
	}
	defer c.Close()
	if _, err := own.through(c, typ, 2*agents); err != nil {
		return r, err
	}
	p := wire.OrchestrateParams{Task: wire.TaskSpec{Type: typ}, Inputs: make([]wire.Payload, inputs)}
	return times(b.n(3), time.Millisecond, func() error {
		t, err := c.TaskOrchestrate(b.ctx, p)
		if err == nil {
			t, err = c.TaskResults(b.ctx, t.ID, 0).Aggregate()
		}
		if err == nil && t.Orchestration.Completed != inputs {
			err = fmt.Errorf("%d of %d completed: %s", t.Orchestration.Completed, inputs, t.Message)
		}
		return err
	})
}

// benchEmergency stops everything: 500 processes, from the request to the report, which says that all are gone. That
// is looked at here once more.
func benchEmergency(b *benchRun, transport string) (r result, err error) {
	const processes, batch = 500, 100
	own, err := newBenchWith(b.ctx, b.o, "")
	if err != nil {
		return r, err
	}
	defer own.close()
	c, err := own.dial(transport)
	if err != nil {
		return r, err
	}
	defer c.Close()
	var took []time.Duration
	for range b.n(3) {
		var agents []wire.Agent
		for len(agents) < processes {
			res, err := c.Spawn(b.ctx, wire.SpawnParams{Type: "shell", Argv: []string{"sleep", "3600"}, Cwd: os.TempDir(), Count: batch})
			if err != nil {
				return r, err
			}
			if len(res.Failed) > 0 {
				return r, res.Failed[0].Error
			}
			agents = append(agents, res.Agents...)
		}
		begin := time.Now()
		res, err := c.Stop(b.ctx, wire.StopParams{Scope: wire.ScopeAll})
		took = append(took, time.Since(begin))
		if err == nil {
			err = allGone(agents, res)
		}
		if err == nil {
			_, err = c.SetAdmission(b.ctx, wire.AdmissionParams{})
		}
		if err != nil {
			return r, err
		}
	}
	return percentiles(took, time.Millisecond), nil
}

func allGone(agents []wire.Agent, res *wire.StopResult) error {
	if len(res.Reports) != len(agents) || !res.Closed {
		return fmt.Errorf("%d of %d agents were stopped, admission closed: %v", len(res.Reports), len(agents), res.Closed)
	}
	for _, a := range agents {
		if a.Process == nil {
			return fmt.Errorf("agent %s has no process", a.ID)
		}
		if err := syscall.Kill(-a.Process.Group, 0); err != syscall.ESRCH {
			return fmt.Errorf("the processes of agent %s: %v", a.ID, err)
		}
	}
	return nil
}
