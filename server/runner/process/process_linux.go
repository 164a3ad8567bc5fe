// Package process runs agents as operating-system processes.
//
// # A process, from start to end
//
//	Start       argv, no shell, in a session of its own and, if possible, a cgroup; stdin, stdout and stderr are pipes, or a terminal
//	readers     one per pipe, or one; cut at line ends, at most wire.MaxOutput bytes per call; the sink sets the pace
//	sampler     one for all agents, scans /proc at an interval: Usage, and idle or running
//	exit        the leader becomes a zombie and stays one until its group is gone, which keeps the group's number
//	            from being given to a stranger; what the pipes still hold is read for at most DrainTime
//	the rest    an agent is everything that it started: what outlives the leader gets SIGTERM, RestGrace, SIGKILL
//	verify      the cgroup is empty, and /proc shows no living process of the agent
//	reap        the zombie is reaped, Exit is known, the last bytes reach the sink, Done closes
//
// [runner.Session]'s Stop enters this sequence at "the rest" while the leader lives, with the caller's grace.
//
// # What belongs to an agent
//
// Programs leave their group and session (setsid, daemons), overwrite their environment to set their title (Redis,
// nginx), are started without it (env -i), or change their user. A cgroup v2 of the agent's own holds them all:
// cgroup.kill ends them, and "populated 0" proves it. Where none can be created, [Kind.Containment] says why, and an
// agent is its group, the processes with its mark in the environment or as a limit ([limitMark]), and those that descend,
// or were seen to descend, from these. Then a process escapes only if it loses all of this between two samples: a daemon
// without parents whose limits were reset (su and sudo with pam_limits) and whose environment was emptied.
//
// # Locks
//
// In the order in which they are taken:
//
//	Kind.mu      which agents run
//	process.mu   when an agent is killed, and what is known of it
//	outlet.call  around calls of the Sink, which may block
//	outlet.mu    activities and signals that wait for the Sink
//
// Others are never held while one of these is taken: scans.one, around a scan, is taken before scans.mu, which guards the
// scan that is shared; reader.mu guards the deadline of a pipe; marking is held around a fork.
package process

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// Bounds of a process's last moments.
const (
	// DrainTime is how long an agent's group may keep its pipes open and print after its leader exited by itself.
	DrainTime = 2 * time.Second
	// RestGrace is the time between SIGTERM and SIGKILL for what is left of a group whose leader exited by itself.
	RestGrace = 2 * time.Second
	// KillTime is how long a process may take to disappear after SIGKILL before it is reported as a leftover.
	KillTime = 2 * time.Second
	// IdleAfter is how long a process must print nothing and use less than 1 % of a core to be called idle.
	IdleAfter = 5 * time.Second
)

// Capabilities are those of processes.
var Capabilities = runner.Capabilities{Command: true, Folder: true, Tasks: []wire.TaskMode{wire.TasksProcess, wire.TasksLines}, Lines: true}

// Options tune a Kind; the zero value works.
type Options struct {
	Logger         *slog.Logger
	SampleInterval time.Duration // between two samples of /proc; 0: one second
	Instance       string        // part of the names of cgroups; the id of the data folder
	CgroupState    string        // a file that records where the cgroups are; "": none are created
}

// Kind runs agents as operating-system processes.
type Kind struct {
	// static after construction
	log      *slog.Logger
	interval time.Duration
	idle     time.Duration // IdleAfter, except in tests
	instance string
	cgroups  *cgroups
	scans    scans
	wake     chan struct{} // has a value when there is an agent to sample
	quit     chan struct{}

	wg sync.WaitGroup // the sampler and the goroutines of every agent

	mu     sync.Mutex // guards what follows
	live   map[*process]struct{}
	closed bool
}

// New returns a Kind and starts its sampler. Close ends it.
func New(o Options) *Kind {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.SampleInterval <= 0 {
		o.SampleInterval = time.Second
	}
	closeOnExec()
	ignoreHere()
	r := &Kind{log: o.Logger, interval: o.SampleInterval, idle: IdleAfter, live: map[*process]struct{}{},
		instance: o.Instance, cgroups: openCgroups(o.Instance, o.CgroupState),
		wake: make(chan struct{}, 1), quit: make(chan struct{})}
	r.wg.Go(r.sample)
	return r
}

// Close kills the agents that run and returns when their Sinks have received the rest of their output.
func (r *Kind) Close() {
	r.mu.Lock()
	if !r.closed {
		r.closed = true
		close(r.quit)
	}
	for p := range r.live {
		p.ask(0)
	}
	r.mu.Unlock()
	r.wg.Wait()
	r.cgroups.close()
}

// Containment returns how the processes of an agent are found, and why if that is not by a cgroup.
func (r *Kind) Containment() wire.Containment {
	if r.cgroups.base == "" {
		return wire.Containment{Mode: wire.ContainedByMarks, Why: r.cgroups.why}
	}
	return wire.Containment{Mode: wire.ContainedByCgroup}
}

