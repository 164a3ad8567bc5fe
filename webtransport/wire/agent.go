package wire

import (
	"fmt"
	"time"
)

// AgentID identifies an agent and is never reused: "a" and twelve characters of lower-case base32.
type AgentID string

// NodeID identifies a Skein server.
type NodeID string

// Kind says which runtime runs an agent.
type Kind string

const (
	KindExec     Kind = "exec"     // an operating-system process, from argv
	KindACP      Kind = "acp"      // a process that speaks the Agent Client Protocol on its standard input and output
	KindOpenAI   Kind = "openai"   // a model behind an OpenAI-compatible endpoint
	KindRemote   Kind = "remote"   // a program that dials in, wherever it runs
	KindScripted Kind = "scripted" // a deterministic script, run inside Skein
)

// Converses reports whether agents of a kind are given prompts, and answer with a conversation.
func (k Kind) Converses() bool { return k == KindACP || k == KindOpenAI }

// AgentType is the profile that agents are spawned from.
type AgentType struct {
	Name         string            `json:"name"`
	Kind         Kind              `json:"kind"`
	Description  string            `json:"description,omitempty"`
	Argv         []string          `json:"argv,omitempty"` // kind exec; empty: the spawn request has it
	Env          map[string]string `json:"env,omitempty"`
	Cwd          string            `json:"cwd,omitempty"`           // empty: a folder of the agent's own under the data folder
	Folder       *FolderPolicy     `json:"folder,omitempty"`        // nil: shared if there is a Cwd, otherwise fresh
	Stdin        StdinMode         `json:"stdin,omitempty"`         // the standard input of its agents
	Mode         string            `json:"mode,omitempty"`          // kind acp: of its agents' sessions; empty: their own
	Options      map[string]string `json:"options,omitempty"`       // kind acp: of its agents' sessions: values by the ids or categories of options
	Model        *Model            `json:"model,omitempty"`         // kind openai
	TTY          bool              `json:"tty,omitempty"`           // its agents have a terminal in place of pipes
	Script       string            `json:"script,omitempty"`        // kind scripted; empty: the spawn request has it, or the demo runs
	MaxInstances int               `json:"max_instances,omitempty"` // agents alive at the same time; 0: no limit
	StopGraceMS  int64             `json:"stop_grace_ms"`           // milliseconds between SIGTERM and SIGKILL
	Capabilities []string          `json:"capabilities,omitempty"`
	Labels       map[string]string `json:"labels,omitempty"`
	Tasks        TaskMode          `json:"tasks,omitempty"`       // how its agents take tasks; empty: they take none
	MaxTasks     int               `json:"max_tasks,omitempty"`   // mode lines: how many tasks an agent works on at the same time; 0: one
	RetryOn      []int             `json:"retry_on,omitempty"`    // mode process: exit codes after which a task is tried again, besides ExitTempFail
	IdleStopMS   int64             `json:"idle_stop,omitempty"`   // milliseconds after which an agent that the scheduler spawned is stopped if it has no task; 0: never
	Coordinator  bool              `json:"coordinator,omitempty"` // its agents may submit tasks
	Permissions  *Permissions      `json:"permissions,omitempty"` // kinds acp and openai: how requests for permission are answered; nil: by people
	Memory       []string          `json:"memory,omitempty"`      // namespaces that its agents may use; "team.*" allows all that begin with "team."
	Restart      *RestartPolicy    `json:"restart,omitempty"`     // nil: never
	HeartbeatMS  int64             `json:"heartbeat,omitempty"`   // an agent that is silent for this time is unknown, and after three times as long lost; 0: it may be silent
	StallMS      int64             `json:"stall,omitempty"`       // an agent with a task that is silent for this time is shown as stalled; 0: never
	Closed       bool              `json:"closed,omitempty"`      // admission is closed for this type; filled in by types.list
	Builtin      bool              `json:"builtin,omitempty"`
	LeaseMS      int64             `json:"lease,omitempty"`  // kind remote: milliseconds within which a program whose connection broke must come back
	Budget       *Budget           `json:"budget,omitempty"` // nil: none
	Found        bool              `json:"found,omitempty"`  // nobody configured it: its program is on the server's PATH
	Running      int               `json:"running"`          // agents of this type alive now; filled in by types.list
}

