package qmux

import (
	"context"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
)

// script is a Conn that reads what it was given and takes all that is written.
type script struct {
	records chan []byte
	closed  chan struct{}
	once    sync.Once
}

func (s *script) ReadMessage(context.Context) ([]byte, error) {
	select {
	case b, ok := <-s.records:
		if !ok {
			return nil, io.EOF
		}
		return b, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

func (s *script) WriteMessage(context.Context, []byte) error {
	select {
	case <-s.closed:
		return net.ErrClosed
	default:
		return nil
	}
}

func (s *script) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

// FuzzSession throws records at a live server whose application echoes: it must end when its connection does, if not
// before, with its accounts in order, and leave nothing behind. Each record is a byte for its length and that much of
// the input; the parameters go ahead, so that the rest is reached.
func FuzzSession(f *testing.F) {
	hello := moqParams.frame().append(nil)
	for _, records := range [][][]byte{
		{data(0, 0, "hi").append(nil), fin(0, 2, "!").append(nil)},
		{data(8, 0, "hi").append(nil), (&frame{typ: typeResetStream, id: 8, code: 1, value: 9}).append(nil)},
		{(&frame{typ: typeResetStreamAt, id: 0, value: 9, reliable: 5}).append(nil), data(0, 0, "abcde").append(nil)},
		{(&frame{typ: typeStopSending, id: 4, code: 2}).append(nil), (&frame{typ: typeMaxStreamData, id: 4, value: 99}).append(nil)},
		{(&frame{typ: typeDatagramLen, data: []byte("d")}).append(nil), (&frame{typ: typePing, value: 3}).append(nil)},
		{(&frame{typ: typePong}).append(nil), (&frame{typ: typeMaxData, value: 1 << 30}).append(nil), {0, 0, 0}},
		{(&frame{typ: typeApplicationClose, code: 4001, data: []byte("bye")}).append(nil)},
		{hello},
	} {
		f.Add(packRecords(records), false)
	}
	f.Add(packRecords([][]byte{hello, data(0, 0, "x").append(nil)}), true)
	f.Fuzz(func(t *testing.T, b []byte, bare bool) {
		records := unpackRecords(b)
		if !bare {
			records = slices.Insert(records, 0, hello)
		}
		fuzzSession(t, records)
	})
}

func fuzzSession(t *testing.T, records [][]byte) {
	start := time.Now()
	conn := &script{records: make(chan []byte, len(records)), closed: make(chan struct{})}
	s := Server(conn, Config{StreamWindow: 64, ConnWindow: 200, MaxStreams: 8, DatagramQueue: 4})
	var wg sync.WaitGroup
	wg.Go(func() { echoAll(s) })
	for _, record := range records {
		conn.records <- record
	}
	close(conn.records)
	kit.Receive(t, "the session's end", s.Context().Done())
	wg.Wait()
	s.Close(0, "")
	if took := time.Since(start); took > CloseTimeout/2 && !kit.Quick {
		t.Errorf("it took %v to end", took)
	}
	checkAccounts(t, s)
}

// echoAll echoes streams and datagrams until the session ends.
func echoAll(s *Session) {
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			b, err := s.ReceiveDatagram(context.Background())
			if err != nil {
				return
			}
			s.SendDatagram(b)
		}
	})
	for {
		st, err := s.AcceptStream(context.Background())
		if err != nil {
			break
		}
		wg.Go(func() {
			io.Copy(st, st)
			st.Close()
			st.CancelRead(1)
		})
	}
	wg.Wait()
}

// checkAccounts holds that nothing a peer sends makes a session hold or grant more than its bounds.
func checkAccounts(t *testing.T, s *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	unread := 0
	for _, st := range s.streams {
		unread += st.unread
		if w := st.in; w.consumed > w.received || w.received > w.limit || w.limit > w.consumed+w.size {
			t.Errorf("stream %d: %+v", st.id, w)
		}
		if st.out.used > st.out.limit || len(st.buf) > SendBuffer {
			t.Errorf("stream %d: %+v, %d bytes in its buffer", st.id, st.out, len(st.buf))
		}
	}
	w := s.in
	if w.consumed > w.received || w.received > w.limit || w.limit > w.consumed+w.size || uint64(unread) > w.size {
		t.Errorf("the connection: %+v, %d bytes unread", w, unread)
	}
	if s.out.used > s.out.limit {
		t.Errorf("the connection: %+v", s.out)
	}
	if n := uint64(len(s.streams) + len(s.holes)); n > s.cfg.MaxStreams {
		t.Errorf("%d streams are open", n)
	}
}

func packRecords(records [][]byte) (b []byte) {
	for _, r := range records {
		b = append(append(b, byte(len(r))), r...)
	}
	return b
}

func unpackRecords(b []byte) (records [][]byte) {
	for len(b) > 0 {
		n := min(int(b[0]), len(b)-1)
		records = append(records, b[1:1+n:1+n])
		b = b[1+n:]
	}
	return records
}
