package client

import (
	"context"
	"math/rand/v2"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// backoff computes the pauses between attempts, with full jitter. Their limit doubles from lo up to hi.
type backoff struct {
	lo, hi time.Duration
	limit  time.Duration
}

func newBackoff(p wire.Policy) *backoff {
	b := &backoff{lo: time.Duration(p.BackoffMinMS) * time.Millisecond, hi: time.Duration(p.BackoffMaxMS) * time.Millisecond}
	b.lo = max(b.lo, 50*time.Millisecond)
	b.hi = max(b.hi, b.lo)
	b.reset()
	return b
}

func (b *backoff) reset() { b.limit = b.lo }

func (b *backoff) next() time.Duration {
	d := rand.N(b.limit) + time.Millisecond
	b.limit = min(2*b.limit, b.hi)
	return d
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
