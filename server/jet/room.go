package jet

import (
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"skein.dev/skein/webtransport/wire"
)

// A NATS file store that once met a full disk takes nothing more until it is opened again. So it must not meet one: the
// store keeps a reserve free, and refuses what would write as long as the disk has less.
const (
	// Reserve is what is kept free of the disk that the store is on, in bytes; a sixteenth of a smaller one.
	Reserve = 64 << 20
	// roomInterval lies between two looks at the disk. What is written meanwhile is far less than the reserve.
	roomInterval = 100 * time.Millisecond
)

// room watches the space that is left.
type room struct {
	dir  string // empty: an external store, whose disk is its own matter
	full atomic.Bool
	free atomic.Int64
	quit chan struct{}
	done sync.WaitGroup

	drain     chan struct{}
	drainOnce sync.Once
}

func (r *room) open(dir string) {
	r.dir, r.quit, r.drain = dir, make(chan struct{}), make(chan struct{})
	if dir == "" {
		return
	}
	r.look()
	r.done.Go(func() {
		t := time.NewTicker(roomInterval)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				r.look()
			case <-r.quit:
				return
			}
		}
	})
}

func (r *room) close() {
	if r.quit != nil {
		close(r.quit)
		r.done.Wait()
		r.quit = nil
	}
}

func (r *room) look() {
	var st unix.Statfs_t
	if unix.Statfs(r.dir, &st) != nil {
		return // the next write tells
	}
	free, all := int64(st.Bavail)*st.Bsize, int64(st.Blocks)*st.Bsize
	r.free.Store(free)
	r.full.Store(free < min(Reserve, all/16))
}

// check refuses when the disk is full. Its error is CodeUnavailable.
func (r *room) check() error {
	if !r.full.Load() {
		return nil
	}
	return wire.Errorf(wire.CodeUnavailable, "the disk of the data folder is full (%d MiB are left): nothing was stored; free some space and try again", r.free.Load()>>20)
}

// wait waits until there is room, or until the store is drained.
func (r *room) wait() {
	for r.full.Load() {
		select {
		case <-time.After(roomInterval):
		case <-r.drain:
			return
		}
	}
}
