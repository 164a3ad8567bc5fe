package wire

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Message is one JSON-RPC 2.0 message: a request (method and id), a notification (method), or a response (id and
// result or error). https://www.jsonrpc.org/specification
type Message struct {
	JSONRPC string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *Error          `json:"error,omitempty"`
}

// IsRequest reports whether the message is a request, which is answered.
func (m *Message) IsRequest() bool { return m.Method != "" && len(m.ID) > 0 }

// IsNotification reports whether the message is a notification, which is not answered.
func (m *Message) IsNotification() bool { return m.Method != "" && len(m.ID) == 0 }

// IsResponse reports whether the message is the answer to a request.
func (m *Message) IsResponse() bool { return m.Method == "" }

// ParseMessage parses one line. Its errors are [*Error] values that can be sent to the peer.
func ParseMessage(line []byte) (*Message, error) { return parseMessage(line, MaxMessage) }

// ParseAnswer parses one line from a server, which may be longer than those that a client may send.
func ParseAnswer(line []byte) (*Message, error) { return parseMessage(line, MaxLine) }

func parseMessage(line []byte, limit int) (*Message, error) {
	line = bytes.TrimSpace(line)
	if len(line) > limit {
		return nil, Errorf(CodeTooLarge, "the message is longer than %d bytes", limit)
	}
	if len(line) > 0 && line[0] == '[' {
		return nil, Errorf(CodeInvalidRequest, "JSON-RPC batches are not part of %s: send one message a line", Version)
	}
	if m, ok := parsePlain(line); ok {
		return &m, nil
	}
	var m Message
	if err := json.Unmarshal(line, &m); err != nil {
		if !json.Valid(line) {
			return nil, Errorf(CodeParse, "the line is not JSON")
		}
		return nil, Errorf(CodeInvalidRequest, "the line is not a JSON-RPC 2.0 message")
	}
	if m.JSONRPC != "2.0" {
		return nil, Errorf(CodeInvalidRequest, `"jsonrpc" must be "2.0"`)
	}
	if bytes.Equal(m.ID, []byte("null")) {
		m.ID = nil
	}
	if err := checkID(m.ID); err != nil {
		return nil, err
	}
	if m.Method == "" && m.Result == nil && m.Error == nil {
		return nil, Errorf(CodeInvalidRequest, `the message has neither "method" nor "result" nor "error"`)
	}
	return &m, nil
}

// parsePlain parses a message in the form that append writes, which most messages have, in half the time of the general
// parser. It returns false for messages in another form.
func parsePlain(line []byte) (m Message, ok bool) {
	b, ok := bytes.CutPrefix(line, []byte(`{"jsonrpc":"2.0"`))
	if !ok || !bytes.HasSuffix(b, []byte("}")) {
		return m, false
	}
	b = b[:len(b)-1]
	m.JSONRPC = "2.0"
	if id, ok := bytes.CutPrefix(b, []byte(`,"id":`)); ok {
		n := 0
		for n < len(id) && '0' <= id[n] && id[n] <= '9' {
			n++
		}
		if n == 0 || n > 18 || id[0] == '0' && n > 1 {
			return m, false
		}
		m.ID, b = bytes.Clone(id[:n]), id[n:]
	}
	if result, ok := bytes.CutPrefix(b, []byte(`,"result":`)); ok {
		m.Result, ok = plainValue(result)
		return m, ok
	}
	if b, ok = bytes.CutPrefix(b, []byte(`,"method":"`)); !ok {
		return m, false
	}
	n := 0
	for n < len(b) && (b[n] == '.' || b[n] == '_' || 'a' <= b[n] && b[n] <= 'z') {
		n++
	}
	if n == 0 || n == len(b) || b[n] != '"' {
		return m, false
	}
	m.Method, b = string(b[:n]), b[n+1:]
	if params, ok := bytes.CutPrefix(b, []byte(`,"params":`)); ok {
		m.Params, ok = plainValue(params)
		return m, ok
	}
	return m, len(b) == 0
}

// plainValue copies b if it is one JSON value and nothing else.
func plainValue(b []byte) (json.RawMessage, bool) {
	if len(b) == 0 || b[0] <= ' ' || b[len(b)-1] <= ' ' || !json.Valid(b) {
		return nil, false
	}
	return bytes.Clone(b), true
}

func checkID(id json.RawMessage) error {
	if len(id) == 0 {
		return nil
	}
	if len(id) > MaxRequestID {
		return Errorf(CodeInvalidRequest, `"id" is longer than %d bytes`, MaxRequestID)
	}
	if c := id[0]; c != '"' && c != '-' && (c < '0' || c > '9') {
		return Errorf(CodeInvalidRequest, `"id" must be a string or a number`)
	}
	return nil
}

// ErrorCode is a JSON-RPC error code. -32768…-32600 are JSON-RPC's own.
type ErrorCode int

const (
	CodeParse          ErrorCode = -32700
	CodeInvalidRequest ErrorCode = -32600
	CodeMethodNotFound ErrorCode = -32601
	CodeInvalidParams  ErrorCode = -32602
	CodeInternal       ErrorCode = -32603

	CodeUnauthorized  ErrorCode = -32001 // no login, or one that does not allow this
	CodeNotFound      ErrorCode = -32002 // no such agent or type
	CodeConflict      ErrorCode = -32003 // the id was used for another request
	CodeExhausted     ErrorCode = -32004 // a cap is reached, such as max_instances
	CodeUnavailable   ErrorCode = -32005 // the server is stopping, or admission is closed
	CodePrecondition  ErrorCode = -32006 // not possible in the present state of the agent or task
	CodeSpawnFailed   ErrorCode = -32007 // the command could not be started
	CodeTooLarge      ErrorCode = -32008 // over a limit of the protocol
	CodeVersion       ErrorCode = -32009 // no protocol version in common; data names the supported ones
	CodeTicketExpired ErrorCode = -32010 // the ticket is expired, used or unknown: fetch a new one from /connect
	CodeTimeout       ErrorCode = -32011 // the request ran out of time
	CodeOrigin        ErrorCode = -32012 // pages of this origin may not open sessions
	// CodeOutcomeUnknown says that the store does not answer, so that it is unknown whether the request took effect. To find
	// out, the client repeats the request with the same id.
	CodeOutcomeUnknown ErrorCode = -32013
)

var codeNames = map[ErrorCode]string{
	CodeParse: "parse_error", CodeInvalidRequest: "invalid_request", CodeMethodNotFound: "method_not_found",
	CodeInvalidParams: "invalid_params", CodeInternal: "internal", CodeUnauthorized: "unauthorized",
	CodeNotFound: "not_found", CodeConflict: "conflict", CodeExhausted: "resource_exhausted",
	CodeUnavailable: "unavailable", CodePrecondition: "failed_precondition", CodeSpawnFailed: "spawn_failed",
	CodeTooLarge: "too_large", CodeVersion: "unsupported_version", CodeTicketExpired: "ticket_expired",
	CodeTimeout: "timeout", CodeOrigin: "origin_not_allowed", CodeOutcomeUnknown: "outcome_unknown",
}

func (c ErrorCode) String() string {
	if n, ok := codeNames[c]; ok {
		return n
	}
	return fmt.Sprintf("code %d", int(c))
}

// Error is the error of a JSON-RPC response: a code for programs and a safe message for people. It never has internal
// details of the server.
type Error struct {
	Code    ErrorCode  `json:"code"`
	Message string     `json:"message"`
	Data    *ErrorData `json:"data,omitempty"`
}

// ErrorData helps a program to handle an error.
type ErrorData struct {
	Kind      string       `json:"kind,omitempty"`      // the name of the code
	Field     string       `json:"field,omitempty"`     // the parameter at fault
	Supported []string     `json:"supported,omitempty"` // the values that are allowed
	Entry     *MemoryEntry `json:"entry,omitempty"`     // the present entry, for a conflict in memory; nil if there is none
}

// Errorf returns an Error with its kind filled in.
func Errorf(code ErrorCode, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Data: &ErrorData{Kind: code.String()}}
}

