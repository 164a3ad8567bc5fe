// Package model runs agents that are models behind an OpenAI-compatible endpoint, such as Ollama, llama.cpp or vLLM. Such an agent is
// no process: it is a loop inside Skein that asks the endpoint, makes the tool calls that the model wants, and asks again, until the
// model has nothing more to do.
//
// To the outside, it speaks the Agent Client Protocol on a standard input and output that are no pipes, so that package acp does for it
// what it does for the agents that are programs: prompts that wait, interruptions, requests for permission, tasks.
//
//	session/prompt   the prompt joins the conversation
//	  ask            POST …/chat/completions; what comes is passed on as it comes
//	  tool calls     each: what it wants to do, permission if it runs a command, the call, what came of it
//	                 … ask again, until an answer has no tool calls
//	session/cancel   ends the request, or the command, at once; the conversation stays valid
//
// A model can run the commands that its type declares, in the folder of the agent, each as a process that is contained and stopped as
// an agent is; and it can make the calls that agents of its type may make (runner.Tool). The key of an endpoint is read for each
// request, and stands in no event, log or error. A command is not given the environment variable that has it.
//
// # Locks
//
// Neither is taken while the other one is held, and none is held while the Sink is called, except speech.mu.
//
//	session.mu  the turn, the command that runs, and what waits for an answer
//	speech.mu   what was heard of an answer and not passed on yet
package model

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// Capabilities are those of models, before they are spoken to by ACP.
var Capabilities = runner.Capabilities{Folder: true, Model: true}

// Bounds of requests.
const (
	defaultTries = 5
	defaultPause = time.Second
	maxWait      = 5 * time.Minute // for an endpoint that is busy
)

// Options tune a kind; the zero value works.
type Options struct {
	Pause  time.Duration // before the second try of a request; it doubles with each; 0: one second
	Answer int           // the bytes that an answer may have, as it comes; 0: 8 MiB
	Talk   int           // the bytes that a conversation may have; 0: 32 MiB
}

