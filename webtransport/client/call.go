package client

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// pendingCall is a request without its answer.
type pendingCall struct {
	lane     wire.Lane
	line     []byte // the message, to be sent again
	race     []byte // the same as a datagram, if it is critical; nil: it has none
	input    bool   // it counts among Client.inputs
	done     chan *wire.Message
	answered atomic.Bool
}

// call sends a request and waits for its answer, over as many sessions as it takes.
func (c *Client) call(ctx context.Context, method string, params, result any) error {
	p, err := c.request(method, params)
	if err != nil {
		return err
	}
	defer c.forget(p)
	m, err := c.await(ctx, p.call)
	for tries := 0; err == nil && m.Error != nil && m.Error.Code == wire.CodeOutcomeUnknown && tries < maxUnsure; tries++ {
		if err = c.again(ctx, p.call); err == nil {
			m, err = c.await(ctx, p.call)
		}
	}
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", method, err)
	case m.Error != nil:
		return m.Error
	case result == nil:
		return nil
	}
	if err := json.Unmarshal(m.Result, result); err != nil {
		return fmt.Errorf("%s: read the answer: %w", method, err)
	}
	return nil
}

const (
	// maxUnsure bounds how often a request is sent again to whose effect the server has no answer, as its store has none.
	maxUnsure = 5
	// unsureGap lies between such an answer and the request.
	unsureGap = time.Second
)

func (c *Client) await(ctx context.Context, p *pendingCall) (*wire.Message, error) {
	select {
	case m := <-p.done:
		return m, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-c.ctx.Done():
		return nil, context.Cause(c.ctx)
	}
}

// again sends a request once more, under its id: what became of it is known then, or is done.
func (c *Client) again(ctx context.Context, p *pendingCall) error {
	select {
	case <-time.After(unsureGap):
	case <-ctx.Done():
		return ctx.Err()
	case <-c.ctx.Done():
		return context.Cause(c.ctx)
	}
	p.answered.Store(false)
	c.mu.Lock()
	l := c.link
	c.mu.Unlock()
	if l != nil { // else it is sent with the next session
		l.send(p)
	}
	return nil
}

func requestTooLong(size, limit int) *wire.Error {
	return wire.Errorf(wire.CodeTooLarge, "the request has %d bytes; the server takes %d (max_message)", size, limit)
}

type registered struct {
	id   string
	call *pendingCall
}

func (c *Client) request(method string, params any) (registered, error) {
	return c.requestOn(wire.LaneOf(method), method, params)
}

func (c *Client) requestOn(lane wire.Lane, method string, params any) (registered, error) {
	c.mu.Lock()
	if len(c.pending) >= maxPending {
		c.mu.Unlock()
		return registered{}, fmt.Errorf("%s: %d requests wait for their answers already", method, maxPending)
	}
	c.nextID++
	id := strconv.FormatUint(c.nextID, 10)
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
		return registered{}, fmt.Errorf("%s: %w", method, requestTooLong(len(line), wire.MaxMessage))
	}
	p := registered{id, &pendingCall{lane: lane, line: line, done: make(chan *wire.Message, 1)}}
	if wire.Races(method) {
		p.call.race, _ = wire.AppendMessageDatagram(nil, wire.DatagramRequest, line)
	}
	c.mu.Lock()
	behind := false
	if method == wire.MethodInput {
		if c.inputs++; c.inputs > 1 { // it must not overtake those before it
			behind, p.call.race = true, nil
		}
		p.call.input = true
	}
	c.pending[id] = p.call
	c.order = append(c.order, id)
	l, e := c.link, c.early
	c.mu.Unlock()
	switch { // else it is sent with the next session
	case l != nil:
		l.send(p.call)
	case e != nil && !behind:
		e.send(method, p.call)
	}
	return p, nil
}

func (c *Client) forget(p registered) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pending[p.id] == p.call && p.call.input {
		c.inputs--
	}
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
		p.answer(m)
	}
}

func (p *pendingCall) answer(m *wire.Message) {
	p.answered.Store(true)
	select {
	case p.done <- m:
	default:
	}
}
