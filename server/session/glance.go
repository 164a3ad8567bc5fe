package session

import (
	"cmp"
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"skein.dev/skein/server/fleet"
	"skein.dev/skein/webtransport/wire"
)

// glanceBeat is what the times of pictures are rounded up to, so that those of many lanes are sent together: in fewer packets, and read by
// the client in one go.
const glanceBeat = 50 * time.Millisecond

// glance is a lane that shows pictures of an agent. The client asks for each of them, so that what an agent prints while the client does
// not read, or draws more slowly, is no queue anywhere: the next picture is the newest.
type glance struct {
	// static
	l    *lane
	of   *fleet.Glance
	news chan struct{}         // has a value when the picture may have changed
	seen chan wire.PictureSeen // what the client has said last

	// owned by run
	last wire.Picture // what was sent
	seq  uint64       // of it
	due  time.Time    // when the next one may be sent
}

// serveGlance shows a client what an agent shows.
func (c *conn) serveGlance(l *lane, h wire.Header) {
	leave := sync.OnceFunc(func() { c.glances.Add(-1) })
	defer leave()
	g, err := c.newGlance(l, h)
	if err != nil {
		leave()
		l.refuse(nil, err)
		return
	}
	defer g.of.Notify(g.wake)()
	ctx, end := context.WithCancelCause(c.ctx)
	defer end(nil)
	c.lanes.Go(func() { end(g.listen()) })
	err = g.run(ctx)
	if gone := context.Cause(ctx); gone != nil {
		err = gone
	}
	if leave(); err != nil {
		l.cancel(glanceCode(err))
		return
	}
	l.end()
	<-ctx.Done() // the client has ended its side, too
	c.ended.remove(l)
}

// newGlance counts one more glance, also if it can't be.
func (c *conn) newGlance(l *lane, h wire.Header) (*glance, error) {
	if c.glances.Add(1) > wire.MaxGlances {
		return nil, wire.Errorf(wire.CodeExhausted, "a session can have %d glances", wire.MaxGlances)
	}
	of, err := c.s.Plane.Glance(c.ctx, h.Agent, cmp.Or(h.Rows, wire.DefaultPictureRows), cmp.Or(h.Cols, wire.DefaultPictureCols))
	return &glance{l: l, of: of, news: make(chan struct{}, 1), seen: make(chan wire.PictureSeen, 1)}, err
}

// wake says that the picture may have changed. It does not wait.
func (g *glance) wake() {
	select {
	case g.news <- struct{}{}:
	default:
	}
}

// errNoMessage says that a client sent what is not for a glance lane, errLook that the agent's log can't be read.
var (
	errNoMessage = errors.New("not a message of a glance lane")
	errLook      = errors.New("the agent can't be looked at")
)

func glanceCode(err error) wire.StreamCode {
	switch {
	case errors.Is(err, errNoMessage):
		return wire.StreamBadMessage
	case errors.Is(err, errLook):
		return wire.StreamInternal
	}
	return lineCode(err)
}

// listen takes what the client has seen, until it ends the lane. It returns why that is.
func (g *glance) listen() error {
	for {
		m, err := g.l.r.Message()
		if we := (*wire.Error)(nil); errors.As(err, &we) {
			return errNoMessage
		}
		if err != nil {
			return err
		}
		var seen wire.PictureSeen
		if m.Method != wire.NoteSeen || !m.IsNotification() || wire.DecodeParams(m.Params, &seen) != nil {
			return errNoMessage
		}
		select { // the latest counts
		case <-g.seen:
		default:
		}
		g.seen <- seen
	}
}

// run sends pictures until the agent has ended, or ctx. It returns nil when the client has seen the last one.
func (g *glance) run(ctx context.Context) error {
	for {
		ended, sent, err := g.look(ctx)
		if err != nil {
			return err
		}
		if sent {
			if err := g.mayGoOn(ctx); err != nil {
				return err
			}
		}
		if ended {
			return nil
		}
		select {
		case <-g.news:
		case <-ctx.Done():
			return io.EOF
		}
		if err := sleepUntil(ctx, g.due); err != nil {
			return err
		}
	}
}

// look sends the picture, if it is another one.
func (g *glance) look(ctx context.Context) (ended, sent bool, err error) {
	p, ended, err := g.of.Look(ctx)
	if err != nil {
		if ctx.Err() == nil {
			g.l.c.log.Error("an agent could not be looked at", "err", err)
		}
		return false, false, errLook
	}
	change, changed := g.last.To(&p)
	if !changed && !ended && g.seq > 0 {
		return false, false, nil
	}
	g.seq++
	change.Seq, change.Ended = g.seq, ended
	if err := g.send(ctx, change); err != nil {
		return false, false, err
	}
	g.last = p
	return ended, true, nil
}

// send writes a picture. It waits for as long as the client does not read, which holds up nothing else.
func (g *glance) send(ctx context.Context, change wire.PictureChange) error {
	m, err := wire.NewNotification(wire.NotePicture, change)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { g.l.str.CancelWrite(uint32(glanceCode(context.Cause(ctx)))) })
	defer stop()
	return g.l.write(m, forever)
}

// forever is longer than any session.
const forever = 10 * 365 * 24 * time.Hour

// mayGoOn waits until the client asks for the next picture.
func (g *glance) mayGoOn(ctx context.Context) error {
	sent := time.Now()
	for {
		select {
		case seen := <-g.seen:
			if seen.Seq == g.seq {
				g.due = sent.Add(time.Duration(seen.Wait()) * time.Millisecond)
				return nil
			}
		case <-ctx.Done():
			return io.EOF
		}
	}
}

// began is what beats are counted from.
var began = time.Now()

// sleepUntil waits for the first beat at a time or after it.
func sleepUntil(ctx context.Context, at time.Time) error {
	left := time.Until(at)
	if left <= 0 {
		return ctx.Err()
	}
	if rest := at.Sub(began) % glanceBeat; rest > 0 {
		left += glanceBeat - rest
	}
	t := time.NewTimer(left)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
