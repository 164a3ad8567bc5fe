package acp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// maxWaiting bounds what waits to be written to an agent that does not read, in bytes.
const maxWaiting = 64 << 20

// message is one message of JSON-RPC 2.0.
type message struct {
	JSONRPC string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *rpcError       `json:"error,omitempty"`
}

// rpcError is the error of a request.
type rpcError struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data,omitempty"`
}

// Error implements error. Agents put what a person needs into data.details, or data itself.
func (e *rpcError) Error() string {
	var d struct {
		Details string `json:"details"`
		Message string `json:"message"`
	}
	json.Unmarshal(e.Data, &d)
	var text string
	json.Unmarshal(e.Data, &text)
	for _, more := range []string{d.Details, d.Message, text} {
		if more != "" && more != e.Message {
			return fmt.Sprintf("%s: %s (%d)", e.Message, more, e.Code)
		}
	}
	return fmt.Sprintf("%s (%d)", e.Message, e.Code)
}

// The codes of errors.
const (
	codeMethodNotFound = -32601
	codeInvalidParams  = -32602
	codeAuthRequired   = -32000 // ACP
	codeCanceled       = -32800 // ACP, $/cancel_request
)

// peer handles what an agent sends by itself. Its methods are called one at a time, in order.
type peer interface {
	request(m *message)             // answers it by conn.reply, now or later
	notice(m *message)              // a notification
	text(line []byte, whole bool)   // output that is no message
	odd(format string, args ...any) // says what is wrong with a line
}

// conn is the connection with an agent.
type conn struct {
	peer peer

	// of hear
	line []byte
	skip bool // inside a line that is too long
	mid  bool // inside a line that is no message

	mu      sync.Mutex
	last    int
	waits   map[string]*wait // for answers, by id
	out     [][]byte
	size    int
	more    chan struct{} // has a value when there is something to write
	closing bool          // close standard input after it
	over    bool
}

// wait is a request that waits for its answer.
type wait struct {
	answer chan *message
	then   func(*message) // called with the answer before anything that comes after it is heard; nil: nothing is
}

func newConn(p peer) *conn {
	return &conn{peer: p, waits: map[string]*wait{}, more: make(chan struct{}, 1)}
}

// hear takes what the agent has written to its standard output, in pieces of any size.
func (c *conn) hear(b []byte) {
	for len(b) > 0 {
		piece, rest, whole := bytes.Cut(b, []byte{'\n'})
		b = rest
		switch {
		case c.skip:
			c.skip = !whole
		case c.mid || len(c.line) == 0 && !mayBegin(piece):
			c.peer.text(piece, whole)
			c.mid = !whole
		case len(c.line)+len(piece) > maxLine:
			c.line, c.skip = nil, !whole
			c.peer.odd("a message is longer than %d bytes, and was dropped", maxLine)
		case !whole:
			c.line = append(c.line, piece...)
		default:
			line := piece
			if len(c.line) > 0 {
				line = append(c.line, piece...)
			}
			c.line = nil
			c.message(line)
		}
	}
}

// mayBegin reports whether a line may be a message.
func mayBegin(line []byte) bool {
	line = bytes.TrimLeft(line, " \t\r")
	return len(line) == 0 || line[0] == '{'
}

// message handles one line that looks like a message.
func (c *conn) message(line []byte) {
	if len(bytes.TrimSpace(line)) == 0 {
		return
	}
	var m message
	if err := json.Unmarshal(line, &m); err != nil || m.Method == "" && len(m.ID) == 0 {
		c.peer.text(line, true)
		return
	}
	if bytes.Equal(m.ID, []byte("null")) {
		m.ID = nil
	}
	switch {
	case len(m.ID) > maxWord:
		c.peer.odd("a message was dropped: its id has %d bytes", len(m.ID))
	case m.Method == "":
		c.answer(&m)
	case len(m.ID) == 0:
		c.peer.notice(&m)
	default:
		c.peer.request(&m)
	}
}