// New returns a kind whose agents are models, and whose commands are processes of a given kind.
func New(processes runner.Kind, o Options) runner.Kind {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 16
	k := &kind{processes: processes, pause: cmp.Or(o.Pause, defaultPause), answer: cmp.Or(o.Answer, maxAnswer), talk: cmp.Or(o.Talk, maxTalk), http: &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	return k
}

type kind struct {
	processes runner.Kind
	http      *http.Client
	pause     time.Duration
	answer    int
	talk      int
}

// Capabilities implements runner.Kind.
func (k *kind) Capabilities() runner.Capabilities { return Capabilities }

// Check implements runner.Kind.
func (k *kind) Check(l runner.Launch) error {
	switch {
	case len(l.Argv) > 0:
		return wire.Errorf(wire.CodeInvalidParams, "a model is no command").WithField("argv")
	case l.Script != "":
		return wire.Errorf(wire.CodeInvalidParams, "a model takes no script").WithField("script")
	case l.Model == nil:
		return wire.Errorf(wire.CodeInvalidParams, "it needs a model: its type says which")
	}
	return nil
}

// Detect implements runner.Kind. It looks for the key and for the commands.
func (k *kind) Detect(l runner.Launch) (string, error) {
	if err := k.Check(l); err != nil {
		return "", err
	}
	if _, err := keyOf(l.Model); err != nil {
		return "", wire.Errorf(wire.CodeSpawnFailed, "%s", err)
	}
	for _, c := range l.Model.Commands {
		if _, err := k.processes.Detect(runner.Launch{Argv: c.Argv, Env: l.Env, Cwd: l.Cwd}); err != nil {
			return "", wire.Errorf(wire.CodeSpawnFailed, "the command %s can't run: %s", c.Name, wire.AsError(err).Message)
		}
	}
	return l.Model.URL, nil
}

// Start implements runner.Kind.
func (k *kind) Start(ctx context.Context, l runner.Launch, sink runner.Sink) (runner.Session, error) {
	if ctx.Err() != nil {
		return nil, runner.SpawnError("the start was called off")
	}
	if err := k.Check(l); err != nil {
		return nil, err
	}
	if err := makeFolder(l); err != nil {
		return nil, err
	}
	s := &session{kind: k, launch: l, sink: sink, done: make(chan struct{}), waits: map[string]chan string{}, allowed: map[string]bool{}, grace: commandGrace,
		endpoint: endpoint{spec: l.Model, http: k.http, pause: k.pause, tries: defaultTries, limit: k.answer}}
	s.ctx, s.end = context.WithCancel(context.Background())
	s.speech.send = s.update
	s.tools = s.offered()
	return s, nil
}

// session is an agent that is a model.
type session struct {
	// static after Start
	kind   *kind
	launch runner.Launch
	tools  []tool
	ctx    context.Context // ends with the agent
	end    context.CancelFunc
	done   chan struct{}

	telling sync.Mutex // around calls of sink
	sink    runner.Sink

	// of the turn
	endpoint endpoint
	talk     []message // the conversation, without the system prompt
	size     int       // of it, in bytes
	allowed  map[string]bool
	speech   speech
	count    int // of requests and tool calls that have an id

	mu      sync.Mutex
	line    []byte             // the beginning of what is written to standard input
	cancel  context.CancelFunc // ends the turn; nil: there is none
	turns   int                // and those that are over, but for the Sink, which takes the reply
	command runner.Session     // that runs for a tool call
	waits   map[string]chan string
	eof     bool
	over    bool          // done is closed, or about to be
	grace   time.Duration // for the command, once the agent is being stopped
	forced  bool
	left    []wire.Leftover
}

// Done implements runner.Session.
func (s *session) Done() <-chan struct{} { return s.done }

// Exit implements runner.Session.
func (s *session) Exit() wire.Exit { return wire.Exit{} }

// Stop implements runner.Session.
func (s *session) Stop(ctx context.Context, grace time.Duration) (forced bool, leftovers []wire.Leftover) {
	s.mu.Lock()
	s.grace = min(s.grace, grace)
	command := s.command
	s.end()
	s.finishLocked()
	s.mu.Unlock()
	if command != nil {
		s.stopCommand(ctx, command, grace)
	}
	select {
	case <-s.done:
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.forced, s.left
}

// finishLocked ends the agent if it is to end, no turn goes on, and the Sink has all replies. The caller holds mu.
func (s *session) finishLocked() {
	if !s.over && s.turns == 0 && (s.eof || s.ctx.Err() != nil) {
		s.over = true
		s.end()
		close(s.done)
	}
}

// Input implements runner.Inputter: messages of ACP, a line each.
func (s *session) Input(_ context.Context, b []byte, eof bool) error {
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return runner.ExitedError(0, len(b))
	}
	s.line = append(s.line, b...)
	var lines [][]byte
	for {
		line, rest, whole := bytes.Cut(s.line, []byte{'\n'})
		if !whole {
			break
		}
		lines, s.line = append(lines, bytes.Clone(line)), rest
	}
	s.mu.Unlock()
	for _, line := range lines {
		s.hear(line)
	}
	if eof {
		s.mu.Lock()
		s.eof = true
		s.finishLocked()
		s.mu.Unlock()
	}
	return nil
}

// rpc is a message of JSON-RPC 2.0.
type rpc struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  any             `json:"params,omitempty"`
	Result  any             `json:"result,omitempty"`
	Error   *rpcError       `json:"error,omitempty"`
}

type rpcError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

const (
	codeMethodNotFound = -32601
	codeInvalidParams  = -32602
	codeInternal       = -32603
)

// hear handles a message of ACP.
func (s *session) hear(line []byte) {
	var m struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
		Params json.RawMessage `json:"params"`
		Result json.RawMessage `json:"result"`
	}
	if json.Unmarshal(line, &m) != nil {
		return
	}
	switch m.Method {
	case "initialize":
		s.send(rpc{ID: m.ID, Result: map[string]any{
			"protocolVersion": 1, "agentCapabilities": struct{}{}, "authMethods": []any{},
			"agentInfo": map[string]string{"name": s.launch.Model.Name, "version": "at " + s.launch.Model.URL},
		}})
	case "session/new":
		s.send(rpc{ID: m.ID, Result: map[string]string{"sessionId": string(s.launch.Agent)}})
	case "session/prompt":
		s.prompt(m.ID, m.Params)
	case "session/cancel":
		s.mu.Lock()
		if s.cancel != nil {
			s.cancel()
		}
		s.mu.Unlock()
	case "":
		s.answered(string(m.ID), m.Result)
	default:
		if len(m.ID) > 0 {
			s.send(rpc{ID: m.ID, Error: &rpcError{codeMethodNotFound, "Method not found: " + wire.Cut(m.Method, 100)}})
		}
	}
}