// StopGrace returns the time between SIGTERM and SIGKILL.
func (t AgentType) StopGrace() time.Duration { return time.Duration(t.StopGraceMS) * time.Millisecond }

// StdinMode says what the standard input of an agent is.
type StdinMode string

const (
	StdinPipe StdinMode = ""     // a pipe, open until somebody closes it
	StdinNone StdinMode = "none" // empty: /dev/null
)

// TaskMode is how the agents of a type take tasks (docs/agents.md).
type TaskMode string

const (
	TasksNone    TaskMode = ""
	TasksLines   TaskMode = "lines"   // JSON-RPC lines on stdin and stdout, one agent for many tasks
	TasksPrompt  TaskMode = "prompt"  // a prompt for an agent that is given one after the other; the result is what it answers
	TasksProcess TaskMode = "process" // one process per task: input on stdin, the result on stdout, success by the exit code
)

// Shared reports whether an agent takes tasks while it runs, one after the other or several at a time.
func (m TaskMode) Shared() bool { return m == TasksLines || m == TasksPrompt }

// RestartMode says what happens to an agent that has failed more often than its policy allows.
type RestartMode string

const (
	RestartFail  RestartMode = "fail"  // it stays failed
	RestartDelay RestartMode = "delay" // it starts again when the interval is over
)

// RestartPolicy says how a failed agent is started again: at most Attempts times within IntervalMS, after a pause of DelayMS.
// The names and their meaning are those of the restart block in Nomad.
type RestartPolicy struct {
	Mode       RestartMode `json:"mode"`
	Attempts   int         `json:"attempts"`
	IntervalMS int64       `json:"interval"`
	DelayMS    int64       `json:"delay"`
}

// Desired is the state that the user wants an agent to be in.
type Desired string

const (
	DesiredRun  Desired = "run"
	DesiredStop Desired = "stop"
)

// ByServer is the actor of what the server does by itself.
const ByServer = "server"

// Status is the actual state of an agent.
type Status string

const (
	StatusPending  Status = "pending"
	StatusStarting Status = "starting"
	StatusRunning  Status = "running"
	StatusStopping Status = "stopping"
	StatusExited   Status = "exited"
	StatusUnknown  Status = "unknown" // its node does not answer
	StatusLost     Status = "lost"    // its node has not answered for too long
)

// Statuses lists every status; the index is its number in a status datagram.
var Statuses = []Status{StatusPending, StatusStarting, StatusRunning, StatusStopping, StatusExited, StatusUnknown, StatusLost}

// Alive reports whether an agent with this status has a process or may still get one.
func (s Status) Alive() bool {
	switch s {
	case StatusPending, StatusStarting, StatusRunning, StatusStopping, StatusUnknown:
		return true
	}
	return false
}

// Reason says why an agent exited.
type Reason string

const (
	ReasonNone      Reason = ""
	ReasonCompleted Reason = "completed" // it ended by itself with exit code 0
	ReasonFailed    Reason = "failed"    // it could not start, crashed, or ended with another exit code
	ReasonStopped   Reason = "stopped"   // it was asked to stop
)

// Reasons lists every reason; the index is its number in a status datagram.
var Reasons = []Reason{ReasonNone, ReasonCompleted, ReasonFailed, ReasonStopped}

// Activity is what a running agent does. It is empty unless the status is running.
type Activity string

const (
	ActivityNone           Activity = ""
	ActivityIdle           Activity = "idle"
	ActivityRunning        Activity = "running"
	ActivityRequiresAction Activity = "requires_action" // it waits for a person
)

// Activities lists every activity; the index is its number in a status datagram.
var Activities = []Activity{ActivityNone, ActivityIdle, ActivityRunning, ActivityRequiresAction}

