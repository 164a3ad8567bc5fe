package tasks

import (
	"context"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// Store keeps the records of tasks.
type Store interface {
	// PutTask replaces the record with the revision t.Rev, or creates it if t.Rev is 0, and sets t.Rev to the new revision.
	// The record is on the disk when PutTask returns. The error has CodeConflict if the stored revision is another one.
	PutTask(ctx context.Context, t *wire.Task) error
	DeleteTask(ctx context.Context, id wire.TaskID) error
	// Tasks returns all records. deleted is the revision of the last deletion.
	Tasks(ctx context.Context) (all []wire.Task, deleted uint64, err error)
	// Room checks that there is room for something new. The error has CodeUnavailable if there is not.
	Room() error
}

// Fleet is what tasks need to know about agents. Its methods are called with Tasks.mu held, except those that are said to
// wait, so they must not wait for anything that calls Tasks. A call for an agent that does not exist has no effect.
type Fleet interface {
	// Agent returns the record of an agent. The error has CodeNotFound if there is none.
	Agent(id wire.AgentID) (wire.Agent, error)
	// Alive returns how many agents are alive, of a type and in total.
	Alive(typ string) (of, all int)
	// Asking returns the agents of a type that wait for a person's answer, by id; typ "": of all types.
	Asking(typ string) []wire.AgentID
	// Closed returns why no agent of a type and no task on one may be started, or "" if they may.
	Closed(typ string) (why string)
	// Occupied says why no agent can be started in the folder that the request or its type names: another one works there. "": one can.
	Occupied(s wire.SpawnParams) (why string)
	// CheckFolder refuses a request for a folder that agents of its type can't have.
	CheckFolder(s wire.SpawnParams) error
	// Admit makes the record of an agent that the scheduler needs. The agent becomes the process of the task, or, if task
	// is empty, takes tasks. start starts it and may wait.
	Admit(s wire.SpawnParams, task wire.TaskID) (a wire.Agent, start func() error, err error)
	// Stop begins to stop an agent. It does nothing if the agent is already being stopped, because the grace of that stop
	// may be longer.
	Stop(id wire.AgentID)
	// Works sets the tasks that an agent is working on.
	Works(id wire.AgentID, on []wire.TaskID)
	// Did counts a task that an agent completed.
	Did(id wire.AgentID)
	// Asks shows the question that an agent asks a person for its tasks, or "" for none. Of concurrent calls, the one that
	// calls question last decides what is shown. It may wait.
	Asks(id wire.AgentID, question func() string)
	// Tell adds an event about a task to the log of its agent. It may wait.
	Tell(id wire.AgentID, actor string, data wire.EventData)
	// Deliver gives a task to an agent, and Cancel tells an agent to stop working on it. They wait until the agent has read
	// the message, ctx ends, or the agent takes too long.
	Deliver(ctx context.Context, id wire.AgentID, t *wire.Task) error
	Cancel(ctx context.Context, id wire.AgentID, task wire.TaskID) error
	// Feed writes the standard input of a process and closes it. It waits until the process has read the input or ended.
	Feed(id wire.AgentID, input []byte)
}

// Options configure Tasks. All are required except Keep and MaxAgents.
type Options struct {
	Store Store
	Fleet Fleet
	// Answered keeps the files that an agent left with its answer to a task, and then calls then.
	Answered  func(agent wire.AgentID, task wire.TaskID, then func())
	Types     map[string]wire.AgentType // by name; never changed
	Node      wire.NodeID
	MaxAgents int             // alive at the same time on this node; 0: no limit
	Keep      int             // how many tasks that are over are remembered; 0: DefaultKeep
	Timeout   time.Duration   // how long a request waits for a store that does not answer
	Closing   context.Context // ends when the server begins to stop
}

// DefaultKeep is how many tasks that are over are remembered.
const DefaultKeep = 10_000
