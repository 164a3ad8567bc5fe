// Package remote runs agents that are programs elsewhere, which dial in: a worker on another machine, a script, a tab of a browser.
// Such a program opens a lane and joins; its agent lives until it leaves, is stopped, or stays away for longer than its lease.
//
//	joined ── the connection breaks ──> away ── it comes back ──> joined
//	away ── the lease is over ──> lost
//	joined, away ── worker.leave, or a stop ──> ended
//
// Each side numbers its messages, keeps those that the other has not acknowledged, and sends them again on the next connection from
// where the other has come to. So each message arrives once, and in order, whatever breaks in between, as long as the agent lives.
//
// Tasks, progress and results are the messages of package lines, on this channel.
//
// # Locks
//
// In the order in which they are taken:
//
//	session.telling   around calls of the Sink, which may block
//	session.mu        the connection, the messages, the questions
//	Kind.mu           which agents there are
//
// Nothing is sent with a lock held.
package remote

import (
	"bytes"
	"cmp"
	"context"
	"crypto/subtle"
	"fmt"
	"sync"
	"time"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

const (
	maxKept  = 8 << 20 // bytes of messages that a program has not acknowledged; with more, whoever has another one waits, and it is not heard
	maxHeard = 8 << 20 // bytes of messages of a program that wait to be handled; with more, it is not read
	maxAsks  = 64      // questions that an agent may ask at the same time
)

// Capabilities of programs that dial in.
var Capabilities = runner.Capabilities{Tasks: []wire.TaskMode{wire.TasksLines}, Lines: true, Messages: true}

// Kind keeps the agents that are programs elsewhere. The zero value works.
type Kind struct {
	mu  sync.Mutex
	all map[wire.AgentID]*session
}

var _ runner.Host = (*Kind)(nil)

// Capabilities implements runner.Kind.
func (k *Kind) Capabilities() runner.Capabilities { return Capabilities }

// Check implements runner.Kind.
func (k *Kind) Check(l runner.Launch) error {
	if l.Key == "" {
		return wire.Errorf(wire.CodePrecondition, "agents of this type are programs that dial in, with serve() of a client library: they can't be started from here").WithField("type")
	}
	return nil
}

// Detect implements runner.Kind. Such an agent needs nothing of this machine.
func (k *Kind) Detect(runner.Launch) (string, error) { return "", nil }

// Start implements runner.Kind. The lease begins at once, until the program is attached.
func (k *Kind) Start(ctx context.Context, l runner.Launch, sink runner.Sink) (runner.Session, error) {
	if err := k.Check(l); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, runner.SpawnError("the start was called off")
	}
	s := &session{kind: k, agent: l.Agent, key: l.Key, lease: cmp.Or(l.Lease, runner.DefaultLease), closing: l.Closing, sink: sink, done: make(chan struct{}),
		news: make(chan struct{}, 1), room: make(chan struct{}), asks: map[string]struct{}{}}
	if s.closing == nil {
		s.closing = context.Background()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all == nil {
		k.all = map[wire.AgentID]*session{}
	}
	k.all[l.Agent] = s
	s.deadline, s.expires = time.Now().Add(s.lease), time.AfterFunc(s.lease, s.expired)
	return s, nil
}

// Attach implements runner.Host.
func (k *Kind) Attach(ctx context.Context, agent wire.AgentID, key string, received uint64, to runner.Line) (runner.Link, uint64, error) {
	k.mu.Lock()
	s := k.all[agent]
	k.mu.Unlock()
	if s == nil || subtle.ConstantTimeCompare([]byte(s.key), []byte(key)) == 0 {
		return nil, 0, errGone
	}
	return s.attach(ctx, received, to)
}

var errGone = wire.Errorf(wire.CodeNotFound, "the agent of this program has ended: its lease is over, or it was stopped").WithField("key")

// session is an agent whose program is elsewhere.
type session struct {
	// static
	kind    *Kind
	agent   wire.AgentID
	key     string
	lease   time.Duration
	closing context.Context // ends when the server begins to stop
	done    chan struct{}
	news    chan struct{} // has a value when there is something to send

	telling sync.Mutex
	sink    runner.Sink
	silent  bool // the agent has ended; guarded by telling
	away    bool // as the Sink knows it; guarded by telling

	mu       sync.Mutex
	link     *link // nil: it is away
	expires  *time.Timer
	deadline time.Time     // of its lease, while it is away
	kept     [][]byte      // messages that the program has not acknowledged
	size     int           // of them, in bytes
	before   uint64        // how many messages it has acknowledged
	sent     int           // how many of kept were sent on the present link
	room     chan struct{} // closed, and replaced, when messages were acknowledged
	received uint64        // how many messages of the program were handled
	due      bool          // the program does not know that yet
	asks     map[string]struct{}
	attached bool // it was there
	stopping bool // it was told to stop
	ended    bool
	forced   bool
	exit     wire.Exit
}

// Done implements runner.Session.
func (s *session) Done() <-chan struct{} { return s.done }

// Exit implements runner.Session.
func (s *session) Exit() wire.Exit {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.exit
}

// tell passes on an event, unless the agent has ended.
func (s *session) tell(e runner.Event) error {
	s.telling.Lock()
	defer s.telling.Unlock()
	if s.silent {
		return nil
	}
	return s.sink(e)
}

// attach connects the program. What connected it before has handled its last message when attach returns.
func (s *session) attach(ctx context.Context, received uint64, to runner.Line) (runner.Link, uint64, error) {
	l := newLink(s, to)
	for {
		s.mu.Lock()
		old := s.link
		if old == nil || s.ended {
			break
		}
		if received <= s.before+uint64(len(s.kept)) {
			s.acknowledged(received)
		}
		s.mu.Unlock()
		old.close()
		select {
		case <-old.over:
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
	}
	defer s.mu.Unlock()
	switch {
	case s.ended:
		return nil, 0, errGone
	case received < s.before || received > s.before+uint64(len(s.kept)):
		return nil, 0, wire.Errorf(wire.CodeInvalidParams, "the program says that it has received %d messages; it has acknowledged %d, and was sent %d",
			received, s.before, s.before+uint64(len(s.kept))).WithField("received")
	}
	s.acknowledged(received)
	s.link, s.sent, s.due = l, 0, false
	s.expires.Stop()
	back := s.attached
	s.attached = true
	go l.write(back)
	go l.handle()
	s.wake()
	return l, s.received, nil
}

// wake lets the present link look for what there is to send.
func (s *session) wake() { poke(s.news) }

// acknowledged drops the messages that the program has. The caller holds mu.
func (s *session) acknowledged(received uint64) {
	if received <= s.before {
		return
	}
	n := int(min(received-s.before, uint64(len(s.kept))))
	if n == 0 {
		return
	}
	for _, line := range s.kept[:n] {
		s.size -= len(line)
	}
	s.kept = append([][]byte(nil), s.kept[n:]...)
	s.before += uint64(n)
	s.sent = max(0, s.sent-n)
	close(s.room)
	s.room = make(chan struct{})
}

// Message implements runner.Messenger.
func (s *session) Message(ctx context.Context, line []byte) error {
	for {
		s.mu.Lock()
		if s.ended {
			s.mu.Unlock()
			return runner.ExitedError(0, len(line))
		}
		if s.size+len(line) <= maxKept {
			s.keep(line)
			s.mu.Unlock()
			s.wake()
			return nil
		}
		room := s.room
		s.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return runner.UnreadError(0, len(line))
		}
	}
}

// keep adds a message to those that the program has yet to acknowledge. The caller holds mu.
func (s *session) keep(line []byte) {
	s.kept = append(s.kept, bytes.Clone(line))
	s.size += len(line)
}

// say sends a message without waiting for room. There are few of them: no request is heard while there is no room.
func (s *session) say(m *wire.Message) {
	if line, err := wire.AppendLine(nil, m); err == nil { // it is plain data
		s.Answer(line)
	}
}

// Answer implements runner.Messenger.
func (s *session) Answer(line []byte) {
	s.mu.Lock()
	if !s.ended {
		s.keep(line)
	}
	s.mu.Unlock()
	s.wake()
}

// Input implements runner.Inputter. It returns when the input is on its way: it arrives if the agent lives.
func (s *session) Input(ctx context.Context, b []byte, eof bool) error {
	p := wire.NewPayload(b)
	m, err := wire.NewNotification(wire.MethodWorkerInput, wire.WorkerInput{Text: p.Text, Base64: p.Base64, EOF: eof})
	if err != nil {
		return err
	}
	line, err := wire.AppendLine(nil, m)
	if err != nil {
		return err
	}
	return s.Message(ctx, line)
}

// Stop implements runner.Session. The program is asked to end what it does, and to leave. A program that does not is cut off; what it does
// elsewhere, nobody here can end.
func (s *session) Stop(ctx context.Context, grace time.Duration) (forced bool, leftovers []wire.Leftover) {
	s.mu.Lock()
	first := !s.stopping
	s.stopping = true
	s.mu.Unlock()
	if m, err := wire.NewNotification(wire.MethodWorkerStop, wire.WorkerStop{GraceMS: grace.Milliseconds(), Restart: s.closing.Err() != nil}); first && err == nil {
		s.say(m)
	}
	time.AfterFunc(grace, func() { s.cut(grace) })
	select {
	case <-s.done:
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.forced, nil
}

// cut ends an agent that did not leave within its grace.
func (s *session) cut(grace time.Duration) {
	s.mu.Lock()
	away := s.link == nil
	s.mu.Unlock()
	why := "it did not confirm its stop within %s, and was cut off: what it does where it runs may go on"
	if away {
		why = "it was away when it was stopped, and not back within %s: what it does where it runs goes on until it comes back"
	}
	s.end(wire.Exit{Code: -1, Message: fmt.Sprintf(why, grace)}, true)
}

// end ends the agent.
func (s *session) end(exit wire.Exit, forced bool) {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return
	}
	s.ended, s.exit, s.forced = true, exit, forced
	l := s.link
	s.expires.Stop()
	close(s.room)
	s.room = make(chan struct{})
	s.mu.Unlock()
	s.kind.mu.Lock()
	delete(s.kind.all, s.agent)
	s.kind.mu.Unlock()
	if l != nil && forced {
		l.close()
	}
	s.telling.Lock() // until the Sink has what was told before
	s.silent = true
	s.telling.Unlock()
	close(s.done)
	s.wake() // what was said last goes out
}

// expired ends an agent whose program did not come back.
func (s *session) expired() {
	s.mu.Lock()
	gone := s.link == nil && !s.ended && !time.Now().Before(s.deadline)
	stopping := s.stopping
	s.mu.Unlock()
	if gone {
		why := fmt.Sprintf("lost: it did not come back within its lease of %s", s.lease)
		s.tell(runner.Reach{Away: true, Lost: true, Why: why})
		s.end(wire.Exit{Code: -1, Message: why}, stopping) // nobody knows whether it has stopped
	}
}
