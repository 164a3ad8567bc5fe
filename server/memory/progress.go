package memory

import (
	"container/heap"
	"context"
	"sync"
)

// progress is a number that grows, with the goroutines that wait until it reaches theirs.
type progress struct {
	mu      sync.Mutex
	at      uint64
	waiters waiterHeap
}

type waiter struct {
	least uint64
	done  chan struct{}
	at    int // index in the heap, or -1
}

// reach sets the number to n if n is greater, and wakes those who wait for n or less.
func (p *progress) reach(n uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at = max(p.at, n)
	for len(p.waiters) > 0 && p.waiters[0].least <= p.at {
		close(heap.Pop(&p.waiters).(*waiter).done)
	}
}

// wait returns when the number is n or more, or when ctx ends.
func (p *progress) wait(ctx context.Context, n uint64) error {
	p.mu.Lock()
	if p.at >= n {
		p.mu.Unlock()
		return nil
	}
	w := &waiter{least: n, done: make(chan struct{})}
	heap.Push(&p.waiters, w)
	p.mu.Unlock()
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		p.mu.Lock()
		defer p.mu.Unlock()
		if w.at >= 0 {
			heap.Remove(&p.waiters, w.at)
		}
		return ctx.Err()
	}
}

// waiterHeap is ordered by the number that is waited for, the least first.
type waiterHeap []*waiter

func (h waiterHeap) Len() int           { return len(h) }
func (h waiterHeap) Less(i, j int) bool { return h[i].least < h[j].least }
func (h waiterHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i]; h[i].at, h[j].at = i, j }
func (h *waiterHeap) Push(x any)        { w := x.(*waiter); w.at = len(*h); *h = append(*h, w) }
func (h *waiterHeap) Pop() any {
	old := *h
	w := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	w.at = -1
	return w
}
