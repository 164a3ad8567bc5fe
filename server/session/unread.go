package session

import (
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"skein.dev/skein/webtransport/wire"
)

const (
	// LaneShare is how many bytes of its agent's events every agent lane may have in flight, however many lanes there are.
	LaneShare = 8 << 10
	// sessionShare is how many bytes more the agent lanes of a session may have in flight together. A lane whose client
	// reads takes much of it for a moment; lanes whose client does not read can't hold more than it.
	sessionShare = 8 << 20
	// LaneBatch is how much of it one lane takes at most.
	LaneBatch = wire.PageBytes / 2
)

// laneReads is how many lanes of a session read from the store at the same time.
const laneReads = 128

// unread bounds how much the server holds for a client that has not read it yet.
type unread struct {
	reads chan struct{} // holds a token for each lane that reads from the store

	share int64        // the limit of all lanes together
	taken atomic.Int64 // at most share
	most  atomic.Int64 // the most that was ever taken
}

// take gives a lane up to n bytes of the session's share, or what is left of it.
func (u *unread) take(n int64) int64 {
	for {
		taken := u.taken.Load()
		got := min(n, u.share-taken)
		if got <= 0 {
			return 0
		}
		if u.taken.CompareAndSwap(taken, taken+got) {
			for most := u.most.Load(); taken+got > most && !u.most.CompareAndSwap(most, taken+got); most = u.most.Load() {
			}
			return got
		}
	}
}

func (u *unread) give(n int64) { u.taken.Add(-n) }

const (
	muchMemory  = sessionShare / 2
	memoryPause = time.Minute // the shortest time between two returns of memory
)

// reclaimer returns the memory that a session held to the system soon after its end; otherwise the process keeps it for
// minutes. This takes a garbage collection, so it is done only for sessions that held much, and not often.
type reclaimer struct {
	mu   sync.Mutex
	last time.Time
	back func() // nil means debug.FreeOSMemory
}

func (m *reclaimer) release(u *unread) {
	if u.most.Load() < muchMemory {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if time.Since(m.last) < memoryPause {
		return
	}
	m.last = time.Now()
	if m.back != nil {
		m.back()
		return
	}
	debug.FreeOSMemory()
}
