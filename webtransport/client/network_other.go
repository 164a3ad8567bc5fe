//go:build !linux

package client

import "context"

// watchNetwork tells changed, which holds one, when it is time to look at the network, until ctx ends.
func watchNetwork(ctx context.Context, changed chan<- struct{}) { pollNetwork(ctx, changed) }
