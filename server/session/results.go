package session

import (
	"context"
	"errors"
	"io"

	"skein.dev/skein/webtransport/wire"
)

// serveResults sends an orchestration's results as they complete, and its end.
func (c *conn) serveResults(l *lane, h wire.Header) {
	f, err := c.s.Plane.Tasks.FollowResults(h.Task, int(h.After))
	if err != nil {
		l.send(wire.NewError(nil, wire.AsError(err)))
		l.end()
		l.drain()
		return
	}
	defer f.Close()
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	c.lanes.Go(func() { // a client that resets the lane no longer wants it
		defer cancel()
		defer c.ended.remove(l)
		if err := l.serve(noRequests); err == nil {
			<-ctx.Done()
		}
	})
	for {
		results, task, err := f.Next(ctx)
		if errors.Is(err, io.EOF) {
			l.notify(wire.NoteAggregate, wire.Aggregate{Task: task})
			l.end()
			return
		}
		if err != nil {
			l.cancel(wire.StreamCanceled)
			return
		}
		for _, r := range results {
			if h.HTML {
				r.HTML = c.s.Renderer.Result(ctx, r)
			}
			if err := l.notify(wire.NoteResult, r); err != nil {
				l.cancel(lineCode(err))
				return
			}
		}
	}
}

func noRequests(context.Context, *lane, *wire.Message) (any, error) {
	return nil, wire.Errorf(wire.CodeMethodNotFound, "this lane takes no requests")
}
