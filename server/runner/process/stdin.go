package process

import (
	"context"
	"errors"
	"os"
	"time"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// stdin writes to a process. There is one writer at a time.
type stdin struct {
	f      *os.File
	exited <-chan struct{}
	turn   chan struct{} // has a value while somebody writes
	closed bool          // guarded by turn
}

func newStdin(f *os.File, exited <-chan struct{}) *stdin {
	return &stdin{f: f, exited: exited, turn: make(chan struct{}, 1)}
}

func (s *stdin) write(ctx context.Context, b []byte, eof bool) error {
	select {
	case <-s.exited:
		return runner.ExitedError(0, len(b))
	default:
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-s.exited:
		return runner.ExitedError(0, len(b))
	case <-ctx.Done():
		return runner.UnreadError(0, len(b))
	}
	if s.closed {
		return wire.Errorf(wire.CodePrecondition, "standard input is closed")
	}
	if len(b) > 0 {
		if err := s.put(ctx, b); err != nil {
			return err
		}
	}
	if eof {
		s.closed = true
		s.f.Close()
	}
	return nil
}

// put writes to the pipe. The caller has the turn.
func (s *stdin) put(ctx context.Context, b []byte) error {
	fired := make(chan struct{})
	release := context.AfterFunc(ctx, func() {
		s.f.SetWriteDeadline(time.Unix(1, 0))
		close(fired)
	})
	n, err := s.f.Write(b)
	if !release() {
		<-fired
	}
	s.f.SetWriteDeadline(time.Time{})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return runner.UnreadError(n, len(b))
	case errors.Is(err, os.ErrClosed): // close was called
		return runner.ExitedError(n, len(b))
	}
	s.closed = true // EPIPE: the other end was closed
	s.f.Close()
	return wire.Errorf(wire.CodePrecondition, "the agent closed its standard input: %d of %d bytes were written", n, len(b))
}

// close wakes a writer that waits for an agent that won't read any more.
func (s *stdin) close() { s.f.Close() }
