package runner

import (
	"bytes"
	"context"
	"sync"

	"skein.dev/skein/webtransport/wire"
)

// maxQueue bounds what a script has not read, in bytes: as much as a pipe holds. A longer line is read in pieces, unless
// it is a message of the line protocol: such a one is whole, up to the protocol's own bound.
const maxQueue = 64 << 10

// input is a script's standard input: a pipe, in memory. When it is full, writers wait.
type input struct {
	turn chan struct{} // holds one token while somebody writes: inputs do not mix

	mu     sync.Mutex // guards what follows
	buf    []byte
	closed bool          // by eof
	gone   bool          // by the script's exit
	change chan struct{} // closed, and replaced, whenever one of the above changes; nil: nobody waits
}

func newInput() *input { return &input{turn: make(chan struct{}, 1)} }

// changed needs mu.
func (q *input) changed() {
	if q.change != nil {
		close(q.change)
		q.change = nil
	}
}

// wait needs mu.
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
		return errUnread(0, len(b))
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
			return errUnread(n, len(b))
		}
	}
}

// put takes what fits of b from n on, and says what to wait for to give the rest.
func (q *input) put(b []byte, n *int, eof bool) (more <-chan struct{}, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.gone {
		return nil, errExited(*n, len(b))
	}
	if q.closed {
		return nil, wire.Errorf(wire.CodePrecondition, "standard input is closed")
	}
	took := max(0, min(len(b)-*n, q.bound(b)-len(q.buf)))
	q.buf = append(q.buf, b[*n:*n+took]...)
	*n += took
	q.changed()
	if *n < len(b) {
		return q.wait(), nil
	}
	q.closed = eof
	return nil, nil
}

// bound is how much may wait when next, or what is there already, is in front. It needs mu.
func (q *input) bound(next []byte) int {
	if len(q.buf) > 0 {
		next = q.buf
	}
	if bytes.HasPrefix(next, taskMarker) {
		return wire.MaxMessage
	}
	return maxQueue
}

// line takes a line without its newline. more says what to wait for when there is none; ok is false at the end.
func (q *input) line() (line string, ok bool, more <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	end := bytes.IndexByte(q.buf, '\n')
	skip := 1
	if end < 0 {
		if len(q.buf) == 0 && q.closed {
			return "", false, nil
		}
		if !q.closed && len(q.buf) < q.bound(nil) {
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
