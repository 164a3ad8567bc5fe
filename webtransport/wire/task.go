package wire

import (
	"bytes"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"
)

// TaskID identifies a task and is never reused: "t" and twelve characters of lower-case base32.
type TaskID string

// TaskState is the state of a task. The names are those of A2A 1.0.
type TaskState string

const (
	TaskSubmitted     TaskState = "submitted"      // it waits; Task.Waiting says for what
	TaskWorking       TaskState = "working"        // an agent is working on it or, for an orchestration, on its children
	TaskInputRequired TaskState = "input_required" // its agent waits for a person
	TaskCompleted     TaskState = "completed"
	TaskFailed        TaskState = "failed" // Task.Failure says why
	TaskCanceled      TaskState = "canceled"
	TaskRejected      TaskState = "rejected" // nothing can do it any more
)

// TaskStates lists every state.
var TaskStates = []TaskState{TaskSubmitted, TaskWorking, TaskInputRequired, TaskCompleted, TaskFailed, TaskCanceled, TaskRejected}

// Terminal reports whether a task in this state is over, unless somebody retries it.
func (s TaskState) Terminal() bool {
	return s == TaskCompleted || s == TaskFailed || s == TaskCanceled || s == TaskRejected
}

// Priority orders the tasks that wait for the same agents.
type Priority string

const (
	PriorityCritical Priority = "critical"
	PriorityHigh     Priority = "high"
	PriorityNormal   Priority = "normal"
	PriorityLow      Priority = "low"
)

// Priorities lists every priority, the most urgent first.
var Priorities = []Priority{PriorityCritical, PriorityHigh, PriorityNormal, PriorityLow}

// Rank returns the index of the priority in Priorities, or that of PriorityNormal if the priority is unknown.
func (p Priority) Rank() int {
	if i := slices.Index(Priorities, p); i >= 0 {
		return i
	}
	return slices.Index(Priorities, PriorityNormal)
}

// Payload is a sequence of bytes: text if it is valid UTF-8, otherwise base64. If both are empty, it has no bytes.
type Payload struct {
	Text   string `json:"text,omitempty"`
	Base64 []byte `json:"base64,omitempty"`
	// Size is the number of bytes of the whole payload if this is only its beginning, as in lists; otherwise 0.
	Size int `json:"size,omitempty"`
}

// NewPayload returns a payload of b. It is text if b is valid UTF-8 without control characters, which JSON would expand.
func NewPayload(b []byte) Payload {
	if len(b) == 0 {
		return Payload{}
	}
	control := func(r rune) bool { return r < 0x20 && r != '\n' && r != '\r' && r != '\t' && r != 0x1b || r == 0x7f }
	if utf8.Valid(b) && bytes.IndexFunc(b, control) < 0 {
		return Payload{Text: string(b)}.Compact()
	}
	return Payload{Base64: bytes.Clone(b)}
}

// compactFrom is the length, in bytes, from which Compact considers a text.
const compactFrom = 32 << 10

// Compact returns the payload with a large text as base64 if that is shorter in JSON, such as for a text of quotation marks
// alone. So a bound on the bytes of a payload also bounds the message.
func (p Payload) Compact() Payload {
	if len(p.Text) >= compactFrom && jsonLen(p.Text) > len(p.Text)/3*4+4 {
		return Payload{Base64: []byte(p.Text), Size: p.Size}
	}
	return p
}

// Cut returns the beginning of a payload, at most n bytes.
func (p Payload) Cut(n int) Payload {
	size := len(p.Text) + len(p.Base64)
	if size <= n {
		return p
	}
	if p.Base64 != nil {
		return Payload{Base64: p.Base64[:n], Size: size}
	}
	for n > 0 && !utf8.RuneStart(p.Text[n]) {
		n--
	}
	return Payload{Text: p.Text[:n], Size: size}
}

// Bytes returns the bytes of the payload.
func (p Payload) Bytes() []byte {
	if p.Base64 != nil {
		return p.Base64
	}
	return []byte(p.Text)
}

// Limits of tasks.
const (
	// MaxTaskInput bounds the input of a task, in bytes before encoding. Larger inputs go into memory or an artifact.
	MaxTaskInput = 256 << 10
	// MaxTaskOutput bounds the result of a task, in bytes before encoding.
	MaxTaskOutput = 256 << 10
	// TaskPreview is how many bytes of a payload lists and watches carry; task.get returns all of them.
	TaskPreview = 1 << 10
	// MaxAttempts bounds Retry.Max.
	MaxAttempts = 100
	// DefaultAttempts is the number of attempts at a task that does not set Retry.Max.
	DefaultAttempts = 3
	// MaxDependsOn bounds TaskSpec.DependsOn.
	MaxDependsOn = 256
	// DefaultQueue is the queue of a task that names none.
	DefaultQueue = "default"
)

