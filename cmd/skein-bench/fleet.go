package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// fleetScript prints a line every two seconds, no two agents in lockstep.
const fleetScript = "wait 10ms..2s\nrepeat forever\nsay tick ${i}\nwait 1s..3s\nend"

// fleet starts scripted agents, in batches.
func fleet(ctx context.Context, c *client.Client, n int) error {
	for n > 0 {
		count := min(n, 500)
		res, err := c.Spawn(ctx, wire.SpawnParams{Type: "scripted", Name: "fleet", Script: fleetScript, Count: count})
		if err == nil && len(res.Agents) != count {
			err = fmt.Errorf("%d of %d agents started", len(res.Agents), count)
		}
		if err != nil {
			return err
		}
		n -= count
	}
	return nil
}

// sighting is when a client saw an agent's log reach a position.
type sighting struct {
	seq uint64
	at  time.Time
}

// benchFleet watches 2,000 agents that print, as a dashboard does, and asks how old a change is when it is seen: each
// line has the server's time in the log, and the client notes when the agent's status first has the line's position or
// a later one. Both run on one machine, by one clock.
func benchFleet(b *benchRun, transport string) (r result, err error) {
	const agents = 2000
	own, err := newBenchWith(b.ctx, b.o, "")
	if err != nil {
		return r, err
	}
	defer own.close()
	c, err := own.dial(transport, func(o *client.Options) { o.NoStatus = false })
	if err != nil {
		return r, err
	}
	defer c.Close()
	if err := fleet(b.ctx, c, agents); err != nil {
		return r, err
	}
	f := &fleetWatch{pid: own.srv.Process.Pid, seen: map[wire.AgentID][]sighting{}}
	if err := f.run(b.ctx, c, time.Duration(b.n(15))*time.Second); err != nil {
		return r, err
	}
	if len(f.seen) != agents {
		return r, fmt.Errorf("%d of %d agents were seen", len(f.seen), agents)
	}
	held, err := memory(f.pid)
	if err != nil {
		return r, err
	}
	ages, err := f.ages(b.ctx, c)
	if err != nil {
		return r, err
	}
	r = percentiles(ages, time.Millisecond)
	r.more = []result{
		{Case: "2,000 agents, server CPU", Unit: "cores", Value: f.cpu.Seconds() / f.took.Seconds()},
		{Case: "2,000 agents, server RSS", Unit: "MiB", Value: held / (1 << 10)},
		{Case: "2,000 agents, lines", Unit: "lines/s", Value: float64(len(ages)) * agents / sampled / f.took.Seconds()},
	}
	return r, nil
}

// fleetWatch watches a fleet for a while, from the moment that it has all of it.
type fleetWatch struct {
	pid   int // of the server
	seen  map[wire.AgentID][]sighting
	begin time.Time
	took  time.Duration
	cpu   time.Duration // that the server used meanwhile
}

func (f *fleetWatch) run(ctx context.Context, c *client.Client, window time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for ch, err := range c.Watch(ctx) {
		now := time.Now()
		switch {
		case !f.begin.IsZero() && now.Sub(f.begin) > window:
			cpu, err := cpuTime(f.pid)
			f.took, f.cpu = now.Sub(f.begin), cpu-f.cpu
			return err
		case err != nil:
			return err
		case f.begin.IsZero() && ch.Reset:
			f.begin = now
			if f.cpu, err = cpuTime(f.pid); err != nil {
				return err
			}
		}
		for _, a := range ch.Agents {
			if all := f.seen[a.ID]; len(all) == 0 || all[len(all)-1].seq < a.LastSeq {
				f.seen[a.ID] = append(all, sighting{a.LastSeq, now})
			}
		}
	}
	return ctx.Err()
}

// sampled is how many agents' logs are read, after the fact, so that reading them is no part of the load.
const sampled = 200

// ages compares sightings with the logs: for each line that was printed meanwhile, how old it was when it was seen.
func (f *fleetWatch) ages(ctx context.Context, c *client.Client) (all []time.Duration, _ error) {
	n := 0
	for id, sightings := range f.seen {
		if n++; n > sampled {
			break
		}
		for e, err := range c.Events(ctx, id, client.EventOptions{}) {
			if err != nil {
				return nil, err
			}
			i := slices.IndexFunc(sightings, func(s sighting) bool { return s.seq >= e.Seq })
			if i < 0 || e.Time.Before(f.begin) || !e.Type.IsOutput() {
				continue
			}
			all = append(all, sightings[i].at.Sub(e.Time))
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no line was printed")
	}
	return all, nil
}

// memory is what a process holds now, in KiB.
func memory(pid int) (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.SplitSeq(string(b), "\n") {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			return strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(v), "kB")), 64)
		}
	}
	return 0, fmt.Errorf("process %d: no VmRSS", pid)
}

