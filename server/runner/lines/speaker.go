package lines

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// speaker separates an agent's output from its messages. Apart from the goroutines of answer, its methods are called by
// the inner session's sink, one at a time, and finally once by ended.
type speaker struct {
	// static
	sink  runner.Sink
	to    *session
	most  int             // bytes per message
	ctx   context.Context // ends with the process
	stop  context.CancelFunc
	ready chan struct{} // closed when replies can be sent
	slots chan struct{}
	waits chan struct{}
	own   sync.WaitGroup // goroutines that send replies of their own

	held []byte // the start of a line that is or may become a message; at most most bytes
	mid  bool   // inside a line of output
	skip bool   // inside a message that is too long
	told bool   // an event was passed on for the current output

	apart bool // messages come on a channel of their own; static
}

var marker = []byte(`{"jsonrpc"`)

func newSpeaker(sink runner.Sink, to *session) *speaker {
	s := &speaker{sink: sink, to: to, most: wire.MaxMessage, ready: make(chan struct{}), slots: make(chan struct{}, maxRequests), waits: make(chan struct{}, MaxWaits)}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// event is the sink of the inner session.
func (s *speaker) event(e runner.Event) error {
	switch e := e.(type) {
	case runner.Message:
		s.message(e.Line)
		return nil
	case runner.Output:
		if e.Stream == wire.EventStdout && !s.apart {
			s.hear(e.Bytes)
			return nil
		}
	}
	return s.sink(e)
}

// tell passes on an event of the agent.
func (s *speaker) tell(e runner.Event) error {
	s.told = true
	return s.sink(e)
}

// hear handles what the agent printed, in pieces of any size. It passes output on in runs that are as long as possible,
// before the messages that follow them.
func (s *speaker) hear(b []byte) {
	s.told = false
	var run []byte
	flush := func() {
		if len(run) > 0 {
			s.tell(runner.Output{Stream: wire.EventStdout, Bytes: run})
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
			s.held = nil // most messages come in one piece, so the memory is released
			flush()
			s.message(line)
		}
	}
	flush()
	if !s.told {
		s.sink(runner.Heartbeat{}) // part of a message is a sign of life too
	}
}

// mayBegin reports whether a line with this start is or may become a message.
func mayBegin(line []byte) bool {
	n := min(len(line), len(marker))
	return bytes.Equal(line[:n], marker[:n])
}

// cutLine returns the first line of b with its newline.
func cutLine(b []byte) (line, rest []byte, whole bool) {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return b[:i+1], b[i+1:], true
	}
	return b, nil, false
}

// ended handles what is held when the process has ended. A complete message counts without its newline. An incomplete one
// is neither a message nor output, because the process may have been killed while it wrote it.
func (s *speaker) ended() {
	switch {
	case json.Valid(s.held):
		s.message(s.held)
	case bytes.HasPrefix(s.held, marker):
		s.broke("the process ended within a message")
	case len(s.held) > 0:
		s.tell(runner.Output{Stream: wire.EventStdout, Bytes: s.held})
	}
	s.stop()
	s.own.Wait()
}

// broke reports an invalid line in the agent's log, where the author of the agent can see it.
func (s *speaker) broke(format string, args ...any) {
	s.tell(runner.Log{Server: true, Text: "bad line: " + fmt.Sprintf(format, args...)})
}

// garbled reports a message that can't be decoded. If it was the result of a task, the task fails, because no other
// result will come.
func (s *speaker) garbled(line []byte, failure wire.FailureReason, why string) {
	s.broke("%s", why)
	if !bytes.Contains(line, []byte(`"`+methodResult+`"`)) && !bytes.Contains(line, []byte(`"`+methodError+`"`)) {
		return
	}
	if id := s.to.among(func(id wire.TaskID) bool { return bytes.Contains(line, []byte(id)) }); id != "" {
		s.ends(runner.TaskResult{Task: id, Failure: failure, Message: "the agent's answer can't be read: " + why})
	}
}

// ends reports the end of a task.
func (s *speaker) ends(r runner.TaskResult) error {
	s.to.gone(r.Task)
	return s.tell(r)
}

func (s *speaker) message(line []byte) {
	m, err := wire.ParseMessage(line)
	if err != nil {
		s.garbled(line, wire.FailProtocol, wire.AsError(err).Message)
		return
	}
	switch m.Method {
	case methodProgress, methodAsk, methodResult, methodError, methodLog, methodBeat, wire.MethodSummary:
		var v says
		if err = wire.DecodeParams(m.Params, &v); err != nil {
			s.garbled(line, wire.FailProtocol, m.Method+": "+wire.AsError(err).Message)
		} else if err := s.said(m.Method, v); err != nil {
			s.broke("%s: %s", m.Method, wire.AsError(err).Message)
		}
		if m.IsRequest() { // some JSON-RPC libraries can only send requests
			s.slots <- struct{}{}
			id := bytes.Clone(m.ID)
			s.own.Go(func() { s.answer(s.slots, id, struct{}{}, err) })
		}
		return
	}
	if m.IsRequest() {
		s.request(m)
		return
	}
	s.broke("there is no message %q", m.Method)
}

// said handles what an agent reports.
func (s *speaker) said(method string, v says) error {
	text := cmp.Or(v.Text, v.Message)
	switch method {
	case methodLog:
		if v.Level != "" {
			text = v.Level + ": " + text
		}
		return s.tell(runner.Log{Text: text})
	case wire.MethodSummary:
		return s.tell(runner.Summary{Text: text})
	case methodProgress:
		return s.tell(runner.Update{Task: v.Task, Text: text, Fraction: v.Fraction})
	case methodAsk:
		return s.tell(runner.Ask{Task: v.Task, Text: cmp.Or(text, "it waits for a person")})
	case methodResult:
		return s.ends(runner.Completed(v.Task, v.output()))
	case methodError:
		return s.ends(runner.Failed(v.Task, cmp.Or(v.Message, v.Text), v.Retryable))
	}
	return s.tell(runner.Heartbeat{})
}

// request carries out a request of the agent, which may have several under way.
func (s *speaker) request(m *wire.Message) {
	id, places := bytes.Clone(m.ID), s.slots
	if m.Method == wire.MethodTaskWait {
		select {
		case s.waits <- struct{}{}:
			s.call(m, id, s.waits)
		default:
			places <- struct{}{}
			s.own.Go(func() {
				s.answer(places, id, nil, wire.Errorf(wire.CodeExhausted, "the agent waits for %d tasks already", MaxWaits))
			})
		}
		return
	}
	places <- struct{}{} // a place is free again soon, because a reply waits at most deliverTimeout for its reader
	s.call(m, id, places)
}

// call carries out a request that has a place.
func (s *speaker) call(m *wire.Message, id json.RawMessage, places chan struct{}) {
	s.tell(runner.Call{Ctx: s.ctx, Method: m.Method, Params: bytes.Clone(m.Params), Reply: func(res any, err error) { s.answer(places, id, res, err) }})
}

// answer replies to a request and frees its place.
func (s *speaker) answer(places chan struct{}, id json.RawMessage, res any, err error) {
	defer func() { <-places }()
	line := answerLine(id, res, err)
	select {
	case <-s.ready:
		s.to.reply(s.ctx, line)
	case <-s.ctx.Done():
	}
}
