package qmux

// window is the credit that this side gives a peer, for a stream or the connection: positions in bytes from the start.
type window struct {
	size     uint64 // how far the peer may be ahead of the reader
	limit    uint64 // granted: where the peer has to stop
	received uint64 // reached by the peer
	consumed uint64 // read by the application, or discarded
}

func newWindow(size uint64) window { return window{size: size, limit: size} }

// receive takes n more bytes; false means that the peer sent past its limit.
func (w *window) receive(n uint64) bool {
	if w.received+n > w.limit {
		return false
	}
	w.received += n
	return true
}

// consume frees n bytes and reports whether a new limit is due: when no more than half of the window is left to the
// peer. More often would cost a frame a read, less often would let it run dry.
func (w *window) consume(n uint64) (due bool) {
	w.consumed += n
	return w.limit <= w.consumed+w.size/2
}

// grant moves the limit a window ahead of the reader.
func (w *window) grant() uint64 {
	w.limit = w.consumed + w.size
	return w.limit
}

// credit is what the peer gives this side.
type credit struct {
	used, limit uint64
}

func (c *credit) left() uint64 { return c.limit - c.used }

// raise takes a new limit and reports whether it is one: limits only grow, older ones are ignored (RFC 9000, 4.1).
func (c *credit) raise(limit uint64) bool {
	if limit <= c.limit {
		return false
	}
	c.limit = limit
	return true
}
