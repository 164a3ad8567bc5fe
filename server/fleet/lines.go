package fleet

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// The line protocol: how an agent whose type has tasks: lines takes tasks (docs/agents.md). JSON-RPC 2.0, one message
// a line, on its standard input and output. A line of its output that does not start with {"jsonrpc" is output.
//
//	Skein → agent   task.run {task, attempt, name, input, priority, labels, deadline}      notification
//	                task.cancel {task}                                                     notification
//	                the answers to its requests
//	agent → Skein   task.progress {task, text, fraction}                                   notification
//	                task.input_required {task, text}                                       notification
//	                task.result {task, output}, task.error {task, message, retryable}      notification: the end of the run
//	                log {level, text}, heartbeat {}                                        notification
//	                memory.*, and task.submit, .get, .list, .cancel for a coordinator      request, with an id
//
// A notification of the agent that has an id all the same is answered with {}.
const (
	deliverTimeout = 10 * time.Second

	lineTaskRun     = "task.run"
	lineTaskCancel  = "task.cancel"
	lineProgress    = "task.progress"
	lineInputNeeded = "task.input_required"
	lineResult      = "task.result"
	lineError       = "task.error"
	lineLog         = "log"
	lineHeartbeat   = "heartbeat"

	maxAgentRequests = 16              // of one agent, in work at once: when there are more, its output waits
	MaxAgentWaits    = 64              // of one agent's task.wait under way, which take none of those places
	maxAgentLine     = wire.MaxMessage // bytes of an answer to an agent, with its newline
)

// taskRun is what an agent is told of its task. Input is text, or base64 in InputBase64 where it is none.
type taskRun struct {
	Task        wire.TaskID       `json:"task"`
	Attempt     int               `json:"attempt"`
	Name        string            `json:"name,omitempty"`
	Input       string            `json:"input"`
	InputBase64 []byte            `json:"input_base64,omitempty"`
	Priority    wire.Priority     `json:"priority"`
	Labels      map[string]string `json:"labels,omitempty"`
	Deadline    *time.Time        `json:"deadline,omitempty"`
}

// taskSays is what an agent says of a task.
type taskSays struct {
	Task         wire.TaskID     `json:"task"`
	Text         string          `json:"text"`
	Message      string          `json:"message"`
	Fraction     float64         `json:"fraction"`
	Output       json.RawMessage `json:"output"` // a string is taken as its text, anything else as JSON
	OutputBase64 []byte          `json:"output_base64"`
	Retryable    bool            `json:"retryable"`
	Level        string          `json:"level"`
}

func notification(method string, params any) []byte {
	m, err := wire.NewNotification(method, params)
	if err == nil {
		var line []byte
		if line, err = wire.AppendLine(nil, m); err == nil {
			return line
		}
	}
	panic(fmt.Sprintf("control: encode %s: %v", method, err)) // cannot be: it is plain data
}

func lineRun(t *wire.Task) []byte {
	r := taskRun{Task: t.ID, Attempt: t.Attempt, Name: t.Name, Input: t.Input.Text, InputBase64: t.Input.Base64, Priority: t.Priority, Labels: t.Labels}
	if t.Timeouts.RunMS > 0 {
		at := time.Now().Add(time.Duration(t.Timeouts.RunMS) * time.Millisecond).UTC()
		r.Deadline = &at
	}
	return notification(lineTaskRun, r)
}

func lineCancel(id wire.TaskID) []byte {
	return notification(lineTaskCancel, struct {
		Task wire.TaskID `json:"task"`
	}{id})
}

// send writes a line to the standard input of the agent's process, unless ctx, which may belong to an earlier process,
// has ended.
func (a *agent) send(ctx context.Context, line []byte) error {
	a.mu.Lock()
	run := a.running
	mid := run != nil && a.midLine == run
	a.mu.Unlock()
	if run == nil || ctx.Err() != nil {
		return wire.Errorf(wire.CodePrecondition, "the agent does not run")
	}
	ctx, cancel := context.WithTimeout(ctx, deliverTimeout)
	defer cancel()
	if mid {
		line = append([]byte{'\n'}, line...)
	}
	err := run.Input(ctx, line, false)
	a.wrote(run, err != nil) // a part of it may have arrived: what follows must not be taken for the rest
	return err
}

// wrote notes whether the last write to the standard input of a process left it within a line.
func (a *agent) wrote(run runner.Running, mid bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case mid:
		a.midLine = run
	case a.midLine == run:
		a.midLine = nil
	}
}

