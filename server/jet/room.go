package jet

import (
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"skein.dev/skein/webtransport/wire"
)

// A NATS file store that has met a full disk accepts no more writes until it is opened again. So the store never lets it
// meet one: it keeps a reserve free, and refuses writes while the disk has less.
const (
	// Reserve is how many bytes of the store's disk are kept free; of a smaller disk, one sixteenth.
	Reserve = 64 << 20
	// roomInterval is how often the free space is sampled. What is written in between is far less than the reserve.
	roomInterval = 100 * time.Millisecond
)

// room samples the free space of the disk.
type room struct {
	dir  string // empty if the store is external
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
	r.sample()
	r.done.Go(func() {
		t := time.NewTicker(roomInterval)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				r.sample()
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

func (r *room) sample() {
	var st unix.Statfs_t
	if unix.Statfs(r.dir, &st) != nil {
		return // the next write fails if the disk is gone
	}
	free, all := int64(st.Bavail)*st.Bsize, int64(st.Blocks)*st.Bsize
	r.free.Store(free)
	r.full.Store(free < min(Reserve, all/16))
}

// check returns an error with CodeUnavailable if the disk is full.
func (r *room) check() error {
	if !r.full.Load() {
		return nil
	}
	return wire.Errorf(wire.CodeUnavailable, "the disk of the data folder is full (%d MiB are left): nothing was stored; free some space and try again", r.free.Load()>>20)
}

// wait blocks until there is room or the store is drained.
func (r *room) wait() {
	for r.full.Load() {
		select {
		case <-time.After(roomInterval):
		case <-r.drain:
			return
		}
	}
}
