package wire

// WorkerJoin is the first request on a worker lane: a program becomes an agent, or comes back to the one that it is.
type WorkerJoin struct {
	Type         string            `json:"type,omitempty"` // of kind remote; "": DefaultWorkerType
	Name         string            `json:"name,omitempty"` // for people; "": made from the type
	Labels       map[string]string `json:"labels,omitempty"`
	Capabilities []string          `json:"capabilities,omitempty"` // in addition to those of the type
	Concurrency  int               `json:"concurrency,omitempty"`  // tasks at the same time; 0: as many as the type says
	Key          string            `json:"key"`                    // random, the same over reconnects, and known to nobody else: MinWorkerKey to MaxWorkerKey bytes
	Agent        AgentID           `json:"agent,omitempty"`        // the agent that it is already; "": none yet
	Received     uint64            `json:"received,omitempty"`     // how many messages of the server it has received as this agent
}

// WorkerJoined answers a WorkerJoin. After it come the messages of both sides, each once and in order.
type WorkerJoined struct {
	Agent    AgentID `json:"agent"`
	Name     string  `json:"name"`
	Received uint64  `json:"received"` // how many messages of the program the server has received
	LeaseMS  int64   `json:"lease_ms"` // how long it keeps the agent while the program is away
}

// WorkerAck says how many messages of the other side have been received since the agent began.
type WorkerAck struct {
	Received uint64 `json:"received"`
}

// WorkerStop tells a program that its agent is being stopped. It ends what it does, and leaves.
type WorkerStop struct {
	GraceMS int64 `json:"grace_ms"` // how long it may take
	Restart bool  `json:"restart"`  // the server ends: the program may join again as another agent
}

// WorkerInput is what somebody wrote to the agent.
type WorkerInput struct {
	Text   string `json:"text,omitempty"`   // when the bytes are valid UTF-8
	Base64 []byte `json:"base64,omitempty"` // when they are not
	EOF    bool   `json:"eof,omitempty"`    // nothing more comes
}

// WorkerOutput is what the agent prints.
type WorkerOutput struct {
	Text   string `json:"text,omitempty"`
	Base64 []byte `json:"base64,omitempty"`
	Stderr bool   `json:"stderr,omitempty"`
}

// WorkerAsk is a question to a person. The result is a WorkerAnswer.
type WorkerAsk struct {
	Task    TaskID      `json:"task,omitempty"` // that waits for the answer
	Text    string      `json:"text"`
	Options []AskOption `json:"options,omitempty"` // one of them is the answer; none: a text is
}

// WorkerAnswer is the answer to a WorkerAsk.
type WorkerAnswer struct {
	Option string `json:"option,omitempty"`
	Text   string `json:"text,omitempty"`
	By     string `json:"by"`
}

// WorkerUnask withdraws a question: the id of the request that asked it.
type WorkerUnask struct {
	ID     string `json:"id"`
	Reason string `json:"reason,omitempty"`
}

// The messages of a worker lane, in addition to those of the line protocol (docs/agents.md).
const (
	MethodWorkerJoin   = "worker.join"   // program, first: WorkerJoin → WorkerJoined
	MethodWorkerAck    = "worker.ack"    // both, not counted as a message: WorkerAck
	MethodWorkerStop   = "worker.stop"   // server: WorkerStop
	MethodWorkerInput  = "worker.input"  // server: WorkerInput
	MethodWorkerOutput = "worker.output" // program: WorkerOutput
	MethodWorkerAsk    = "worker.ask"    // program: WorkerAsk → WorkerAnswer
	MethodWorkerUnask  = "worker.unask"  // program: WorkerUnask
	MethodWorkerDrain  = "worker.drain"  // program: it takes no more tasks → {}, after which none comes
	MethodWorkerLeave  = "worker.leave"  // program: the agent ends
)

// Bounds of programs that dial in.
const (
	DefaultWorkerType = "remote"
	MinWorkerKey      = 16   // bytes
	MaxWorkerKey      = 128  // bytes
	MaxConcurrency    = 1000 // tasks
)
