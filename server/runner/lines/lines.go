// Package lines gives tasks to agents by the line protocol (docs/agents.md): JSON-RPC 2.0 with one message
// per line, on standard input and output. A line on standard output that does not start with {"jsonrpc" is output. With an agent that
// has a channel for messages (runner.Messenger), they go there.
//
//	Skein → agent   task.run {task, attempt, name, input, priority, labels, deadline}      notification
//	                task.cancel {task}                                                     notification
//	                the answers to its requests
//	agent → Skein   task.progress {task, text, fraction}                                   notification
//	                task.input_required {task, text}                                       notification
//	                task.result {task, output}, task.error {task, message, retryable}      notification: the end of the run
//	                agent.summary {text}, log {level, text}, heartbeat {}                  notification
//	                memory.*, and task.submit, .get, .list, .cancel for a coordinator      request, with an id
//
// A notification of the agent that has an id is answered with {}.
//
// # Locks
//
// There is one, session.mu, which guards what a session knows of its standard input and its tasks. It is never held while
// something is written.
package lines

import (
	"context"
	"sync"
	"time"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

const (
	methodRun      = "task.run"
	methodCancel   = "task.cancel"
	methodProgress = "task.progress"
	methodAsk      = "task.input_required"
	methodResult   = "task.result"
	methodError    = "task.error"
	methodLog      = "log"
	methodBeat     = "heartbeat"

	deliverTimeout = 10 * time.Second // how long an agent may take to read a line

	// MaxWaits is how many task.wait requests an agent may have under way. They are not counted among its other requests.
	MaxWaits    = 64
	maxRequests = 16              // of an agent at a time; while there are more, its output is not read
	maxAnswer   = wire.MaxMessage // bytes of a reply to an agent, including its newline
)

// Over returns a kind whose sessions take tasks as lines. The sessions of the given kind must have standard input and
// output.
func Over(k runner.Kind) runner.Kind { return kind{k} }

type kind struct{ runner.Kind }

// Start implements runner.Kind.
func (k kind) Start(ctx context.Context, l runner.Launch, sink runner.Sink) (runner.Session, error) {
	s := &session{done: make(chan struct{}), at: map[wire.TaskID]struct{}{}}
	s.hears = newSpeaker(sink, s)
	s.hears.apart = k.Kind.Capabilities().Messages // before anything is heard
	inner, err := k.Kind.Start(ctx, l, s.hears.event)
	if err != nil {
		s.hears.stop()
		return nil, err
	}
	s.Session = inner
	s.in, _ = runner.As[runner.Inputter](inner)
	if s.hears.apart {
		s.apart, _ = runner.As[runner.Messenger](inner)
	}
	if s.in == nil {
		s.hears.stop()
		inner.Stop(ctx, 0)
		return nil, runner.SpawnError("agents of this kind have no standard input, and take no tasks by lines")
	}
	close(s.hears.ready)
	go func() {
		<-inner.Done()
		s.hears.ended()
		close(s.done)
	}()
	return s, nil
}

// session is a session that takes tasks.
type session struct {
	// static once hears.ready is closed
	runner.Session
	in    runner.Inputter
	apart runner.Messenger // for messages; nil: they go to standard input
	hears *speaker
	done  chan struct{}

	mu  sync.Mutex
	mid bool                     // the last write to standard input did not end a line
	at  map[wire.TaskID]struct{} // the tasks that the agent has
}

// Unwrap returns the wrapped session.
func (s *session) Unwrap() runner.Session { return s.Session }

// Done implements runner.Session. The last message of the agent has been handled when it is closed.
func (s *session) Done() <-chan struct{} { return s.done }

// Input implements runner.Inputter.
func (s *session) Input(ctx context.Context, b []byte, eof bool) error {
	err := s.in.Input(ctx, b, eof)
	s.wrote(err != nil || len(b) > 0 && b[len(b)-1] != '\n')
	return err
}

// wrote records whether the last write ended within a line.
func (s *session) wrote(mid bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mid = mid
}

// send writes a message.
func (s *session) send(ctx context.Context, line []byte) error {
	if s.apart != nil {
		ctx, cancel := context.WithTimeout(ctx, deliverTimeout)
		defer cancel()
		return s.apart.Message(ctx, line)
	}
	s.mu.Lock()
	mid := s.mid
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, deliverTimeout)
	defer cancel()
	if mid {
		line = append([]byte{'\n'}, line...)
	}
	err := s.in.Input(ctx, line, false)
	s.wrote(err != nil) // a part may have arrived, which the next line must not continue
	return err
}

// reply writes the answer to a request.
func (s *session) reply(ctx context.Context, line []byte) {
	if s.apart != nil {
		s.apart.Answer(line)
		return
	}
	s.send(ctx, line) // an agent that does not read its replies misses them
}

// Deliver implements runner.Doer.
func (s *session) Deliver(ctx context.Context, t *wire.Task) error {
	s.mu.Lock()
	s.at[t.ID] = struct{}{}
	s.mu.Unlock()
	return s.send(ctx, runLine(t))
}

// Cancel implements runner.Doer.
func (s *session) Cancel(ctx context.Context, id wire.TaskID) error {
	return s.send(ctx, cancelLine(id))
}

// gone records that the agent no longer has a task.
func (s *session) gone(id wire.TaskID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.at, id)
}

// among returns the first of the agent's tasks that match accepts, or "".
func (s *session) among(match func(wire.TaskID) bool) wire.TaskID {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.at {
		if match(id) {
			return id
		}
	}
	return ""
}
