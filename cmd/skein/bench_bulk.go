package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"skein.dev/skein/webtransport/wire"
)

const bulkStreams = 500

// benchCritical measures a request on the control lane while 500 streams of the same session download as fast as they
// may. The bare figure is its p99 with no bound on the writers of class low: what the gate is worth.
func benchCritical(b *benchRun, transport string) (result, error) {
	ours, err := b.beside(transport)
	if err != nil {
		return result{}, err
	}
	open, err := newBenchWith(b.ctx, b.o, "lanes: {bulk: none}\nwriters: {low: 0}\n")
	if err != nil {
		return result{}, err
	}
	defer open.close()
	bare, err := open.beside(transport)
	if err != nil {
		return result{}, err
	}
	r := percentiles(ours, time.Millisecond)
	r.Bare = percentiles(bare, time.Millisecond).P99
	r.Ratio = r.P99 / r.Bare
	return r, nil
}

// beside times pings beside the downloads.
func (b *benchRun) beside(transport string) ([]time.Duration, error) {
	c, err := b.dial(transport)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	file := make([]byte, 8<<20)
	rand.Read(file)
	a, err := c.Upload(b.ctx, wire.ArtifactCreateParams{Name: "bulk", Size: int64(len(file))}, bytes.NewReader(file), nil)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(b.ctx)
	var lanes sync.WaitGroup
	var moving sync.WaitGroup
	moving.Add(bulkStreams)
	failed := make(chan error, bulkStreams)
	for range bulkStreams {
		var first sync.Once
		lanes.Go(func() {
			for ctx.Err() == nil {
				_, err := c.Download(ctx, a.ID, discard{func() { first.Do(moving.Done) }}, nil)
				if err != nil && ctx.Err() == nil {
					failed <- err
					first.Do(moving.Done)
					return
				}
			}
			first.Do(moving.Done)
		})
	}
	defer lanes.Wait()
	defer stop()
	moving.Wait()
	var all []time.Duration
	for range b.n(200) {
		select {
		case err := <-failed:
			return nil, fmt.Errorf("a download beside: %w", err)
		default:
		}
		d, err := c.Ping(b.ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// discard keeps nothing, and tells of its first bytes.
type discard struct{ started func() }

func (d discard) Write(p []byte) (int, error) {
	d.started()
	return len(p), nil
}
