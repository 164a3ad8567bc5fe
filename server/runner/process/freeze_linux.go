package process

import (
	"time"

	"golang.org/x/sys/unix"

	"skein.dev/skein/webtransport/wire"
)

const (
	freezePasses = 10 // looks for processes that were started since the look before
	freezePause  = 20 * time.Millisecond
)

// Freeze implements runner.Freezer. A process that is being started while its parent is stopped is found by the next look.
func (p *process) Freeze(on bool) error {
	sig := unix.SIGCONT
	if on {
		sig = unix.SIGSTOP
	}
	left := 0
	for pass := range freezePasses {
		if !open(p.exited) {
			return wire.Errorf(wire.CodePrecondition, "the agent has exited")
		}
		if pass == 0 {
			unix.Kill(-p.id.Group, sig)
		}
		left = 0
		for _, q := range p.members() {
			if stopped := q.state == 'T' || q.state == 't'; stopped != on {
				left++
				q.kill(sig)
			}
		}
		if left == 0 {
			return nil
		}
		time.Sleep(freezePause)
	}
	if on {
		return wire.Errorf(wire.CodeTimeout, "%d of its processes go on in spite of SIGSTOP", left)
	}
	return wire.Errorf(wire.CodeTimeout, "%d of its processes are still stopped", left)
}
