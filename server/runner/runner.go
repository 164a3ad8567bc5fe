// Package runner says what a kind of agents is: [Kind], which starts agents, and [Session], one that was started. Each kind is a
// folder beside this file: process runs operating-system processes, scripted small deterministic scripts inside Skein. lines
// gives tasks to whatever reads and writes lines.
//
// A kind knows no agent record and no network: it takes a [Launch], tells a [Sink] what the agent does, and hands back a
// Session. What not every kind can do is an interface that its sessions have or have not: [Inputter], [Doer], [Observed].
package runner

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"skein.dev/skein/webtransport/wire"
)

// The environment variables that mark every process of an agent.
const (
	EnvAgent    = "SKEIN_AGENT_ID"
	EnvInstance = "SKEIN_INSTANCE"
)

// Kind runs agents of one kind.
type Kind interface {
	Capabilities() Capabilities
	// Check refuses a launch that can work on no machine: its error names the field.
	Check(l Launch) error
	// Detect finds what a launch would run on this machine: the path of a program, say, or "" where nothing is needed. Its error
	// says what is missing.
	Detect(l Launch) (found string, err error)
	// Start runs an agent. ctx bounds the start, not the agent. The error is a *wire.Error: the launch's own, or
	// CodeSpawnFailed.
	Start(ctx context.Context, l Launch, sink Sink) (Session, error)
}

// Capabilities are what the agents of a kind can be given.
type Capabilities struct {
	Command bool            // a command, with an environment and a folder, where it may have an outbox
	Script  bool            // a script
	Tasks   []wire.TaskMode // ways to be given tasks, besides none
	Lines   bool            // lines on standard input and output are the only way in which sessions take tasks: package lines speaks it
}

// Launch is what to run.
type Launch struct {
	Agent     wire.AgentID
	Instance  string // the data folder's id; it tells this server's agents from another's
	Argv      []string
	Env       map[string]string // added to the server's own environment without its SKEIN_ variables
	Cwd       string            // an absolute path
	CreateCwd bool              // make Cwd, 0700, if it is missing
	NoInput   bool              // standard input is empty: /dev/null
	Script    string            // where the kind takes one; "": its own
}

// Session is an agent that was started.
type Session interface {
	// Stop ends the agent, verifies that nothing of it is left, and reports what is. It may be called at any time, any
	// number of times; a shorter grace than that of an earlier call takes over. grace 0 kills at once. When ctx ends
	// first, Stop returns what lives at that moment, and the stop goes on. forced says that SIGKILL was needed.
	Stop(ctx context.Context, grace time.Duration) (forced bool, leftovers []wire.Leftover)
	// Done is closed after the exit, when the Sink has taken all events.
	Done() <-chan struct{}
	// Exit is valid after Done.
	Exit() wire.Exit
}

// Inputter is a session that has a standard input.
type Inputter interface {
	// Input writes to standard input, then closes it if eof. It waits for the agent to read, until ctx ends or the
	// agent exits. A *wire.Error says how many bytes were written when not all were.
	Input(ctx context.Context, b []byte, eof bool) error
}

// Doer is a session that takes tasks, several if need be. How they end it tells as TaskResult, canceled ones too.
type Doer interface {
	// Deliver gives it a task. It waits until the agent has that, ctx ends, or it takes too long.
	Deliver(ctx context.Context, t *wire.Task) error
	// Cancel has it let go of a task, and waits as Deliver does.
	Cancel(ctx context.Context, id wire.TaskID) error
}

// Observed is a session that is processes of this machine, and is seen by the system.
type Observed interface {
	// Process is the leader of the agent's group.
	Process() *wire.Process
	// Containment says by what the agent's processes are found.
	Containment() wire.ContainmentMode
	// Suspended reports whether the leader was stopped by a signal at the latest sample.
	Suspended() bool
	// Usage is the latest sample.
	Usage() wire.Usage
}

// As gives what can do something of a session: the session itself, or one that it wraps, as errors.As does for errors.
func As[T any](s Session) (t T, ok bool) {
	for s != nil {
		if t, ok = s.(T); ok {
			return t, true
		}
		w, wraps := s.(interface{ Unwrap() Session })
		if !wraps {
			return t, false
		}
		s = w.Unwrap()
	}
	return t, false
}