// speaker parts an agent's output from its messages. Its methods are called by the agent's sink, one at a time, and
// between two processes of the agent.
type speaker struct {
	// static
	a    *agent
	most int // bytes of a message

	held []byte // the beginning of a line that is a message, or may become one; no longer than most
	mid  bool   // within a line that is output
	skip bool   // within a message that is too long

	// of the process that runs
	ctx   context.Context // ends with it
	stop  context.CancelFunc
	ready chan struct{} // closed when it can be answered
	slots chan struct{}
	waits chan struct{}
}

var marker = []byte(`{"jsonrpc"`)

func newSpeaker(a *agent) *speaker {
	s := &speaker{a: a, most: wire.MaxMessage}
	s.begin()
	return s
}

// begin gets ready for a process.
func (s *speaker) begin() {
	s.held, s.mid, s.skip = nil, false, false
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.ready, s.slots, s.waits = make(chan struct{}), make(chan struct{}, maxAgentRequests), make(chan struct{}, MaxAgentWaits)
}

// hear takes what the agent printed, in whatever pieces, and hands on what is output, in runs that are as long as may be
// and stand before the messages that came behind them.
func (s *speaker) hear(b []byte, output func([]byte)) {
	var run []byte
	flush := func() {
		if len(run) > 0 {
			output(run)
			run = nil
		}
	}
	for len(b) > 0 {
		line, rest, whole := cutLine(b)
		b = rest
		switch {
		case s.skip:
			s.skip = !whole
			continue
		case s.mid || len(s.held) == 0 && !mayBegin(line):
			run = append(run, line...)
			s.mid = !whole
			continue
		}
		s.held = append(s.held, line...)
		line = s.held
		switch {
		case !mayBegin(line):
			s.held, s.mid = nil, !whole
			run = append(run, line...)
		case len(line) > s.most:
			s.held, s.skip = nil, !whole
			flush()
			s.garbled(line, wire.FailTooLarge, fmt.Sprintf("a message is longer than %d bytes", s.most))
		case whole:
			s.held = nil // most messages come in one piece: there is no use in keeping the memory
			flush()
			s.message(line)
		}
	}
	flush()
}

// mayBegin reports whether a line that begins like this is a message, or may become one.
func mayBegin(line []byte) bool {
	n := min(len(line), len(marker))
	return bytes.Equal(line[:n], marker[:n])
}

// cutLine gives the first line of b with its newline.
func cutLine(b []byte) (line, rest []byte, whole bool) {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return b[:i+1], b[i+1:], true
	}
	return b, nil, false
}

// ended takes what was held of a process that ended, and gets ready for the next one. A whole message counts without
// its newline; half a one is none, and no answer either: the process may have been killed within it.
func (s *speaker) ended() {
	switch {
	case json.Valid(s.held):
		s.message(s.held)
	case bytes.HasPrefix(s.held, marker):
		s.broke("the process ended within a message")
	case len(s.held) > 0:
		s.a.event(wire.EventStdout, "", payload(s.held))
	}
	s.stop()
	s.begin()
}

// broke tells of a line that makes no sense: in the agent's log, where whoever writes the agent looks.
func (s *speaker) broke(format string, args ...any) {
	s.a.event(wire.EventLog, "server", wire.EventData{Text: "bad line: " + noun.Clip(fmt.Sprintf(format, args...))})
}

// garbled tells of a message that can't be read. If it was the answer to a task, then the task fails: no other answer
// will come.
func (s *speaker) garbled(line []byte, failure wire.FailureReason, why string) {
	s.broke("%s", why)
	if id := s.answerOf(line); id != "" {
		s.a.fleet.o.Work.Answered(s.a.id, id, runner.TaskResult{Failure: failure, Message: "the agent's answer can't be read: " + why})
	}
}

// answerOf finds the task that an unreadable line was the answer to; "": none.
func (s *speaker) answerOf(line []byte) wire.TaskID {
	if !bytes.Contains(line, []byte(`"`+lineResult+`"`)) && !bytes.Contains(line, []byte(`"`+lineError+`"`)) {
		return ""
	}
	for _, id := range s.a.fleet.o.Work.InWork(s.a.id) {
		if bytes.Contains(line, []byte(id)) {
			return id
		}
	}
	return ""
}