// WithField names the parameter at fault.
func (e *Error) WithField(field string) *Error { e.Data.Field = field; return e }

// WithSupported lists the values that are allowed.
func (e *Error) WithSupported(v []string) *Error { e.Data.Supported = v; return e }

// In adds which part of a request the error is about, if the request has several.
func (e *Error) In(part string, several bool) *Error {
	if !several || e.Data == nil {
		return e
	}
	in := *e
	data := *e.Data
	in.Data = &data
	in.Message = part + ": " + e.Message
	if data.Field = part; e.Data.Field != "" {
		data.Field += "." + e.Data.Field
	}
	return &in
}

func (e *Error) Error() string { return e.Code.String() + ": " + e.Message }

// Is makes errors.Is(err, &Error{Code: c}) compare codes.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// AsError returns the error to send to a client: the Error in err, or else one with CodeInternal and no details.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return Errorf(CodeInternal, "the server failed to do this; its log says why")
}

// Methods of the control lane.
const (
	MethodHello = "hello"
	MethodPing  = "ping"
	MethodSpawn = "agent.spawn"
	MethodList  = "agent.list"
	MethodGet   = "agent.get"
	MethodInput = "agent.input" // on an agent lane too, without id
	MethodDrop  = "agent.drop"
	MethodPause = "agent.pause"
	MethodGoOn  = "agent.resume"

	MethodRestart = "agent.restart"
	MethodRemove  = "agent.remove"
	MethodSummary = "agent.summary" // a notification of the line protocol too, without id
	MethodUsage   = "usage.list"

	MethodOptions   = "agent.options"
	MethodConfigure = "agent.configure"
	MethodSessions  = "agent.sessions"

	MethodStop  = "agent.stop"
	MethodTypes = "types.list"

	MethodChanges = "agent.changes"
	MethodDiff    = "agent.diff"
	MethodCommit  = "agent.commit"
	MethodDiscard = "agent.discard"

	MethodAskList   = "ask.list"
	MethodAskGet    = "ask.get"
	MethodAskAnswer = "ask.answer"

	MethodAgentEvents = "agent.events"
	MethodAgentSearch = "agent.search"
	MethodLogSearch   = "log.search"
	MethodFleetAt     = "fleet.at"
	MethodAgentRender = "agent.render"

	MethodAdmission    = "admission.get"
	MethodSetAdmission = "admission.set"

	MethodNetwork = "session.network"
)