// answer hands an answer to whoever waits for it.
func (c *conn) answer(m *message) {
	c.mu.Lock()
	w := c.waits[string(m.ID)]
	delete(c.waits, string(m.ID))
	c.mu.Unlock()
	if w == nil {
		c.peer.odd("the agent answers a request that nobody made: %s", wire.Cut(string(m.ID), 40))
		return
	}
	if w.then != nil {
		w.then(m)
	}
	w.answer <- m
}

// call makes a request and waits for its answer, which is decoded into result unless that is nil.
func (c *conn) call(ctx context.Context, method string, params, result any) error {
	return c.callThen(ctx, method, params, result, nil)
}

// callThen does the same, and calls then with the answer, be it an error or not, before anything that comes after it is heard.
func (c *conn) callThen(ctx context.Context, method string, params, result any, then func(*message)) error {
	answer, err := c.begin(method, params, then)
	if err != nil {
		return err
	}
	return answer(ctx, result)
}

// begin makes a request. The caller must call answer, which waits for its answer.
func (c *conn) begin(method string, params any, then func(*message)) (answer func(ctx context.Context, result any) error, err error) {
	w := &wait{make(chan *message, 1), then}
	c.mu.Lock()
	c.last++
	id := strconv.Itoa(c.last)
	c.waits[id] = w
	c.mu.Unlock()
	forget := func() {
		c.mu.Lock()
		delete(c.waits, id)
		c.mu.Unlock()
	}
	if err := c.send(message{ID: json.RawMessage(id), Method: method}, params); err != nil {
		forget()
		return nil, err
	}
	return func(ctx context.Context, result any) error {
		defer forget()
		select {
		case m := <-w.answer:
			if m.Error != nil {
				return m.Error
			}
			if result == nil {
				return nil
			}
			if err := json.Unmarshal(m.Result, result); err != nil {
				return fmt.Errorf("its answer to %s makes no sense: %w", method, err)
			}
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}, nil
}

// notify sends a notification.
func (c *conn) notify(method string, params any) error {
	return c.send(message{Method: method}, params)
}

// reply answers a request of the agent.
func (c *conn) reply(id json.RawMessage, result any, failure *rpcError) {
	m := message{ID: id, Error: failure}
	if failure == nil {
		b, err := json.Marshal(result)
		if err != nil {
			m.Error = &rpcError{Code: codeInvalidParams, Message: err.Error()}
		} else {
			m.Result = b
		}
	}
	c.send(m, nil)
}

var errEnded = errors.New("the agent has ended")

var errUnread = errors.New("the agent does not read its input")

// send queues a message.
func (c *conn) send(m message, params any) error {
	m.JSONRPC = "2.0"
	if params != nil {
		b, err := json.Marshal(params)
		if err != nil {
			return err
		}
		m.Params = b
	}
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.over || c.closing:
		return errEnded
	case c.size+len(b) > maxWaiting:
		return errUnread
	}
	c.out, c.size = append(c.out, append(b, '\n')), c.size+len(b)+1
	c.wake()
	return nil
}

// wake is called with mu held.
func (c *conn) wake() {
	select {
	case c.more <- struct{}{}:
	default:
	}
}

// close closes the agent's standard input when everything is written.
func (c *conn) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closing = true
	c.wake()
}

// ended says that no answer will come any more.
func (c *conn) ended() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
}

// write writes what is queued, until ctx ends.
func (c *conn) write(ctx context.Context, to runner.Inputter) {
	for {
		select {
		case <-c.more:
		case <-ctx.Done():
			return
		}
		for {
			c.mu.Lock()
			var b []byte
			if len(c.out) > 0 {
				b = c.out[0]
				c.out, c.size = c.out[1:], c.size-len(b)
			}
			closing := c.closing && b == nil
			c.mu.Unlock()
			if b == nil && !closing {
				break
			}
			if err := to.Input(ctx, b, closing); err != nil || closing {
				if ctx.Err() == nil && !closing {
					c.peer.odd("nothing can be written to the agent: %s", wire.AsError(err).Message)
				}
				return
			}
		}
	}
}
