// Package runner runs agents: as operating-system processes ([Processes], kind exec) and as small deterministic
// scripts inside Skein ([Scripted], kind scripted). It knows no agent record and no network: it takes a [Launch], tells
// a [Sink] what the agent does, and hands back a [Running].
//
// # A process, from start to end
//
//	Start       argv, no shell, in a session, and where it can be in a cgroup, of its own; stdin, stdout and stderr are pipes
//	readers     one a pipe; cut at line ends, at most wire.MaxOutput bytes a call; the Sink sets the pace
//	sampler     one for all agents, reads /proc once an interval: Usage, and idle or running
//	exit        the leader becomes a zombie and stays one until its group is gone, which keeps the group's number
//	            from being given to a stranger; what the pipes still hold is read for at most DrainTime
//	the rest    an agent is all that it started: what outlives the leader gets SIGTERM, RestGrace, SIGKILL
//	verify      the cgroup is empty, and /proc shows no living process of the agent
//	reap        the zombie goes, Exit is known, the last bytes reach the Sink, Done closes
//
// [Running.Stop] enters this sequence at "the rest" while the leader lives, with the caller's grace.
//
// # What belongs to an agent
//
// Programs leave their group and session (setsid, daemons), overwrite their environment to set their title (Redis, nginx),
// are started without it (env -i), or change their user. A cgroup v2 of the agent's own holds them all: cgroup.kill ends
// them, and "populated 0" proves it. Where none can be made, [Processes.Containment] says why, and an agent is its group, and
// what carries its mark in the environment or as a limit ([limitMark]), and what descends, or was seen to descend, from these.
// What then escapes has lost all of it: a daemon, its parents gone, that had its limits reset (su and sudo with pam_limits)
// and its environment emptied, between two looks of the sampler.
package runner

import (
	"context"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// Bounds of a process's last moments.
const (
	// DrainTime is how long, after its leader exited by itself, an agent's group may keep its pipes open and print.
	DrainTime = 2 * time.Second
	// RestGrace lies between SIGTERM and SIGKILL for what is left of a group whose leader exited by itself.
	RestGrace = 2 * time.Second
	// KillTime is how long a process may take to disappear after SIGKILL before it is reported as left over.
	KillTime = 2 * time.Second
	// IdleAfter is how long a process must be silent, and use under 1 % of a core, to be called idle.
	IdleAfter = 5 * time.Second
)

// The environment variables that mark every process of an agent.
const (
	EnvAgent    = "SKEIN_AGENT_ID"
	EnvInstance = "SKEIN_INSTANCE"
)

// Launch is what to run.
type Launch struct {
	Agent     wire.AgentID
	Instance  string // the data folder's id; it tells this server's agents from another's
	Argv      []string
	Env       map[string]string // added to the server's own environment without its SKEIN_ variables
	Cwd       string            // an absolute path
	CreateCwd bool              // make Cwd, 0700, if it is missing
	NoInput   bool              // standard input is empty: /dev/null
	Script    string            // kind scripted; empty runs Demo
}

// TaskResult is how a task ended, by its agent. Failure "": it completed, with Output.
type TaskResult struct {
	Output  []byte
	Failure wire.FailureReason
	Message string
}

// Sink takes what an agent does. Calls for one agent come in order, one at a time. A call may block: the runtime then
// stops reading the agent's pipes, and the agent blocks in its turn. A call must not wait for the agent's Done.
type Sink interface {
	// Output takes at most wire.MaxOutput bytes of stdout or stderr, cut at a line's end where there is one and never
	// inside a UTF-8 sequence of valid text. b must not be kept.
	Output(t wire.EventType, b []byte)
	// Activity says what the agent does now; question is set with ActivityRequiresAction.
	Activity(a wire.Activity, question string)
	// Signal says that a signal was sent to the agent's group.
	Signal(name string)
}

// Running is an agent that was started.
type Running interface {
	// Process is the leader of the agent's group; nil for a script.
	Process() *wire.Process
	// Input writes to standard input, then closes it if eof. It waits for the agent to read, until ctx ends or the
	// agent exits. A *wire.Error says how many bytes were written when not all were.
	Input(ctx context.Context, b []byte, eof bool) error
	// Stop ends the agent, verifies that nothing of it is left, and reports what is. It may be called at any time, any
	// number of times; a shorter grace than that of an earlier call takes over. grace 0 kills at once. When ctx ends
	// first, Stop returns what lives at that moment, and the stop goes on. forced says that SIGKILL was needed.
	Stop(ctx context.Context, grace time.Duration) (forced bool, leftovers []wire.Leftover)
	// Containment says by what the agent's processes are found; "" for a script.
	Containment() wire.ContainmentMode
	// Suspended reports whether the leader was stopped by a signal at the latest sample.
	Suspended() bool
	// Done is closed after the exit, when the Sink has taken all output.
	Done() <-chan struct{}
	// Exit is valid after Done.
	Exit() wire.Exit
	// Usage is the latest sample; zero for a script.
	Usage() wire.Usage
	// LastOutput is when the agent last printed; zero when it has not.
	LastOutput() time.Time
}

// open reports whether a channel that only ever gets closed still is not.
func open(c <-chan struct{}) bool {
	select {
	case <-c:
		return false
	default:
		return true
	}
}

func spawnError(format string, args ...any) *wire.Error {
	return wire.Errorf(wire.CodeSpawnFailed, format, args...)
}