// Notifications by the server, and the one request that the status lane takes.
const (
	NoteGoodbye  = "goodbye"         // control lane: Goodbye
	NoteSnapshot = "status.snapshot" // status lane: Snapshot
	NoteUpdate   = "status.update"   // status lane: Update
	MethodResync = "status.resync"   // status lane, by the client: send a snapshot, as a notification or a request
	NoteAttached = "attached"        // agent lane, first: Attached
	NoteEvents   = "events"          // agent lane: Events
	NoteEnd      = "end"             // agent lane, last, before the server ends the stream: End
)

// Hello is the first request on the control lane.
type Hello struct {
	Versions []string   `json:"versions"` // the versions that the client supports, best first
	Ticket   string     `json:"ticket"`
	Client   ClientInfo `json:"client"`
	Resume   *Resume    `json:"resume,omitempty"`
	NoStatus bool       `json:"no_status,omitempty"` // the server opens no status lane and sends no status datagrams
}

// ClientInfo names the program behind a session.
type ClientInfo struct {
	ID      string `json:"id"` // random, at least 16 characters, the same over reconnects; request ids are unique within it
	Name    string `json:"name,omitempty"`
	Version string `json:"version,omitempty"`
}

// Resume describes the previous session of a client that reconnects.
type Resume struct {
	Session string `json:"session"`
	Epoch   string `json:"epoch"`
}

// Welcome answers Hello.
type Welcome struct {
	Version   string `json:"version"`
	Session   string `json:"session"`
	Epoch     string `json:"epoch"`     // that cursors belong to; another epoch means another log
	Recovered bool   `json:"recovered"` // the epoch is that of Resume, so that cursors are valid
	Node      NodeID `json:"node"`
	Server    string `json:"server"` // its version
	Limits    Limits `json:"limits"`
}

// Limits are the limits that a client must observe.
type Limits struct {
	MaxMessage  int `json:"max_message"`
	MaxStreams  int `json:"max_streams"`
	MaxBatch    int `json:"max_batch"`
	MaxInput    int `json:"max_input"`
	MaxDatagram int `json:"max_datagram"`
}

// Goodbye precedes every close by the server.
type Goodbye struct {
	Code             CloseCode `json:"code"`
	Reason           string    `json:"reason"`
	ReconnectAfterMS int64     `json:"reconnect_after_ms"` // the least time before the client reconnects; -1: never
}

