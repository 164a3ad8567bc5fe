package qmux

import (
	"bytes"
	"context"
	"io"
	"net"
	"sync"
)

// pipeDepth bounds the messages under way in each direction of a Pipe. A writer waits while it is reached.
const pipeDepth = 4

// Pipe returns the two ends of a connection in memory. What was written before one end was closed can still be read at
// the other end, which then returns io.EOF.
func Pipe() (Conn, Conn) {
	ab, ba := make(chan []byte, pipeDepth), make(chan []byte, pipeDepth)
	a := &pipeEnd{in: ba, out: ab, closed: make(chan struct{})}
	b := &pipeEnd{in: ab, out: ba, closed: make(chan struct{})}
	a.peer, b.peer = b, a
	return a, b
}

type pipeEnd struct {
	// Static after construction.
	in     <-chan []byte
	out    chan<- []byte
	peer   *pipeEnd
	closed chan struct{}

	once sync.Once
}

func (p *pipeEnd) ReadMessage(ctx context.Context) ([]byte, error) {
	select {
	case <-p.closed:
		return nil, net.ErrClosed
	default:
	}
	select {
	case b := <-p.in:
		return b, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.peer.closed:
	}
	select {
	case b := <-p.in:
		return b, nil
	default:
		return nil, io.EOF
	}
}

func (p *pipeEnd) WriteMessage(ctx context.Context, b []byte) error {
	select {
	case <-p.closed:
		return net.ErrClosed
	case <-p.peer.closed:
		return io.ErrClosedPipe
	default:
	}
	select {
	case p.out <- bytes.Clone(b):
		return nil
	case <-p.closed:
		return net.ErrClosed
	case <-p.peer.closed:
		return io.ErrClosedPipe
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *pipeEnd) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}