// Timeouts bound a task, in milliseconds; 0: no bound.
type Timeouts struct {
	QueueMS     int64 `json:"queue,omitempty"`     // from submission to the first attempt
	RunMS       int64 `json:"run,omitempty"`       // one attempt
	HeartbeatMS int64 `json:"heartbeat,omitempty"` // between two signs of life of an attempt: a message or output of its agent
}

// ExitTempFail is the exit code by which a process asks for another attempt, as mail and cron tools do (EX_TEMPFAIL in
// sysexits.h). Types and tasks may name more codes in RetryOn.
const ExitTempFail = 75

// MaxRetryOn bounds RetryOn.
const MaxRetryOn = 64

// CheckRetryOn returns what is wrong with a list of exit codes, or "" if it is valid.
func CheckRetryOn(codes []int) string {
	if len(codes) > MaxRetryOn {
		return fmt.Sprintf("has more than %d exit codes", MaxRetryOn)
	}
	for _, code := range codes {
		if code < 1 || code > 255 {
			return fmt.Sprintf("%d is no exit code of a failure: those are 1 to 255", code)
		}
	}
	return ""
}

// Retry says how often a task is tried again after a transient failure.
type Retry struct {
	Max       int   `json:"max,omitempty"`     // attempts in total; 0: DefaultAttempts
	BackoffMS int64 `json:"backoff,omitempty"` // before the second attempt, doubled for each further one up to five minutes; 0: one second
}

// TaskSpec describes a task to be done. At least one of Type, Agent and Capabilities says which agents can do it.
type TaskSpec struct {
	Key            string            `json:"key,omitempty"` // names the task within its batch, for DependsOn
	Name           string            `json:"name,omitempty"`
	Queue          string            `json:"queue,omitempty"`
	Priority       Priority          `json:"priority,omitempty"`
	Type           string            `json:"type,omitempty"`         // of the agent
	Agent          AgentID           `json:"agent,omitempty"`        // this one and no other
	Capabilities   []string          `json:"capabilities,omitempty"` // all of them
	Argv           []string          `json:"argv,omitempty"`         // for a type whose tasks are processes and that has no argv, such as shell
	Args           []string          `json:"args,omitempty"`         // added to the argv of a type whose tasks are processes
	Input          Payload           `json:"input,omitzero"`
	Cwd            string            `json:"cwd,omitempty"`      // the working folder of its process, an absolute path; of a worktree: a folder in the repository
	Folder         FolderMode        `json:"folder,omitempty"`   // what the working folder of its process is; empty: as its type says, or FolderShared with a Cwd
	NoInput        bool              `json:"no_input,omitempty"` // its process has no standard input, and Input must be empty
	Timeouts       Timeouts          `json:"timeouts,omitzero"`
	Retry          Retry             `json:"retry,omitzero"`
	RetryOn        []int             `json:"retry_on,omitempty"`        // exit codes of its process after which it is tried again, besides ExitTempFail and those of its type
	IdempotencyKey string            `json:"idempotency_key,omitempty"` // submitting another task with it returns the first one instead
	DependsOn      []string          `json:"depends_on,omitempty"`      // ids, or "#key" of the same batch: these complete first
	Parent         TaskID            `json:"parent,omitempty"`
	Labels         map[string]string `json:"labels,omitempty"`
}