// Agent is an agent. The store, the protocol and the pages all use this type.
type Agent struct {
	ID         AgentID           `json:"id"`
	Num        uint32            `json:"num"` // its short number in status datagrams; unique on its node
	Name       string            `json:"name"`
	Type       string            `json:"type"`
	Kind       Kind              `json:"kind"`
	Node       NodeID            `json:"node"`
	Generation int               `json:"generation"` // counts starts, from 1
	Desired    Desired           `json:"desired"`
	StoppedBy  string            `json:"stopped_by,omitempty"` // who wants it stopped; ByServer: nobody, the server ends
	Status     Status            `json:"status"`
	Reason     Reason            `json:"reason,omitempty"`
	Activity   Activity          `json:"activity,omitempty"`
	Question   string            `json:"question,omitempty"` // what it asks while it requires action
	AskedAt    *time.Time        `json:"asked_at,omitempty"` // since when it has asked that
	Argv       []string          `json:"argv,omitempty"`
	Cwd        string            `json:"cwd,omitempty"`
	EnvNames   []string          `json:"env_names,omitempty"` // of the variables that its spawn added; their values are not kept
	Folder     *Folder           `json:"folder,omitempty"`    // what Cwd is; nil: it works in none
	NoInput    bool              `json:"no_input,omitempty"`  // it has no standard input
	TTY        *Size             `json:"tty,omitempty"`       // the size of its terminal; nil: it has pipes
	Title      string            `json:"title,omitempty"`     // which its program has given the terminal
	Summary    string            `json:"summary,omitempty"`   // what it does now, in its own words: a line of at most MaxSummary bytes
	Progress   *Progressing      `json:"progress,omitempty"`  // as its program reports it to the terminal (OSC 9;4); nil: it does not
	Prompts    []Prompt          `json:"prompts,omitempty"`   // kinds acp and openai: those that wait for their turn, in their order
	Session    string            `json:"session,omitempty"`   // kind acp: the conversation that it is or was in, by the agent's own id
	Offers     int               `json:"offers,omitempty"`    // kind acp: counts how often what agent.options returns has changed; 0: it offers nothing
	Labels     map[string]string `json:"labels,omitempty"`

	Capabilities []string `json:"capabilities,omitempty"` // kind remote: what it offers beyond its type
	Concurrency  int      `json:"concurrency,omitempty"`  // kind remote: how many tasks it takes at the same time; 0: as many as its type says

	CreatedAt     time.Time  `json:"created_at"`
	StartedAt     *time.Time `json:"started_at,omitempty"`
	ExitedAt      *time.Time `json:"exited_at,omitempty"`
	LastHeartbeat *time.Time `json:"last_heartbeat,omitempty"`

	Paused *Pause `json:"paused,omitempty"` // it gets no more prompts and tasks; nil: it is not paused

	Process     *Process        `json:"process,omitempty"`
	Containment ContainmentMode `json:"containment,omitempty"` // of its processes; empty: it has none
	Suspended   bool            `json:"suspended,omitempty"`   // its process is stopped by a signal (SIGSTOP, SIGTSTP): it does nothing until SIGCONT
	Usage       Usage           `json:"usage"`
	Spent       *Spent          `json:"spent,omitempty"` // kinds acp and openai; nil: it has had no turn
	Exit        *Exit           `json:"exit,omitempty"`

	Tasks     []TaskID   `json:"tasks,omitempty"`      // the tasks that it is working on
	Done      int        `json:"done,omitempty"`       // how many tasks it has completed
	ForTask   TaskID     `json:"for_task,omitempty"`   // mode process: the one task that it was started for
	OnDemand  bool       `json:"on_demand,omitempty"`  // the scheduler started it
	Restarts  int        `json:"restarts,omitempty"`   // by its restart policy
	RestartAt *time.Time `json:"restart_at,omitempty"` // when it starts again after a failure
	CrashLoop bool       `json:"crash_loop,omitempty"` // it has failed more often than its policy allows
	Stalled   bool       `json:"stalled,omitempty"`    // it has a task and gives no sign of work

	StalledSince *time.Time `json:"stalled_since,omitempty"` // its last sign of work, while it is stalled

	Request string `json:"request,omitempty"` // idempotency key of the request that made it, so that the request takes effect once, even over restarts

	Dropped *Dropped `json:"dropped,omitempty"` // the events that the log has dropped; nil: none

	LastLine string `json:"last_line,omitempty"` // its last line of output, at most MaxLastLine bytes
	LastSeq  uint64 `json:"last_seq"`            // the position of its last event
	Rev      uint32 `json:"rev"`                 // grows with every change of this record

	Trimmed bool `json:"trimmed,omitempty"` // fields were left out so that an answer with many agents fits a message; agent.get returns them
}

// Progressing is how far a program says that it is.
type Progressing struct {
	Percent int  `json:"percent"` // 0 to 100; -1: it is at work, and does not know how far
	Failed  bool `json:"failed,omitempty"`
}