// SpawnParams ask for agents of a type.
type SpawnParams struct {
	Type   string            `json:"type"`
	Name   string            `json:"name,omitempty"`  // with Count > 1, "-1", "-2" … are added
	Count  int               `json:"count,omitempty"` // 0 means 1
	Argv   []string          `json:"argv,omitempty"`  // for types that have none
	Args   []string          `json:"args,omitempty"`  // added to the type's own argv
	Env    map[string]string `json:"env,omitempty"`   // added to the type's; never shown again
	Cwd    string            `json:"cwd,omitempty"`
	Folder FolderMode        `json:"folder,omitempty"` // of a worktree, Cwd is in the repository; empty: as its type says
	Base   string            `json:"base,omitempty"`   // a worktree begins at this branch or commit; empty: as its type says
	Share  bool              `json:"share,omitempty"`  // others may work in its folder
	Script string            `json:"script,omitempty"` // kind scripted
	Labels map[string]string `json:"labels,omitempty"`

	Command []string `json:"command,omitempty"`  // in place of Argv, for types that have none, or of Args, for the others
	NoInput bool     `json:"no_input,omitempty"` // standard input is empty, instead of a pipe; so it is for types with StdinNone
	TTY     *Size    `json:"tty,omitempty"`      // it gets a terminal of this size in place of pipes; 0×0: DefaultSize. So it is for types with TTY

	// Session is the conversation that the agent goes on with, for types whose agents have some. Its folder is that of an agent that had it,
	// unless Cwd says otherwise.
	Session string `json:"session,omitempty"`
	Fork    bool   `json:"fork,omitempty"` // it goes on in a copy of Session, which stays as it is, and whose agent goes on

	DefaultCwd string `json:"default_cwd,omitempty"` // in place of Cwd, for a command of a type that names no folder
}

// SpawnResult lists the agents that were started and those that failed. In a batch, each failure has the index of its agent.
// A request that can't be admitted as a whole is refused as a whole, with an error and no agent.
type SpawnResult struct {
	Agents []Agent      `json:"agents"`
	Failed []SpawnError `json:"failed,omitempty"`
}

// SpawnError is an agent of a batch that could not be started. It has a record, which is exited (failed).
type SpawnError struct {
	Index int     `json:"index"`
	ID    AgentID `json:"id,omitempty"`
	Error *Error  `json:"error"`
}

// Filter chooses agents; an empty field does not restrict.
type Filter struct {
	IDs    []AgentID         `json:"ids,omitempty"`
	Types  []string          `json:"types,omitempty"`
	Status []Status          `json:"status,omitempty"`
	Labels map[string]string `json:"labels,omitempty"` // all must match
	Needs  bool              `json:"needs,omitempty"`  // those that need a person
	Query  string            `json:"query,omitempty"`  // a part of id, name, type, argv, summary or last line, in any case
	After  uint32            `json:"after,omitempty"`  // ListResult.Next of the previous page
	Limit  int               `json:"limit,omitempty"`  // of a page; 0: MaxPage, which is also the maximum
}

// Check returns an error if the filter names an unknown status.
func (f *Filter) Check() error {
	for _, s := range f.Status {
		if !slices.Contains(Statuses, s) {
			all := make([]string, len(Statuses))
			for i, s := range Statuses {
				all[i] = string(s)
			}
			return Errorf(CodeInvalidParams, "%q is not a status; the statuses are %s", s, strings.Join(all, ", ")).WithField("status").WithSupported(all)
		}
	}
	return nil
}

// ListResult is a page of the agents that match, newest first. Each agent that exists while all pages are read is on exactly
// one of them. Agents that are spawned meanwhile are on none of the later pages.
type ListResult struct {
	Agents []Agent `json:"agents"`
	Next   uint32  `json:"next,omitempty"` // the After of the next page; 0: this is the last one
	Total  int     `json:"total"`          // how many match, on whichever page
}

// Page cuts a list to what fits a message.
func (r ListResult) Page(limit int) ListResult {
	if n := PageOf(r.Agents, limit); n < len(r.Agents) {
		r.Agents, r.Next = r.Agents[:n], r.Agents[n-1].Num
	}
	return r
}

