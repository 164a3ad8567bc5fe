// Package acp runs agents that speak the Agent Client Protocol, version 1 (agentclientprotocol.com): JSON-RPC 2.0, a message a line, on
// the standard input and output of a process. What a person writes to such an agent is a prompt, and so is a task.
//
//	start       the process; initialize; session/new, or session/resume or session/load to go on with a session of another time; before
//	            it, authenticate if the agent wants a login and a person has chosen how; after it, the options that the type names
//	a prompt    waits until the one before is answered; session/prompt; session/update …; the answer ends the turn
//	permission  session/request_permission becomes a runner.Permission; its answer is the agent's
//	options     what the agent offers, such as its model, is kept as far as there is room; session/set_config_option and the like set it
//	cancel      open permissions are answered as cancelled, then session/cancel; the turn ends when the prompt is answered
//	stop        the same; standard input is closed, and the process is stopped as any other
//
// Each update is passed on as it came (runner.Conversation), and as what a person reads of it (runner.Output). Lines on standard output
// that are no messages are output.
//
// It has a JSON-RPC peer of its own: that of coder/acp-go-sdk takes lines of 10 MiB at most, and closes the connection when 1,024
// updates wait.
//
// # Locks
//
// In the order in which they are taken:
//
//	session.telling   around calls of the Sink, which may block
//	session.mu        the turns
//	conn.mu           requests that wait for an answer, and what waits to be written
//
// Nothing is written to the agent with a lock held.
package acp

import (
	"context"
	"sync"
	"time"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// Over returns the capabilities of agents that are spoken to by ACP, and run as those of another kind.
func Over(c runner.Capabilities) runner.Capabilities {
	c.Tasks, c.Permissions, c.Lines, c.Sessions = []wire.TaskMode{wire.TasksPrompt}, true, false, !c.Model
	return c
}

// New returns a kind whose agents are those of a given kind, which speak ACP on their standard input and output.
func New(processes runner.Kind) runner.Kind { return kind{processes} }

type kind struct{ runner.Kind }

// Capabilities implements runner.Kind.
func (k kind) Capabilities() runner.Capabilities { return Over(k.Kind.Capabilities()) }

// Check implements runner.Kind.
func (k kind) Check(l runner.Launch) error {
	switch {
	case l.TTY != nil:
		return wire.Errorf(wire.CodeInvalidParams, "an ACP agent speaks on pipes, and has no terminal").WithField("tty")
	case l.NoInput:
		return wire.Errorf(wire.CodeInvalidParams, "an ACP agent takes its prompts on standard input").WithField("no_input")
	}
	return k.Kind.Check(l)
}

// Detect implements runner.Kind.
func (k kind) Detect(l runner.Launch) (string, error) {
	if err := k.Check(l); err != nil {
		return "", err
	}
	return k.Kind.Detect(l)
}

// Start implements runner.Kind. It returns when the process runs. What follows goes on after that; if it fails, the agent ends.
func (k kind) Start(ctx context.Context, l runner.Launch, sink runner.Sink) (runner.Session, error) {
	s := &session{launch: l, sink: sink, done: make(chan struct{}), started: make(chan struct{}), open: map[string]*permission{}, tools: map[string]*tool{},
		work: make(chan struct{}, 1), setting: make(chan struct{}, 1)}
	s.ctx, s.end = context.WithCancelCause(context.Background())
	s.conn = newConn(s)
	inner, err := k.Kind.Start(ctx, l, s.event)
	if err != nil {
		s.end(err)
		return nil, err
	}
	s.Session = inner
	s.in, _ = runner.As[runner.Inputter](inner)
	if s.in == nil {
		inner.Stop(ctx, 0)
		return nil, runner.SpawnError("processes of this kind have no standard input")
	}
	close(s.started)
	var own sync.WaitGroup
	own.Go(func() { s.conn.write(s.ctx, s.in) })
	own.Go(s.run)
	go func() {
		<-inner.Done()
		s.end(errEnded)
		s.conn.ended()
		own.Wait()
		s.tellEnd()
		close(s.done)
	}()
	return s, nil
}

// Unwrap returns the process.
func (s *session) Unwrap() runner.Session { return s.Session }

// Done implements runner.Session.
func (s *session) Done() <-chan struct{} { return s.done }

// Exit implements runner.Session.
func (s *session) Exit() wire.Exit {
	e := s.Session.Exit()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != "" {
		e.Message = s.failed
		if e.Code == 0 && e.Signal == "" {
			e.Code = 1
		}
	}
	return e
}

// Stop implements runner.Session.
func (s *session) Stop(ctx context.Context, grace time.Duration) (forced bool, leftovers []wire.Leftover) {
	s.mu.Lock()
	s.stopped, s.queue = true, nil
	s.mu.Unlock()
	if grace > 0 {
		go func() { // a Sink that waits must not delay the stop
			s.cancel("the agent is being stopped")
			s.withdraw("the agent is being stopped") // what it asks outside of a turn
			s.conn.close()
		}()
	}
	return s.Session.Stop(ctx, grace)
}

// event is the sink of the process.
func (s *session) event(e runner.Event) error {
	switch e := e.(type) {
	case runner.Output:
		if e.Stream == wire.EventStdout {
			s.conn.hear(e.Bytes)
			return s.tell(runner.Heartbeat{})
		}
	case runner.Activity: // whether it works is known by its turns
		return nil
	}
	return s.tell(e)
}
