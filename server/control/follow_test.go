package control_test

import (
	"strings"
	"sync"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/control"
	"skein.dev/skein/webtransport/wire"
)

// heldLog is a store whose log accepts nothing for a while.
type heldLog struct {
	control.Store
	mu   sync.Mutex
	held []func()
	open bool
}

func (s *heldLog) Append(e *wire.Event, done func(uint64)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open {
		s.Store.Append(e, done)
		return
	}
	s.held = append(s.held, func() { s.Store.Append(e, done) })
}

func (s *heldLog) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = true
	for _, f := range s.held {
		f()
	}
}

// TestALookAtAnAgentThatExitedHasAllThatItPrinted reads while its last events are on their way to the log.
func TestALookAtAnAgentThatExitedHasAllThatItPrinted(t *testing.T) {
	t.Parallel()
	var log *heldLog
	n := open(t, t.TempDir(), func(o *control.Options) { log = &heldLog{Store: o.Store}; o.Store = log })
	a := n.shell(t, "echo the whole truth")
	kit.Eventually(t, "it exited", func() bool { rec, _ := n.Get(a.ID); return rec.Status == wire.StatusExited })
	f, _, err := n.Follow(t.Context(), wire.Header{Agent: a.ID})
	if err != nil {
		t.Fatal(err)
	}
	log.release()
	var out strings.Builder
	for {
		events, err := f.Next(t.Context())
		for _, e := range events {
			if e.Type.IsOutput() {
				out.WriteString(e.Data.Text)
			}
		}
		if err != nil {
			break
		}
	}
	if out.String() != "the whole truth\n" {
		t.Errorf("it printed %q", out.String())
	}
}