// Task is a task. The store, the protocol and the pages all use this type.
type Task struct {
	ID  TaskID `json:"id"`
	Num uint64 `json:"num"` // the number of the task in the order of submission
	TaskSpec
	Actor string    `json:"actor,omitempty"` // who submitted it
	State TaskState `json:"state"`

	// While it waits.
	Waiting   string     `json:"waiting,omitempty"`  // what it waits for, such as "3 of 3 coder busy"
	Asking    []AgentID  `json:"asking,omitempty"`   // the agents among these that wait for a person's answer, at most MaxAsking
	Position  int        `json:"position,omitempty"` // among those that wait for the same agents, from 1
	NotBefore *time.Time `json:"not_before,omitempty"`

	Attempt    int           `json:"attempt"`      // the number of the latest attempt; 0: none yet
	LastTry    int           `json:"last_attempt"` // the number of the last attempt that is made without a task.retry
	Runs       []Run         `json:"runs,omitempty"`
	Progress   []Progress    `json:"progress,omitempty"` // the newest MaxProgress ones
	Result     *Payload      `json:"result,omitempty"`
	Failure    FailureReason `json:"failure,omitempty"`     // of the last attempt, or of the task
	Message    string        `json:"message,omitempty"`     // for a person: why it ended like this
	DeadLetter bool          `json:"dead_letter,omitempty"` // its attempts are used up; task.retry gives it new ones
	Late       []Late        `json:"late,omitempty"`        // answers that came after the end of their attempt, at most MaxLate

	// Of an orchestration.
	Orchestration *Orchestration `json:"orchestration,omitempty"`
	// Of an orchestration's child.
	Index   *int `json:"index,omitempty"`   // of its input
	Ordinal int  `json:"ordinal,omitempty"` // its position in the order of completion, from 1; 0: it is not over

	CreatedAt time.Time  `json:"created_at"`
	StartedAt *time.Time `json:"started_at,omitempty"` // of the first attempt
	EndedAt   *time.Time `json:"ended_at,omitempty"`
	Rev       uint64     `json:"rev"`               // position of this record in the store: the After of a task.watch
	Request   string     `json:"request,omitempty"` // idempotency key of the request that made it, so that the request takes effect once, even over restarts
	Trimmed   bool       `json:"trimmed,omitempty"` // parts were left out so that the answer fits a message; task.get returns as many of them as possible

	RetryRequest string `json:"retry_request,omitempty"` // idempotency key of the last request that gave it new attempts
}

const (
	// MaxProgress bounds Task.Progress.
	MaxProgress = 20
	// MaxAsking bounds Task.Asking.
	MaxAsking = 8
	// MaxLate bounds Task.Late.
	MaxLate = 8
	// MaxProgressText bounds Progress.Text, Task.Message and Run.Message, in bytes.
	MaxProgressText = 500
)

// Progress is what an agent reports about a task that it is working on.
type Progress struct {
	Time     time.Time `json:"time"`
	Text     string    `json:"text,omitempty"`
	Fraction float64   `json:"fraction,omitempty"` // done, 0 to 1
}

// Run is one attempt at a task.
type Run struct {
	Attempt   int           `json:"attempt"`
	Agent     AgentID       `json:"agent,omitempty"`
	AgentName string        `json:"agent_name,omitempty"`
	Node      NodeID        `json:"node,omitempty"`
	StartedAt time.Time     `json:"started_at"`
	EndedAt   *time.Time    `json:"ended_at,omitempty"`
	LeaseMS   int64         `json:"lease,omitempty"` // the longest time between two signs of life, in milliseconds; 0: the agent need only be alive
	Failure   FailureReason `json:"failure,omitempty"`
	Message   string        `json:"message,omitempty"`
}

// Late is an answer to an attempt that was over. It is recorded but not applied.
type Late struct {
	Time    time.Time `json:"time"`
	Attempt int       `json:"attempt"`
	Agent   AgentID   `json:"agent"`
	Failed  bool      `json:"failed,omitempty"`
	Text    string    `json:"text,omitempty"` // its beginning, at most MaxProgressText bytes
}

// FailureReason says why a run, or a task, failed.
type FailureReason string

const (
	// The platform's: the task itself was not to blame. All are transient.
	FailSpawn         FailureReason = "spawn_failed"      // no agent could be started for it
	FailAgentLost     FailureReason = "agent_lost"        // the agent ended, or was lost, with the task in work
	FailAgentStopped  FailureReason = "agent_stopped"     // somebody stopped the agent, not the task
	FailServerRestart FailureReason = "server_restarted"  // Skein ended while the task was in progress
	FailHeartbeat     FailureReason = "heartbeat_timeout" // no sign of life within the lease
	FailDelivery      FailureReason = "delivery_failed"   // the agent did not read the task

	// The agent's.
	FailAgentError FailureReason = "agent_error"  // task.error, or an exit code
	FailTransient  FailureReason = "agent_busy"   // task.error with retryable
	FailTemporary  FailureReason = "exit_retry"   // the process ended with ExitTempFail, or with a code of retry_on
	FailRunTimeout FailureReason = "run_timeout"  // it took longer than timeouts.run
	FailProtocol   FailureReason = "bad_protocol" // the agent broke the line protocol
	FailTooLarge   FailureReason = "too_large"    // the result is over MaxTaskOutput

	// The task's own.
	FailQueueTimeout FailureReason = "queue_timeout"
	FailDependency   FailureReason = "dependency_failed"
	FailChildren     FailureReason = "children_failed" // of an orchestration
)

// Transient reports whether another attempt may succeed.
func (r FailureReason) Transient() bool {
	switch r {
	case FailSpawn, FailAgentLost, FailAgentStopped, FailServerRestart, FailHeartbeat, FailDelivery, FailTransient, FailTemporary:
		return true
	}
	return false
}