// AgentParams name one agent.
type AgentParams struct {
	ID AgentID `json:"id"`
}

// InputParams write to an agent's standard input. Exactly one of Text and Base64 may be set.
type InputParams struct {
	ID     AgentID `json:"id,omitempty"`
	Text   string  `json:"text,omitempty"`
	Base64 []byte  `json:"base64,omitempty"`
	EOF    bool    `json:"eof,omitempty"` // close its standard input afterwards
	// Interrupt cancels what the agent does for the prompt that it has, if its kind is given prompts, before anything is written.
	Interrupt bool `json:"interrupt,omitempty"`
	// Replace is the id of a prompt that waits for its turn, which the text takes the place of. It is refused with CodeNotFound if the
	// prompt waits no more.
	Replace string `json:"replace,omitempty"`
	// Question is the question of the agent as it was shown to the writer, or "" for none. If the agent asks something else or
	// nothing, the input is refused with CodeConflict. If Question is nil, the input is written whatever the agent asks.
	Question *string `json:"question,omitempty"`
}

// PauseParams pause agents: they are given no more prompts and tasks. What they do meanwhile goes on, unless Freeze is set.
type PauseParams struct {
	IDs    []AgentID `json:"ids"`              // 1 to MaxBatch
	Freeze bool      `json:"freeze,omitempty"` // their processes are stopped by SIGSTOP, and do nothing until they are resumed
	Reason string    `json:"reason,omitempty"` // for people, one line
}

// ResumeParams let agents go on.
type ResumeParams struct {
	IDs []AgentID `json:"ids"` // 1 to MaxBatch
}

// PauseResult reports on each agent, in the order of the request.
type PauseResult struct {
	Reports []PauseReport `json:"reports"`
}

// PauseReport says whether an agent is paused now.
type PauseReport struct {
	ID    AgentID `json:"id"`
	Pause *Pause  `json:"pause,omitempty"` // nil: it is not paused
	Error *Error  `json:"error,omitempty"` // why it could not be paused or resumed
}

// RestartParams restart an agent.
type RestartParams struct {
	ID      AgentID `json:"id"`
	GraceMS *int64  `json:"grace_ms,omitempty"` // from SIGTERM to SIGKILL; nil: as its type says
}

// RestartResult is the agent after its restart: with another generation, or, in place of one that had ended, another agent.
type RestartResult struct {
	Agent   Agent `json:"agent"`
	Spawned bool  `json:"spawned,omitempty"` // it is another one, since the log of one that has ended is closed
}

// RemoveParams remove agents that have ended.
type RemoveParams struct {
	IDs []AgentID `json:"ids"`
}

// RemoveResult has a report on each agent, in the order of the ids.
type RemoveResult struct {
	Reports []RemoveReport `json:"reports"`
}

// RemoveReport says what became of an agent.
type RemoveReport struct {
	ID     AgentID `json:"id"`
	Folder string  `json:"folder,omitempty"` // the folder that was made for it, which stays since there are files in it
	Error  *Error  `json:"error,omitempty"`  // why it was not removed
}

// SummaryParams set what an agent says of what it does. An agent that makes the request leaves ID out.
type SummaryParams struct {
	ID   AgentID `json:"id,omitempty"`
	Text string  `json:"text"` // one line of it is kept, of at most MaxSummary bytes; "": none
}

// SummaryResult is what is shown then.
type SummaryResult struct {
	Summary string `json:"summary"`
}

// DropParams drop a prompt that waits.
type DropParams struct {
	ID     AgentID `json:"id"`
	Prompt string  `json:"prompt"` // its id
}

// DropResult is the whole text of the prompt, for whoever wants to change it.
type DropResult struct {
	Text string `json:"text"`
}

// Bytes returns the bytes to write.
func (p InputParams) Bytes() []byte {
	if p.Base64 != nil {
		return p.Base64
	}
	return []byte(p.Text)
}

// StopScope says what a stop applies to.
type StopScope string

const (
	ScopeAgent StopScope = "agent" // the agents in IDs
	ScopeTask  StopScope = "task"  // the tasks in Tasks with all below them, and their processes
	ScopeType  StopScope = "type"  // every agent of Type; admission is closed for it
	ScopeNode  StopScope = "node"  // every agent of Node; admission is closed
	ScopeAll   StopScope = "all"   // every agent; admission is closed
)

