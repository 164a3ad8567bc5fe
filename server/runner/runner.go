// Package runner defines what a kind of agents is: [Kind], which starts agents, and [Session], an agent that was started.
// Each kind has a folder of its own: process runs operating-system processes, and scripted runs small deterministic
// scripts inside Skein. lines gives tasks to any agent that reads and writes lines.
//
// A kind knows neither records of agents nor the network. It gets a [Launch], reports to a [Sink] what the agent does,
// and returns a Session. An ability that not every kind has is an interface that its sessions may implement: [Inputter],
// [Interrupter], [Resizer], [Doer], [Observed].
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

// The environment variables that mark every process of an agent, and those of a bridge to the MCP server.
const (
	EnvAgent    = "SKEIN_AGENT_ID"
	EnvInstance = "SKEIN_INSTANCE"

	EnvServer = "SKEIN_SERVER"
	EnvToken  = "SKEIN_TOKEN"
)

// Kind runs agents of one kind.
type Kind interface {
	Capabilities() Capabilities
	// Check returns an error for a launch that can't work on any machine. The error names the field.
	Check(l Launch) error
	// Detect returns what a launch would run on this machine, such as the path of a program, or "" if it needs nothing.
	// Its error says what is missing.
	Detect(l Launch) (found string, err error)
	// Start starts an agent. ctx bounds the start and not the life of the agent. The error is a *wire.Error: one about
	// the launch, or one with CodeSpawnFailed.
	Start(ctx context.Context, l Launch, sink Sink) (Session, error)
}

// Capabilities say what the agents of a kind can be given.
type Capabilities struct {
	Command     bool            // a command
	Folder      bool            // an environment and a folder, in which there may be an outbox
	Model       bool            // a model
	Script      bool            // a script
	Tasks       []wire.TaskMode // the ways to be given tasks, apart from none
	Permissions bool            // sessions ask for permissions
	Lines       bool            // sessions take tasks only as lines, on standard input or as messages; package lines does that
	Messages    bool            // sessions are Messengers
	Sessions    bool            // agents may go on with conversations of other times (Launch.Session)
}

// Launch is what to run.
type Launch struct {
	Agent     wire.AgentID
	Instance  string // the id of the data folder, which distinguishes the agents of several servers
	Argv      []string
	Env       map[string]string          // added to the server's own environment without its SKEIN_ variables
	Cwd       string                     // an absolute path
	CreateCwd bool                       // create Cwd with mode 0700 if it does not exist
	NoInput   bool                       // standard input is empty: /dev/null
	TTY       *wire.Size                 // the size of a terminal that it gets in place of pipes; nil: none
	Mode      string                     // the mode of its session, if the kind has modes; "": the agent's own
	Options   map[string]string          // of its session, if the kind has options: values by the ids or categories of the options
	Session   string                     // the one that it is to go on with, if the kind has sessions; "": a new one
	Again     bool                       // the agent was in Session itself, before its process ended: a new one will do
	Fork      bool                       // it goes on in a copy of Session
	OrNew     bool                       // a new session will do, if the agent can't go on with Session
	Model     *wire.Model                // if the kind has one
	Tools     []Tool                     // calls that the agent may make (see Call), for a kind with a model
	MCP       func(context.Context) *MCP // where a program can make the same calls; it waits until the server listens. nil, or returns nil: nowhere
	AsksFirst bool                       // people are to be asked for permissions: a kind that can sees to it
	Script    string                     // if the kind takes one; "": the kind's default
	Key       string                     // of a program that has dialled in, for a Host
	Lease     time.Duration              // within which such a program must come back
	Closing   context.Context            // ends when the server begins to stop
}

// Tool is a call that agents may make.
type Tool struct {
	Name       string          // of the method
	About      string          // for a model
	Kind       string          // one of wire.ToolKinds
	Parameters json.RawMessage // a JSON Schema of an object
}

// MCP is how a program reaches the MCP server of Skein as an agent.
type MCP struct {
	URL     string
	Token   string   // a bearer token
	Command []string // runs a bridge to it, from standard input and output, that finds both in EnvServer and EnvToken; empty: there is none
}

// Session is an agent that was started.
type Session interface {
	// Stop ends the agent, verifies that no process of it is left, and returns those that are. It may be called at any
	// time and more than once; the shortest grace applies. With grace 0 it kills at once. If ctx ends first, Stop returns
	// what is alive at that moment, and the stop continues. forced reports that SIGKILL was needed.
	Stop(ctx context.Context, grace time.Duration) (forced bool, leftovers []wire.Leftover)
	// Done returns a channel that is closed after the exit, when the Sink has received all events.
	Done() <-chan struct{}
	// Exit returns how the agent ended. It is valid after Done is closed.
	Exit() wire.Exit
}

