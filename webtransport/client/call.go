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

// maxPending bounds the requests that wait for replies.
const maxPending = 4096

// pendingCall is a request that waits for its reply.
type pendingCall struct {
	method   string
	lane     wire.Lane
	line     []byte // the message, kept to be repeated
	race     []byte // the same as a datagram; nil unless the request is critical
	input    bool   // it is counted in calls.inputs
	done     chan *wire.Message
	answered atomic.Bool
}

// sender is what requests are sent on: a session, or a connection that has no session yet. A request that it can't send
// is sent in the next session.
type sender interface{ send(*pendingCall) }

// calls holds the requests of a Client that wait for replies, across sessions.
type calls struct {
	ctx context.Context // of the Client

	mu      sync.Mutex
	session sender // the live session; nil if there is none
	early   sender // where requests may be sent before the first session; may be nil
	nextID  uint64
	inputs  int // how many of pending are inputs
	pending map[string]*pendingCall
	order   []string // keys of pending, oldest first
}

// use makes session the live one, or records that there is none if session is nil, and repeats the requests that wait.
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

// do sends a request and waits for its reply, across as many sessions as that takes.
func (c *calls) do(ctx context.Context, method string, params, result any) error {
	if err := ctx.Err(); err != nil { // nothing is asked for that nobody waits for
		return fmt.Errorf("%s: %w", method, err)
	}
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
	// maxUnsure bounds how often a request is repeated whose outcome the server does not know, because its store did not
	// reply.
	maxUnsure = 5
	// unsureGap is the pause before such a repetition.
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

// again repeats a request with the same id. By then the server knows the outcome of the first attempt, or carries the
// request out.
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
	if session != nil { // otherwise it is sent in the next session
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
		if c.inputs++; c.inputs > 1 { // inputs must not overtake each other
			behind, p.call.race = true, nil
		}
		p.call.input = true
	}
	c.pending[id] = p.call
	c.order = append(c.order, id)
	session, early := c.session, c.early
	c.mu.Unlock()
	switch { // otherwise it is sent in the next session
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

// answered hands a reply to the call that waits for it. If a request was sent twice, the second reply is ignored.
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

// newID returns a new request id.
func (c *calls) newID() json.RawMessage {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nextID++
	return json.RawMessage(strconv.FormatUint(c.nextID, 10))
}

// lineBroke ends the calls that a failed read of a lane concerns.
func (c *calls) lineBroke(lane wire.Lane, err error) {
	var line *wire.LineError
	if errors.As(err, &line) {
		c.unreadable(lane, line)
	}
}

// unreadable fails the request whose reply exceeds what this client reads, or all requests of the lane if that one is not
// known. They are not repeated, because the replies would be the same.
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
