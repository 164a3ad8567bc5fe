package session

import (
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"skein.dev/skein/webtransport/wire"
)

const (
	// LaneShare is what every agent lane may have under way of its agent's events, in bytes, however many lanes there are.
	LaneShare = 8 << 10
	// sessionShare is what the agent lanes of a session may have under way beyond that, together. A lane whose client reads
	// takes much of it for a moment; lanes whose client does not read keep no more than it.
	sessionShare = 8 << 20
	// LaneBatch is what one lane takes of it at the most.
	LaneBatch = wire.PageBytes / 2
)

// laneReads is how many lanes of a session read from the store at the same time.
const laneReads = 128

// unread bounds what the server holds for a session of what its client has not read yet.
type unread struct {
	reads chan struct{} // holds a token for each lane that reads from the store

	share int64        // what all lanes have together
	taken atomic.Int64 // at most share
	most  atomic.Int64 // that was ever taken
}

// take gives a lane up to n bytes of the session's share: what there is.
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
	memoryPause = time.Minute // between two times that memory is given back
)

// reclaimer gives what a session held back to the system, soon: else the process keeps for minutes what it needs no more. That
// takes a garbage collection, so it is done for sessions that held much, and not often.
type reclaimer struct {
	mu   sync.Mutex
	last time.Time
	back func() // nil: debug.FreeOSMemory
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