func (s *speaker) message(line []byte) {
	s.a.fleet.o.Work.Sign(s.a.id)
	m, err := wire.ParseMessage(line)
	if err != nil {
		s.garbled(line, wire.FailProtocol, wire.AsError(err).Message)
		return
	}
	switch m.Method {
	case lineProgress, lineInputNeeded, lineResult, lineError, lineLog, lineHeartbeat:
		var says taskSays
		if err = wire.DecodeParams(m.Params, &says); err == nil {
			s.said(m.Method, says)
		} else {
			s.garbled(line, wire.FailProtocol, m.Method+": "+wire.AsError(err).Message)
		}
		if m.IsRequest() { // it need not, but some JSON-RPC libraries know nothing else
			s.answer(s.slots, m, func() (any, error) { return struct{}{}, err })
		}
		return
	}
	if m.IsRequest() {
		s.request(m)
		return
	}
	s.broke("there is no message %q", m.Method)
}

// said takes what an agent tells.
func (s *speaker) said(method string, says taskSays) {
	ts, text := s.a.fleet.o.Work, cmp.Or(says.Text, says.Message)
	known := true
	switch method {
	case lineLog:
		if says.Level != "" {
			text = says.Level + ": " + text
		}
		s.a.event(wire.EventLog, "", wire.EventData{Text: noun.Clip(text)})
	case lineProgress:
		known = ts.Progress(s.a.id, says.Task, text, says.Fraction)
	case lineInputNeeded:
		known = ts.Ask(s.a.id, says.Task, noun.Clip(cmp.Or(text, "it waits for a person")))
	case lineResult:
		known = ts.Answered(s.a.id, says.Task, resultOf(says))
	case lineError:
		o := runner.TaskResult{Failure: wire.FailAgentError, Message: cmp.Or(says.Message, says.Text, "the agent gave no reason")}
		if says.Retryable {
			o.Failure = wire.FailTransient
		}
		known = ts.Answered(s.a.id, says.Task, o)
	}
	if !known {
		s.broke("%s: there is no task %.40q", method, says.Task)
	}
}

func resultOf(says taskSays) runner.TaskResult {
	out := []byte(says.Output)
	var text string
	if says.OutputBase64 != nil {
		out = says.OutputBase64
	} else if json.Unmarshal(says.Output, &text) == nil {
		out = []byte(text)
	}
	if len(out) > wire.MaxTaskOutput {
		return runner.TaskResult{Failure: wire.FailTooLarge, Message: fmt.Sprintf("the result has %d bytes, %d are allowed; put it into memory or an artifact", len(out), wire.MaxTaskOutput)}
	}
	return runner.TaskResult{Output: bytes.Clone(out)}
}

// request carries out an agent's own request, on a goroutine of its own: the agent may have several under way.
func (s *speaker) request(m *wire.Message) {
	ctx, method, params := s.ctx, m.Method, bytes.Clone(m.Params)
	call := func() (any, error) { return s.a.fleet.o.Call(ctx, s.a.record(), method, params) }
	if method == wire.MethodTaskWait {
		select {
		case s.waits <- struct{}{}:
			s.carryOut(s.waits, m, call)
			return
		default:
			call = func() (any, error) {
				return nil, wire.Errorf(wire.CodeExhausted, "the agent waits for %d tasks already", MaxAgentWaits)
			}
		}
	}
	s.answer(s.slots, m, call)
}

// answer answers a request when there is a place for it.
func (s *speaker) answer(places chan struct{}, m *wire.Message, call func() (any, error)) {
	places <- struct{}{} // each comes back soon: an answer waits for its reader no longer than deliverTimeout
	s.carryOut(places, m, call)
}

// carryOut answers a request that has a place, and gives the place back.
func (s *speaker) carryOut(places chan struct{}, m *wire.Message, call func() (any, error)) {
	ctx, ready, id := s.ctx, s.ready, bytes.Clone(m.ID)
	s.a.fleet.running.Go(func() {
		defer func() { <-places }()
		line := answerLine(id, call)
		select {
		case <-ready:
			s.a.send(ctx, line) // an agent that does not read its answers has none
		case <-ctx.Done():
		}
	})
}

func answerLine(id json.RawMessage, call func() (any, error)) []byte {
	res, err := call()
	var out *wire.Message
	var line []byte
	if err == nil {
		out, err = wire.NewResult(id, res)
	}
	if err == nil {
		line, err = wire.AppendLine(nil, out)
	}
	if err == nil && len(line) > maxAgentLine {
		err = wire.Errorf(wire.CodeTooLarge, "the answer is longer than %d bytes: ask for less", maxAgentLine)
	}
	if err != nil {
		line, _ = wire.AppendLine(nil, wire.NewError(id, wire.AsError(err))) // it is plain data
	}
	return line
}
