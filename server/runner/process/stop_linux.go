package process

import (
	"context"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"skein.dev/skein/webtransport/wire"
)

const (
	firstPause = 2 * time.Millisecond // between two scans for what is left; doubles up to maxPause
	maxPause   = 100 * time.Millisecond
)

// hunt ends a set of processes that need not be children of this one, so that it must search for them.
type hunt struct {
	find     func() []proc             // those that are alive
	signal   func(unix.Signal, []proc) // sends a signal to those found
	deadline func() time.Time          // when SIGKILL is due
	pause    func(time.Duration)       // waits at most that long; returns early if there is a reason to scan again
	over     func() bool               // whether nobody waits for the result any more
}

// run sends SIGTERM, waits, sends SIGKILL, and scans until nothing is left or KillTime has passed.
func (h hunt) run() (forced bool, left []proc) {
	left = h.find()
	for pause := firstPause; len(left) > 0 && !h.over(); pause = min(2*pause, maxPause) {
		rest := time.Until(h.deadline())
		if rest <= 0 {
			return true, h.kill(left)
		}
		h.signal(unix.SIGTERM, left)
		h.pause(min(pause, rest))
		left = h.find()
	}
	return false, left
}

func (h hunt) kill(left []proc) []proc {
	end := time.Now().Add(KillTime)
	for pause := firstPause; len(left) > 0 && time.Now().Before(end) && !h.over(); pause = min(2*pause, maxPause) {
		h.signal(unix.SIGKILL, left)
		h.pause(pause)
		left = h.find()
	}
	return left
}

// Stop implements runner.Session.
func (p *process) Stop(ctx context.Context, grace time.Duration) (bool, []wire.Leftover) {
	p.ask(grace)
	select {
	case <-p.verified:
	case <-ctx.Done():
		select {
		case <-p.verified:
		default:
			return !time.Now().Before(p.killAt()), leftovers(p.members())
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.forced, slices.Clone(p.leftovers)
}

// ask moves SIGKILL forward and wakes run.
func (p *process) ask(grace time.Duration) {
	by := time.Now().Add(max(0, grace))
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopBy.IsZero() || by.Before(p.stopBy) {
		p.stopBy = by
		select {
		case p.nudge <- struct{}{}:
		default:
		}
	}
}

// terminate is called while the leader is alive or a zombie. In both cases the number of its group can't be reused.
func (p *process) terminate() {
	p.mu.Lock()
	if p.stopBy.IsZero() { // the leader exited by itself and no stop was requested
		p.stopBy = time.Now().Add(RestGrace)
	}
	p.mu.Unlock()
	told := &telling{each: map[wire.Process]bool{}}
	h := hunt{find: p.members, deadline: p.killAt, pause: p.pause, over: func() bool { return false },
		signal: func(sig unix.Signal, found []proc) { p.tell(sig, found, told) }}
	atOnce := false
	if open(p.exited) { // the group of a living leader is signaled without a scan
		atOnce = !time.Now().Before(p.killAt())
		if atOnce {
			h.signal(unix.SIGKILL, nil)
		} else {
			h.signal(unix.SIGTERM, nil)
		}
	}
	forced, left := h.run()
	p.mu.Lock()
	p.forced, p.leftovers = forced || atOnce, leftovers(left)
	p.mu.Unlock()
	if len(left) > 0 {
		p.owner.log.Error("not seen to be gone after SIGKILL", "agent", p.agent, "processes", p.leftovers)
	}
	close(p.verified)
}

// telling records which process got which signal. The group gets SIGTERM only once, because a helper that a member starts
// to clean up must not get another. A process that has left the group gets it once, when it is found.
type telling struct {
	term, kill bool
	hangUp     time.Time // of the last SIGHUP to the leader
	each       map[wire.Process]bool
}

// hangUpEvery is the time between two SIGHUP to a leader that stays. A shell can miss one that comes when it is about to read.
const hangUpEvery = 500 * time.Millisecond

func (p *process) tell(sig unix.Signal, found []proc, told *telling) {
	said := &told.term
	if sig == unix.SIGKILL {
		said = &told.kill
	}
	if sig == unix.SIGKILL && p.cgroup != nil {
		p.cgroup.kill() // the signals below do the same one by one
	}
	if !*said || sig == unix.SIGKILL {
		unix.Kill(-p.id.Group, sig)
		if sig == unix.SIGTERM {
			if p.terminal != nil { // an interactive shell ignores SIGTERM, and ends when its terminal goes
				unix.Kill(-p.id.Group, unix.SIGHUP)
				told.hangUp = time.Now()
			}
			unix.Kill(-p.id.Group, unix.SIGCONT) // a stopped process handles SIGTERM only after SIGCONT
		}
	}
	if sig == unix.SIGTERM && p.terminal != nil && time.Since(told.hangUp) >= hangUpEvery && open(p.exited) {
		unix.Kill(p.id.PID, unix.SIGHUP)
		told.hangUp = time.Now()
	}
	if !*said {
		*said = true
		p.out.signal(signalName(sig))
	}
	for _, q := range found {
		if q.Group != p.id.Group {
			tellOne(sig, q, told.each)
		}
	}
}

func tellOne(sig unix.Signal, q proc, told map[wire.Process]bool) {
	if sig == unix.SIGTERM && told[q.Process] {
		return
	}
	told[q.Process] = true
	q.kill(sig)
	if sig == unix.SIGTERM {
		q.kill(unix.SIGCONT)
	}
}

// members returns the processes of the agent that are alive: those in its cgroup, if there is one, and in its group,
// those with one of its marks, those that were seen to descend from it, and all descendants of these.
func (p *process) members() []proc {
	var inside map[int]bool
	all, err := p.owner.scans.fresh()
	if err == nil { // after the scan, so that a pid that was reused since does not match a process in the table
		inside, err = p.cgroup.members()
	}
	if err != nil { // for example because there is no file descriptor left; what can't be verified counts as alive
		p.blind.Do(func() { p.owner.log.Warn("a stop cannot be verified now", "agent", p.agent, "err", err) })
		return []proc{{Process: p.id}}
	}
	family := p.seen()
	self := os.Getpid()
	found := living(all.kin(func(q *proc) bool {
		return q.Group == p.id.Group || inside[q.PID] || family[q.Process] ||
			q.agent == p.agent && q.instance == p.instance || q.mark == markOf(p.instance, p.agent)
	}, func(q *proc) bool { return q.PID == self }))
	if len(found) == 0 && p.cgroup.holds() { // something was started after the scan
		return []proc{{Process: p.id}}
	}
	return found
}

// seen returns the processes outside the group that the sampler has seen.
func (p *process) seen() map[wire.Process]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.family // it is replaced, never modified
}

func (p *process) killAt() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stopBy
}

// pause returns early when the leader exits or a shorter grace was requested. While the leader is alive, there is nothing
// to scan for before the deadline, but a terminal hangs up again.
func (p *process) pause(d time.Duration) {
	exited := p.exited
	if !open(exited) {
		exited = nil
	} else if rest := time.Until(p.killAt()); rest > 0 {
		d = rest
		if p.terminal != nil {
			d = min(rest, hangUpEvery)
		}
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-exited:
	case <-p.nudge:
	case <-timer.C:
	}
}

// open reports whether a channel on which nothing is sent is still open.
func open(c <-chan struct{}) bool {
	select {
	case <-c:
		return false
	default:
		return true
	}
}
