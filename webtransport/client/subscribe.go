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

// errDone ends a subscription from within.
var errDone = errors.New("done")

// subscribe keeps a lane of its own open for what the server sends by itself, over reconnects, so that a reader that is
// slow holds up nothing else. first is asked for the lane's header and its first request, if it has one, each time
// that the lane is opened; take gets every message. It ends with ctx, with the Client, with the server's refusal, or
// with take's error; errDone is no error.
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

// subscribe reads one lane. nil: the session broke; go on in the next.
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
