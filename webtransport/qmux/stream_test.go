package qmux

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestCancelWrite(t *testing.T) {
	both(t, func(t *testing.T, a, b *Session) {
		near, far := open(t, a, b)
		must(near.Write([]byte("lost")))(t)
		near.CancelWrite(42)
		if err := write(near); !errors.Is(err, &StreamError{42, false}) {
			t.Errorf("Write here: %v", err)
		}
		if err := near.Close(); !errors.Is(err, &StreamError{42, false}) {
			t.Errorf("Close here: %v", err)
		}
		_, err := io.ReadAll(far)
		if !errors.Is(err, &StreamError{42, true}) {
			t.Errorf("Read there: %v", err)
		}
		// The other direction is not touched.
		must(far.Write([]byte("fine")))(t)
		if got := readN(t, near, 4); string(got) != "fine" {
			t.Errorf("%q", got)
		}
	})
}

func TestCancelRead(t *testing.T) {
	both(t, func(t *testing.T, a, b *Session) {
		near, far := open(t, a, b)
		must(far.Write([]byte("unread")))(t)
		near.CancelRead(43)
		if err := read(near); !errors.Is(err, &StreamError{43, false}) {
			t.Errorf("Read here: %v", err)
		}
		var err error
		for err == nil {
			err = write(far)
			runtime.Gosched()
		}
		if !errors.Is(err, &StreamError{43, true}) {
			t.Errorf("Write there: %v", err)
		}
		must(near.Write([]byte("fine")))(t)
		if got := readN(t, far, 4); string(got) != "fine" {
			t.Errorf("%q", got)
		}
	})
}

// both runs a test with the client as the first session and with the server.
func both(t *testing.T, test func(t *testing.T, a, b *Session)) {
	t.Run("client", func(t *testing.T) {
		c, s := pair(t, Config{}, Config{})
		test(t, c, s)
	})
	t.Run("server", func(t *testing.T) {
		c, s := pair(t, Config{}, Config{})
		test(t, s, c)
	})
}

func TestCancelBlockedWrite(t *testing.T) {
	for name, cancel := range map[string]func(near, far *Stream){
		"here":  func(near, far *Stream) { near.CancelWrite(7) },
		"there": func(near, far *Stream) { far.CancelRead(7) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, s := pair(t, Config{}, Config{StreamWindow: 100})
				near, far := open(t, c, s)
				done := make(chan error)
				go func() {
					_, err := near.Write(make([]byte, 1<<16))
					done <- err
				}()
				synctest.Wait()
				cancel(near, far)
				if err := <-done; !errors.Is(err, &StreamError{7, name == "there"}) {
					t.Error(err)
				}
			})
		})
	}
}

// Cancelled streams give the connection's credit back, whoever cancels.
func TestCancelReturnsCredit(t *testing.T) {
	c, s := pair(t, Config{}, Config{StreamWindow: 1000, ConnWindow: 1000})
	for i := range 50 {
		near := must(c.OpenStream(within(t)))(t)
		must(near.Write(make([]byte, 1000)))(t)
		far := must(s.AcceptStream(within(t)))(t)
		if i%2 == 0 {
			readN(t, far, 1)
			far.CancelRead(1)
			near.CancelWrite(1)
		} else {
			readN(t, far, 1000)
			near.CancelWrite(1)
			far.CancelRead(1)
		}
		far.Close()
		io.ReadAll(near)
	}
	near, far := open(t, c, s)
	go near.Write(make([]byte, 10000))
	readN(t, far, 10000)
}

