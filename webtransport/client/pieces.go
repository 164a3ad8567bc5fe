package client

import (
	"bytes"
	"context"
	"sync"

	"skein.dev/skein/webtransport/wire"
)

const (
	// pieceSize is what one stream fetches of an artifact that comes over several connections, in bytes.
	pieceSize = 1 << 20
	// piecesEach is how many a connection fetches at once, so that one moves while the next is asked for.
	piecesEach = 2
)

// piece is a part of an artifact on its way.
type piece struct {
	at, until int64
	got       bytes.Buffer
	err       error
	done      chan struct{} // closed when got is whole, or err says why not
}

// pieces downloads over several connections: each fetches whatever piece is next, and they are written in their order,
// so that what is written is always the artifact's beginning. At most piecesEach more a connection wait to be written.
func (d *download) pieces(ctx context.Context, c *Client) error {
	var a wire.Artifact
	if err := c.calls.do(ctx, wire.MethodArtifactGet, wire.ArtifactParams{ID: d.id}, &a); err != nil {
		return err
	}
	if a.State != wire.ArtifactComplete || a.Size-d.offset <= pieceSize { // too small, or for the server to refuse
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
			if err != nil { // the others do without it
				c.log.Warn("no further connection for a download", "err", err)
				return
			}
			defer other.Close()
			fetchers(other)
		})
	}
	return d.write(ctx, ordered)
}

// fetch gets pieces over a client until there are none. Where another one than c fails, c gets its piece, and it ends.
func (d *download) fetch(ctx context.Context, c, from *Client, todo chan *piece) {
	for p := range todo {
		part := &download{id: d.id, w: &p.got, offset: p.at, until: p.until}
		p.err = from.transfer(ctx, part.attempt)
		failed := p.err != nil && from != c
		if failed && ctx.Err() == nil {
			p.err = c.transfer(ctx, part.attempt) // goes on behind what came
		}
		close(p.done)
		if failed {
			return
		}
	}
}

// write takes the pieces in their order.
func (d *download) write(ctx context.Context, ordered chan *piece) error {
	for p := range ordered {
		select {
		case <-p.done:
		case <-ctx.Done():
		}
		if ctx.Err() != nil { // both may be true: a select takes either
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
