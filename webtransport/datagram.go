package webtransport

import (
	"bytes"
	"context"
	"sync"
)

// datagramQueue holds at most DatagramQueue datagrams that wait for their writer. If it is full, the oldest is dropped.
type datagramQueue struct {
	mu     sync.Mutex
	queue  [][]byte
	filled chan struct{} // has a value while the queue may be non-empty
}

func newDatagramQueue() *datagramQueue {
	return &datagramQueue{filled: make(chan struct{}, 1)}
}

func (q *datagramQueue) push(b []byte) {
	q.mu.Lock()
	if len(q.queue) == DatagramQueue {
		q.queue = append(q.queue[:0], q.queue[1:]...)
	}
	q.queue = append(q.queue, bytes.Clone(b))
	q.mu.Unlock()
	select {
	case q.filled <- struct{}{}:
	default:
	}
}

// pop waits for a datagram. It returns nil if ctx ends first.
func (q *datagramQueue) pop(ctx context.Context) []byte {
	for {
		q.mu.Lock()
		if len(q.queue) > 0 {
			b := q.queue[0]
			q.queue = append(q.queue[:0], q.queue[1:]...)
			q.mu.Unlock()
			return b
		}
		q.mu.Unlock()
		select {
		case <-q.filled:
		case <-ctx.Done():
			return nil
		}
	}
}
