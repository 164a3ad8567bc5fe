package webtransport

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"skein.dev/skein/webtransport/pace"
)

// Gate bounds how many writes of one class are under way in a session. QUIC carriers treat all streams alike: whatever is
// written waits in one packet queue, so the fewer bulk writes are in it, the sooner an urgent one is sent.
//
// A write that waits for the peer to read is not in that queue, and gives up its place after a while (stuckAfter), so
// that peers that have stopped reading do not keep the others from writing.
type Gate chan struct{}

// stuckAfter is how long a write may keep its place. On a link so slow that [pace.Chunk] takes longer, the gate lets more
// writes through than its bound.
const stuckAfter = time.Second

// NewGate returns a gate that lets n writes through at a time; 0: any number.
func NewGate(n int) Gate {
	if n <= 0 {
		return nil
	}
	return make(Gate, n)
}

// Shaper bounds the rate of the streams that share it. Nothing is dropped: a stream above its rate is read more slowly,
// so that flow control slows the peer, and written more slowly, so that the writer waits. The zero value bounds nothing.
type Shaper struct {
	In, Out *rate.Limiter // bytes per second for all streams together; nil: no bound
	Gate    Gate          // for writes; nil: no bound
	Pacer   *pace.Pacer   // for the bulk writes of the session; nil: no bound
	// Moved, if not nil, is called with the number of bytes read and written, and with how long they had to wait.
	Moved func(in bool, n int, waited time.Duration)
}

// NewLimiter returns a limiter for a rate in bytes per second, with a burst of a tenth of a second. It returns nil for 0,
// which means no bound.
func NewLimiter(bytesPerSecond int64) *rate.Limiter {
	if bytesPerSecond <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(bytesPerSecond), int(max(bytesPerSecond/10, pace.Chunk)))
}

// NewPacer returns a pacer for what is written to a session. It limits nothing if the carrier does not know its path.
func NewPacer(s Session) *pace.Pacer {
	path := func() pace.Path { return pace.Path{} }
	if p, ok := s.(interface{ path() pace.Path }); ok {
		path = p.path
	}
	return pace.New(path)
}

// Stream returns str within the bounds of the shaper. Waits end with ctx.
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

// pass writes a chunk when the gate lets it through.
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
