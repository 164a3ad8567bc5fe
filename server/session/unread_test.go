package session

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"skein.dev/skein/e2e/kit"
)

func TestUnreadTakesNoMoreThanThereIs(t *testing.T) {
	u := unread{share: sessionShare}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				got := u.take(LaneBatch)
				if got < 0 || got > LaneBatch || u.taken.Load() > sessionShare {
					t.Errorf("got %d, %d are taken", got, u.taken.Load())
				}
				u.give(got)
			}
		})
	}
	wg.Wait()
	if u.taken.Load() != 0 {
		t.Errorf("%d are still taken", u.taken.Load())
	}
	for range sessionShare / LaneBatch {
		if got := u.take(LaneBatch); got != LaneBatch {
			t.Errorf("got %d", got)
		}
	}
	if got := u.take(1); got != 0 {
		t.Errorf("got %d of nothing", got)
	}
}

// When a session that held much memory ends, the memory returns to the system; one that held little does not cost a collection.
func TestMemoryIsGivenBack(t *testing.T) {
	calls := 0
	m := reclaimer{back: func() { calls++ }}
	little, much := unread{share: sessionShare}, unread{share: sessionShare}
	little.give(little.take(LaneBatch))
	m.release(&little)
	if calls != 0 {
		t.Error("a session that held little cost a collection")
	}
	for range sessionShare / LaneBatch {
		much.take(LaneBatch)
	}
	m.release(&much)
	m.release(&much)
	if calls != 1 {
		t.Errorf("given back %d times", calls)
	}
}

func TestASessionThatEndsGivesItsMemoryBack(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	e, p := serve(t, Config{FreeMemory: func() { calls.Add(1) }})
	e.each(func(c *conn) {
		if got := c.unread.take(muchMemory); got != muchMemory {
			t.Errorf("got %d", got)
		}
	})
	p.Close(0, "")
	kit.Eventually(t, "its memory is given back", func() bool { return calls.Load() == 1 })
}

// A lane reads from the store only when its session has a free token for that.
func TestALaneWaitsForItsTurnToRead(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := &conn{ctx: ctx, unread: unread{reads: make(chan struct{}, 1)}}
	c.unread.reads <- struct{}{}
	if _, err := (&pump{l: &lane{c: c}}).poll(LaneShare); !errors.Is(err, context.Canceled) { // the pump has no store, so it fails if it reads
		t.Error(err)
	}
}