// Pause says that an agent is given no more prompts and tasks.
type Pause struct {
	Since  time.Time `json:"since"`
	By     string    `json:"by"`
	Reason string    `json:"reason,omitempty"` // for people
	Frozen bool      `json:"frozen,omitempty"` // its processes are stopped by SIGSTOP
}

// Frozen reports whether its processes were stopped because somebody asked for that.
func (a *Agent) Frozen() bool { return a.Paused != nil && a.Paused.Frozen }

// Prompt is what waits to be said to an agent.
type Prompt struct {
	ID   string `json:"id"`             // among the agent's
	Text string `json:"text"`           // at most MaxPromptText bytes of it
	Task TaskID `json:"task,omitempty"` // it is the one of a task
}

// MaxPromptText bounds Prompt.Text, in bytes, and MaxPrompts the number of an agent's.
const (
	MaxPromptText = 400
	MaxPrompts    = 32
)

// MaxLastLine bounds Agent.LastLine, in bytes.
const MaxLastLine = 240

// MaxSummary bounds Agent.Summary, in bytes.
const MaxSummary = 200

// NeedsAttention reports whether a person should check on the agent, because it waits for one, has failed, makes no
// progress, or is out of reach.
func (a *Agent) NeedsAttention() bool {
	return a.Activity == ActivityRequiresAction || a.Reason == ReasonFailed || a.Stalled || a.Suspended && !a.Frozen() || (a.CrashLoop && a.Status.Alive()) ||
		a.Status == StatusUnknown || a.Status == StatusLost || a.LeftBehind()
}

// LeftBehind reports whether processes of an agent that has ended were still alive at the last check.
func (a *Agent) LeftBehind() bool { return a.Exit != nil && len(a.Exit.Leftovers) > 0 }

// Process identifies a process of the operating system, even if its pid is reused.
type Process struct {
	PID       int    `json:"pid"`
	Group     int    `json:"group"`      // process group id
	StartTime uint64 `json:"start_time"` // field 22 of /proc/PID/stat: clock ticks since boot
}

// Leftover is a process of an agent that a stop could not end.
type Leftover struct {
	Process
	Name string `json:"name,omitempty"` // of its program, at most 15 bytes: /proc/PID/comm
	User string `json:"user,omitempty"` // whose it is; its number where it has no name
}

func (l Leftover) String() string {
	s := fmt.Sprintf("process %d", l.PID)
	if l.Name != "" {
		s += " (" + l.Name + ")"
	}
	if l.User != "" {
		s += " of user " + l.User
	}
	return s
}

// ContainmentMode says by what all processes of an agent are found, whatever they do.
type ContainmentMode string

const (
	ContainedByCgroup ContainmentMode = "cgroup" // a cgroup v2 of its own: no process can leave it unseen
	ContainedByMarks  ContainmentMode = "marks"  // marks that processes inherit, and the tree of parents
)

// Containment is how a node contains the processes of its agents.
type Containment struct {
	Mode ContainmentMode `json:"mode"`
	Why  string          `json:"why,omitempty"` // it is not cgroup
}

// Usage is what an agent's processes use now: its process group, and what descends from it.
type Usage struct {
	CPU       float64 `json:"cpu"`       // cores in use: 1.0 is one core
	RSS       int64   `json:"rss"`       // bytes, summed
	Processes int     `json:"processes"` // that live
	CPUTime   float64 `json:"cpu_time"`  // seconds since the start, user and system
}

// Exit is how an agent ended.
type Exit struct {
	Code      int        `json:"code"`                // exit code; -1 when a signal ended it or it never started
	Signal    string     `json:"signal,omitempty"`    // such as "SIGKILL"
	Message   string     `json:"message,omitempty"`   // for a person
	Leftovers []Leftover `json:"leftovers,omitempty"` // its processes that survived SIGKILL and were still alive at the last check
}

// Event is something that happened to an agent. Events are append-only and read from a cursor.
type Event struct {
	Seq     uint64    `json:"seq"` // position in the log; grows, with gaps, over all agents
	Time    time.Time `json:"time"`
	Type    EventType `json:"type"`
	Subject AgentID   `json:"subject"`
	Actor   string    `json:"actor,omitempty"` // who caused it: a client, or the server
	Data    EventData `json:"data"`

	// Dropped is what the log has dropped right before this event; nil: nothing.
	Dropped *Dropped `json:"dropped,omitempty"`
	// Before counts the events of the agent before this one that are of the same kind (output, or the others), including
	// those that the log has dropped. It is not sent to clients.
	Before Amount `json:"-"`
}