// StopScopes lists every scope.
var StopScopes = []StopScope{ScopeAgent, ScopeTask, ScopeType, ScopeNode, ScopeAll}

// StopParams ask for agents to be stopped and verified to be gone.
type StopParams struct {
	Scope   StopScope `json:"scope,omitempty"` // empty means agent
	IDs     []AgentID `json:"ids,omitempty"`
	Tasks   []TaskID  `json:"tasks,omitempty"`
	Type    string    `json:"type,omitempty"`
	Node    NodeID    `json:"node,omitempty"`
	Reopen  bool      `json:"reopen,omitempty"`   // scopes type, node and all: open admission again when all are gone
	GraceMS *int64    `json:"grace_ms,omitempty"` // instead of the type's own stop grace; 0: SIGKILL at once
}

// StopResult reports on each agent, after the fact.
type StopResult struct {
	Reports  []StopReport `json:"reports"`
	Canceled []TaskID     `json:"canceled,omitempty"` // the tasks that were canceled: in work, or waiting for another attempt
	Closed   bool         `json:"closed,omitempty"`   // admission is closed now, for the scope

	// The numbers of what was left out so that the answer fits a message: reports, reports on agents that are not gone, and
	// tasks.
	More         int `json:"more,omitempty"`
	MoreFailed   int `json:"more_failed,omitempty"`
	MoreCanceled int `json:"more_canceled,omitempty"`
}

// Admission says whether agents may be spawned and tasks started. It is kept over restarts.
type Admission struct {
	Closed bool       `json:"closed"`          // for all
	Types  []string   `json:"types,omitempty"` // closed for these
	Since  *time.Time `json:"since,omitempty"` // of the last change
	Actor  string     `json:"actor,omitempty"` // of the last change
	Reason string     `json:"reason,omitempty"`
	// Request is the idempotency key of the request that changed it, so that the request takes effect once, even over
	// restarts.
	Request string `json:"request,omitempty"`
}

// AdmissionGetParams ask for admission.
type AdmissionGetParams struct {
	HTML bool `json:"html,omitempty"` // as the pages show it, too
}

// AdmissionResult is admission, and the HTML that was asked for.
type AdmissionResult struct {
	Admission
	HTML string `json:"html"`
}

// AdmissionParams close or open admission, for a type or for all. Opening it for all opens it for every type.
type AdmissionParams struct {
	Type   string `json:"type,omitempty"`
	Closed bool   `json:"closed"`
	Reason string `json:"reason,omitempty"`
}

// StopReport says how one agent ended.
type StopReport struct {
	ID        AgentID    `json:"id"`
	Status    Status     `json:"status"`
	Reason    Reason     `json:"reason,omitempty"`
	Already   bool       `json:"already,omitempty"` // it had ended before
	Forced    bool       `json:"forced,omitempty"`  // SIGKILL was needed, or it was cut off
	Note      string     `json:"note,omitempty"`    // kind remote: what could not be verified
	TookMS    int64      `json:"took_ms"`
	Leftovers []Leftover `json:"leftovers,omitempty"` // its processes that are still alive
	Cleared   int        `json:"cleared,omitempty"`   // processes that an earlier stop had left and that are gone now
	Error     *Error     `json:"error,omitempty"`
}

// TypesParams ask for a page of the agent types.
type TypesParams struct {
	After string `json:"after,omitempty"` // TypesResult.Next: go on behind that page
}

// TypesResult is a page of the agent types, by name.
type TypesResult struct {
	Types []AgentType `json:"types"`
	Next  string      `json:"next,omitempty"` // the After of the next page; "": this is the last one
}

// Page cuts a list, behind a name, to what fits a message.
func (r TypesResult) Page(after string) TypesResult {
	r.Types = slices.DeleteFunc(r.Types, func(t AgentType) bool { return after != "" && t.Name <= after })
	if n := PageOf(r.Types, 0); n < len(r.Types) {
		r.Types, r.Next = r.Types[:n], r.Types[n-1].Name
	}
	return r
}

// Attached opens an agent lane.
type Attached struct {
	Agent     Agent  `json:"agent"`
	Epoch     string `json:"epoch"`
	First     uint64 `json:"first"`     // the oldest event in the log; 0: none
	Last      uint64 `json:"last"`      // the newest event when the lane opened
	Recovered bool   `json:"recovered"` // every event after the requested cursor follows; false: some are gone, or the epoch changed
}

