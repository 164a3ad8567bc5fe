package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"skein.dev/skein/e2e/netlab"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

const labAgents = 100

// labScript prints some 256 bytes ten times a second, with a number, no two agents in lockstep.
var labScript = "wait 1ms..100ms\nrepeat forever\nsay ${i} " + strings.Repeat("x", 250) + "\nwait 100ms\nend"

// lossy gives the case of 100 agents' events over a bad link, for Skein and for its peers.
func lossy(c netlab.Conditions) func(*benchRun, string) (result, error) {
	return func(b *benchRun, transport string) (r result, err error) {
		if err := netlab.Unavailable(); err != nil {
			return r, skipCase{err}
		}
		for _, p := range labPeers {
			if p.name == transport {
				return b.followPeer(p, c)
			}
		}
		// The bare figure of WebTransport is without loss masking, that of WebSocket over TCP BBR in place of cubic.
		other := labSetup{conditions: c, masking: transport == client.WebSocket, bbr: transport == client.WebSocket}
		theirs, err := b.lab(transport, other)
		if err != nil {
			return r, err
		}
		ours, err := b.lab(transport, labSetup{conditions: c, masking: true})
		if err != nil {
			return r, err
		}
		r = percentiles(ours.Ages, time.Millisecond)
		r.Bare = percentiles(theirs.Ages, time.Millisecond).P99
		r.Ratio = r.P99 / r.Bare
		return r, errors.Join(ours.whole(), theirs.whole())
	}
}

// lab follows the agents' events over a link.
func (b *benchRun) lab(transport string, s labSetup) (rep labReport, err error) {
	l, err := b.serveLab(s)
	if err != nil {
		return rep, err
	}
	defer l.close()
	warm, count := b.labTimes()
	return rep, l.client(b.ctx, l.Client, labJob{Do: doFollow, Transport: transport, Warm: warm, Count: count}, &rep)
}

func followFleet(ctx context.Context, c *client.Client, job labJob) (any, error) {
	res, err := c.Spawn(ctx, wire.SpawnParams{Type: "scripted", Name: "lab", Script: labScript, Count: labAgents})
	if err != nil {
		return nil, err
	}
	rep, err := followAll(ctx, c, res.Agents, job)
	if err != nil {
		return nil, err
	}
	n, err := c.Network(ctx)
	if err == nil && n.Mask != nil {
		rep.Copies = n.Mask.Repeated
	}
	return rep, err
}

// followAll reads the events of agents, each on a lane of its own.
func followAll(ctx context.Context, c *client.Client, agents []wire.Agent, job labJob) (rep labReport, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var counts atomic.Bool
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, a := range agents {
		all.Go(func() {
			next := 0
			for e, err := range c.Events(ctx, a.ID, client.EventOptions{Follow: true}) {
				now := time.Now()
				if err != nil {
					if ctx.Err() == nil {
						cancel(err)
					}
					return
				}
				if e.Type != wire.EventStdout {
					continue
				}
				mu.Lock()
				for line := range strings.Lines(e.Data.Text) {
					number, _, _ := strings.Cut(line, " ")
					n, err := strconv.Atoi(number)
					if err != nil || next > 0 && n != next {
						rep.Gaps++
					}
					next = n + 1
				}
				if counts.Load() {
					rep.Ages = append(rep.Ages, now.Sub(e.Time))
				}
				mu.Unlock()
			}
		})
	}
	time.Sleep(job.Warm)
	counts.Store(true)
	time.Sleep(job.Count)
	cancel(errDone)
	all.Wait()
	if err := context.Cause(ctx); !errors.Is(err, errDone) {
		return rep, err
	}
	if len(rep.Ages) < len(agents) { // a link that is worse than its load gives few, and old ones
		return rep, fmt.Errorf("%d events came of %d agents", len(rep.Ages), len(agents))
	}
	return rep, nil
}

var errDone = errors.New("done")
