package client

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

// GlanceOptions configure a [Client.Glance]. The zero value asks for the server's defaults.
type GlanceOptions struct {
	Rows, Cols int           // of the pictures of output, at most; the screen of a terminal has its own size
	Every      time.Duration // between two pictures, at least
}

// Glance shows what an agent shows, over reconnects: it calls show with the present picture, and with the newest one whenever that is
// another and show has returned. It returns nil after the last picture of an agent that has ended, or the error of show, of ctx or of a
// server that refuses.
func (c *Client) Glance(ctx context.Context, agent wire.AgentID, o GlanceOptions, show func(wire.Picture) error) error {
	h := wire.Header{Lane: wire.LaneGlance, Agent: agent, Rows: o.Rows, Cols: o.Cols}
	for {
		l, err := c.live(ctx)
		if err != nil {
			return err
		}
		ended, err := l.glance(ctx, h, o.Every, show)
		if ended || err != nil {
			return err
		}
		if l.sess.Context().Err() == nil { // only the lane broke
			select {
			case <-time.After(laneGap):
			case <-ctx.Done():
			}
		}
	}
}

// glance shows the pictures of one lane. It returns false if the session broke, and the caller continues in the next one.
func (l *link) glance(ctx context.Context, h wire.Header, every time.Duration, show func(wire.Picture) error) (ended bool, err error) {
	str, err := l.open(ctx, h)
	if err != nil {
		return false, hopeless(ctx, h.Lane, err)
	}
	defer reset(str)
	stop := context.AfterFunc(ctx, func() { reset(str) })
	defer stop()
	var p wire.Picture
	for r := wire.NewReader(str); ; {
		line, err := r.Line(wire.MaxLine)
		if err != nil {
			return false, hopeless(ctx, h.Lane, err)
		}
		c, err := changeOf(line)
		if err != nil {
			return false, err
		}
		if err := p.Apply(&c); err != nil {
			return false, fmt.Errorf("lane %s: %w", h.Lane, err)
		}
		if err := show(p); err != nil {
			return false, err
		}
		if err := sawPicture(str, wire.PictureSeen{Seq: c.Seq, WaitMS: every.Milliseconds()}); err != nil {
			return false, hopeless(ctx, h.Lane, err)
		}
		if c.Ended {
			return true, nil
		}
	}
}

// changeOf reads a message of the server.
func changeOf(line []byte) (c wire.PictureChange, err error) {
	var m wire.Message
	if err := json.Unmarshal(line, &m); err != nil {
		return c, fmt.Errorf("lane %s: %w", wire.LaneGlance, err)
	}
	if m.Error != nil {
		return c, m.Error
	}
	if err := json.Unmarshal(m.Params, &c); err != nil {
		return c, fmt.Errorf("lane %s: %w", wire.LaneGlance, err)
	}
	return c, nil
}

// sawPicture asks for the next picture.
func sawPicture(str webtransport.Stream, seen wire.PictureSeen) error {
	m, err := wire.NewNotification(wire.NoteSeen, seen)
	if err != nil {
		return err
	}
	line, err := wire.AppendLine(nil, m)
	if err != nil {
		return err
	}
	_, err = str.Write(line)
	return err
}