// Capabilities implements runner.Kind.
func (r *Kind) Capabilities() runner.Capabilities { return Capabilities }

// Check implements runner.Kind.
func (r *Kind) Check(l runner.Launch) error {
	switch {
	case l.Script != "":
		return wire.Errorf(wire.CodeInvalidParams, "it runs a command, it takes no script").WithField("script")
	case len(l.Argv) == 0 || l.Argv[0] == "":
		return wire.Errorf(wire.CodeInvalidParams, "it needs a command: give argv, one string an argument").WithField("argv")
	}
	return nil
}

// Detect implements runner.Kind. It finds the program as Start would.
func (r *Kind) Detect(l runner.Launch) (string, error) {
	if err := r.Check(l); err != nil {
		return "", err
	}
	env, err := environ(os.Environ(), l)
	if err != nil {
		return "", err
	}
	return lookup(l.Argv[0], l.Cwd, env["PATH"])
}

// Start starts an agent. ctx bounds the start and not the life of the agent. The error is a *wire.Error with
// CodeSpawnFailed.
func (r *Kind) Start(ctx context.Context, l runner.Launch, sink runner.Sink) (runner.Session, error) {
	if ctx.Err() != nil {
		return nil, runner.SpawnError("the start was called off")
	}
	cmd, err := newCommand(l)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	closed := r.closed
	if !closed {
		r.wg.Add(1) // for run; Close waits for the fork too
	}
	r.mu.Unlock()
	if closed {
		return nil, runner.SpawnError("Skein is stopping")
	}
	group, mark := r.contain(l)
	c, err := cmd.start(group, mark)
	if err != nil {
		group.remove()
		r.wg.Done()
		return nil, err
	}
	p, err := r.adopt(l, c, group, sink)
	if err != nil { // for example because there is no file descriptor left
		r.log.Error("a started process cannot be watched", "agent", l.Agent, "err", err)
		c.abandon(group)
		r.wg.Done()
		return nil, runner.SpawnError("the process was started, but could not be watched, and was killed: %s", reason(err))
	}
	r.mu.Lock()
	r.live[p] = struct{}{}
	if r.closed {
		p.ask(0)
	}
	r.mu.Unlock()
	go p.run()
	select {
	case r.wake <- struct{}{}:
	default:
	}
	return p, nil
}

// contain creates a cgroup for an agent. Its processes are marked by a limit in any case, because those that may write to
// the cgroup tree can leave the cgroup.
func (r *Kind) contain(l runner.Launch) (*cgroup, limitMark) {
	mark := markOf(l.Instance, l.Agent)
	if r.cgroups.base == "" {
		return nil, mark
	}
	g, err := makeCgroup(r.cgroups.base, string(l.Agent))
	if err != nil {
		r.log.Warn("an agent gets no cgroup of its own", "agent", l.Agent, "err", err)
		return nil, mark
	}
	return g, mark
}

// adopt starts the goroutines of a process, except run, which the caller starts.
func (r *Kind) adopt(l runner.Launch, c child, group *cgroup, sink runner.Sink) (*process, error) {
	stat, err := readProc(c.pid) // it exists at least as a zombie, because nobody else reaps it
	if err != nil {
		return nil, fmt.Errorf("read its start time: %w", err)
	}
	p := &process{
		owner: r, agent: l.Agent, instance: l.Instance, started: time.Now(), pidfd: c.pidfd, cgroup: group,
		terminal: c.terminal,
		id:       wire.Process{PID: c.pid, Group: c.pid, StartTime: stat.StartTime},
		out:      &outlet{sink: sink},
		exited:   make(chan struct{}), drained: make(chan struct{}), nudge: make(chan struct{}, 1),
		verified: make(chan struct{}), done: make(chan struct{}),
		usage: wire.Usage{Processes: 1},
	}
	p.sampledAt = p.started
	wait, err := c.pidfd.SyscallConn()
	if err != nil {
		return nil, err
	}
	for _, out := range c.outputs {
		rd, err := newReader(out.stream, out.f, p.out)
		if err != nil {
			return nil, err
		}
		p.readers = append(p.readers, rd)
	}
	p.stdin = newStdin(c.stdin, p.exited)
	p.out.become(wire.ActivityRunning)
	p.wg.Go(func() {
		// A pidfd is readable when the last thread has ended. An error means that run gave up the process.
		wait.Read(func(fd uintptr) bool { return hasExited(int(fd)) })
		close(p.exited)
	})
	var reading atomic.Int32
	reading.Store(int32(len(p.readers)))
	for _, rd := range p.readers {
		p.wg.Go(func() {
			rd.run()
			if reading.Add(-1) == 0 {
				close(p.drained)
			}
		})
	}
	return p, nil
}

func hasExited(pidfd int) bool {
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	for err == unix.EINTR {
		n, err = unix.Poll(fds, 0)
	}
	return n > 0 || err != nil
}