// Sink is told what an agent does. Calls for one agent come in order, one at a time. A call may block: the session then
// stops reading the agent's pipes, and the agent blocks in its turn. A call must not wait for the agent's Done. Its error says
// what is wrong with the event, for whoever wrote the agent.
type Sink func(e Event) error

// Event is one thing that an agent does: one of the types below.
type Event interface{ event() }

// Output is what an agent printed: at most wire.MaxOutput bytes of stdout or stderr, cut at a line's end where there is one
// and never inside a UTF-8 sequence of valid text. Bytes must not be kept.
type Output struct {
	Stream wire.EventType
	Bytes  []byte
}

// Activity says whether an agent works or idles. It ends an Ask without a task.
type Activity struct{ Now wire.Activity }

// Ask is a question to a person: of the whole agent, or, with a Task, of that alone.
type Ask struct {
	Task wire.TaskID
	Text string
}

// Update says how a task gets on: a text, and how much of it is done, of 0 to 1. It ends an Ask of the task.
type Update struct {
	Task     wire.TaskID
	Text     string
	Fraction float64
}

// TaskResult is how a task ended, by its agent. Failure "": it completed, with Output.
type TaskResult struct {
	Task    wire.TaskID
	Output  []byte
	Failure wire.FailureReason
	Message string
}

// Completed is a task's end with its output, where that is not too long for one.
func Completed(id wire.TaskID, output []byte) TaskResult {
	if n := len(output); n > wire.MaxTaskOutput {
		return TaskResult{Task: id, Failure: wire.FailTooLarge,
			Message: fmt.Sprintf("the result has %d bytes, %d are allowed; put it into memory or an artifact", n, wire.MaxTaskOutput)}
	}
	return TaskResult{Task: id, Output: output}
}

// Failed is a task's end without success. Retryable: another attempt may mend it.
func Failed(id wire.TaskID, message string, retryable bool) TaskResult {
	r := TaskResult{Task: id, Failure: wire.FailAgentError, Message: cmp.Or(message, "the agent gave no reason")}
	if retryable {
		r.Failure = wire.FailTransient
	}
	return r
}

// Log is a line for the agent's log that is no output, by the agent or, with Server, about it.
type Log struct {
	Text   string
	Server bool
}

// Signal says that a signal was sent to the agent's group.
type Signal struct{ Name string }

// Heartbeat is a sign of life and nothing else.
type Heartbeat struct{}

// Call is a request of the agent's own. Reply is to be called once, from wherever; Ctx ends with the agent's process.
type Call struct {
	Ctx    context.Context
	Method string
	Params json.RawMessage
	Reply  func(result any, err error)
}

func (Output) event()     {}
func (Activity) event()   {}
func (Ask) event()        {}
func (Update) event()     {}
func (TaskResult) event() {}
func (Log) event()        {}
func (Signal) event()     {}
func (Heartbeat) event()  {}
func (Call) event()       {}

// MaxQuestion bounds the text of an Ask, in bytes.
const MaxQuestion = 4 << 10

// SpawnError is a start that failed.
func SpawnError(format string, args ...any) *wire.Error {
	return wire.Errorf(wire.CodeSpawnFailed, format, args...)
}

// UnreadError is an input of which the agent read n bytes only, before the writer's patience ended.
func UnreadError(n, of int) error {
	return wire.Errorf(wire.CodeTimeout, "the agent does not read its input: %d of %d bytes were written", n, of)
}

// ExitedError is an input of which the agent read n bytes only, before it exited.
func ExitedError(n, of int) error {
	return wire.Errorf(wire.CodePrecondition, "the agent has exited: %d of %d bytes were written", n, of)
}

// Unfinished is how many bytes at the end of b start a UTF-8 sequence that b does not finish.
func Unfinished(b []byte) int {
	for i := 1; i < utf8.UTFMax && i <= len(b); i++ {
		if tail := b[len(b)-i:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return i
		}
	}
	return 0
}
