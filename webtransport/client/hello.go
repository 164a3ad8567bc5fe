package client

import (
	"context"
	"encoding/json"
	"fmt"

	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

// Control is the control lane of a session whose hello was answered.
type Control struct {
	Stream  webtransport.Stream
	Reader  *wire.Reader // of Stream
	Welcome wire.Welcome
}

// SayHello opens the control lane of a session. It sends the header of the lane and the hello in one write, so that they
// take one round trip. If ctx ends before the reply arrives, SayHello closes the session.
func SayHello(ctx context.Context, sess webtransport.Session, h wire.Hello) (*Control, error) {
	stop := context.AfterFunc(ctx, func() { sess.Close(uint32(wire.CloseNormal), "") })
	c, err := sayHello(ctx, sess, h)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

func sayHello(ctx context.Context, sess webtransport.Session, h wire.Hello) (*Control, error) {
	m, err := wire.NewRequest(json.RawMessage(`"hello"`), wire.MethodHello, h)
	if err != nil {
		return nil, err
	}
	line, err := wire.AppendLine(nil, wire.Header{Lane: wire.LaneControl})
	if err == nil {
		line, err = wire.AppendLine(line, m)
	}
	if err != nil {
		return nil, err
	}
	str, err := sess.OpenStream(ctx)
	if err != nil {
		return nil, err
	}
	str.SetClass(uint8(wire.ClassCritical))
	if _, err := str.Write(line); err != nil {
		return nil, err
	}
	c := &Control{Stream: str, Reader: wire.NewReader(str)}
	answer, err := c.Reader.Message()
	switch {
	case err != nil:
		return nil, fmt.Errorf("no answer to hello: %w", err)
	case answer.Error != nil:
		return nil, answer.Error
	}
	return c, json.Unmarshal(answer.Result, &c.Welcome)
}