// process is one agent: a leader, its group, and whatever else belongs to it.
type process struct {
	// static after construction
	owner    *Kind
	agent    wire.AgentID
	instance string
	id       wire.Process // the leader
	cgroup   *cgroup      // nil if none could be created
	started  time.Time
	pidfd    *os.File
	out      *outlet
	stdin    *stdin
	readers  []*reader
	terminal *os.File      // nil if it has pipes; its reader closes it
	exited   chan struct{} // closed when the leader is a zombie or was given up
	drained  chan struct{} // closed when all readers have ended
	nudge    chan struct{} // has a value when stopBy has changed
	verified chan struct{} // closed when forced and leftovers are final
	done     chan struct{}
	wg       sync.WaitGroup // the waiter and the readers
	blind    sync.Once      // logs a failed scan once

	// owned by the sampler
	lastBusy time.Time

	mu        sync.Mutex // guards what follows
	stopBy    time.Time  // when SIGKILL is due; zero: no stop was requested
	forced    bool
	leftovers []wire.Leftover
	family    map[wire.Process]bool // outside the group at the last sample; replaced, never modified
	suspended bool                  // whether the leader was, at the last sample
	usage     wire.Usage
	sampledAt time.Time
	exit      wire.Exit
}

// run owns the process until Done is closed.
func (p *process) run() {
	defer p.owner.wg.Done()
	select {
	case <-p.exited:
		p.stdin.close()
		p.awaitEnd()
	case <-p.nudge:
	}
	p.terminate()
	p.stdin.close()
	for _, rd := range p.readers {
		rd.cut()
	}
	p.reap()
	p.cgroup.remove()
	p.pidfd.Close() // ends the waiter if the leader has survived SIGKILL
	p.wg.Wait()
	p.out.close()
	p.owner.mu.Lock()
	delete(p.owner.live, p)
	p.owner.mu.Unlock()
	close(p.done)
}

// awaitEnd gives the processes that hold the pipes of a leader that exited by itself some time to print the rest.
func (p *process) awaitEnd() {
	timer := time.NewTimer(DrainTime)
	defer timer.Stop()
	select {
	case <-p.drained:
	case <-timer.C:
	case <-p.nudge:
	}
}

// reap reaps the leader. From then on, the number of its group may be reused.
func (p *process) reap() {
	var status unix.WaitStatus
	var used unix.Rusage
	exit := wire.Exit{Code: -1}
	p.mu.Lock()
	outlived := slices.ContainsFunc(p.leftovers, func(l wire.Leftover) bool { return l.Process == p.id })
	p.mu.Unlock()
	if !outlived {
		<-p.exited // /proc may show the exit before the waiter is woken
	}
	select {
	case <-p.exited:
		_, err := unix.Wait4(p.id.PID, &status, 0, &used)
		for err == unix.EINTR {
			_, err = unix.Wait4(p.id.PID, &status, 0, &used)
		}
		if err != nil {
			exit.Message = "its exit status was lost"
			p.owner.log.Error("reap", "agent", p.agent, "pid", p.id.PID, "err", err)
		} else {
			exit = describe(status)
		}
	default:
		exit.Message = "it did not end after SIGKILL"
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	exit.Leftovers = p.leftovers
	if n := len(p.leftovers); n > 0 {
		exit.Message += fmt.Sprintf("; not seen to be gone after SIGKILL: %d of its processes", n)
	}
	p.exit = exit
	cpu := time.Duration(used.Utime.Nano() + used.Stime.Nano()).Seconds()
	p.usage = wire.Usage{CPUTime: max(cpu, p.usage.CPUTime), Processes: len(p.leftovers)}
}

func describe(s unix.WaitStatus) wire.Exit {
	if !s.Signaled() {
		return wire.Exit{Code: s.ExitStatus(), Message: fmt.Sprintf("exit status %d", s.ExitStatus())}
	}
	e := wire.Exit{Code: -1, Signal: signalName(s.Signal())}
	e.Message = "killed by " + e.Signal
	if s.CoreDump() {
		e.Message += ", core dumped"
	}
	return e
}

func signalName(sig unix.Signal) string {
	if name := unix.SignalName(sig); name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", int(sig)) // a real-time signal has no name
}

func (p *process) Process() *wire.Process { id := p.id; return &id }
func (p *process) Done() <-chan struct{}  { return p.done }

func (p *process) Containment() wire.ContainmentMode {
	if p.cgroup == nil {
		return wire.ContainedByMarks
	}
	return wire.ContainedByCgroup
}

func (p *process) Suspended() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.suspended
}

func (p *process) Input(ctx context.Context, b []byte, eof bool) error {
	return p.stdin.write(ctx, b, eof)
}

// Resize implements runner.Resizer.
func (p *process) Resize(s wire.Size) error {
	if p.terminal == nil {
		return wire.Errorf(wire.CodePrecondition, "agent %s has no terminal", p.agent)
	}
	if err := resize(p.terminal, s); err != nil {
		return runner.ExitedError(0, 0)
	}
	return nil
}

func (p *process) Exit() wire.Exit {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.exit
}

func (p *process) Usage() wire.Usage {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.usage
}