// prompt begins a turn.
func (s *session) prompt(id, params json.RawMessage) {
	var p struct {
		Prompt []struct {
			Text string `json:"text"`
		} `json:"prompt"`
	}
	if err := json.Unmarshal(params, &p); err != nil {
		s.send(rpc{ID: id, Error: &rpcError{codeInvalidParams, err.Error()}})
		return
	}
	text := ""
	for _, block := range p.Prompt {
		text += block.Text
	}
	ctx, cancel := context.WithCancel(s.ctx)
	s.mu.Lock()
	busy := s.cancel != nil || s.over
	if !busy {
		s.cancel = cancel
		s.turns++
	}
	s.mu.Unlock()
	if busy {
		cancel()
		s.send(rpc{ID: id, Error: &rpcError{codeInvalidParams, "there is a turn already"}})
		return
	}
	go func() {
		defer cancel()
		result, err := s.turn(ctx, text)
		s.speech.flush()
		reply := rpc{ID: id, Result: result}
		if err != nil {
			reply = rpc{ID: id, Error: &rpcError{codeInternal, err.Error()}}
		}
		s.mu.Lock()
		s.cancel = nil // before the reply, which may be answered by the next prompt
		s.mu.Unlock()
		s.send(reply)
		s.mu.Lock()
		s.turns--
		s.finishLocked()
		s.mu.Unlock()
	}()
}

// answered hands the outcome of a request for permission to the turn that waits for it.
func (s *session) answered(id string, result json.RawMessage) {
	var r struct {
		Outcome struct {
			OptionID string `json:"optionId"`
		} `json:"outcome"`
	}
	json.Unmarshal(result, &r)
	s.mu.Lock()
	w := s.waits[id]
	delete(s.waits, id)
	s.mu.Unlock()
	if w != nil {
		w <- r.Outcome.OptionID
	}
}

// request sends a request and waits for the option that is chosen; "": none is.
func (s *session) request(ctx context.Context, method string, params any) (option string) {
	s.count++
	id := fmt.Sprintf(`"r%d"`, s.count)
	w := make(chan string, 1)
	s.mu.Lock()
	s.waits[id] = w
	s.mu.Unlock()
	s.send(rpc{ID: json.RawMessage(id), Method: method, Params: params})
	select {
	case option = <-w:
	case <-ctx.Done():
		s.mu.Lock()
		delete(s.waits, id)
		s.mu.Unlock()
	}
	return option
}

// update sends a session/update.
func (s *session) update(u any) {
	s.send(rpc{Method: "session/update", Params: map[string]any{"sessionId": s.launch.Agent, "update": u}})
}

// send writes a message to standard output.
func (s *session) send(m rpc) {
	m.Version = "2.0"
	b, err := json.Marshal(m)
	if err != nil { // of what a model wrote: raw JSON that was checked, and text
		s.log("a message was lost: %s", err)
		return
	}
	b = append(b, '\n')
	s.telling.Lock()
	defer s.telling.Unlock()
	for len(b) > 0 {
		n := min(len(b), wire.MaxOutput)
		s.sink(runner.Output{Stream: wire.EventStdout, Bytes: b[:n]})
		b = b[n:]
	}
}

// tell passes on an event.
func (s *session) tell(e runner.Event) error {
	s.telling.Lock()
	defer s.telling.Unlock()
	return s.sink(e)
}

// log notes something about the agent.
func (s *session) log(format string, args ...any) {
	s.tell(runner.Log{Server: true, Text: fmt.Sprintf(format, args...)})
}
