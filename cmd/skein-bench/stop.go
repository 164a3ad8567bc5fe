package main

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"

	"skein.dev/skein/e2e/netlab"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// stopBound is what a stop may take beyond the stop itself, in ms: a round trip of 50, and half of one for a copy.
const stopBound = 75

// benchStopLossy stops one agent after the other over a link that loses packets, from the request to the verified
// report. What the stops themselves take is measured on the same server before, by a client on its own host.
func benchStopLossy(b *benchRun, transport string) (r result, err error) {
	if err := netlab.Unavailable(); err != nil {
		return r, skipCase{err}
	}
	l, err := b.serveLab(labSetup{conditions: netlab.Conditions{Delay: rtt50, Loss: 0.05}, masking: true})
	if err != nil {
		return r, err
	}
	defer l.close()
	job := labJob{Do: doStop, Transport: transport, Stops: b.n(400)}
	var near, far []time.Duration
	if err := l.client(b.ctx, l.Server, job, &near); err != nil {
		return r, err
	}
	if err := l.client(b.ctx, l.Client, job, &far); err != nil {
		return r, err
	}
	if up, down := l.Counts(netlab.Up), l.Counts(netlab.Down); up.Lost+down.Lost == 0 {
		return r, fmt.Errorf("the link lost nothing of %d packets", up.Passed+down.Passed)
	}
	r = percentiles(far, time.Millisecond)
	own := percentiles(near, time.Millisecond)
	own.Case, own.Unit = "the stop itself, without the link", "ms"
	r.more = []result{own}
	met := r.P99 <= stopBound+own.P99
	r.Target, r.Met = fmt.Sprintf("p99 ≤ %.1f", stopBound+own.P99), &met
	return r, nil
}

// stopEach is the client's part. Every process is looked for once more after the report.
func stopEach(ctx context.Context, c *client.Client, job labJob) (any, error) {
	const batch = 100
	var agents []wire.Agent
	for len(agents) < job.Stops {
		res, err := c.Spawn(ctx, wire.SpawnParams{Type: "shell", Argv: []string{"sleep", "3600"}, Cwd: os.TempDir(), Count: min(batch, job.Stops-len(agents))})
		if err != nil {
			return nil, err
		}
		if len(res.Failed) > 0 {
			return nil, res.Failed[0].Error
		}
		agents = append(agents, res.Agents...)
	}
	took := make([]time.Duration, len(agents))
	for i, a := range agents {
		begin := time.Now()
		res, err := c.Stop(ctx, wire.StopParams{IDs: []wire.AgentID{a.ID}})
		took[i] = time.Since(begin)
		if err != nil {
			return nil, err
		}
		if len(res.Reports) != 1 || res.Reports[0].Already || len(res.Reports[0].Leftovers) > 0 {
			return nil, fmt.Errorf("the stop of agent %s reports %+v", a.ID, res.Reports)
		}
		if err := syscall.Kill(-a.Process.Group, 0); err != syscall.ESRCH {
			return nil, fmt.Errorf("the processes of agent %s: %v", a.ID, err)
		}
	}
	return took, nil
}
