package main

import (
	"slices"
	"time"
)

func benchEcho(b *benchRun, transport string) (result, error) {
	c, err := b.dial(transport)
	if err != nil {
		return result{}, err
	}
	defer c.Close()
	peer, err := b.dialBare(transport)
	if err != nil {
		return result{}, err
	}
	defer peer.Close()
	msg := []byte(`{"jsonrpc":"2.0","id":1,"method":"ping","params":{}}` + "\n")
	// Taken in turns of a few, so that the machine's moods hit both.
	var ours, bares []time.Duration
	for range b.n(150) {
		for range 20 {
			d, err := c.Ping(b.ctx)
			if err != nil {
				return result{}, err
			}
			ours = append(ours, d)
		}
		for range 20 {
			begin := time.Now()
			if err := peer.Echo(slices.Clone(msg)); err != nil {
				return result{}, err
			}
			bares = append(bares, time.Since(begin))
		}
	}
	r := percentiles(ours, time.Microsecond)
	r.Bare = percentiles(bares, time.Microsecond).P50
	return r, nil
}
