package session

import (
	"io"
	"slices"
	"sync"

	"skein.dev/skein/webtransport/wire"
)

const (
	// MaxEnded bounds the lanes of a session that the server has ended and the client has not.
	MaxEnded = 64
	// MaxAfterEnd bounds what a client may still send on a lane after its end was written, in bytes: what was on its way
	// on a long fat path, and not a file.
	MaxAfterEnd = 16 << 20
)

// ended are the lanes of a session whose end the server wrote, and on which the client may still send. STOP_SENDING right
// behind an end makes Firefox 153 drop what its page has not read, the end included. So the client is left to end its own
// side, as Skein's clients do once they have read the end. The server asks it to only when it leaves more than MaxEnded
// lanes so: then the one that has been there the longest, which keeps the client's streams from running out.
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

// remove forgets a lane of which nothing more comes, whether it was added or not.
func (e *ended) remove(l *lane) {
	e.mu.Lock()
	defer e.mu.Unlock()
	l.over = true
	if i := slices.Index(e.lanes, l); i >= 0 {
		e.lanes = slices.Delete(e.lanes, i, i+1)
	}
}

// end ends the server's side, behind the last word. What the client still sends must be read until its end: by the
// goroutine that serves the lane's requests, or by drain.
func (l *lane) end() {
	l.str.Close()
	l.c.ended.add(l)
}

// drain reads over what the client still sends on a lane that has ended.
func (l *lane) drain() {
	defer l.c.ended.remove(l)
	io.CopyN(io.Discard, l.r.Rest(), MaxAfterEnd)
	l.str.CancelRead(uint32(wire.StreamCanceled)) // nothing, if the client ended its side
}
