package scripted

import (
	"bytes"
	"context"
	"sync"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// maxQueue bounds what a script has not read, in bytes. It is what a pipe holds. A longer line is read in pieces.
const maxQueue = 64 << 10

// input is a script's standard input, a pipe in memory. Writers wait while it is full.
type input struct {
	turn chan struct{} // has a value while somebody writes, so that inputs do not mix

	mu     sync.Mutex // guards what follows
	buf    []byte
	closed bool          // by eof
	gone   bool          // by the script's exit
	change chan struct{} // closed when one of the above changes; nil while nobody waits
}

func newInput() *input { return &input{turn: make(chan struct{}, 1)} }

// changed wakes those who wait. The caller holds mu.
func (q *input) changed() {
	if q.change != nil {
		close(q.change)
		q.change = nil
	}
}

// wait returns a channel that is closed at the next change. The caller holds mu.
func (q *input) wait() <-chan struct{} {
	if q.change == nil {
		q.change = make(chan struct{})
	}
	return q.change
}

func (q *input) write(ctx context.Context, b []byte, eof bool) error {
	select {
	case q.turn <- struct{}{}:
		defer func() { <-q.turn }()
	case <-ctx.Done():
		return runner.UnreadError(0, len(b))
	}
	n := 0
	for {
		more, err := q.put(b, &n, eof)
		if err != nil || more == nil {
			return err
		}
		select {
		case <-more:
		case <-ctx.Done():
			return runner.UnreadError(n, len(b))
		}
	}
}

// put accepts what fits of b from n on. It returns what to wait for before the rest is put.
func (q *input) put(b []byte, n *int, eof bool) (more <-chan struct{}, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.gone {
		return nil, runner.ExitedError(*n, len(b))
	}
	if q.closed {
		return nil, wire.Errorf(wire.CodePrecondition, "standard input is closed")
	}
	took := max(0, min(len(b)-*n, maxQueue-len(q.buf)))
	q.buf = append(q.buf, b[*n:*n+took]...)
	*n += took
	q.changed()
	if *n < len(b) {
		return q.wait(), nil
	}
	q.closed = eof
	return nil, nil
}

// line removes a line and returns it without its newline. If there is none, more is what to wait for. ok is false at the
// end of the input.
func (q *input) line() (line string, ok bool, more <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	end := bytes.IndexByte(q.buf, '\n')
	skip := 1
	if end < 0 {
		if len(q.buf) == 0 && q.closed {
			return "", false, nil
		}
		if !q.closed && len(q.buf) < maxQueue {
			return "", false, q.wait()
		}
		end, skip = len(q.buf), 0
	}
	line = string(bytes.TrimSuffix(q.buf[:end], []byte{'\r'}))
	q.buf = append(q.buf[:0], q.buf[end+skip:]...)
	q.changed()
	return line, true, nil
}

func (q *input) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.gone, q.buf = true, nil
	q.changed()
}