// Platform reports whether the failure is one of the platform and not of the agent.
func (r FailureReason) Platform() bool {
	return r.Transient() && r != FailTransient && r != FailTemporary
}

// Methods of the task lane.
const (
	MethodTaskSubmit = "task.submit"
	MethodTaskGet    = "task.get"
	MethodTaskList   = "task.list"
	MethodTaskCancel = "task.cancel"
	MethodTaskRetry  = "task.retry"
	// MethodTaskWait is answered when a task is over. Agents have it on the line protocol in place of a watch.
	MethodTaskWait        = "task.wait"
	MethodTaskOrchestrate = "task.orchestrate"
	MethodTaskWatch       = "task.watch" // then NoteTasks until the lane ends; a second one replaces the first
	MethodTaskRender      = "task.render"
)

const (
	NoteTasks  = "tasks"  // task lane: TaskUpdate
	NoteResult = "result" // result lane: Result
	// NoteAggregate is the last message of the result lane before the server ends it: Aggregate.
	NoteAggregate = "aggregate"
)

// SubmitParams submit tasks, all or none.
type SubmitParams struct {
	Tasks []TaskSpec `json:"tasks"` // 1 to MaxBatch
}

// SubmitResult has the tasks in the order of the request. For an idempotency key that was used before, it has the earlier task.
type SubmitResult struct {
	Tasks []Task `json:"tasks"`
}

// TaskParams name one task.
type TaskParams struct {
	ID TaskID `json:"id"`
}

// TaskCancelParams cancel tasks, each with all below it.
type TaskCancelParams struct {
	IDs    []TaskID `json:"ids"`
	Reason string   `json:"reason,omitempty"`
}

// TaskCancelResult has the tasks that were canceled, including children. Tasks that were over are left out.
type TaskCancelResult struct {
	Canceled []TaskID `json:"canceled"`
	More     int      `json:"more,omitempty"` // how many canceled tasks were left out so that the answer fits a message
}

// TaskFilter chooses tasks; an empty field does not restrict.
type TaskFilter struct {
	IDs        []TaskID          `json:"ids,omitempty"`
	States     []TaskState       `json:"states,omitempty"`
	Queue      string            `json:"queue,omitempty"`
	Type       string            `json:"type,omitempty"`
	Agent      AgentID           `json:"agent,omitempty"`  // that the task is for, or that is working on it
	Parent     TaskID            `json:"parent,omitempty"` // its children
	Root       TaskID            `json:"root,omitempty"`   // it, and all below it
	DeadLetter bool              `json:"dead_letter,omitempty"`
	Labels     map[string]string `json:"labels,omitempty"`
	Query      string            `json:"query,omitempty"` // a part of id, name, type, input or message, in any case
	After      uint64            `json:"after,omitempty"` // TaskListResult.Next of the previous page
	Limit      int               `json:"limit,omitempty"` // of a page; 0: MaxPage, which is also the maximum
}

// TaskListResult is a page of the tasks that match, newest first, with the beginnings of their payloads.
type TaskListResult struct {
	Tasks  []Task            `json:"tasks"`
	Next   uint64            `json:"next,omitempty"` // the After of the next page; 0: this is the last one
	Total  int               `json:"total"`          // how many match, on whichever page
	Counts map[TaskState]int `json:"counts"`         // of all tasks, whatever the filter
}

// Page cuts a list to what fits a message.
func (r TaskListResult) Page(limit int) TaskListResult {
	if n := PageOf(r.Tasks, limit); n < len(r.Tasks) {
		r.Tasks, r.Next = r.Tasks[:n], r.Tasks[n-1].Num
	}
	return r
}

// TaskWatchParams ask for the tasks that have changed since a position, and for every later change.
type TaskWatchParams struct {
	After  uint64     `json:"after,omitempty"` // TaskUpdate.Cursor of the last update; 0: all tasks
	Epoch  string     `json:"epoch,omitempty"` // that After belongs to
	Filter TaskFilter `json:"filter,omitzero"`
	HTML   TaskHTML   `json:"html,omitempty"` // in which form changed tasks come as HTML too, in TaskUpdate.HTML
}

// TaskHTML names a component of Skein's own pages that shows a task. The HTML is for the scripts of the pages of the same
// server, and may change with every version.
type TaskHTML string

