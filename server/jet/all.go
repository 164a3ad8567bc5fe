package jet

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// allOf returns the records of a bucket; what names them in errors.
func allOf[T any](ctx context.Context, kv jetstream.KeyValue, what string) ([]T, error) {
	w, err := kv.WatchAll(ctx, jetstream.IgnoreDeletes())
	if err != nil {
		return nil, fmt.Errorf("read the %s: %w", what, err)
	}
	defer w.Stop()
	var all []T
	for {
		select {
		case e := <-w.Updates():
			if e == nil { // the end of the records
				return all, nil
			}
			var v T
			if err := json.Unmarshal(e.Value(), &v); err != nil {
				return nil, fmt.Errorf("read %s of the %s: %w", e.Key(), what, err)
			}
			all = append(all, v)
		case <-ctx.Done():
			return nil, fmt.Errorf("read the %s: %w", what, ctx.Err())
		}
	}
}
