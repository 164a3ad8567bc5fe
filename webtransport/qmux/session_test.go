package qmux

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
)

func random(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(n)})
	r.Read(b)
	return b
}

// roundTrip sends data on a new stream and checks that it comes back.
func roundTrip(t testing.TB, s *Session, data []byte) {
	st, err := s.OpenStream(within(t))
	if err != nil {
		t.Error(err)
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if n, err := st.Write(data); n != len(data) || err != nil {
			t.Errorf("Write: %d of %d, %v", n, len(data), err)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	got, err := io.ReadAll(st)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes came back as %d, %v", len(data), len(got), err)
	}
	wg.Wait()
}

func TestEcho(t *testing.T) {
	for _, n := range []int{0, 1, 63, 64, SendBuffer, SendBuffer + 1, 16382, 1 << 20} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			c, s := pair(t, Config{}, Config{})
			go echo(s)
			roundTrip(t, c, random(n))
			go echo(c)
			roundTrip(t, s, random(n))
		})
	}
}

// Any window must carry any amount, as long as someone reads.
func TestSmallWindows(t *testing.T) {
	for _, w := range [][2]uint64{{1, 1}, {1, 64}, {2, 1}, {7, 3}, {64, 64}, {64, 1 << 20}, {1 << 20, 64}} {
		t.Run(fmt.Sprint(w), func(t *testing.T) {
			cfg := Config{StreamWindow: w[0], ConnWindow: w[1]}
			c, s := pair(t, cfg, cfg)
			go echo(s)
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() { roundTrip(t, c, random(int(w[0]+w[1])*50%20000+100)) })
			}
			wg.Wait()
		})
	}
}

func TestManyStreams(t *testing.T) {
	c, s := pair(t, Config{}, Config{})
	go echo(s)
	var wg sync.WaitGroup
	for i := range 1000 {
		wg.Go(func() { roundTrip(t, c, random(1+i*7)) })
	}
	wg.Wait()
	// The last streams end here when their last bytes are read, there a moment later.
	if n := c.Stats().Streams; n != 0 {
		t.Errorf("%d streams are left", n)
	}
}

// More streams than the peer allows at once: the limit has to move with those that are over.
func TestStreamLimit(t *testing.T) {
	for _, limit := range []uint64{1, 2, 3, 10} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			c, s := pair(t, Config{}, Config{MaxStreams: limit})
			go echo(s)
			var wg sync.WaitGroup
			for range 50 {
				wg.Go(func() { roundTrip(t, c, random(100)) })
			}
			wg.Wait()
		})
	}
}

func TestStreamLimitWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := pair(t, Config{}, Config{MaxStreams: 1})
		near, far := open(t, c, s)
		opened := make(chan error, 1)
		go func() {
			_, err := c.OpenStream(t.Context())
			opened <- err
		}()
		synctest.Wait()
		select {
		case err := <-opened:
			t.Fatalf("a second stream opened (%v) at a limit of one", err)
		default:
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := c.OpenStream(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("OpenStream with an ended context: %v", err)
		}
		near.Close()
		far.Close()
		io.ReadAll(far)
		io.ReadAll(near)
		if err := <-opened; err != nil {
			t.Error(err)
		}
	})
}

// A reader that does not read costs its stream's window, nothing else.
func TestStalledReader(t *testing.T) {
	c, s := pair(t, Config{}, Config{StreamWindow: 10000, ConnWindow: 50000})
	stalled, far := open(t, c, s)
	var wg sync.WaitGroup
	wg.Go(func() {
		n, err := stalled.Write(make([]byte, 100000))
		if want := (&StreamError{Code: 5}); !errors.Is(err, want) || n != 10000-1 {
			t.Errorf("the stalled Write: %d, %v; want %d, %v", n, err, 10000-1, want)
		}
	})
	full := func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return far.unread == 10000-1
	}
	for !full() { // else the cancel could come before the bytes
		runtime.Gosched()
	}
	go echo(s)
	for range 5 {
		roundTrip(t, c, random(100000))
	}
	stalled.CancelWrite(5)
	wg.Wait()
}

