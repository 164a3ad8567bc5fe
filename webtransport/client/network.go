package client

import (
	"context"
	"time"
)

// networkPoll is how often the network is polled where the system reports no changes.
const networkPoll = 2 * time.Second

func pollNetwork(ctx context.Context, changed chan<- struct{}) {
	t := time.NewTicker(networkPoll)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
		select {
		case changed <- struct{}{}:
		default:
		}
	}
}
