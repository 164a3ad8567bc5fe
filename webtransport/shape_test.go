package webtransport_test

import (
	"bytes"
	"context"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"skein.dev/skein/webtransport"
)

// A stream over its rate is slowed, in both directions, and loses nothing.
func TestARateSlowsAStream(t *testing.T) {
	const size, rate = 3_000_000, 1_000_000
	for name, shaper := range map[string]*webtransport.Shaper{
		"out": {Out: webtransport.NewLimiter(rate)}, "in": {In: webtransport.NewLimiter(rate)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := webtransport.Pipe()
				defer client.Close(0, "")
				var moved atomic.Int64
				var waited atomic.Int64
				shaper.Moved = func(_ bool, n int, w time.Duration) { moved.Add(int64(n)); waited.Add(int64(w)) }
				out, err := client.OpenStream(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				begin := time.Now()
				go func() {
					w := io.Writer(out)
					if shaper.Out != nil {
						w = shaper.Stream(t.Context(), out)
					}
					w.Write(bytes.Repeat([]byte("x"), size))
					out.Close()
				}()
				in, err := server.AcceptStream(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				r := io.Reader(in)
				if shaper.In != nil {
					r = shaper.Stream(t.Context(), in)
				}
				n, err := io.Copy(io.Discard, r)
				if err != nil || n != size {
					t.Fatalf("%d bytes arrived: %v", n, err)
				}
				if took := time.Since(begin); took < 2800*time.Millisecond || took > 3100*time.Millisecond {
					t.Errorf("%d bytes at %d a second took %s", size, rate, took)
				}
				if moved.Load() != size || waited.Load() == 0 {
					t.Errorf("it counted %d bytes and %s", moved.Load(), time.Duration(waited.Load()))
				}
			})
		})
	}
}

// busyStream counts the writes that are under way.
type busyStream struct {
	webtransport.Stream
	now, most, bytes *atomic.Int64
}

func (s busyStream) Write(p []byte) (int, error) {
	now := s.now.Add(1)
	for {
		most := s.most.Load()
		if now <= most || s.most.CompareAndSwap(most, now) {
			break
		}
	}
	time.Sleep(time.Millisecond)
	s.now.Add(-1)
	s.bytes.Add(int64(len(p)))
	return len(p), nil
}

func TestAGateKeepsWritersFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most, written atomic.Int64
		shaper := &webtransport.Shaper{Gate: webtransport.NewGate(8)}
		var wg sync.WaitGroup
		for range 500 {
			wg.Go(func() {
				str := shaper.Stream(t.Context(), busyStream{nil, &now, &most, &written})
				if n, err := str.Write(make([]byte, 100_000)); n != 100_000 || err != nil {
					t.Errorf("%d, %v", n, err)
				}
			})
		}
		wg.Wait()
		if most.Load() != 8 || written.Load() != 500*100_000 {
			t.Errorf("%d writers at once wrote %d bytes", most.Load(), written.Load())
		}
	})
}

// stuckStream is one that nobody reads: a write waits until the test lets it go.
type stuckStream struct {
	webtransport.Stream
	letGo chan struct{}
}

func (s stuckStream) Write(p []byte) (int, error) {
	<-s.letGo
	return len(p), nil
}

// Writers that nobody reads keep no place in the gate, and those that are read go on.
func TestAGatePassesWritersThatAreStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shaper := &webtransport.Shaper{Gate: webtransport.NewGate(2)}
		letGo := make(chan struct{})
		var stuck sync.WaitGroup
		for range 20 {
			stuck.Go(func() {
				if n, err := shaper.Stream(t.Context(), stuckStream{nil, letGo}).Write(make([]byte, 40_000)); n != 40_000 || err != nil {
					t.Errorf("%d, %v", n, err)
				}
			})
		}
		time.Sleep(11 * time.Second) // in twos
		var now, most, written atomic.Int64
		begin := time.Now()
		var moving sync.WaitGroup
		for range 10 {
			moving.Go(func() {
				shaper.Stream(t.Context(), busyStream{nil, &now, &most, &written}).Write(make([]byte, 100_000))
			})
		}
		moving.Wait()
		if took := time.Since(begin); took > 100*time.Millisecond || most.Load() != 2 {
			t.Errorf("it took %s, %d at once", took, most.Load())
		}
		close(letGo)
		stuck.Wait()
	})
}

func TestAGateLetsGoWithItsSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		gate := webtransport.NewGate(1)
		gate <- struct{}{} // somebody who never ends
		time.AfterFunc(time.Second, cancel)
		str := (&webtransport.Shaper{Gate: gate}).Stream(ctx, busyStream{})
		if n, err := str.Write([]byte("x")); n != 0 || err == nil {
			t.Errorf("%d, %v", n, err)
		}
	})
}