func TestCloseCode(t *testing.T) {
	for _, fromServer := range []bool{false, true} {
		t.Run(fmt.Sprintf("server=%v", fromServer), func(t *testing.T) {
			a, b := pair(t, Config{}, Config{})
			if fromServer {
				a, b = b, a
			}
			near, far := open(t, a, b)
			if err := a.Close(4001, "déjà vu"); err != nil {
				t.Error(err)
			}
			<-b.Context().Done()
			here, there := &CloseError{4001, "déjà vu", false}, &CloseError{4001, "déjà vu", true}
			for what, err := range map[string]error{"cause": context.Cause(a.Context()), "Read": read(near), "Write": write(near)} {
				if !errors.Is(err, here) {
					t.Errorf("here, %s: %v, want %v", what, err, here)
				}
			}
			for what, err := range map[string]error{"cause": context.Cause(b.Context()), "Read": read(far), "Write": write(far),
				"SendDatagram": b.SendDatagram(nil)} {
				if !errors.Is(err, there) {
					t.Errorf("there, %s: %v, want %v", what, err, there)
				}
			}
		})
	}
}

func read(st *Stream) error {
	_, err := st.Read(make([]byte, 1))
	return err
}

func write(st *Stream) error {
	_, err := st.Write([]byte{1})
	return err
}

// What Write has taken arrives although Close follows at once: a server says goodbye before it closes.
func TestCloseFlushes(t *testing.T) {
	c, s := pair(t, Config{}, Config{})
	near, far := open(t, s, c)
	must(near.Write([]byte("goodbye")))(t)
	s.Close(3000, "restart")
	if got := readN(t, far, 7); string(got) != "goodbye" {
		t.Errorf("got %q", got)
	}
	if err := read(far); !errors.Is(err, &CloseError{3000, "restart", true}) {
		t.Error(err)
	}
}

func TestCloseBothAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := pair(t, Config{}, Config{})
		open(t, c, s)
		var wg sync.WaitGroup
		wg.Go(func() { c.Close(1, "") })
		wg.Go(func() { s.Close(2, "") })
		wg.Wait()
		c.Close(3, "") // no effect
	})
}

// A peer that does not take the last frame delays Close by CloseTimeout and no more.
func TestCloseWithDeafPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := Pipe()
		c := Client(a, Config{})
		for range pipeDepth + 1 {
			synctest.Wait()
			c.mu.Lock()
			c.due |= duePong // fills the connection
			c.work.Signal()
			c.mu.Unlock()
		}
		if err := c.Close(1, ""); !errors.Is(err, errNotTold) {
			t.Errorf("Close: %v", err)
		}
	})
}

func TestConnectionBreaks(t *testing.T) {
	a, b := Pipe()
	c, s := closing(t, Client(a, Config{}), Server(b, Config{}))
	near, _ := open(t, c, s)
	b.Close()
	<-c.Context().Done()
	if err := read(near); !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		t.Errorf("Read: %v; the stream has no end, its connection has", err)
	}
	if _, err := c.AcceptStream(t.Context()); !errors.Is(err, context.Cause(c.Context())) {
		t.Errorf("AcceptStream: %v", err)
	}
}

func TestStats(t *testing.T) {
	c, s := pair(t, Config{}, Config{})
	near, far := open(t, c, s)
	must(near.Write(make([]byte, 1000)))(t)
	readN(t, far, 1000)
	if st := c.Stats(); st.BytesSent < 1000 || st.Streams != 1 {
		t.Errorf("%+v", st)
	}
	if st := s.Stats(); st.BytesReceived < 1000 || st.Streams != 1 {
		t.Errorf("%+v", st)
	}
}
