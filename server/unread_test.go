package server

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/webtransport/wire"
)

// However many lanes a client opens and does not read, the session holds its share and a little for each lane. A lane that is
// read gets everything all the same, and in the end nothing is held.
func TestUnreadLanesShareWhatASessionHolds(t *testing.T) {
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		const share, lanes, printed = 2 * laneBatch, 6, 1 << 20
		n := start(t)
		n.share = share
		a := n.shell(t, "yes a line of forty characters, give or take | head -c 1048576")
		kit.Eventually(t, "it has ended", func() bool { rec, _ := n.plane.Get(a.ID); return rec.Status == wire.StatusExited })
		p := n.join(t, tr)
		var open []*stream
		for range lanes {
			s, _ := p.attach(t, wire.Header{Agent: a.ID})
			open = append(open, s)
		}
		c := n.only(t)
		kit.Eventually(t, "the lanes have all of the session's share", func() bool { return c.unread.taken.Load() == share })
		small := false
		for _, s := range open {
			size := 0
			m := s.message(t)
			for ; m.Method == wire.NoteEvents; m = s.message(t) {
				var part wire.Events
				if err := json.Unmarshal(m.Params, &part); err != nil {
					t.Fatal(err)
				}
				for _, e := range part.Events {
					if e.Type.IsOutput() {
						size += e.Data.Len()
					}
				}
				small = small || len(m.Params) > laneShare && len(m.Params) < laneBatch/4
			}
			if size != printed {
				t.Fatalf("a lane brought %d bytes of %d, and then %s %s", size, printed, m.Method, m.Params)
			}
		}
		if !small {
			t.Error("no lane had to do with its own share")
		}
		kit.Eventually(t, "nothing is held any more", func() bool { return c.unread.taken.Load() == 0 })
	})
}

func (s *stream) message(t *testing.T) *wire.Message {
	t.Helper()
	m, err := s.next()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// only is the one session that there is.
func (n *node) only(t *testing.T) (only *conn) {
	t.Helper()
	n.each(func(c *conn) {
		if only != nil {
			t.Fatal("there is more than one session")
		}
		only = c
	})
	return only
}

func TestUnreadTakesNoMoreThanThereIs(t *testing.T) {
	u := unread{share: sessionShare}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				got := u.take(laneBatch)
				if got < 0 || got > laneBatch || u.taken.Load() > sessionShare {
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
	for range sessionShare / laneBatch {
		if got := u.take(laneBatch); got != laneBatch {
			t.Errorf("got %d", got)
		}
	}
	if got := u.take(1); got != 0 {
		t.Errorf("got %d of nothing", got)
	}
}

// A session that held much gives it back to the system when it ends; one that held little does not cost a collection.
func TestMemoryIsGivenBack(t *testing.T) {
	calls := 0
	m := reclaimer{back: func() { calls++ }}
	little, much := unread{share: sessionShare}, unread{share: sessionShare}
	little.give(little.take(laneBatch))
	m.release(&little)
	if calls != 0 {
		t.Error("a session that held little cost a collection")
	}
	for range sessionShare / laneBatch {
		much.take(laneBatch)
	}
	m.release(&much)
	m.release(&much)
	if calls != 1 {
		t.Errorf("given back %d times", calls)
	}
}

func TestASessionThatEndsGivesItsMemoryBack(t *testing.T) {
	t.Parallel()
	n := start(t)
	var calls atomic.Int32
	n.reclaim.mu.Lock()
	n.reclaim.back = func() { calls.Add(1) }
	n.reclaim.mu.Unlock()
	p := n.join(t, wire.WebSocket)
	if got := n.only(t).unread.take(muchMemory); got != muchMemory {
		t.Fatalf("got %d", got)
	}
	p.Close(0, "")
	kit.Eventually(t, "its memory is given back", func() bool { return calls.Load() == 1 })
}

// A lane reads from the store when one of its session's turns is free.
func TestALaneWaitsForItsTurnToRead(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := &conn{ctx: ctx, unread: unread{reads: make(chan struct{}, 1)}}
	c.unread.reads <- struct{}{}
	if _, err := (&pump{l: &lane{c: c}}).poll(laneShare); !errors.Is(err, context.Canceled) { // it has nothing to read from
		t.Error(err)
	}
}

// A lane for which nothing is left of what its session may hold reads its own share at a time.
func TestALaneHasItsOwnShareAlone(t *testing.T) {
	t.Parallel()
	n := start(t)
	a := n.script(t, strings.Repeat("say "+strings.Repeat("x", 400)+"\n", 150))
	whole, _, err := n.plane.Follow(t.Context(), wire.Header{Agent: a.ID, Follow: true})
	for err == nil { // until the log has all of it
		_, err = whole.Next(t.Context())
	}
	f, _, err := n.plane.Follow(t.Context(), wire.Header{Agent: a.ID})
	if err != nil {
		t.Fatal(err)
	}
	out := new(tally)
	c := &conn{ctx: t.Context(), unread: unread{reads: make(chan struct{}, 1)}}
	if more, err := (&pump{l: &lane{c: c, str: out}, f: f}).sendBatch(); err != nil || !more || out.bytes == 0 || out.bytes > 2*laneShare {
		t.Errorf("%d bytes were sent at once, %v, %v", out.bytes, more, err)
	}
}
