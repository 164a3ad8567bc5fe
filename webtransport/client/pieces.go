package client

import (
	"bytes"
	"context"
	"sync"

	"skein.dev/skein/webtransport/wire"
)

// piecesEach is how many pieces a connection fetches at once, so that one is transferred while the next is requested.
const piecesEach = 2

// pieceSize is how many bytes one stream fetches if an artifact is downloaded over several connections. Tests change it before
// they begin.
var pieceSize int64 = 1 << 20

// piece is a part of an artifact that is being fetched.
type piece struct {
	at, until int64
	got       bytes.Buffer
	err       error
	done      chan struct{} // closed when got is complete or err is set
}

// pieces downloads an artifact over several connections. Each connection fetches the next piece that nobody fetches, and
// the pieces are written in order, so that what is written is always the beginning of the artifact. At most piecesEach
// pieces per connection wait to be written.
func (d *download) pieces(ctx context.Context, c *Client) error {
	var a wire.Artifact
	if err := c.calls.do(ctx, wire.MethodArtifactGet, wire.ArtifactParams{ID: d.id}, &a); err != nil {
		return err
	}
	if a.State != wire.ArtifactComplete || a.Size-d.offset <= pieceSize { // small, or not complete, which the server refuses
		return c.transfer(ctx, d.attempt)
	}
	d.artifact = &a
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	defer work.Wait()
	defer cancel()
	todo, ordered := make(chan *piece), make(chan *piece, piecesEach*c.o.Connections)
	from := d.offset
	work.Go(func() {
		defer close(todo)
		defer close(ordered)
		for at := from; at < a.Size; at += pieceSize {
			p := &piece{at: at, until: min(at+pieceSize, a.Size), done: make(chan struct{})}
			for _, to := range []chan *piece{ordered, todo} {
				select {
				case to <- p:
				case <-ctx.Done():
					return
				}
			}
		}
	})
	fetchers := func(from *Client) {
		var all sync.WaitGroup
		for range piecesEach {
			all.Go(func() { d.fetch(ctx, c, from, todo) })
		}
		all.Wait()
	}
	work.Go(func() { fetchers(c) })
	for range c.o.Connections - 1 {
		work.Go(func() {
			o := c.o
			o.NoStatus = true
			other, err := Dial(ctx, o)
			if err != nil { // the other connections do the work
				c.log.Warn("no further connection for a download", "err", err)
				return
			}
			defer other.Close()
			fetchers(other)
		})
	}
	return d.write(ctx, ordered)
}

// fetch fetches pieces over from until there are none. If another client than c fails, c fetches its piece and fetch
// returns.
func (d *download) fetch(ctx context.Context, c, from *Client, todo chan *piece) {
	for p := range todo {
		part := &download{id: d.id, w: &p.got, offset: p.at, until: p.until}
		p.err = from.transfer(ctx, part.attempt)
		failed := p.err != nil && from != c
		if failed && ctx.Err() == nil {
			p.err = c.transfer(ctx, part.attempt) // continues after what was received
		}
		close(p.done)
		if failed {
			return
		}
	}
}

// write writes the pieces in order.
func (d *download) write(ctx context.Context, ordered chan *piece) error {
	for p := range ordered {
		select {
		case <-p.done:
		case <-ctx.Done():
		}
		if ctx.Err() != nil { // the select may have chosen the other case
			return ctx.Err()
		}
		if p.err != nil {
			return p.err
		}
		if err := d.take(p.got.Bytes()); err != nil {
			return err
		}
	}
	return ctx.Err()
}