// cpuTime is what a process used so far, user and system.
func cpuTime(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("process %d: no times", pid)
	}
	ticks := 0
	for _, f := range fields[11:13] { // utime, stime
		n, err := strconv.Atoi(f)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100, nil // USER_HZ is 100 everywhere
}

// benchBusy has four callers ask one thing after the other while 500 agents print: how long an answer takes, and how
// many are errors. A round is a spawn, an input, a look at an agent, a task until it is taken, and a list.
func benchBusy(b *benchRun, transport string) (r result, err error) {
	const agents, callers = 500, 4
	own, typ, err := b.takers(10)
	if err != nil {
		return r, err
	}
	defer own.close()
	c, err := own.dial(transport)
	if err != nil {
		return r, err
	}
	defer c.Close()
	if _, err := own.through(c, typ, 20); err != nil {
		return r, err
	}
	if err := fleet(b.ctx, c, agents); err != nil {
		return r, err
	}
	reader, err := c.Spawn(b.ctx, wire.SpawnParams{Type: "scripted", Script: "echo"})
	if err != nil {
		return r, err
	}
	id := reader.Agents[0].ID
	requests := []func() error{
		func() error {
			_, err := c.Spawn(b.ctx, wire.SpawnParams{Type: "scripted", Script: "exit 0"})
			return err
		},
		func() error { return c.Input(b.ctx, wire.InputParams{ID: id, Text: "line\n"}) },
		func() error { _, err := c.Get(b.ctx, id); return err },
		func() error {
			_, err := c.TaskSubmit(b.ctx, wire.SubmitParams{Tasks: []wire.TaskSpec{{Type: typ}}})
			return err
		},
		func() error { _, err := c.List(b.ctx, wire.Filter{Limit: 50}); return err },
	}
	var mu sync.Mutex
	var took []time.Duration
	var failures []error
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for i := range b.n(400) * len(requests) {
				begin := time.Now()
				err := requests[i%len(requests)]()
				mu.Lock()
				took = append(took, time.Since(begin))
				if err != nil {
					failures = append(failures, err)
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	r = percentiles(took, time.Millisecond)
	r.more = []result{{Case: "answers without error beside them", Unit: "%", Value: 100 * float64(len(took)-len(failures)) / float64(len(took))}}
	if len(failures) > 0 {
		fmt.Fprintln(os.Stderr, "one of the errors:", failures[0])
	}
	return r, b.ctx.Err()
}

// benchWatchers opens sessions that are shown the fleet, as many dashboards are, and asks what that costs the server beyond the agents
// themselves. The clients drop what they get, except one, which must see the agents change.
func benchWatchers(b *benchRun, transport string) (r result, err error) {
	const agents, sessions = 500, 100
	own, err := newBenchWith(b.ctx, b.o, "")
	if err != nil {
		return r, err
	}
	defer own.close()
	shown := func(o *client.Options) { o.NoStatus = false }
	first, err := own.dial(transport, shown)
	if err != nil {
		return r, err
	}
	defer first.Close()
	if err := fleet(b.ctx, first, agents); err != nil {
		return r, err
	}
	window := time.Duration(b.n(10)) * time.Second
	cores := func() (float64, error) {
		f := &fleetWatch{pid: own.srv.Process.Pid, seen: map[wire.AgentID][]sighting{}}
		if err := f.run(b.ctx, first, window); err != nil {
			return 0, err
		}
		if len(f.seen) != agents {
			return 0, fmt.Errorf("%d of %d agents were seen", len(f.seen), agents)
		}
		return f.cpu.Seconds() / f.took.Seconds(), nil
	}
	alone, err := cores()
	if err != nil {
		return r, err
	}
	for range sessions {
		c, err := own.dial(transport, shown)
		if err != nil {
			return r, err
		}
		defer c.Close()
	}
	all, err := cores()
	r.Value = (all - alone) / sessions * 1000
	r.more = []result{{Case: "100 such sessions, server CPU", Unit: "cores", Value: all}}
	return r, err
}
