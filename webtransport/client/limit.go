package client

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

// pages reads a list page by page, until there are limit records; 0: all. one reads a page of limit records at most (0: as
// many as the server likes), and says how many came and whether more follow.
func pages(limit int, one func(limit int) (came int, more bool, err error)) error {
	for got := 0; ; {
		left := 0
		if limit > 0 {
			left = limit - got
		}
		came, more, err := one(left)
		got += came
		if err != nil || !more || came == 0 || limit > 0 && got >= limit {
			return err
		}
	}
}

// tooLong is what a line that exceeds the reader's bound means to whoever waits for it.
func tooLong(what string, limit int) error {
	return wire.Errorf(wire.CodeTooLarge, "%s has a message that is longer than %d bytes, the most that this client reads", what, limit)
}

// refusals are the stream codes that another attempt can't change.
var refusals = []wire.StreamCode{wire.StreamBadHeader, wire.StreamBadLane, wire.StreamTooLarge, wire.StreamBadMessage}

// hopeless is what a lane of its own ends with where another attempt would end like this one; nil: another may go well.
func hopeless(ctx context.Context, lane wire.Lane, err error) error {
	var line *wire.LineError
	var reset *webtransport.StreamError
	var refused *wire.Error
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &line):
		return tooLong("lane "+string(lane), line.Limit)
	case errors.As(err, &refused):
		return refused
	case errors.As(err, &reset) && reset.Remote && slices.Contains(refusals, wire.StreamCode(reset.Code)):
		return fmt.Errorf("the server refused the lane %s: stream code %d", lane, reset.Code)
	}
	return nil
}