func TestCloseEndsOneDirection(t *testing.T) {
	c, s := pair(t, Config{}, Config{})
	near, far := open(t, c, s)
	must(near.Write([]byte("last words")))(t)
	if err := near.Close(); err != nil {
		t.Error(err)
	}
	near.Close()
	if err := write(near); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Write after Close: %v", err)
	}
	if got, err := io.ReadAll(far); string(got) != "last words" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	near.CancelWrite(1) // too late
	must(far.Write([]byte("still")))(t)
	far.Close()
	if got, err := io.ReadAll(near); string(got) != "still" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := pair(t, Config{}, Config{StreamWindow: 10000})
		near, far := open(t, c, s)
		at := time.Now().Add(3 * time.Second)

		near.SetReadDeadline(at)
		if err := read(near); !errors.Is(err, os.ErrDeadlineExceeded) || !time.Now().Equal(at) {
			t.Errorf("Read: %v after %v", err, time.Since(at))
		}
		must(far.Write([]byte("ab")))(t)
		if err := read(near); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read with bytes there: %v", err)
		}
		near.SetReadDeadline(time.Time{})
		readN(t, near, 2)

		near.SetWriteDeadline(time.Now().Add(time.Second))
		data := random(20000)
		n, err := near.Write(data)
		if n != 9999 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write: %d, %v", n, err)
		}
		near.SetWriteDeadline(time.Time{})
		go func() {
			near.Write(data[n:])
			near.Close()
		}()
		if got, err := io.ReadAll(far); !bytes.Equal(got, data) || err != nil {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})
}

func TestDeadlineMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := pair(t, Config{}, Config{})
		near, _ := open(t, c, s)
		start := time.Now()
		near.SetReadDeadline(start.Add(time.Second))
		go func() {
			time.Sleep(500 * time.Millisecond) // of the bubble's clock
			near.SetReadDeadline(start.Add(5 * time.Second))
			time.Sleep(time.Second)
			near.SetReadDeadline(start)
		}()
		read(near)
		if got := time.Since(start); got != 1500*time.Millisecond {
			t.Errorf("Read ended after %v", got)
		}
	})
}

// Under back-pressure a class goes before the next, and streams of one class take turns.
func TestClassesAndTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, conn := recorded(t)
		conn.hold()
		classes := []uint8{2, 1, 1, 0, 1, 2}
		var wg sync.WaitGroup
		for _, class := range classes {
			st := must(s.OpenStream(t.Context()))(t)
			st.SetClass(class)
			wg.Go(func() { st.Write(make([]byte, 40000)) })
			synctest.Wait() // the writer is busy with the first record, all else queues up in this order
		}
		s.SendDatagram([]byte("ahead"))
		conn.release()
		wg.Wait()
		synctest.Wait()

		var order []uint64 // of classes, by stream frame
		turns := map[uint8][]uint64{}
		datagramAt := -1
		for _, f := range conn.frames(t) {
			switch {
			case f.isStream():
				class := classes[f.id>>2]
				order = append(order, uint64(class))
				turns[class] = append(turns[class], f.id>>2)
			case f.typ == typeDatagramLen:
				datagramAt = len(order)
			}
		}
		// The first record was taken before the others came; it may hold one frame of class 2.
		if datagramAt != 1 {
			t.Errorf("the datagram came after %d stream frames, want 1", datagramAt)
		}
		if !slices.IsSorted(order[1:]) || order[0] != 2 {
			t.Errorf("classes went out as %v", order)
		}
		if got := turns[1][:6]; !slices.Equal(got, []uint64{1, 2, 4, 1, 2, 4}) {
			t.Errorf("streams of class 1 took turns as %v", turns[1])
		}
	})
}

// When nothing is in the way a Write is a record, at once; while the connection is busy small ones go together.
func TestRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, conn := recorded(t)
		st := must(s.OpenStream(t.Context()))(t)
		before := conn.count()
		for i := range 5 {
			must(st.Write([]byte("a line and a message")))(t)
			synctest.Wait()
			if n := conn.count() - before; n != i+1 {
				t.Errorf("%d records after %d writes", n, i+1)
			}
		}
		conn.hold()
		must(st.Write([]byte("takes the connection")))(t)
		synctest.Wait()
		before = conn.count()
		for range 100 {
			st := must(s.OpenStream(t.Context()))(t)
			must(st.Write([]byte("header")))(t)
			must(st.Write([]byte("message")))(t)
			s.SendDatagram([]byte("status"))
		}
		conn.release()
		synctest.Wait()
		if n := conn.count() - before; n != 1 {
			t.Errorf("100 streams and datagrams took %d records, want 1", n)
		}
		if f := conn.frames(t); string(f[len(f)-1].data) != "headermessage" {
			t.Errorf("the last frame is %+v", f[len(f)-1])
		}
	})
}

