package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

const (
	benchKeys = 1000
	// inFlight is how many requests of a pipelined case wait for their answers at once, on one connection.
	inFlight = 128
)

// memoryValue is what the entries hold: some words.
var memoryValue = wire.Payload{Text: strings.Repeat("a value of some words. ", 4)}

func benchKey(i int64) string { return fmt.Sprintf("key %d", i%benchKeys) }

func retrieveOne(ctx context.Context, c *client.Client, i int64) error {
	e, err := c.MemoryRetrieve(ctx, wire.MemoryKeyParams{Namespace: "bench", Key: benchKey(i)})
	if err == nil && e.Value.Text != memoryValue.Text {
		err = fmt.Errorf("%s holds %q", e.Key, e.Value.Text)
	}
	return err
}

func storeOne(ctx context.Context, c *client.Client, i int64) error {
	_, err := c.MemoryStore(ctx, wire.MemoryStoreParams{Namespace: "bench", Key: benchKey(i), Value: memoryValue})
	return err
}

// dialMemory connects, and stores every key.
func (b *benchRun) dialMemory(transport string) (*client.Client, error) {
	c, err := b.dial(transport)
	if err != nil {
		return nil, err
	}
	for from := int64(0); err == nil && from < benchKeys; from += wire.MaxMemoryBulk {
		var set wire.MemorySetManyParams
		for i := range int64(wire.MaxMemoryBulk) {
			set.Entries = append(set.Entries, wire.MemoryStoreParams{Namespace: "bench", Key: benchKey(from + i), Value: memoryValue})
		}
		var res *wire.MemoryManyResult
		if res, err = c.MemorySetMany(b.ctx, set); err == nil && res.Results[0].Entry == nil {
			err = res.Results[0].Error
		}
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func benchRetrieve(b *benchRun, transport string) (result, error) {
	return benchMemory(b, transport, 3000, retrieveOne)
}

func benchStore(b *benchRun, transport string) (result, error) {
	return benchMemory(b, transport, 1000, storeOne)
}

// benchMemory does one thing after the other.
func benchMemory(b *benchRun, transport string, rounds int, one func(context.Context, *client.Client, int64) error) (result, error) {
	c, err := b.dialMemory(transport)
	if err != nil {
		return result{}, err
	}
	defer c.Close()
	i := int64(0)
	return times(b.n(rounds), time.Microsecond, func() error { i++; return one(b.ctx, c, i) })
}

// benchPipelined has inFlight requests wait for their answers all the time, on one connection.
func benchPipelined(rounds int, one func(context.Context, *client.Client, int64) error) func(*benchRun, string) (result, error) {
	return func(b *benchRun, transport string) (result, error) {
		c, err := b.dialMemory(transport)
		if err != nil {
			return result{}, err
		}
		defer c.Close()
		ctx, fail := context.WithCancelCause(b.ctx)
		defer fail(nil)
		n := int64(b.n(rounds))
		var next atomic.Int64
		var all sync.WaitGroup
		begin := time.Now()
		for range inFlight {
			all.Go(func() {
				for i := next.Add(1); i <= n && ctx.Err() == nil; i = next.Add(1) {
					if err := one(ctx, c, i); err != nil {
						fail(err)
					}
				}
			})
		}
		all.Wait()
		if err := context.Cause(ctx); err != nil {
			return result{}, err
		}
		return result{Value: float64(n) / time.Since(begin).Seconds()}, nil
	}
}
