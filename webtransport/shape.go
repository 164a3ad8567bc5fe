package webtransport

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"skein.dev/skein/webtransport/pace"
)

// Gate bounds how many writes of one class are under way in a session at once. QUIC carriers treat all streams alike:
// what is written waits in one packet queue, and the fewer bulk writes stand in it, the sooner an urgent one goes out.
//
// A write that waits for the peer to read stands in no queue, and gives up its place after a while (stuckAfter): readers
// that stopped don't keep the others from writing.
type Gate chan struct{}

// stuckAfter is how long a write may keep its place. On a link so slow that [pace.Chunk] takes longer the gate lets more
// writes through than it was made for.
const stuckAfter = time.Second

// NewGate lets n writes through at once; 0: any number.
func NewGate(n int) Gate {
	if n <= 0 {
		return nil
	}
	return make(Gate, n)
}

// Shaper bounds what the streams that share it may move. Nothing is dropped: a stream over its rate is read more slowly,
// so that flow control slows the peer, and written more slowly, so that the writer waits. The zero value bounds nothing.
type Shaper struct {
	In, Out *rate.Limiter // bytes a second, of all the streams together; nil: no bound
	Gate    Gate          // of writes; nil: no bound
	Pacer   *pace.Pacer   // of the session's bulk; nil: no bound
	// Moved, if set, is told of bytes read and written, and how long they had to wait.
	Moved func(in bool, n int, waited time.Duration)
}

// NewLimiter is a rate of bytes a second, with a burst of a tenth of a second; 0: nil, no bound.
func NewLimiter(bytesPerSecond int64) *rate.Limiter {
	if bytesPerSecond <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(bytesPerSecond), int(max(bytesPerSecond/10, pace.Chunk)))
}

// NewPacer makes a pacer of what is written to a session. One whose carrier does not know its path is not limited.
func NewPacer(s Session) *pace.Pacer {
	path := func() pace.Path { return pace.Path{} }
	if p, ok := s.(interface{ path() pace.Path }); ok {
		path = p.path
	}
	return pace.New(path)
}

// Stream is str within the shaper's bounds. Waits end with ctx.
func (s *Shaper) Stream(ctx context.Context, str Stream) Stream { return &shaped{str, s, ctx} }

type shaped struct {
	Stream
	s   *Shaper
	ctx context.Context
}

func (t *shaped) Read(p []byte) (int, error) {
	n, err := t.Stream.Read(p)
	if n > 0 {
		waited := pace.Wait(t.ctx, t.s.In, n)
		if t.s.Moved != nil {
			t.s.Moved(true, n, waited)
		}
	}
	return n, err
}

func (t *shaped) Write(p []byte) (done int, err error) {
	for {
		chunk := p[done:min(len(p), done+pace.Chunk)]
		waited := pace.Wait(t.ctx, t.s.Out, len(chunk)) + t.s.Pacer.Wait(t.ctx, len(chunk))
		n, gated, err := t.pass(chunk)
		if t.s.Moved != nil {
			t.s.Moved(false, n, waited+gated)
		}
		if done += n; err != nil || done == len(p) {
			return done, err
		}
	}
}

// pass writes a chunk when the gate lets it.
func (t *shaped) pass(chunk []byte) (n int, waited time.Duration, err error) {
	if g := t.s.Gate; g != nil {
		select {
		case g <- struct{}{}:
		default:
			begin := time.Now()
			select {
			case g <- struct{}{}:
			case <-t.ctx.Done():
				return 0, time.Since(begin), context.Cause(t.ctx)
			}
			waited = time.Since(begin)
		}
		leave := sync.OnceFunc(func() { <-g })
		defer leave()
		defer time.AfterFunc(stuckAfter, leave).Stop()
	}
	n, err = t.Stream.Write(chunk)
	return n, waited, err
}
