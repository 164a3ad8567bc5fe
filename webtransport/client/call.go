package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// maxPending bounds the requests that wait for an answer.
const maxPending = 4096

// pendingCall is a request without its answer.
type pendingCall struct {
	method   string
	lane     wire.Lane
	line     []byte // the message, to be sent again
	race     []byte // the same as a datagram, if it is critical; nil: it has none
	input    bool   // it counts among calls.inputs
	done     chan *wire.Message
	answered atomic.Bool
}

// sender is what requests go out on: a session, or a connection that has none yet. What it can't send waits for the next
// session.
type sender interface{ send(*pendingCall) }

// calls are the requests of a Client that wait for their answers, over as many sessions as it takes.
type calls struct {
	ctx context.Context // of the Client

	mu      sync.Mutex
	session sender // the live one; nil between two
	early   sender // before the first session: where requests may go out; nil: nowhere
	nextID  uint64
	inputs  int // pending
	pending map[string]*pendingCall
	order   []string // of pending, oldest first, for sending again
}

// use makes a session the live one, nil: there is none, and sends again what waits for an answer.
func (c *calls) use(session sender) {
	c.mu.Lock()
	c.session, c.early = session, nil
	var again []*pendingCall
	if session != nil {
		for _, id := range c.order {
			again = append(again, c.pending[id])
		}
	}
	c.mu.Unlock()
	for _, p := range again {
		session.send(p)
	}
}

// do sends a request and waits for its answer, over as many sessions as it takes.
func (c *calls) do(ctx context.Context, method string, params, result any) error {
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

func (c *calls) await(ctx context.Context, p *pendingCall) (*wire.Message, error) {
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
func (c *calls) again(ctx context.Context, p *pendingCall) error {
	select {
	case <-time.After(unsureGap):
	case <-ctx.Done():
		return ctx.Err()
	case <-c.ctx.Done():
		return context.Cause(c.ctx)
	}
	p.answered.Store(false)
	c.mu.Lock()
	session := c.session
	c.mu.Unlock()
	if session != nil { // else it is sent with the next session
		session.send(p)
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

func (c *calls) request(method string, params any) (registered, error) {
	return c.requestOn(wire.LaneOf(method), method, params)
}

func (c *calls) requestOn(lane wire.Lane, method string, params any) (registered, error) {
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
	p := registered{id, &pendingCall{method: method, lane: lane, line: line, done: make(chan *wire.Message, 1)}}
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
	session, early := c.session, c.early
	c.mu.Unlock()
	switch { // else it is sent with the next session
	case session != nil:
		session.send(p.call)
	case early != nil && !behind:
		early.send(p.call)
	}
	return p, nil
}

func (c *calls) forget(p registered) {
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
func (c *calls) answered(m *wire.Message) {
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

// newID is a fresh request id.
func (c *calls) newID() json.RawMessage {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nextID++
	return json.RawMessage(strconv.FormatUint(c.nextID, 10))
}

// lineBroke looks why the reading of a lane of requests ended.
func (c *calls) lineBroke(lane wire.Lane, err error) {
	var line *wire.LineError
	if errors.As(err, &line) {
		c.unreadable(lane, line)
	}
}

// unreadable ends the request whose answer exceeds what this side reads, or, where it can't be told which one that is, those
// of its lane. Asked again, they would be answered so again.
func (c *calls) unreadable(lane wire.Lane, line *wire.LineError) {
	err := wire.AsError(tooLong("the answer", line.Limit))
	if id := line.AnswerTo(); id != nil {
		c.answered(&wire.Message{ID: id, Error: err})
		return
	}
	c.mu.Lock()
	var all []string
	for id, p := range c.pending {
		if p.lane == lane {
			all = append(all, id)
		}
	}
	c.mu.Unlock()
	for _, id := range all {
		c.answered(&wire.Message{ID: []byte(id), Error: err})
	}
}
