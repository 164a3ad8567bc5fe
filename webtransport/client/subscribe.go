package client

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"skein.dev/skein/webtransport/wire"
)

// errDone is returned by a function to end its subscription.
var errDone = errors.New("done")

// subscribe keeps open a lane of its own on which the server sends messages, across reconnects, so that a slow reader
// delays nothing else. Whenever it opens the lane, it calls first for the header and the first request, which may be nil.
// It passes each message to take. subscribe returns when ctx or the Client ends, when the server refuses the lane, or
// when take returns an error. It returns nil if that is errDone.
func (c *Client) subscribe(ctx context.Context, first func() (wire.Header, *wire.Message), take func(*wire.Message) error) error {
	for {
		l, err := c.live(ctx)
		if err != nil {
			return err
		}
		if err := l.subscribe(ctx, first, take); err != nil {
			if errors.Is(err, errDone) {
				return nil
			}
			return err
		}
	}
}

// subscribe reads one lane. It returns nil if the session broke, and the caller continues in the next one.
func (l *link) subscribe(ctx context.Context, first func() (wire.Header, *wire.Message), take func(*wire.Message) error) error {
	h, request := first()
	str, err := l.open(ctx, h)
	if err != nil {
		return hopeless(ctx, h.Lane, err)
	}
	defer reset(str)
	stop := context.AfterFunc(ctx, func() { reset(str) })
	defer stop()
	if request != nil {
		line, err := wire.AppendLine(nil, request)
		if err != nil {
			return err
		}
		if limit := cmp.Or(l.welcome.Limits.MaxMessage, wire.MaxMessage); len(line) > limit {
			return requestTooLong(len(line), limit)
		}
		if _, err := str.Write(line); err != nil {
			return hopeless(ctx, h.Lane, err)
		}
	}
	r := wire.NewReader(str)
	for {
		line, err := r.Line(wire.MaxLine)
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("the server ended the lane %s", h.Lane)
		}
		if err != nil {
			return hopeless(ctx, h.Lane, err)
		}
		var m wire.Message
		if err := json.Unmarshal(line, &m); err != nil {
			return fmt.Errorf("lane %s: %w", h.Lane, err)
		}
		if m.Error != nil {
			return m.Error
		}
		if err := take(&m); err != nil {
			return err
		}
	}
}
