package tasks

import (
	"context"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// Store keeps the tasks' records.
type Store interface {
	// PutTask stores a record over the one with its Rev (0: there is none), and sets Rev to the new one. It is on the
	// disk then. CodeConflict: somebody else wrote in between.
	PutTask(ctx context.Context, t *wire.Task) error
	DeleteTask(ctx context.Context, id wire.TaskID) error
	// Tasks reads every record; deleted is the revision of the last deletion.
	Tasks(ctx context.Context) (all []wire.Task, deleted uint64, err error)
	// Room says whether there is room for something new; its error is CodeUnavailable.
	Room() error
}

// Fleet is what tasks need of agents. Its methods may be called with Tasks.mu held, so that they wait for nothing that
// calls Tasks; those that may wait for an agent say so. What is asked of an agent that is not there is not done.
type Fleet interface {
	// Agent is an agent's record. Its error is CodeNotFound.
	Agent(id wire.AgentID) (wire.Agent, error)
	// Alive counts the agents that are alive: of a type, and all.
	Alive(typ string) (of, all int)
	// Closed says why nothing may be started for a type; "": it may.
	Closed(typ string) (why string)
	// Admit makes the record of an agent that the scheduler needs: to be the process of a task, or, without one, to take
	// tasks. Start starts it; it may wait.
	Admit(s wire.SpawnParams, task wire.TaskID) (a wire.Agent, start func() error, err error)
	// Stop stops an agent and does not wait for that. One that somebody stops already is left to him: his grace may be
	// longer.
	Stop(id wire.AgentID)
	// Works shows what an agent has in work.
	Works(id wire.AgentID, on []wire.TaskID)
	// Did counts a task that an agent completed.
	Did(id wire.AgentID)
	// Asks shows what an agent asks a person for its tasks, "" for nothing. Of several calls the last one to ask for the
	// question shows it. It may wait.
	Asks(id wire.AgentID, question func() string)
	// Tell puts what becomes of a task into the log of its agent. It may wait.
	Tell(id wire.AgentID, actor string, data wire.EventData)
	// Deliver gives a task to an agent, and Cancel has the agent let go of it. They wait until the agent has read that, ctx
	// ends, or it takes too long.
	Deliver(ctx context.Context, id wire.AgentID, t *wire.Task) error
	Cancel(ctx context.Context, id wire.AgentID, task wire.TaskID) error
	// Feed writes the standard input of a process and closes it. It waits until the process has read it, or ended.
	Feed(id wire.AgentID, input []byte)
}

// Options configure Tasks. All but Keep and MaxAgents are needed.
type Options struct {
	Store Store
	Fleet Fleet
	// Answered keeps the files that an agent left with its answer to a task, and calls then when that is done.
	Answered  func(agent wire.AgentID, task wire.TaskID, then func())
	Types     map[string]wire.AgentType // by name; never changed
	Node      wire.NodeID
	MaxAgents int             // alive at once on this node; 0: no limit
	Keep      int             // tasks that are over are remembered up to this number; 0: DefaultKeep
	Timeout   time.Duration   // how long a request waits for a store that does not answer
	Closing   context.Context // ends when the server begins to stop
}

// DefaultKeep is how many tasks that are over are remembered.
const DefaultKeep = 10_000
