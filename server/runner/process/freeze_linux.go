package process

import (
	"time"

	"golang.org/x/sys/unix"

	"skein.dev/skein/webtransport/wire"
)

const (
	freezeTime  = 10 * time.Second // a process takes a signal when it is scheduled, which a busy machine delays
	freezePause = 20 * time.Millisecond
)

// Freeze implements runner.Freezer. A process that is being started while its parent is stopped is found by the next look. If a process goes on
// nevertheless, all go on.
func (p *process) Freeze(on bool) error {
	left, err := p.freeze(on)
	switch {
	case err != nil || left == 0:
		return err
	case on:
		p.freeze(false)
		return wire.Errorf(wire.CodeTimeout, "%d of its processes went on in spite of SIGSTOP, so that none was stopped", left)
	}
	return wire.Errorf(wire.CodeTimeout, "%d of its processes are still stopped", left)
}

// freeze stops all processes, or lets them go on, and returns how many have not.
func (p *process) freeze(on bool) (left int, err error) {
	sig := unix.SIGCONT
	if on {
		sig = unix.SIGSTOP
	}
	unix.Kill(-p.id.Group, sig)
	told := map[wire.Process]bool{}
	for until := time.Now().Add(freezeTime); ; time.Sleep(freezePause) {
		if !open(p.exited) {
			return 0, wire.Errorf(wire.CodePrecondition, "the agent has exited")
		}
		left = 0
		for _, q := range p.members() {
			// One that waits in the kernel stops when that is over, such as a shell until the child that it is starting, which may be stopped
			// already, executes its program (vfork).
			if stopped := q.state == 'T' || q.state == 't' || on && q.state == 'D' && told[q.Process]; stopped != on {
				left++
				q.kill(sig)
				told[q.Process] = true
			}
		}
		if left == 0 || time.Now().After(until) {
			return left, nil
		}
	}
}