// A stream that is open and idle, with deadlines unset, costs its struct and its place in a map.
func TestIdleStreamIsSmall(t *testing.T) {
	const streams = 1000
	c, s := pair(t, Config{}, Config{})
	open(t, c, s)
	goroutines := runtime.NumGoroutine()
	before := heapBytes()
	all := make([]*Stream, 0, 2*streams)
	for range streams - 1 {
		near, far := open(t, c, s)
		all = append(all, near, far)
	}
	if per := (heapBytes() - before) / int64(len(all)); per > 1024 {
		t.Errorf("an idle stream takes %d bytes", per)
	} else {
		t.Logf("an idle stream takes %d bytes", per)
	}
	if n := runtime.NumGoroutine(); n > goroutines {
		t.Errorf("%d goroutines, %d before", n, goroutines)
	}
	runtime.KeepAlive(all)
}

func TestIdleSessionIsSmall(t *testing.T) {
	const sessions = 200
	goroutines, before := runtime.NumGoroutine(), heapBytes()
	all := make([]*Session, 0, 2*sessions)
	for range sessions {
		c, s := pair(t, Config{}, Config{})
		open(t, c, s)
		all = append(all, c, s)
	}
	t.Logf("an idle session with a stream takes %d bytes of heap", (heapBytes()-before)/int64(len(all)))
	if n := runtime.NumGoroutine() - goroutines; n > 2*len(all) {
		t.Errorf("%d sessions have %d goroutines", len(all), n)
	}
}

func heapBytes() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // the second empties what the first moved to the pools' victims
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// recorder is a Conn that keeps what is written, and can hold its writer back.
type recorder struct {
	Conn
	closed chan struct{}

	mu      sync.Mutex
	records [][]byte
	held    chan struct{} // closed to let go; nil: not held
}

// recorded starts a client that writes to a recorder, with a peer that gives it all the credit it can use.
func recorded(t *testing.T) (*Session, *recorder) {
	a, b := Pipe()
	conn := &recorder{Conn: b, closed: make(chan struct{})}
	s := Client(conn, Config{})
	t.Cleanup(func() {
		a.Close()
		s.Close(0, "")
	})
	p := &rawPeer{t: t, conn: a}
	p.send((&params{maxData: 1 << 30, bidiRemoteWindow: 1 << 30, maxStreamsBidi: 1000, maxRecord: MinRecord,
		maxDatagramFrame: MinRecord}).frame())
	synctest.Wait()
	return s, conn
}

func (r *recorder) WriteMessage(_ context.Context, b []byte) error {
	r.mu.Lock()
	r.records = append(r.records, bytes.Clone(b))
	held := r.held
	r.mu.Unlock()
	if held == nil {
		return nil
	}
	select {
	case <-held:
		return nil
	case <-r.closed:
		return net.ErrClosed
	}
}

func (r *recorder) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.closed:
	default:
		close(r.closed)
	}
	return r.Conn.Close()
}

func (r *recorder) hold() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = make(chan struct{})
}

func (r *recorder) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.held)
	r.held = nil
}

func (r *recorder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.records)
}

func (r *recorder) frames(t *testing.T) (all []frame) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.records {
		if len(b) > MinRecord {
			t.Errorf("a record of %d bytes", len(b))
		}
		for len(b) > 0 {
			f, rest, err := parseFrame(b)
			if err != nil {
				t.Fatal(err)
			}
			all, b = append(all, f), rest
		}
	}
	return all
}