const (
	TaskAsRow   TaskHTML = "row"   // in the queue
	TaskAsCard  TaskHTML = "card"  // on the board
	TaskAsPage  TaskHTML = "page"  // on its own page; in a watch, the others that match are twigs
	TaskAsTwig  TaskHTML = "twig"  // on the page of a task above it
	TaskAsGraph TaskHTML = "graph" // on its own page, with the tasks that depend on each other
)

// Check returns an error for an unknown component.
func (h TaskHTML) Check() error {
	switch h {
	case "", TaskAsRow, TaskAsCard, TaskAsPage, TaskAsTwig, TaskAsGraph:
		return nil
	}
	return Errorf(CodeInvalidParams, "html is row, card, page, twig or graph, not %q", h).WithField("html")
}

// MaxRender bounds the tasks of a TaskRenderParams, and those of an update whose HTML comes with it.
const MaxRender = 100

// TaskRenderParams ask for the present state of tasks as parts of a page.
type TaskRenderParams struct {
	IDs  []TaskID `json:"ids"` // 1 to MaxRender
	HTML TaskHTML `json:"html"`
}

// TaskRenderResult has the HTML of the tasks that exist. Those that do not fit into the message are left out, and the client
// asks for them again.
type TaskRenderResult struct {
	HTML map[TaskID]string `json:"html"`
}

// TaskWatchResult opens a watch. The tasks themselves come as updates.
type TaskWatchResult struct {
	Epoch     string `json:"epoch"`
	Recovered bool   `json:"recovered"` // only changes follow; false: the client discards its tasks, and all tasks follow
}

// TaskUpdate carries the latest state of tasks, and the tasks that were forgotten or no longer match the filter.
type TaskUpdate struct {
	Tasks   []Task            `json:"tasks,omitempty"`
	Removed []TaskID          `json:"removed,omitempty"`
	Cursor  uint64            `json:"cursor"`
	Counts  map[TaskState]int `json:"counts,omitempty"`
	More    bool              `json:"more,omitempty"` // a further part of the same update follows
	// HTML has the changed tasks in the form that the watch asked for. It is empty for the first list, and if more than
	// MaxRender tasks change at once.
	HTML map[TaskID]string `json:"html,omitempty"`
}

// AggregateMode says when an orchestration is complete.
type AggregateMode string

const (
	AggregateAll    AggregateMode = "all"    // every child is over
	AggregateFirst  AggregateMode = "first"  // one child completed; the others are canceled
	AggregateQuorum AggregateMode = "quorum" // Quorum children completed; the others are canceled
	AggregateReduce AggregateMode = "reduce" // every child is over, and another task has combined their results
)

// AggregateModes lists every mode.
var AggregateModes = []AggregateMode{AggregateAll, AggregateFirst, AggregateQuorum, AggregateReduce}

// OrchestrateParams distribute inputs to agents, with one child task per input, made from Task.
type OrchestrateParams struct {
	Name     string        `json:"name,omitempty"`
	Task     TaskSpec      `json:"task"`   // of each child; its input, key and parent are ignored
	Inputs   []Payload     `json:"inputs"` // 1 to MaxBatch
	Mode     AggregateMode `json:"mode,omitempty"`
	Quorum   int           `json:"quorum,omitempty"`
	Reduce   *TaskSpec     `json:"reduce,omitempty"`    // mode reduce: its input becomes the results of the children, as JSON ([Result])
	FailFast bool          `json:"fail_fast,omitempty"` // the first failed child fails the orchestration
	Parent   TaskID        `json:"parent,omitempty"`
}

// Orchestration is the part of the record of a task that is an orchestration.
type Orchestration struct {
	Mode      AggregateMode `json:"mode"`
	Quorum    int           `json:"quorum,omitempty"`
	FailFast  bool          `json:"fail_fast,omitempty"`
	Children  int           `json:"children"`
	Completed int           `json:"completed"`
	Failed    int           `json:"failed"` // failed, rejected or canceled
	Reduce    *TaskSpec     `json:"reduce,omitempty"`
}

// Result is the outcome of a child.
type Result struct {
	Ordinal int           `json:"ordinal"` // its position in the order of completion, from 1; the After of a result lane that continues
	Index   int           `json:"index"`   // of its input
	Task    TaskID        `json:"task"`
	State   TaskState     `json:"state"`
	Output  *Payload      `json:"output,omitempty"`
	Failure FailureReason `json:"failure,omitempty"`
	Message string        `json:"message,omitempty"`
	HTML    string        `json:"html,omitempty"` // on a lane that asked for it
}

// Aggregate is the end of an orchestration. Task.Result depends on the mode: for all and quorum, it is a JSON array of
// [Result] by index; for first, the output of that child; for reduce, the output of the reduce task.
type Aggregate struct {
	Task Task `json:"task"`
}
