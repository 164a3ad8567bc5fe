package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

func benchSpawn(p wire.SpawnParams, rounds int) func(*benchRun, string) (result, error) {
	return func(b *benchRun, transport string) (result, error) {
		c, err := b.dial(transport)
		if err != nil {
			return result{}, err
		}
		defer c.Close()
		if p.Type == "shell" {
			p.Cwd = os.TempDir()
		}
		one := func() error { _, err := c.Spawn(b.ctx, p); return err }
		for range 10 {
			if err := one(); err != nil {
				return result{}, err
			}
		}
		return times(b.n(rounds), time.Millisecond, one)
	}
}

func benchBatch(b *benchRun, transport string) (result, error) {
	c, err := b.dial(transport)
	if err != nil {
		return result{}, err
	}
	defer c.Close()
	return times(b.n(20), time.Millisecond, func() error {
		res, err := c.Spawn(b.ctx, wire.SpawnParams{Type: "scripted", Count: 100, Script: "exit 0"})
		if err == nil && len(res.Agents) != 100 {
			err = fmt.Errorf("%d of 100 agents started", len(res.Agents))
		}
		return err
	})
}

// benchEvents has 100 agents print at once, each line an event, and one client that follows each on a lane of its own.
func benchEvents(b *benchRun, transport string) (result, error) {
	c, err := b.dial(transport)
	if err != nil {
		return result{}, err
	}
	defer c.Close()
	lines := b.n(1000)
	script := fmt.Sprintf("read\nrepeat %d\nsay line ${i} of the output of an agent that prints as fast as it may\nend", lines)
	res, err := c.Spawn(b.ctx, wire.SpawnParams{Type: "scripted", Count: 100, Script: script})
	if err != nil {
		return result{}, err
	}
	var attached, done sync.WaitGroup
	ctx, fail := context.WithCancelCause(b.ctx)
	defer fail(nil)
	for _, a := range res.Agents {
		attached.Add(1)
		done.Go(func() {
			got := 0
			for e, err := range c.Events(ctx, a.ID, client.EventOptions{Follow: true, Attached: func(wire.Attached) { attached.Done() }}) {
				if err != nil {
					fail(err)
					return
				}
				if e.Type == wire.EventStdout {
					got += strings.Count(e.Data.Text, "\n")
				}
			}
			if got != lines {
				fail(fmt.Errorf("%d of %d lines arrived", got, lines))
			}
		})
	}
	attached.Wait()
	begin := time.Now()
	for _, a := range res.Agents {
		done.Go(func() {
			if err := c.Input(ctx, wire.InputParams{ID: a.ID, Text: "go\n"}); err != nil {
				fail(err)
			}
		})
	}
	done.Wait()
	took := time.Since(begin)
	if err := context.Cause(ctx); err != nil {
		return result{}, err
	}
	return result{Value: float64(100*lines) / took.Seconds()}, nil
}
