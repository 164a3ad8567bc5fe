package qmux

// window is the credit that this side gives the peer for a stream or for the connection. Its positions are in bytes from
// the start.
type window struct {
	size     uint64 // how far the peer may be ahead of the reader
	limit    uint64 // how far the peer may send
	received uint64 // how far the peer has sent
	consumed uint64 // how far the application has read or discarded
}

func newWindow(size uint64) window { return window{size: size, limit: size} }

// receive counts n received bytes. It returns false if the peer exceeded its limit.
func (w *window) receive(n uint64) bool {
	if w.received+n > w.limit {
		return false
	}
	w.received += n
	return true
}

// consume frees n bytes. It reports whether a new limit is due, which is the case when at most half of the window is left
// to the peer. If it were due earlier, each read would cost a frame; if later, the peer would run out of credit.
func (w *window) consume(n uint64) (due bool) {
	w.consumed += n
	return w.limit <= w.consumed+w.size/2
}

// grant sets the limit to one window ahead of the reader.
func (w *window) grant() uint64 {
	w.limit = w.consumed + w.size
	return w.limit
}

// credit is the credit that the peer gives this side.
type credit struct {
	used, limit uint64
}

func (c *credit) left() uint64 { return c.limit - c.used }

// raise sets a new limit and reports whether it is greater. Smaller ones are ignored, because they are older (RFC 9000,
// section 4.1).
func (c *credit) raise(limit uint64) bool {
	if limit <= c.limit {
		return false
	}
	c.limit = limit
	return true
}
