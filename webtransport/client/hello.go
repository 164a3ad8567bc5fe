package client

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

// Control is the control lane of a session whose hello was answered.
type Control struct {
	Stream  webtransport.Stream
	Reader  *wire.Reader // of Stream
	Welcome wire.Welcome
}

// SayHello opens the control lane of a session: the lane's header and the hello go out in one write, for one round trip. It
// closes the session when ctx ends before the answer came.
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

// greet says hello on a new session, and closes it when that fails.
func (c *Client) greet(ctx context.Context, sess webtransport.Session, d wire.Door) (*link, error) {
	l := &link{c: c, sess: sess, kind: d.Transport, since: time.Now(), writes: webtransport.Shaper{Gate: webtransport.NewGate(maxWriters), Pacer: webtransport.NewPacer(sess)}}
	ctrl, err := SayHello(ctx, sess, c.hello(d.Ticket))
	if err != nil {
		go sess.Close(uint32(wire.CloseNormal), "")
		return nil, fmt.Errorf("%s: %w", d.Transport, err)
	}
	l.ctrl, l.r, l.welcome = &rpcLane{str: ctrl.Stream}, ctrl.Reader, ctrl.Welcome
	return l, nil
}

// hello introduces this client, with the session that it had before, if any.
func (c *Client) hello(ticket string) wire.Hello {
	h := wire.Hello{Versions: []string{wire.Version}, Ticket: ticket, NoStatus: c.o.NoStatus,
		Client: wire.ClientInfo{ID: c.id, Name: c.o.Name, Version: c.o.Version}}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last.Session != "" {
		h.Resume = &wire.Resume{Session: c.last.Session, Epoch: c.last.Epoch}
	}
	return h
}