// Inputter is a session with a standard input.
type Inputter interface {
	// Input writes to standard input and then, if eof is set, closes it. It waits until the agent has read, ctx ends or
	// the agent exits. If not all bytes were written, the error is a *wire.Error that says how many were.
	Input(ctx context.Context, b []byte, eof bool) error
}

// Interrupter is a session that is given prompts, one at a time.
type Interrupter interface {
	// Interrupt cancels what it does for the prompt that it has. It reports whether it has one. What is written next comes before the
	// prompts that wait.
	Interrupt() bool
	// Drop drops a prompt that waits, and returns its text. It reports whether the prompt did wait.
	Drop(id string) (text string, waited bool)
	// Replace gives a prompt that waits another text. It reports whether the prompt did wait.
	Replace(id, text string) (waited bool)
}

// Pauser is a session that is given prompts.
type Pauser interface {
	// Pause keeps the agent from getting the prompts that wait, or ends that. The turn that it has goes on.
	Pause(on bool)
}

// Freezer is a session whose agent is processes that can be stopped for a while.
type Freezer interface {
	// Freeze stops all its processes by SIGSTOP, or lets them go on by SIGCONT. The error says what it could not reach.
	Freeze(on bool) error
}

// Messenger is a session that has a channel for messages beside its standard input and output: what comes on it is a [Message].
type Messenger interface {
	// Message sends a line with its newline. It returns when the line will arrive, should the agent live; or when ctx ends.
	Message(ctx context.Context, line []byte) error
	// Answer sends the answer to a request of the agent and does not wait. While too much waits for the agent, no further request
	// of it is heard.
	Answer(line []byte)
}

// DefaultLease is how long a program that has dialled in may be away, unless its type says otherwise.
const DefaultLease = 30 * time.Second

// Host is a kind whose agents are programs that dial in. Start makes the agent and waits for no program.
type Host interface {
	Kind
	// Attach connects an agent with its program, which has received so many messages. What connected it before ends. It
	// returns how many messages of the program the agent has received. The error has CodeNotFound if there is no such agent with this key.
	Attach(ctx context.Context, agent wire.AgentID, key string, received uint64, to Line) (link Link, taken uint64, err error)
}

// Line is the way to a program that has dialled in.
type Line interface {
	// Send sends a line. An error means that the connection is broken.
	Send(line []byte) error
	// Close ends the connection.
	Close()
}

// Link is the way from such a program to its agent.
type Link interface {
	// Hear takes a message and the line that it came on. It may block.
	Hear(m *wire.Message, line []byte)
	// Gone says that the connection has ended. Nothing more is heard on it.
	Gone()
}

// Resizer is a session in a terminal.
type Resizer interface {
	// Resize tells the terminal its size, and so its foreground process, by SIGWINCH.
	Resize(s wire.Size) error
}

// Doer is a session that takes tasks, possibly several at a time. It reports the end of each as a TaskResult, including
// canceled ones.
type Doer interface {
	// Deliver gives it a task. It waits until the agent has the task or ctx ends, but not for too long.
	Deliver(ctx context.Context, t *wire.Task) error
	// Cancel tells it to abandon a task, and waits as Deliver does.
	Cancel(ctx context.Context, id wire.TaskID) error
}

// Observed is a session whose agent is processes of this machine, which the system can observe.
type Observed interface {
	// Process returns the leader of the agent's group.
	Process() *wire.Process
	// Containment returns how the agent's processes are found.
	Containment() wire.ContainmentMode
	// Suspended reports whether the leader was stopped by a signal at the latest sample.
	Suspended() bool
	// Usage returns the latest sample.
	Usage() wire.Usage
}

// As returns the first session, of s and those that it wraps, that implements an interface, like errors.As does for
// errors.
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

// Sink receives what an agent does. Calls for one agent come in order and one at a time. A call may block; in the
// meantime the session does not read the agent's pipes, and so the agent blocks too. A call must not wait for the agent's
// Done. The error says what is wrong with the event, for whoever wrote the agent.
type Sink func(e Event) error

// Event is something that an agent does. It is one of the types below.
type Event interface{ event() }

// Output is what an agent printed: at most wire.MaxOutput bytes of stdout, stderr or its terminal. It never ends inside a UTF-8
// sequence of valid text. Of stdout and stderr, it ends at the end of a line if it contains one; what is written to a terminal
// comes at once. Bytes must not be retained.
type Output struct {
	Stream wire.EventType
	Bytes  []byte
}

// Activity reports whether an agent works or is idle. It ends an Ask that has no task.
type Activity struct{ Now wire.Activity }

// Ask is a question to a person. It comes from the agent as a whole, or from one Task.
type Ask struct {
	Task wire.TaskID
	Text string
}

