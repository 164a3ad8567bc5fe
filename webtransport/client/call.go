package client

import (
	"context"
	"encoding/json"
	"fmt"

	"skein.dev/skein/webtransport/wire"
)

// pendingCall is a request without its answer.
type pendingCall struct {
	line []byte // the message, to be sent again
	done chan *wire.Message
}

// call sends a request and waits for its answer, over as many sessions as it takes.
func (c *Client) call(ctx context.Context, method string, params, result any) error {
	p, err := c.request(method, params)
	if err != nil {
		return err
	}
	defer c.forget(p)
	select {
	case m := <-p.call.done:
		if m.Error != nil {
			return m.Error
		}
		if result == nil {
			return nil
		}
		if err := json.Unmarshal(m.Result, result); err != nil {
			return fmt.Errorf("%s: read the answer: %w", method, err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, ctx.Err())
	case <-c.ctx.Done():
		return fmt.Errorf("%s: %w", method, context.Cause(c.ctx))
	}
}

type registered struct {
	id   string
	call *pendingCall
}

func (c *Client) request(method string, params any) (registered, error) {
	c.mu.Lock()
	if len(c.pending) >= maxPending {
		c.mu.Unlock()
		return registered{}, fmt.Errorf("%s: %d requests wait for their answers already", method, maxPending)
	}
	c.nextID++
	id := fmt.Sprintf("%d", c.nextID)
	c.mu.Unlock()
	m, err := wire.NewRequest(json.RawMessage(id), method, params)
	if err != nil {
		return registered{}, fmt.Errorf("%s: %w", method, err)
	}
	line, err := wire.AppendLine(nil, m)
	if err != nil {
		return registered{}, fmt.Errorf("%s: %w", method, err)
	}
	if len(line) > wire.MaxMessage {
		return registered{}, fmt.Errorf("%s: the request is longer than %d bytes", method, wire.MaxMessage)
	}
	p := registered{id, &pendingCall{line: line, done: make(chan *wire.Message, 1)}}
	c.mu.Lock()
	c.pending[id] = p.call
	c.order = append(c.order, id)
	l := c.link
	c.mu.Unlock()
	if l != nil { // else it is sent with the next session
		l.send(line)
	}
	return p, nil
}

func (c *Client) forget(p registered) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pending, p.id)
	for i, id := range c.order {
		if id == p.id {
			c.order = append(c.order[:i], c.order[i+1:]...)
			return
		}
	}
}

// answered gives an answer to the call that waits for it. The second answer to a request sent twice finds none.
func (c *Client) answered(m *wire.Message) {
	c.mu.Lock()
	p := c.pending[string(m.ID)]
	c.mu.Unlock()
	if p != nil {
		select {
		case p.done <- m:
		default:
		}
	}
}
