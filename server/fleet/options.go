package fleet

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// Store keeps records and events.
type Store interface {
	// PutAdmission stores the changes of admission, the newest first. Admission returns them after a restart.
	PutAdmission(ctx context.Context, changes []wire.Admission) error
	Admission(ctx context.Context) (changes []wire.Admission, err error)
	PutAgent(ctx context.Context, a *wire.Agent) error
	DeleteAgent(ctx context.Context, id wire.AgentID) error
	Agents(ctx context.Context) ([]wire.Agent, error)
	// Append appends an event. It calls done with the seq once the event is stored, in the order of the calls. It waits if
	// too many events are being stored.
	Append(e *wire.Event, done func(seq uint64))
	Events(ctx context.Context, id wire.AgentID, after uint64, limit, bytes int) ([]wire.Event, error)
	EventsOf(ctx context.Context, id wire.AgentID, which wire.Which, after uint64, limit int) ([]wire.Event, error)
	FirstLast(ctx context.Context, id wire.AgentID) (first, last uint64, err error)
	// Outputs returns output of all agents, in the order of the log, and updates of their conversations. Ends returns the seqs of
	// the log's oldest and newest event; 0, 0 if it has none.
	Outputs(ctx context.Context, after uint64, limit int) ([]wire.Event, error)
	Ends(ctx context.Context) (first, last uint64, err error)
	// At returns the seq of the last event of any agent until a time, and the time of the oldest event of all.
	At(ctx context.Context, at time.Time) (seq uint64, oldest time.Time, err error)
	// Before counts the events of an agent up to a seq: its output, or all others.
	Before(ctx context.Context, id wire.AgentID, output bool, seq uint64) (wire.Amount, error)
	// Back returns the cursor after which an agent has at most n of the selected events before the seq before, or, for 0, up to
	// its newest one.
	Back(ctx context.Context, id wire.AgentID, which wire.Which, before uint64, n int) (uint64, error)
	// Drops sets the function that is called before the log drops events of an agent. It calls f at once with what was dropped
	// so far.
	Drops(f func(wire.AgentID, wire.Dropped))
	Epoch() string
	// Room checks that there is room for something new. The error has CodeUnavailable if there is not. Drain lets output use
	// the reserve that is kept for other records, because the fleet is closing.
	Room() error
	Drain()
}

// Work is what the fleet needs to know about the tasks of agents.
type Work interface {
	// Output takes what the process of a task printed.
	Output(id wire.AgentID, t wire.EventType, b []byte)
	// Sign notes a sign of life.
	Sign(id wire.AgentID)
	// Progress, Ask and Answered take what an agent reports about a task: a text with the fraction that is done, from 0 to 1; a
	// question to a person; the result. They return false if there is no such task.
	Progress(id wire.AgentID, task wire.TaskID, text string, fraction float64) bool
	Ask(id wire.AgentID, task wire.TaskID, text string) bool
	Answered(id wire.AgentID, r runner.TaskResult) bool
	// Asked notes the open questions of an agent. replied resumes the tasks that ask them.
	Asked(id wire.AgentID) (replied func())
	// Halt cancels tasks, and returns the agents that exist for one of them alone.
	Halt(by noun.Caller, ids []wire.TaskID) (agents []wire.AgentID, canceled []wire.TaskID, err error)
	// HaltWide cancels the tasks that the agents are working on, and those that wait for another attempt, of a type or, if typ
	// is empty, all.
	HaltWide(by noun.Caller, typ string, agents []wire.AgentID) (canceled []wire.TaskID)
	// Hold keeps an agent from getting more tasks, or ends that.
	Hold(id wire.AgentID, hold bool)
	// Drain gives an agent no more tasks. When it returns, the agent was told of those that it has.
	Drain(id wire.AgentID)
	// Kick tells the scheduler that something may start that could not before.
	Kick()
	// Look tells the scheduler that agents do something else, so that it says anew, and soon, what tasks wait for. It takes no lock.
	Look()
}

