package session

import (
	"io"
	"slices"
	"sync"

	"skein.dev/skein/webtransport/wire"
)

const (
	// MaxEnded bounds the lanes of a session that the server has ended but the client has not.
	MaxEnded = 64
	// MaxAfterEnd bounds what a client may still send on a lane after its end was written, in bytes: enough for what is in
	// flight on a long fat path, but not for a file.
	MaxAfterEnd = 16 << 20
)

// ended has the lanes of a session that the server has ended and on which the client may still send. STOP_SENDING right
// after an end makes Firefox 153 drop what its page has not read, the end included. So the server leaves it to the client
// to end its own side, as Skein's clients do once they have read the end. Only when a client leaves more than MaxEnded
// lanes open does the server cancel the oldest, so that the client's streams do not run out.
type ended struct {
	mu    sync.Mutex
	lanes []*lane // oldest first
}

// add keeps a lane until remove.
func (e *ended) add(l *lane) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if l.over {
		return
	}
	e.lanes = append(e.lanes, l)
	if len(e.lanes) > MaxEnded {
		e.lanes[0].str.CancelRead(uint32(wire.StreamCanceled))
		e.lanes = slices.Delete(e.lanes, 0, 1)
	}
}

// remove forgets a lane on which nothing more comes, whether it was added or not.
func (e *ended) remove(l *lane) {
	e.mu.Lock()
	defer e.mu.Unlock()
	l.over = true
	if i := slices.Index(e.lanes, l); i >= 0 {
		e.lanes = slices.Delete(e.lanes, i, i+1)
	}
}

// end ends the server's side after the last message. What the client still sends must be read to its end: by the goroutine
// that serves the lane's requests, or by drain.
func (l *lane) end() {
	l.str.Close()
	l.c.ended.add(l)
}

// drain discards what the client still sends on a lane that has ended.
func (l *lane) drain() {
	defer l.c.ended.remove(l)
	io.CopyN(io.Discard, l.r.Rest(), l.c.s.MaxAfterEnd)
	l.str.CancelRead(uint32(wire.StreamCanceled)) // does nothing if the client has ended its side
}
