package session

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"time"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// serveWorker connects a program with the agent that it is: after worker.join, the messages of both (docs/protocol.md).
func (c *conn) serveWorker(l *lane) {
	l.str.SetReadDeadline(time.Now().Add(wire.HelloTimeout))
	m, err := l.r.Message()
	if err == nil && (m.Method != wire.MethodWorkerJoin || !m.IsRequest()) {
		err = wire.Errorf(wire.CodeInvalidRequest, "a worker lane begins with the request %s", wire.MethodWorkerJoin)
	}
	l.str.SetReadDeadline(time.Time{})
	if err != nil {
		l.refuse(nil, err)
		return
	}
	var join wire.WorkerJoin
	if err := wire.DecodeParams(m.Params, &join); err != nil {
		l.refuse(m.ID, err)
		return
	}
	to := newWorkerLine(l)
	link, joined, err := c.s.Plane.Join(c.ctx, noun.Caller{Actor: c.asker().Actor()}, join, to)
	if err != nil {
		l.refuse(m.ID, err)
		return
	}
	answer, err := wire.NewResult(m.ID, joined)
	if err == nil {
		err = l.send(answer)
	}
	if err == nil {
		close(to.joined)
		err = l.hear(link)
	}
	properly := to.ended() || errors.Is(err, io.EOF)
	if !properly { // first: after an end, a client would not learn of it
		l.cancel(lineCode(err))
	}
	link.Gone()
	if !properly {
		l.c.ended.remove(l)
		return
	}
	l.str.SetReadDeadline(time.Time{})
	l.drain()
}

// hear passes on what a program sends, until it ends the lane, or the server does.
func (l *lane) hear(link runner.Link) error {
	for {
		line, err := l.r.Line(wire.MaxMessage)
		if err != nil {
			return err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		m, err := wire.ParseMessage(line)
		if err != nil { // it can't be counted: the program begins again with what the server has
			return err
		}
		link.Hear(m, line)
	}
}

// refuse ends a lane with an error.
func (l *lane) refuse(id []byte, err error) {
	var we *wire.Error
	if !errors.As(err, &we) && l.c.ctx.Err() != nil {
		l.cancel(wire.StreamCanceled)
		return
	}
	l.send(wire.NewError(id, wire.AsError(err)))
	l.end()
	l.drain()
}

// workerLine writes to a program. The answer to worker.join comes first.
type workerLine struct {
	l      *lane
	once   sync.Once
	joined chan struct{} // closed when it was answered
	over   chan struct{} // closed when the server has ended the lane
}

func newWorkerLine(l *lane) *workerLine {
	return &workerLine{l: l, joined: make(chan struct{}), over: make(chan struct{})}
}

// Send implements runner.Line.
func (w *workerLine) Send(line []byte) error {
	select {
	case <-w.joined:
	case <-w.over:
		return io.ErrClosedPipe
	}
	w.l.mu.Lock()
	defer w.l.mu.Unlock()
	w.l.str.SetWriteDeadline(time.Now().Add(WriteTimeout))
	_, err := w.l.str.Write(line)
	return err
}

// Close implements runner.Line.
func (w *workerLine) Close() {
	w.once.Do(func() {
		close(w.over)
		w.l.end()
		w.l.str.SetReadDeadline(time.Unix(1, 0)) // nothing more is heard
	})
}

func (w *workerLine) ended() bool {
	select {
	case <-w.over:
		return true
	default:
		return false
	}
}
