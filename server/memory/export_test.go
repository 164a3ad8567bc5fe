package memory

import "time"

// Queued returns how many changes wait for a watcher.
func (w *Watch) Queued() int {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	return len(w.queue)
}

// ForgetPurge makes the book forget the last purge.
func (m *Memory) ForgetPurge() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.book.purged = 0
}

// LastPurge waits until the book has seen a purge, and returns the revision of the last one.
func (m *Memory) LastPurge() uint64 {
	for {
		m.mu.Lock()
		at := m.book.purged
		m.mu.Unlock()
		if at > 0 {
			return at
		}
		time.Sleep(time.Millisecond)
	}
}
