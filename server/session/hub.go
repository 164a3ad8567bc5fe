package session

import (
	"context"
	"sync"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// removedPart is how many ids of what was forgotten are in one message at most.
const removedPart = 10_000

// news is a closed channel, for callers that have missed a change.
var news = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// hub wakes the sessions when something has changed, at most once per wire.StatusInterval. All sessions share one timer.
type hub struct {
	change func() uint64 // counts changes

	mu   sync.Mutex
	seen uint64
	news chan struct{} // closed and replaced when seen grows
}

func newHub(change func() uint64) *hub {
	return &hub{change: change, news: make(chan struct{})}
}

func (h *hub) run(ctx context.Context) {
	t := time.NewTicker(wire.StatusInterval)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			h.look()
		}
	}
}

func (h *hub) look() {
	now := h.change()
	h.mu.Lock()
	defer h.mu.Unlock()
	if now == h.seen {
		return
	}
	h.seen = now
	close(h.news)
	h.news = make(chan struct{})
}

// changed returns a channel that is closed once there is a change newer than since.
func (h *hub) changed(since uint64) <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.seen > since {
		return news
	}
	return h.news
}