// Events carries events in order. Cursor is the seq of the last one, which is the After of a lane that continues.
type Events struct {
	Events []Event `json:"events"`
	Cursor uint64  `json:"cursor"`
}

// End is the last message of an agent lane. It is sent after the last event of an agent that has exited, or, without Follow,
// after the events that existed when the lane opened.
type End struct {
	Agent  Agent  `json:"agent"`
	Cursor uint64 `json:"cursor"`
}

// Snapshot is a part of the present state of the fleet. Parts count from 0. The client replaces its state when it has all
// Parts with the same Seq.
type Snapshot struct {
	Seq    uint64  `json:"seq"` // status datagrams with a greater seq are newer
	Part   int     `json:"part"`
	Parts  int     `json:"parts"`
	Agents []Agent `json:"agents"`
	Epoch  string  `json:"epoch"`

	Admission Admission `json:"admission"`
}

// Update carries agents that are new or have changes in fields that are not in status datagrams (name, last line, exit …), and
// those that were forgotten.
type Update struct {
	Agents  []Agent   `json:"agents,omitempty"`
	Removed []AgentID `json:"removed,omitempty"`

	Admission *Admission `json:"admission,omitempty"` // nil if it has not changed
}

// Ping and its answer measure a round trip.
type Ping struct {
	Time float64 `json:"time,omitempty"` // of the client's clock; the answer repeats it
}

// Transport names a carrier.
type Transport string

const (
	WebTransport Transport = "webtransport"
	WebSocket    Transport = "websocket"
)

// WebTransportPath is the path of the WebTransport endpoint, below the path of the server's URL.
const WebTransportPath = "/wt"

// Connect is the document that POST /connect returns: the endpoints, and how to try them.
type Connect struct {
	Version   string     `json:"version"`
	Node      NodeID     `json:"node"`
	Endpoints []Endpoint `json:"doors"`
	Policy    Policy     `json:"policy"`

	Containment *Containment `json:"containment,omitempty"` // of the processes of this node's agents
}

// Endpoint is where sessions are opened over one transport. Its ticket is valid once, for TicketExpiresMS from the answer on.
type Endpoint struct {
	Transport         Transport         `json:"transport"`
	URL               string            `json:"url"`                 // see Connect.Resolve
	Protocols         []string          `json:"protocols,omitempty"` // WebSocket subprotocols, best first
	CertificateHashes []CertificateHash `json:"certificate_hashes,omitempty"`
	Ticket            string            `json:"ticket"`
	TicketExpiresMS   int64             `json:"ticket_expires_ms"`
}

// Resolve makes the URLs of the endpoints absolute. at is the URL that the document was fetched from. The URL of a WebSocket
// is a path on the same host, with ws for http and wss for https, because a server behind a proxy knows neither.
func (c *Connect) Resolve(at *url.URL) error {
	for i := range c.Endpoints {
		d := &c.Endpoints[i]
		u, err := at.Parse(d.URL)
		if err != nil {
			return fmt.Errorf("the endpoint of %s: %w", d.Transport, err)
		}
		if d.Transport == WebSocket {
			u.Scheme = cmp.Or(map[string]string{"http": "ws", "https": "wss"}[u.Scheme], u.Scheme)
		}
		d.URL = u.String()
	}
	return nil
}

// CertificateHash is an element of serverCertificateHashes of WebTransport. Value is the SHA-256 of the DER certificate,
// which is base64 in JSON.
type CertificateHash struct {
	Algorithm string `json:"algorithm"` // "sha-256"
	Value     []byte `json:"value"`
}

// Policy is how a client chooses among the endpoints.
type Policy struct {
	RaceDelayMS  int64 `json:"race_delay_ms"`  // how long after WebTransport a WebSocket is tried
	BackoffMinMS int64 `json:"backoff_min_ms"` // bounds of the backoff between reconnects, which has full jitter
	BackoffMaxMS int64 `json:"backoff_max_ms"`
	HealthyMS    int64 `json:"healthy_ms"` // a session that lasted this long resets the backoff
	PingMS       int64 `json:"ping_ms"`    // how often a client measures its round trip; after two missed pings, a session is dead
}
