package faults

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"skein.dev/skein/e2e/netlab"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// benchLab makes a lab with a browser, or skips.
func benchLab(b *testing.B) *lab {
	b.Helper()
	if err := netlab.Unavailable(); err != nil {
		b.Skipf("NOT MEASURED: %v", err)
	}
	if err := noChromium(); err != nil {
		b.Skipf("NOT MEASURED: %v", err)
	}
	l, err := newLab(context.WithoutCancel(b.Context()), b.TempDir(), true)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := l.Close(); err != nil {
			b.Error(err)
		}
	})
	return l
}

// BenchmarkStopInChromium stops agents from a page, each when the one before is gone, over a round trip of 50 ms on which
// 5 % of the packets get lost each way. The same stops, asked for without the link between, tell what a stop itself takes.
func BenchmarkStopInChromium(b *testing.B) {
	const stops, bound = 300, 75 // ms beyond the stop: a round trip, and half of one for a copy
	l := benchLab(b)
	sleepers := func(b *testing.B) (agents []wire.Agent) {
		for len(agents) < stops {
			res, err := l.witness.Spawn(b.Context(), wire.SpawnParams{Type: "shell", Argv: []string{"sleep", "3600"}, Count: 100})
			if err != nil || len(res.Failed) > 0 {
				b.Fatalf("%v, %+v", err, res.Failed)
			}
			agents = append(agents, res.Agents...)
		}
		return agents
	}
	var near []float64
	for _, a := range sleepers(b) {
		begin := time.Now()
		if _, err := l.witness.Stop(b.Context(), wire.StopParams{IDs: []wire.AgentID{a.ID}}); err != nil {
			b.Fatal(err)
		}
		near = append(near, float64(time.Since(begin))/float64(time.Millisecond))
	}
	l.Set(netlab.Both(netlab.Conditions{Delay: 25 * time.Millisecond, Loss: 0.05}))
	for _, transport := range both {
		b.Run(transport, func(b *testing.B) {
			var far []float64
			for round := range b.N {
				agents := sleepers(b)
				p := l.peers["Chromium"]
				c := &watched{peer: p, job: job{Cell: fmt.Sprintf("stop-%s-%d-%d", transport, b.N, round), URL: l.url, Transport: transport}}
				for _, a := range agents {
					c.job.Agents = append(c.job.Agents, a.ID)
				}
				p.mu.Lock()
				p.cells[c.job.Cell] = c
				p.mu.Unlock()
				p.send(b, command{Stop: &c.job})
				c.until(b, "it has stopped its agents", func() bool { return c.took != nil })
				for _, a := range agents {
					if err := syscall.Kill(-a.Process.Group, 0); err != syscall.ESRCH {
						b.Errorf("the processes of agent %s: %v", a.ID, err)
					}
				}
				far = append(far, c.took...)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(quantile(far, 0.5), "p50-ms")
			b.ReportMetric(quantile(far, 0.99), "p99-ms")
			b.ReportMetric(quantile(near, 0.99)+bound, "aim-ms")
		})
	}
}

func quantile(all []float64, q float64) float64 {
	all = slices.Sorted(slices.Values(all))
	return all[min(len(all)-1, int(q*float64(len(all))))]
}

// BenchmarkReturn blocks UDP for a while, and tells how long after that a client is back on WebTransport.
func BenchmarkReturn(b *testing.B) {
	const blocked, aim = 20 * time.Second, 5
	l := benchLab(b)
	f := fault{name: "return", transports: auto}
	for _, name := range []string{"Go", "Chromium"} {
		b.Run(name, func(b *testing.B) {
			var took []float64
			for round := range b.N {
				f.name = fmt.Sprintf("return %d of %d", round, b.N)
				l.Change(func(c *netlab.Conditions) { c.NoUDP = true })
				c := l.peers[name].begin(b, l, f, client.Auto)
				c.until(b, "it is on WebSocket", func() bool { return c.ready != nil && c.at.Transport == wire.WebSocket })
				if err := pause(b.Context(), blocked); err != nil {
					b.Fatal(err)
				}
				open := time.Now()
				l.Change(func(c *netlab.Conditions) { c.NoUDP = false })
				c.until(b, "it is on WebTransport", func() bool { return c.at.Transport == wire.WebTransport })
				took = append(took, c.over.Sub(open).Seconds())
				c.peer.send(b, command{Finish: c.job.Cell})
				c.until(b, "what it sent is answered", func() bool { return c.sent != nil })
				c.end(b, l.witness)
				c.until(b, "it has followed its agents to their end", func() bool { return c.events != nil })
				if err := verdict(b.Context(), l.witness, c.job, *c.ready, *c.sent, c.events); err != nil {
					b.Error(err)
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(slices.Max(took), "longest-s")
			b.ReportMetric(aim, "aim-s")
		})
	}
}
