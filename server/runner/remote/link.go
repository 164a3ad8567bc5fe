package remote

import (
	"bytes"
	"fmt"
	"sync"
	"time"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// link is a connection of a program. One is the session's at a time.
type link struct {
	s    *session
	to   runner.Line
	once sync.Once
	stop chan struct{} // closed when nothing more is to be sent
	fed  chan struct{} // closed when nothing more comes
	done chan struct{} // closed when what came is handled
	over chan struct{} // closed when the session is without it

	deaf bool // a message was not taken, and so none after it is; used by Hear alone

	queued chan struct{} // has a value when there may be something to do for handle
	space  chan struct{} // has a value when there may be space in waits

	// guarded by session.mu
	waits [][]byte // messages to handle
	size  int      // of them, in bytes
	stuck bool     // another one came for which there is no space
}

func newLink(s *session, to runner.Line) *link {
	return &link{s: s, to: to, stop: make(chan struct{}), fed: make(chan struct{}), done: make(chan struct{}), over: make(chan struct{}),
		queued: make(chan struct{}, 1), space: make(chan struct{}, 1)}
}

// close ends the connection. Gone follows.
func (l *link) close() {
	l.once.Do(func() { close(l.stop) })
	l.to.Close()
}

// Gone implements runner.Link.
func (l *link) Gone() {
	l.close()
	close(l.fed)
	<-l.done
	s := l.s
	s.mu.Lock()
	mine := s.link == l
	if mine {
		s.link = nil
	}
	away := mine && !s.ended
	if away {
		s.deadline = time.Now().Add(s.lease)
		s.expires.Reset(s.lease)
	}
	s.mu.Unlock()
	close(l.over)
	if away {
		s.reach()
	}
}

// reach tells whether the program can be reached. Of concurrent calls, the last one tells what is.
func (s *session) reach() {
	s.telling.Lock()
	defer s.telling.Unlock()
	s.mu.Lock()
	away := s.link == nil
	s.mu.Unlock()
	if s.silent || away == s.away {
		return
	}
	s.away = away
	why := "it is back"
	if away {
		why = fmt.Sprintf("unknown: its connection broke; it has %s to come back", s.lease)
	}
	s.sink(runner.Reach{Away: away, Why: why})
}

// write sends what there is to send, until the connection ends. After the end of the agent, it sends the rest and ends the connection.
func (l *link) write(back bool) {
	if back {
		l.s.reach()
	}
	for {
		for {
			line, last := l.next()
			if line == nil {
				if last {
					l.close()
					return
				}
				break
			}
			if l.to.Send(line) != nil {
				l.close()
				return
			}
		}
		select {
		case <-l.s.news:
		case <-l.stop:
			l.s.wake() // for the next one
			return
		}
	}
}

// next returns the next line to send, or nil. last says that none follows, because the agent has ended.
func (l *link) next() (line []byte, last bool) {
	s := l.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.link != l {
		return nil, s.ended
	}
	if s.due {
		s.due = false
		if m, err := wire.NewNotification(wire.MethodWorkerAck, wire.WorkerAck{Received: s.received}); err == nil {
			line, _ = wire.AppendLine(nil, m)
			return line, false
		}
	}
	if s.sent < len(s.kept) {
		s.sent++
		return s.kept[s.sent-1], false
	}
	return nil, s.ended
}

// Hear implements runner.Link. Acknowledgments overtake the messages that wait to be handled, because these may wait for them.
func (l *link) Hear(m *wire.Message, line []byte) {
	s := l.s
	if m.Method == wire.MethodWorkerAck {
		var v wire.WorkerAck
		if err := wire.DecodeParams(m.Params, &v); err != nil {
			s.broke("%s: %s", m.Method, wire.AsError(err).Message)
			return
		}
		s.mu.Lock()
		s.acknowledged(v.Received)
		s.mu.Unlock()
		return
	}
	for !l.deaf && !l.put(line) {
		select {
		case <-l.space:
		case <-l.stop:
			l.deaf = true // the program says it again, and what follows it
		}
	}
}

// put adds a message to those to handle, if there is space.
func (l *link) put(line []byte) bool {
	defer poke(l.queued)
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	if l.stuck = l.size > 0 && l.size+len(line) > maxHeard; l.stuck {
		return false
	}
	l.waits = append(l.waits, bytes.Clone(line))
	l.size += len(line)
	return true
}

// handle handles the messages that wait, until nothing more comes.
func (l *link) handle() {
	defer close(l.done)
	for {
		line, room := l.first()
		switch {
		case line != nil:
			l.do(line)
			continue
		case room == nil:
			select {
			case <-l.queued:
			case <-l.fed:
				if line, room = l.first(); line == nil {
					return
				}
				l.do(line)
			}
			continue
		}
		select {
		case <-room:
		case <-l.queued:
		case <-l.fed:
			return // the program says it again
		}
	}
}

// first takes the first message that waits. If too much waits for the program, it returns what is closed when there is room. If the
// acknowledgments are behind what there is no space for, the program begins again: what it has received, it says when it joins.
func (l *link) first() (line []byte, room chan struct{}) {
	s := l.s
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case len(l.waits) == 0:
		return nil, nil
	case s.size > maxKept && !s.ended:
		if l.stuck {
			go l.close()
		}
		return nil, s.room
	}
	line = l.waits[0]
	l.waits[0] = nil
	l.waits = l.waits[1:]
	l.size -= len(line)
	poke(l.space)
	return line, nil
}

