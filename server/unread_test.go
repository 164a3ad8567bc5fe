package server

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/session"
	"skein.dev/skein/webtransport/wire"
)

// However many lanes a client opens without reading them, the session holds only its share and a little for each lane. A
// lane that is read still gets everything, and in the end nothing is held.
func TestUnreadLanesShareWhatASessionHolds(t *testing.T) {
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		const share, lanes, printed = 2 * session.LaneBatch, 3, 768 << 10 // more than a batch and a stream's window
		n := start(t, func(o *Options) { o.share = share })
		a := n.shell(t, fmt.Sprintf("yes a line of forty characters, give or take | head -c %d", printed))
		kit.Eventually(t, "it has ended", func() bool { rec, _ := n.plane.Get(a.ID); return rec.Status == wire.StatusExited })
		p := n.join(t, tr)
		var open []*stream
		for range lanes {
			s, _ := p.attach(t, wire.Header{Agent: a.ID})
			open = append(open, s)
		}
		kit.Eventually(t, "the lanes have all of the session's share", func() bool { return n.sessions.Unread() == share })
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
				small = small || len(m.Params) > session.LaneShare && len(m.Params) < session.LaneBatch/4
			}
			if size != printed {
				t.Fatalf("a lane brought %d bytes of %d, and then %s %s", size, printed, m.Method, m.Params)
			}
		}
		if !small {
			t.Error("no lane had to do with its own share")
		}
		kit.Eventually(t, "nothing is held any more", func() bool { return n.sessions.Unread() == 0 })
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

// A lane whose session has no share left reads its own share at a time.
func TestALaneHasItsOwnShareAlone(t *testing.T) {
	t.Parallel()
	n := start(t, func(o *Options) { o.share = 1 })
	a := n.script(t, strings.Repeat("say "+strings.Repeat("x", 400)+"\n", 150))
	kit.Eventually(t, "it has ended", func() bool { rec, _ := n.plane.Get(a.ID); return rec.Status == wire.StatusExited })
	lane, _ := n.join(t, wire.WebSocket).attach(t, wire.Header{Agent: a.ID})
	parts := 0
	for m := lane.message(t); m.Method == wire.NoteEvents; m = lane.message(t) {
		if parts++; len(m.Params) > 2*session.LaneShare {
			t.Errorf("%d bytes were sent at once", len(m.Params))
		}
	}
	if parts < 2 {
		t.Errorf("everything came in %d parts", parts)
	}
}