// Permission is a request for permission. It waits until it is answered or withdrawn.
type Permission struct {
	Key     string // of the request among the agent's
	Task    wire.TaskID
	Text    string
	Tool    *wire.AskTool
	Options []wire.AskOption
	Login   bool // it wants to know how to log in, which no policy answers
	Words   bool // it is a question that a text answers; it has no options
	// Answer gives the agent the answer. It is called once at most, and not after the agent has ended or withdrawn the request. A nil
	// answer says that there is none: its time is over, and it has no option to reject.
	Answer func(*wire.AskAnswer)
}

// Withdrawn says that the agent does not wait for a Permission any more.
type Withdrawn struct {
	Key    string
	Reason string // for people
}

// Conversation is an update of a conversation with an agent, as it came: an ACP SessionUpdate.
type Conversation struct{ JSON json.RawMessage }

// ConversationNote is an update of Skein's own, which says what no update of the agent does, such as that its turn was canceled.
func ConversationNote(text string) Conversation {
	b, _ := json.Marshal(map[string]string{"sessionUpdate": wire.UpdateNote, "text": text}) // strings
	return Conversation{JSON: b}
}

// Message is what came on the channel of a Messenger: a message of the line protocol, with or without its newline. It must not be retained.
type Message struct{ Line []byte }

// Reach reports whether the program of an agent can be reached. While it can't, the agent is given no tasks.
type Reach struct {
	Away bool
	Lost bool   // it won't come back: the agent ends
	Why  string // for people
}

// Draining says that the agent takes no more tasks, and ends when it has done those that it has.
type Draining struct{}

// Summary says what the agent does now. A derived one is what its runtime made of what it saw; it counts while the agent has set none itself.
type Summary struct {
	Text    string
	Derived bool
}

// Waiting are the prompts that wait for their turn, in their order.
type Waiting struct{ Prompts []wire.Prompt }

// Spent is what a turn of an agent with a model has used, or what is known anew of its context.
type Spent struct{ wire.Spent }

// Update reports the progress of a task as a text and a fraction from 0 to 1. It ends an Ask of the task.
type Update struct {
	Task     wire.TaskID
	Text     string
	Fraction float64
}

// TaskResult reports the end of a task. If Failure is "", the task completed with Output.
type TaskResult struct {
	Task    wire.TaskID
	Output  []byte
	Failure wire.FailureReason
	Message string
}

// Completed returns the end of a task with its output, or a failure if the output is too long.
func Completed(id wire.TaskID, output []byte) TaskResult {
	if n := len(output); n > wire.MaxTaskOutput {
		return TaskResult{Task: id, Failure: wire.FailTooLarge,
			Message: fmt.Sprintf("the result has %d bytes, %d are allowed; put it into memory or an artifact", n, wire.MaxTaskOutput)}
	}
	return TaskResult{Task: id, Output: output}
}

// Failed returns the end of a task without success. retryable means that another attempt may succeed.
func Failed(id wire.TaskID, message string, retryable bool) TaskResult {
	r := TaskResult{Task: id, Failure: wire.FailAgentError, Message: cmp.Or(message, "the agent gave no reason")}
	if retryable {
		r.Failure = wire.FailTransient
	}
	return r
}

// Log is a line for the agent's log that is not output. It is from the agent or, with Server, about it.
type Log struct {
	Text   string
	Server bool
}

// Signal reports that a signal was sent to the agent's group.
type Signal struct{ Name string }

// Heartbeat is only a sign of life.
type Heartbeat struct{}

// Call is a request of the agent. Reply must be called once, from any goroutine. Ctx ends with the agent's process.
type Call struct {
	Ctx    context.Context
	Method string
	Params json.RawMessage
	Reply  func(result any, err error)
}

func (Output) event()       {}
func (Activity) event()     {}
func (Ask) event()          {}
func (Permission) event()   {}
func (Withdrawn) event()    {}
func (Conversation) event() {}
func (Message) event()      {}
func (Reach) event()        {}
func (Draining) event()     {}
func (Waiting) event()      {}
func (Summary) event()      {}
func (Spent) event()        {}
func (Update) event()       {}
func (TaskResult) event()   {}
func (Log) event()          {}
func (Signal) event()       {}
func (Heartbeat) event()    {}
func (Call) event()         {}

// MaxQuestion bounds the text of an Ask in bytes.
const MaxQuestion = 4 << 10

// SpawnError is the error of a failed start.
func SpawnError(format string, args ...any) *wire.Error {
	return wire.Errorf(wire.CodeSpawnFailed, format, args...)
}

// UnreadError is the error of an input of which the agent had read only n bytes when the writer's time ended.
func UnreadError(n, of int) error {
	return wire.Errorf(wire.CodeTimeout, "the agent does not read its input: %d of %d bytes were written", n, of)
}

// ExitedError is the error of an input of which the agent had read only n bytes when it exited.
func ExitedError(n, of int) error {
	return wire.Errorf(wire.CodePrecondition, "the agent has exited: %d of %d bytes were written", n, of)
}

// Unfinished returns how many bytes at the end of b are the start of an incomplete UTF-8 sequence.
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