// Asks keeps what agents ask people.
type Asks interface {
	// Shows makes the question of an agent the one that now returns: the agent's record, and the question, or "" if it asks none. Of
	// concurrent calls, the one that calls now last decides.
	Shows(now func() (a wire.Agent, question string))
	// Replies notes that somebody begins to write a text to an agent, which answers its question. done is called with whether it was
	// written.
	Replies(id wire.AgentID, by string, text []byte) (done func(written bool))
	// Request begins a request for permission, and Withdraw ends it.
	Request(a wire.Agent, p runner.Permission) (waits bool)
	Withdraw(id wire.AgentID, key, reason string)
}

// Folders makes the worktrees of agents, and looks after them.
type Folders interface {
	// Prepare makes the folder that the record of an agent says, before the agent starts. A worktree begins at base, "": what is checked
	// out, and gets copies of files. It returns the folder, and where the agent works.
	Prepare(ctx context.Context, a *wire.Agent, base string, copies []string) (f wire.Folder, cwd string, err error)
	// Tidy removes the worktree of an agent that has ended, unless it has work that is nowhere else.
	Tidy(ctx context.Context, a *wire.Agent) (wire.FolderState, error)
	// Sweep removes worktrees without work whose agents nobody knows.
	Sweep(ctx context.Context, keep func(wire.AgentID) bool)
	// Discard undoes what an agent has changed in its worktree; alive reports whether it still works there.
	Discard(ctx context.Context, a *wire.Agent, p wire.DiscardParams, alive func() bool) (*wire.DiscardResult, error)
	// Clear removes the folder that was made for an agent, unless there is a file in it. It reports whether it did.
	Clear(id wire.AgentID, dir string) bool
}

const (
	// DefaultStopGrace is the time between SIGTERM and SIGKILL for types that name none.
	DefaultStopGrace = 5 * time.Second
	// DefaultKeepExited is how many exited agents are remembered.
	DefaultKeepExited = 1000

	saveDelay  = 20 * time.Millisecond
	startLimit = 16 // agents being started at the same time by one batch
)

// Options configure a Fleet. Store, Kinds, Types, Work, Asks, Closing, StoreTimeout and Logger are needed.
type Options struct {
	Store    Store
	Kinds    map[wire.Kind]runner.Kind
	Types    map[string]wire.AgentType // by name; never changed
	Node     wire.NodeID
	Instance string        // marks this data folder's processes, so that they are found again after a crash
	WorkDir  string        // where agents without a cwd get a folder of their own
	Quiet    time.Duration // how long a terminal must be silent so that its program counts as idle; 0: DefaultQuiet
	Keep     int           // exited agents are remembered up to this number; 0: DefaultKeepExited
	KeepFor  time.Duration // and for so long after their end; 0: any time
	Max      int           // agents alive at once on this node; 0: no limit
	Hooks    Hooks         // told in this order
	Work     Work
	Asks     Asks
	Folders  Folders // nil: no agent gets a worktree
	// Call carries out a request that an agent makes on the line protocol. ctx ends with its process.
	Call func(ctx context.Context, a wire.Agent, method string, params json.RawMessage) (any, error)
	// Offer returns the calls that an agent may make: as tools of a model, and at an MCP server. nil: none.
	Offer func(a wire.Agent, t wire.AgentType) ([]runner.Tool, func(context.Context) *runner.MCP)
	// Closing ends when the server begins to stop.
	Closing context.Context
	// StoreTimeout is how long a request waits for a store that does not answer.
	StoreTimeout time.Duration
	SearchBytes  int           // of output that one request to search a log looks at; 0: wire.MaxSearchScan
	SearchTime   time.Duration // that it takes; 0: 5 s
	Logger       *slog.Logger
	// Orphans ends the processes that a crashed Skein left running, and returns those that could not be ended.
	Orphans func(ctx context.Context, known map[wire.AgentID]*wire.Process) map[wire.AgentID][]wire.Leftover
	// Leftovers ends processes that an earlier stop of an agent could not end, and returns those that are still alive.
	Leftovers func(ctx context.Context, id wire.AgentID, left []wire.Leftover, grace time.Duration) []wire.Leftover
	// Spawned is called with how long each start took and whether it succeeded, for metrics.
	Spawned func(kind wire.Kind, took time.Duration, ok bool)
}