// do handles a message.
func (l *link) do(line []byte) {
	s := l.s
	if m, err := wire.ParseMessage(line); err == nil { // it was parsed before
		s.hear(m, line)
	}
	s.mu.Lock()
	s.received++
	s.due = true
	s.mu.Unlock()
	s.wake()
}

// poke puts a value into a channel that has none.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// broke notes a message that the program should not have sent, where its author can see it.
func (s *session) broke(format string, args ...any) {
	s.tell(runner.Log{Server: true, Text: "bad message: " + fmt.Sprintf(format, args...)})
}

// hear handles a message that counts.
func (s *session) hear(m *wire.Message, line []byte) {
	switch m.Method {
	case wire.MethodWorkerOutput:
		decoded(s, m, s.prints)
	case wire.MethodWorkerAsk:
		decoded(s, m, func(v wire.WorkerAsk) { s.ask(m, v) })
	case wire.MethodWorkerUnask:
		decoded(s, m, s.unask)
	case wire.MethodWorkerDrain:
		s.tell(runner.Draining{})
		s.answer(m.ID, struct{}{}, nil)
	case wire.MethodWorkerLeave:
		s.end(wire.Exit{}, false)
	default:
		s.tell(runner.Message{Line: line})
	}
}

// decoded calls do with the parameters of a message.
func decoded[T any](s *session, m *wire.Message, do func(T)) {
	var v T
	if err := wire.DecodeParams(m.Params, &v); err != nil {
		s.broke("%s: %s", m.Method, wire.AsError(err).Message)
		s.answer(m.ID, nil, err)
		return
	}
	do(v)
}

// answer answers a request; a message without an id is none.
func (s *session) answer(id []byte, result any, err error) {
	if len(id) == 0 {
		return
	}
	m := wire.NewError(id, wire.AsError(err))
	if err == nil {
		if m, err = wire.NewResult(id, result); err != nil {
			m = wire.NewError(id, wire.AsError(err))
		}
	}
	s.say(m)
}

// prints passes on output, in pieces that end where lines end.
func (s *session) prints(v wire.WorkerOutput) {
	stream, b := wire.EventStdout, []byte(v.Text)
	if v.Base64 != nil {
		b = v.Base64
	}
	if v.Stderr {
		stream = wire.EventStderr
	}
	for len(b) > 0 {
		piece := b[:min(len(b), wire.MaxOutput)]
		if len(piece) < len(b) {
			if i := bytes.LastIndexByte(piece, '\n'); i >= 0 {
				piece = piece[:i+1]
			} else {
				piece = piece[:len(piece)-runner.Unfinished(piece)]
			}
		}
		s.tell(runner.Output{Stream: stream, Bytes: piece})
		b = b[len(piece):]
	}
}

// ask asks people a question. The answer is that of the request.
func (s *session) ask(m *wire.Message, v wire.WorkerAsk) {
	id, key := bytes.Clone(m.ID), string(m.ID)
	s.mu.Lock()
	_, again := s.asks[key]
	many := len(s.asks) >= maxAsks
	if len(id) > 0 && !again && !many {
		s.asks[key] = struct{}{}
	}
	s.mu.Unlock()
	var problem error
	switch {
	case len(id) == 0:
		s.broke("%s: it is a request, and needs an id", m.Method)
		return
	case again:
		problem = wire.Errorf(wire.CodeInvalidParams, "a question with this id waits already")
	case many:
		problem = wire.Errorf(wire.CodeExhausted, "the agent asks %d questions already", maxAsks)
	case v.Text == "":
		problem = wire.Errorf(wire.CodeInvalidParams, "there is no text").WithField("text")
	case len(v.Options) > wire.MaxAskOptions:
		problem = wire.Errorf(wire.CodeInvalidParams, "a question has at most %d options", wire.MaxAskOptions).WithField("options")
	}
	for i, o := range v.Options {
		if problem == nil && (o.ID == "" || len(o.ID) > wire.MaxAskOption) {
			problem = wire.Errorf(wire.CodeInvalidParams, "option %d needs an id of at most %d bytes", i+1, wire.MaxAskOption).WithField("options")
		}
	}
	if problem != nil {
		if !again && !many {
			s.forget(key)
		}
		s.answer(id, nil, problem)
		return
	}
	s.tell(runner.Permission{Key: key, Task: v.Task, Text: v.Text, Options: v.Options, Words: len(v.Options) == 0, Answer: func(said *wire.AskAnswer) {
		if !s.forget(key) {
			return
		}
		if said == nil {
			s.answer(id, nil, wire.Errorf(wire.CodeTimeout, "nobody has answered in time"))
			return
		}
		s.answer(id, wire.WorkerAnswer{Option: said.Option, Text: said.Text, By: said.By}, nil)
	}})
}

// forget ends a question. It reports whether it waited.
func (s *session) forget(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, waited := s.asks[key]
	delete(s.asks, key)
	return waited
}

// unask withdraws a question.
func (s *session) unask(v wire.WorkerUnask) {
	for _, key := range []string{v.ID, `"` + v.ID + `"`} {
		if s.forget(key) {
			s.tell(runner.Withdrawn{Key: key, Reason: "the agent does not wait for an answer any more"})
			s.answer([]byte(key), nil, wire.Errorf(wire.CodePrecondition, "the question was withdrawn"))
		}
	}
}
