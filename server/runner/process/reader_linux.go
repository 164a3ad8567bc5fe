package process

import (
	"bytes"
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

const (
	partialDelay = 50 * time.Millisecond // how long a line without a newline, such as a prompt, waits for the rest
	runeDelay    = time.Second           // how long bytes that may be the start of a character wait for the rest
)

// buffers lends memory to a reader that has bytes. A reader that waits for a silent agent has none.
var buffers = sync.Pool{New: func() any { return new([wire.MaxOutput]byte) }}

// reader passes one pipe of an agent on to its outlet.
type reader struct {
	typ wire.EventType
	out *outlet
	f   *os.File
	raw syscall.RawConn

	// owned by run
	buf     *[wire.MaxOutput]byte // nil while n is 0
	n       int                   // how many bytes wait in buf; less than its length between reads
	flushAt time.Time             // when they are sent even without a newline; zero: nothing waits
	held    bool                  // what waits is only the start of a character

	mu    sync.Mutex // guards the deadline of the file, which run and cut set
	ended bool
	armed time.Time
}

func newReader(t wire.EventType, f *os.File, out *outlet) (*reader, error) {
	raw, err := f.SyscallConn()
	return &reader{typ: t, f: f, raw: raw, out: out}, err
}

func (r *reader) run() {
	defer r.f.Close()
	for {
		n, err := r.read()
		switch {
		case n > 0:
			r.n += n
			r.lines()
		case errors.Is(err, os.ErrDeadlineExceeded) && r.cutOff():
			r.rest()
			return
		case errors.Is(err, os.ErrDeadlineExceeded):
			r.partial()
		default: // the end, or an error after which another read would fail too
			r.emit(r.n)
			return
		}
	}
}

// cut ends the reader after it has read what is in the pipe now, even if somebody still holds the other end.
func (r *reader) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	r.f.SetReadDeadline(time.Unix(1, 0))
}

func (r *reader) cutOff() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ended
}

// read waits for bytes until flushAt. It returns 0 and nil at the end.
func (r *reader) read() (n int, err error) {
	r.mu.Lock()
	if !r.ended && !r.armed.Equal(r.flushAt) {
		r.armed = r.flushAt
		r.f.SetReadDeadline(r.flushAt)
	}
	r.mu.Unlock()
	waitErr := r.raw.Read(func(fd uintptr) bool {
		n, err = r.readNow(fd)
		return err != unix.EAGAIN
	})
	if waitErr != nil {
		return 0, waitErr
	}
	return n, err
}

func (r *reader) readNow(fd uintptr) (n int, err error) {
	if r.buf == nil {
		r.buf = buffers.Get().(*[wire.MaxOutput]byte)
	}
	for {
		if n, err = unix.Read(int(fd), r.buf[r.n:]); err != unix.EINTR {
			break
		}
	}
	if n <= 0 {
		r.release()
	}
	return max(n, 0), err
}

func (r *reader) release() {
	if r.n == 0 && r.buf != nil {
		buffers.Put(r.buf)
		r.buf = nil
	}
}

// rest reads what the pipe holds, but no more than its capacity, so that it ends even if somebody continues to write.
func (r *reader) rest() {
	r.f.SetReadDeadline(time.Time{})
	size := 64 << 10
	r.raw.Control(func(fd uintptr) {
		if n, err := unix.FcntlInt(fd, unix.F_GETPIPE_SZ, 0); err == nil {
			size = n
		}
	})
	for size > 0 {
		var n int
		var err error
		waitErr := r.raw.Read(func(fd uintptr) bool { n, err = r.readNow(fd); return true })
		if n <= 0 || err != nil || waitErr != nil {
			break
		}
		size -= n
		r.n += n
		r.lines()
	}
	r.emit(r.n)
}

// lines sends complete lines, or a full buffer.
func (r *reader) lines() {
	if r.held { // the rest of the character did not come in time
		r.held, r.flushAt = false, time.Time{}
	}
	if r.typ == wire.EventTTY { // whoever types waits for it
		r.partial()
	} else if end := bytes.LastIndexByte(r.buf[:r.n], '\n'); end >= 0 {
		r.emit(end + 1)
		r.flushAt = time.Time{}
	} else if r.n == len(r.buf) {
		r.emit(r.n - runner.Unfinished(r.buf[:r.n]))
		r.flushAt = time.Time{}
	}
	if r.n > 0 && r.flushAt.IsZero() {
		r.flushAt = time.Now().Add(partialDelay)
	}
}

// partial sends what has waited long enough for its newline.
func (r *reader) partial() {
	r.flushAt = time.Time{}
	if r.held {
		r.emit(r.n)
		return
	}
	r.emit(r.n - runner.Unfinished(r.buf[:r.n]))
	if r.n > 0 {
		r.held = true
		r.flushAt = time.Now().Add(runeDelay)
	}
}

func (r *reader) emit(n int) {
	if n > 0 {
		r.out.output(r.typ, r.buf[:n])
		r.n = copy(r.buf[:], r.buf[n:r.n])
	}
	r.release()
}
