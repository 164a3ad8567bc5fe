package process

import (
	"testing"

	"skein.dev/skein/webtransport/wire"
)

// A shell that is stopped while it starts a child waits for that child in the kernel, and the child is stopped.
func TestWhatIsStoppedInTheMidstOfAStartIsSuspended(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		leader, child byte
		suspended     bool
	}{
		"stopped":                           {'T', 'S', true},
		"at work":                           {'S', 'R', false},
		"reads from a disk":                 {'D', 'R', false},
		"waits for a child that is stopped": {'D', 'T', true},
		"has stopped a child":               {'S', 'T', false},
	} {
		p := &process{id: wire.Process{PID: 7, Group: 7, StartTime: 1}}
		var s sample
		s.add(p, &proc{Process: p.id, state: c.leader})
		s.add(p, &proc{Process: wire.Process{PID: 8, Group: 7, StartTime: 2}, parent: 7, state: c.child})
		if s.suspended != c.suspended || s.usage.Processes != 2 {
			t.Errorf("%s: suspended is %v, of %d processes", name, s.suspended, s.usage.Processes)
		}
	}
}
