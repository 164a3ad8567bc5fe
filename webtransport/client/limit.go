package client

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

// pages reads a list page by page until it has limit records, or all if limit is 0. one reads a page of at most limit
// records, or as many as the server likes if that is 0. It returns how many it read and whether there are more.
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

// tooLong is the error for whoever waits for a line that exceeds what the reader accepts.
func tooLong(what string, limit int) error {
	return wire.Errorf(wire.CodeTooLarge, "%s has a message that is longer than %d bytes, the most that this client reads", what, limit)
}

// refusals are the stream codes after which another attempt would fail too.
var refusals = []wire.StreamCode{wire.StreamBadHeader, wire.StreamBadLane, wire.StreamTooLarge, wire.StreamBadMessage}

// hopeless returns the error that ends a reader of a lane if another attempt would fail in the same way, and nil if it
// may succeed.
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