// Amount is the number of events and their size.
type Amount struct {
	Events uint64 `json:"events"`
	Bytes  uint64 `json:"bytes"` // of their text or bytes
}

// Minus returns the difference of a and b.
func (a Amount) Minus(b Amount) Amount { return Amount{a.Events - b.Events, a.Bytes - b.Bytes} }

// Dropped describes the events of an agent that were dropped because the log is bounded. They lie between From and To.
type Dropped struct {
	Amount
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	Last uint64    `json:"last,omitempty"` // a cursor at or after this seq misses none of them; only in the record of an agent
}

// EventType says what happened.
type EventType string

const (
	EventSpawned  EventType = "agent.spawned"  // the record exists; Data.Size is that of its terminal, if it has one
	EventStarted  EventType = "agent.started"  // it runs; Data.Process for kind exec
	EventActivity EventType = "agent.activity" // Data.Activity, and Data.Text for a question
	EventStopping EventType = "agent.stopping" // a stop was asked for
	EventSignal   EventType = "agent.signal"   // Data.Text names the signal sent to its group
	EventExited   EventType = "agent.exited"   // Data.Exit, Data.Reason; nothing follows
	EventCrashed  EventType = "agent.crashed"  // it ended and will be started again: Data.Exit; Data.Text says when
	EventHealth   EventType = "agent.health"   // Data.Text says what changed: stalled, unknown, lost, and back
	EventAsk      EventType = "agent.ask"      // it asks a person something: Data.Ask
	EventAnswer   EventType = "agent.answer"   // what it asked has ended: Data.Ask
	EventTask     EventType = "agent.task"     // Data.Task, Data.State; Data.Text says more
	EventLog      EventType = "agent.log"      // a log message of the line protocol, in Data.Text
	EventUpdate   EventType = "agent.update"   // an update of its conversation, as it came: Data.Text, an ACP SessionUpdate in JSON
	EventStdout   EventType = "output.stdout"  // Data.Text or Data.Base64
	EventStderr   EventType = "output.stderr"  // Data.Text or Data.Base64
	EventTTY      EventType = "output.tty"     // Data.Text or Data.Base64: what was written to the agent's terminal
	EventResize   EventType = "agent.resize"   // its terminal has another size: Data.Size
	EventInput    EventType = "input"          // Data.Text or Data.Base64, what was written to its stdin
)

// UpdateNote is the kind ("sessionUpdate") of an update that Skein adds to a conversation: {"sessionUpdate", "text"}. Kinds of the Agent Client
// Protocol have no such name.
const UpdateNote = "_skein/note"

// IsOutput reports whether the event is output of the agent.
func (t EventType) IsOutput() bool { return t == EventStdout || t == EventStderr || t == EventTTY }

// WithOutput reports whether the event is kept, counted and read with the agent's output.
func (t EventType) WithOutput() bool { return t.IsOutput() || t == EventUpdate }

// Which selects events of an agent.
type Which string

const (
	AllEvents       Which = ""
	LifecycleEvents Which = "lifecycle" // all but its output
	OutputEvents    Which = "output"    // its output
)

// Has reports whether events of a type are selected.
func (w Which) Has(t EventType) bool {
	return w == AllEvents || (w == OutputEvents) == t.WithOutput()
}

// EventData is the data of an event. Which fields are set depends on the type of the event.
type EventData struct {
	Text     string   `json:"text,omitempty"`   // when the bytes are valid UTF-8
	Base64   []byte   `json:"base64,omitempty"` // when they are not
	Activity Activity `json:"activity,omitempty"`
	Reason   Reason   `json:"reason,omitempty"`
	Process  *Process `json:"process,omitempty"`
	Exit     *Exit    `json:"exit,omitempty"`
	Size     *Size    `json:"size,omitempty"`
	Ask      *Ask     `json:"ask,omitempty"`

	Task  TaskID    `json:"task,omitempty"`
	State TaskState `json:"state,omitempty"`
}

// Bytes returns the bytes of Text or Base64.
func (d EventData) Bytes() []byte {
	if d.Base64 != nil {
		return d.Base64
	}
	return []byte(d.Text)
}

// Len returns the length of Bytes.
func (d EventData) Len() int { return max(len(d.Base64), len(d.Text)) }
