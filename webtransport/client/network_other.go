//go:build !linux

package client

import "context"

// watchNetwork sends to changed, which has room for one value, when the network should be checked, until ctx ends.
func watchNetwork(ctx context.Context, changed chan<- struct{}) { pollNetwork(ctx, changed) }
