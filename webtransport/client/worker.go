package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

// WorkerOptions configure a [Client.Worker]. Handle is needed.
type WorkerOptions struct {
	Type         string            // an agent type of kind remote; "": wire.DefaultWorkerType
	Name         string            // for people
	Labels       map[string]string // of the agent
	Capabilities []string          // that tasks may ask for, in addition to those of the type
	Concurrency  int               // tasks at the same time; 0: as many as the type says

	// Handle does a task and returns its result, of at most wire.MaxTaskOutput bytes. ctx ends when the task is canceled, its time is
	// over, or the agent has ended: then Handle returns soon. An error fails the task; one from [TryAgain] lets it be tried again.
	Handle func(ctx context.Context, t *Work) ([]byte, error)
	// Input is called with what people write to the agent, one at a time. It may be nil.
	Input func(wire.WorkerInput)
	// Joined is called when the program has become an agent, and again whenever it has come back. It may be nil.
	Joined func(wire.WorkerJoined)
}

// Worker makes a program an agent that does tasks. It lives over reconnects: what is said to it, and what it says, arrives once and in
// order, as long as the program is not away for longer than its lease.
type Worker struct {
	c    *Client
	o    WorkerOptions
	news chan struct{} // has a value when there is something to send

	mu       sync.Mutex
	key      string
	agent    wire.AgentID
	kept     [][]byte // messages that the server has not acknowledged
	before   uint64   // how many it has
	sent     int      // how many of kept were written to the present lane
	received uint64   // how many messages of the server were handled
	due      bool     // it does not know that yet
	works    map[wire.TaskID]*Work
	lastID   uint64
	waits    map[string]chan *wire.Message
	draining bool
	leaving  bool          // nothing is said after worker.leave
	stopped  error         // why the server has told it to stop; nil: it has not
	changed  chan struct{} // closed, and replaced, when works or waits have changed
}

// ErrStopped is returned by [Worker.Run] when somebody has stopped the agent.
var ErrStopped = errors.New("the agent was stopped")

// TryAgain returns an error with which a task is tried again, here or elsewhere, if it has attempts left.
func TryAgain(err error) error { return tryAgain{err} }

type tryAgain struct{ error }

func (e tryAgain) Unwrap() error { return e.error }

const (
	workerPause    = time.Second      // before a join that was refused for now is tried again; it doubles
	workerMaxPause = 15 * time.Second // and this is the longest
	workerLeave    = 2 * time.Second  // how long a program that leaves waits for the server to know
	cancelPatience = 3 * time.Second  // how long Handle may go on after a cancellation, before the place counts as free
)

// Worker makes this program an agent. Call Run.
func (c *Client) Worker(o WorkerOptions) *Worker {
	w := &Worker{c: c, o: o, news: make(chan struct{}, 1), changed: make(chan struct{})}
	w.begin()
	return w
}

// Serve makes this program an agent until ctx ends, or the agent is stopped.
func (c *Client) Serve(ctx context.Context, o WorkerOptions) error { return c.Worker(o).Run(ctx) }

// begin makes w an agent that the server does not know yet. The caller holds mu, or nobody else knows w.
func (w *Worker) begin() {
	w.key, w.agent = rand.Text(), ""
	w.kept, w.before, w.sent, w.received, w.due, w.leaving, w.stopped = nil, 0, 0, 0, false, false, nil
	w.works, w.waits = map[wire.TaskID]*Work{}, map[string]chan *wire.Message{}
}

// Run does tasks until ctx ends, the worker was drained, or the agent is stopped: then it returns ErrStopped. When ctx ends, the tasks
// that it has are given to others.
func (w *Worker) Run(ctx context.Context) error {
	defer w.lose("the program has ended")
	for pause := workerPause; ; {
		l, err := w.c.live(ctx)
		if err != nil {
			return ended(ctx, err)
		}
		joined, over, err := w.serve(ctx, l)
		var refused *wire.Error
		switch {
		case over:
			return err
		case joined:
			pause = workerPause
			continue
		case errors.As(err, &refused) && w.left(): // the server had its last word
			return w.whyStopped()
		case errors.As(err, &refused) && refused.Code == wire.CodeNotFound && w.knownAs() != "":
			w.lose("the server has given the agent up")
			continue
		case errors.As(err, &refused) && refused.Code == wire.CodePrecondition && w.knownAs() != "":
			return ErrStopped
		case errors.As(err, &refused) && !slices.Contains([]wire.ErrorCode{wire.CodeUnavailable, wire.CodeExhausted, wire.CodeInternal, wire.CodeTimeout}, refused.Code):
			return err
		case l.sess.Context().Err() != nil:
			continue
		}
		select {
		case <-time.After(pause):
			pause = min(2*pause, workerMaxPause)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// left reports whether the agent has said that it ends.
func (w *Worker) left() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.leaving
}

// whyStopped returns why the server has told the agent to stop, nil if it has not.
func (w *Worker) whyStopped() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stopped
}

func (w *Worker) knownAs() wire.AgentID {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.agent
}

// lose ends what an agent does that has ended, and begins another one.
func (w *Worker) lose(why string) {
	w.mu.Lock()
	works, waits := w.works, w.waits
	w.begin()
	w.moved()
	w.mu.Unlock()
	for _, t := range works {
		t.cancel(errors.New(why))
	}
	for _, c := range waits {
		close(c)
	}
}

// moved tells who waits for a change. The caller holds mu.
func (w *Worker) moved() {
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *Worker) wake() {
	select {
	case w.news <- struct{}{}:
	default:
	}
}

// serve is the agent on a lane of one session. over says that Run is to return.
func (w *Worker) serve(ctx context.Context, l *link) (joined, over bool, err error) {
	str, err := l.open(ctx, wire.Header{Lane: wire.LaneWorker})
	if err != nil {
		return false, false, hopeless(ctx, wire.LaneWorker, err)
	}
	defer reset(str)
	r := wire.NewReader(str)
	joining := context.AfterFunc(ctx, func() { reset(str) })
	res, err := w.join(str, r)
	if !joining() && ctx.Err() != nil {
		return false, true, ctx.Err()
	}
	if err != nil {
		return false, false, err
	}
	if w.o.Joined != nil {
		w.o.Joined(*res)
	}
	writing, stop := context.WithCancel(context.Background())
	written := make(chan struct{})
	go func() { defer close(written); w.write(writing, str) }()
	defer func() { stop(); reset(str); <-written }() // what it would take now, the next lane's misses
	gone := make(chan struct{})
	defer close(gone)
	go func() {
		select {
		case <-ctx.Done():
			w.leave(w.present())
			select {
			case <-time.After(workerLeave):
				reset(str)
			case <-gone:
			}
		case <-gone:
		}
	}()
	whole := w.read(r)
	w.mu.Lock()
	left, stopped := w.leaving && w.draining, w.stopped
	w.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return true, true, ctx.Err()
	case errors.Is(stopped, errRestart):
		w.lose("the server was stopped")
	case whole && (stopped != nil || left): // otherwise, the next lane brings what it has said
		return true, true, stopped
	}
	return true, false, nil
}

// join says worker.join on a lane.
func (w *Worker) join(str webtransport.Stream, r *wire.Reader) (*wire.WorkerJoined, error) {
	w.mu.Lock()
	p := wire.WorkerJoin{Type: w.o.Type, Name: w.o.Name, Labels: w.o.Labels, Capabilities: w.o.Capabilities, Concurrency: w.o.Concurrency,
		Key: w.key, Agent: w.agent, Received: w.received}
	w.mu.Unlock()
	b, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	line, err := wire.AppendLine(nil, &wire.Message{JSONRPC: "2.0", ID: json.RawMessage(`"join"`), Method: wire.MethodWorkerJoin, Params: b})
	if err != nil {
		return nil, err
	}
	if _, err := str.Write(line); err != nil {
		return nil, err
	}
	m, err := r.Answer()
	if err != nil {
		return nil, err
	}
	if m.Error != nil {
		return nil, m.Error
	}
	var res wire.WorkerJoined
	if err := json.Unmarshal(m.Result, &res); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.agent = res.Agent
	w.acknowledged(res.Received)
	w.sent, w.due = 0, false
	w.wake()
	return &res, nil
}

// acknowledged drops the messages that the server has. The caller holds mu.
func (w *Worker) acknowledged(received uint64) {
	if received <= w.before {
		return
	}
	n := int(min(received-w.before, uint64(len(w.kept))))
	w.kept = slices.Clone(w.kept[n:])
	w.before += uint64(n)
	w.sent = max(0, w.sent-n)
	w.moved()
}

// write writes to a lane what there is to send, until ctx ends. An error breaks the session; the next lane brings the rest.
func (w *Worker) write(ctx context.Context, str webtransport.Stream) {
	for {
		for {
			line := w.next()
			if line == nil {
				break
			}
			if _, err := str.Write(line); err != nil {
				return
			}
		}
		select {
		case <-w.news:
		case <-ctx.Done():
			w.wake() // for the next lane
			return
		}
	}
}

func (w *Worker) next() (line []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.due {
		w.due = false
		return lineOf(wire.MethodWorkerAck, wire.WorkerAck{Received: w.received}, nil)
	}
	if w.sent < len(w.kept) {
		w.sent++
		return w.kept[w.sent-1]
	}
	return nil
}

// lineOf encodes a message of plain data; with an id it is a request.
func lineOf(method string, params any, id json.RawMessage) []byte {
	m, err := wire.NewNotification(method, params)
	if err != nil {
		panic(fmt.Sprintf("client: encode %s: %v", method, err)) // impossible: it is plain data
	}
	m.ID = id
	line, err := wire.AppendLine(nil, m)
	if err != nil {
		panic(fmt.Sprintf("client: encode %s: %v", method, err))
	}
	return line
}

// say sends a message, now or on the next lane.
func (w *Worker) say(line []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.leaving {
		w.kept = append(w.kept, line)
		w.wake()
	}
}

// present returns the key of the agent that the program is now.
func (w *Worker) present() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.key
}

// leave says that the agent with this key ends, unless the program is another one meanwhile.
func (w *Worker) leave(key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.leaving && key == w.key {
		w.kept = append(w.kept, lineOf(wire.MethodWorkerLeave, struct{}{}, nil))
		w.leaving = true
		w.wake()
	}
}

var errRestart = errors.New("the server is stopping")

// read handles messages until the lane ends, or breaks: then it is not whole.
func (w *Worker) read(r *wire.Reader) (whole bool) {
	for {
		m, err := r.Answer()
		if err != nil {
			return errors.Is(err, io.EOF)
		}
		if m.Method == wire.MethodWorkerAck {
			var v wire.WorkerAck
			if json.Unmarshal(m.Params, &v) == nil {
				w.mu.Lock()
				w.acknowledged(v.Received)
				w.mu.Unlock()
			}
			continue
		}
		w.hear(m)
		w.mu.Lock()
		w.received++
		w.due = true
		w.mu.Unlock()
		w.wake()
	}
}

// hear handles a message.
func (w *Worker) hear(m *wire.Message) {
	switch m.Method {
	case "":
		w.mu.Lock()
		c := w.waits[string(m.ID)]
		delete(w.waits, string(m.ID))
		w.mu.Unlock()
		if c != nil {
			c <- m
		}
	case "task.run":
		var v taskRun
		if json.Unmarshal(m.Params, &v) == nil {
			w.run(v)
		}
	case "task.cancel":
		var v struct{ Task wire.TaskID }
		if json.Unmarshal(m.Params, &v) == nil {
			w.mu.Lock()
			t := w.works[v.Task]
			w.mu.Unlock()
			if t != nil {
				t.cancel(errCanceled)
			}
		}
	case wire.MethodWorkerInput:
		var v wire.WorkerInput
		if json.Unmarshal(m.Params, &v) == nil && w.o.Input != nil {
			w.o.Input(v)
		}
	case wire.MethodWorkerStop:
		var v wire.WorkerStop
		json.Unmarshal(m.Params, &v)
		w.mu.Lock()
		if w.stopped = ErrStopped; v.Restart {
			w.stopped = errRestart
		}
		go w.stop(w.key, time.Duration(v.GraceMS)*time.Millisecond)
		w.mu.Unlock()
	}
}

var errCanceled = errors.New("the task was canceled")

// stop ends what the agent with this key does, and leaves.
func (w *Worker) stop(key string, grace time.Duration) {
	w.mu.Lock()
	works := slices.Collect(maps.Values(w.works))
	w.mu.Unlock()
	for _, t := range works {
		t.cancel(ErrStopped)
	}
	w.settle(grace - grace/10)
	w.leave(key)
}

// settle waits until no task is left, or for so long.
func (w *Worker) settle(patience time.Duration) {
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		w.mu.Lock()
		n, changed := len(w.works), w.changed
		w.mu.Unlock()
		if n == 0 {
			return
		}
		select {
		case <-changed:
		case <-late.C:
			return
		}
	}
}

// Drain lets the worker do the tasks that it has, and take no more. Then Run returns nil.
func (w *Worker) Drain(ctx context.Context) error {
	w.mu.Lock()
	w.draining = true
	w.mu.Unlock()
	if err := w.request(ctx, wire.MethodWorkerDrain, struct{}{}, nil); err != nil {
		return err
	}
	for {
		w.mu.Lock()
		n, changed := len(w.works), w.changed
		w.mu.Unlock()
		if n == 0 {
			break
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	w.leave(w.present())
	return nil
}

// request sends a request of the agent and waits for its answer.
func (w *Worker) request(ctx context.Context, method string, params, result any) error {
	b, err := json.Marshal(params)
	if err != nil {
		return err
	}
	done := make(chan *wire.Message, 1)
	w.mu.Lock()
	w.lastID++
	id := strconv.FormatUint(w.lastID, 10)
	line, err := wire.AppendLine(nil, &wire.Message{JSONRPC: "2.0", ID: json.RawMessage(id), Method: method, Params: b})
	if err == nil && len(line) > wire.MaxMessage {
		err = tooLong(method, wire.MaxMessage)
	}
	if err == nil && w.leaving {
		err = ErrStopped
	}
	if err != nil {
		w.mu.Unlock()
		return err
	}
	w.waits[id] = done
	w.kept = append(w.kept, line)
	w.mu.Unlock()
	w.wake()
	select {
	case m, ok := <-done:
		switch {
		case !ok:
			return wire.Errorf(wire.CodeOutcomeUnknown, "the agent has ended, and it is not known whether the request was carried out")
		case m.Error != nil:
			return m.Error
		case result == nil:
			return nil
		}
		return json.Unmarshal(m.Result, result)
	case <-ctx.Done():
		w.mu.Lock()
		delete(w.waits, id)
		w.mu.Unlock()
		if method == wire.MethodWorkerAsk {
			w.say(lineOf(wire.MethodWorkerUnask, wire.WorkerUnask{ID: id}, nil))
		}
		return context.Cause(ctx)
	}
}

// taskRun is what an agent is told about its task (docs/agents.md, "Messages to the agent").
type taskRun struct {
	Task        wire.TaskID       `json:"task"`
	Attempt     int               `json:"attempt"`
	Name        string            `json:"name"`
	Input       string            `json:"input"`
	InputBase64 []byte            `json:"input_base64"`
	Priority    wire.Priority     `json:"priority"`
	Labels      map[string]string `json:"labels"`
	Deadline    *time.Time        `json:"deadline"`
}

// Work is a task that a Worker does.
type Work struct {
	Task     wire.TaskID
	Attempt  int // from 1
	Name     string
	Input    []byte
	Priority wire.Priority
	Labels   map[string]string
	Deadline *time.Time // nil: none

	w      *Worker
	cancel context.CancelCauseFunc
	over   bool // its end was said; guarded by Worker.mu
}

// run begins a task.
func (w *Worker) run(v taskRun) {
	t := &Work{Task: v.Task, Attempt: v.Attempt, Name: v.Name, Input: []byte(v.Input), Priority: v.Priority, Labels: v.Labels, Deadline: v.Deadline, w: w}
	if v.InputBase64 != nil {
		t.Input = v.InputBase64
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	t.cancel = cancel
	w.mu.Lock()
	w.works[t.Task] = t
	w.mu.Unlock()
	done := make(chan struct{})
	go func() {
		select {
		case <-ctx.Done():
			select {
			case <-time.After(cancelPatience):
				t.end(nil, unlessStopped(ctx, context.Cause(ctx)))
			case <-done:
			}
		case <-done:
		}
	}()
	go func() {
		defer cancel(nil)
		out, err := w.handle(ctx, t)
		close(done)
		t.end(out, unlessStopped(ctx, err))
	}()
}

// unlessStopped is the error of a task. One that ended because the program is stopped, or its server is, can be tried again: it has not
// failed by itself.
func unlessStopped(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), ErrStopped) && (errors.Is(err, context.Canceled) || errors.Is(err, ErrStopped)) {
		return TryAgain(err)
	}
	return err
}

// handle calls Handle. A panic fails the task.
func (w *Worker) handle(ctx context.Context, t *Work) (out []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return w.o.Handle(ctx, t)
}

// end says the end of the task, once.
func (t *Work) end(out []byte, err error) {
	w := t.w
	w.mu.Lock()
	over := t.over || w.works[t.Task] != t
	t.over = true
	if !over {
		delete(w.works, t.Task)
	}
	w.mu.Unlock()
	if over {
		return
	}
	if err == nil && len(out) > wire.MaxTaskOutput {
		err = fmt.Errorf("the result has %d bytes, %d are allowed; put it into memory or an artifact", len(out), wire.MaxTaskOutput)
	}
	said := map[string]any{"task": t.Task}
	method := "task.result"
	if err != nil {
		method = "task.error"
		said["message"], said["retryable"] = wire.Cut(err.Error(), wire.MaxProgressText), errors.As(err, new(tryAgain))
	} else if p := wire.NewPayload(out); p.Base64 != nil {
		said["output_base64"] = p.Base64
	} else {
		said["output"] = p.Text
	}
	w.say(lineOf(method, said, nil))
	w.mu.Lock()
	w.moved()
	w.mu.Unlock()
}

// Progress reports how far the task is: a text for people, of which wire.MaxProgressText bytes are kept, and a fraction from 0 to 1.
func (t *Work) Progress(text string, fraction float64) {
	text = wire.Cut(text, wire.MaxProgressText)
	if math.IsNaN(fraction) { // such as of nothing
		fraction = 0
	}
	fraction = min(max(fraction, 0), 1)
	if t.lives() {
		t.w.say(lineOf("task.progress", map[string]any{"task": t.Task, "text": text, "fraction": fraction}, nil))
	}
}

// lives reports whether the task is still the agent's: not so when the agent was lost and the program is another one now.
func (t *Work) lives() bool {
	t.w.mu.Lock()
	defer t.w.mu.Unlock()
	return t.w.works[t.Task] == t
}

var errNotYours = wire.Errorf(wire.CodePrecondition, "the task is over, or its agent has ended")

// Print shows output on the agent's page, and in its log.
func (t *Work) Print(text string) {
	for len(text) > 0 && t.lives() {
		n := min(len(text), maxPlainText)
		for n < len(text) && n > 1 && !utf8.RuneStart(text[n]) {
			n--
		}
		t.w.say(lineOf(wire.MethodWorkerOutput, wire.WorkerOutput{Text: text[:n]}, nil))
		text = text[n:]
	}
}

// Ask asks people a question, and waits for the answer. Without options, the answer is a text.
func (t *Work) Ask(ctx context.Context, text string, options ...wire.AskOption) (*wire.WorkerAnswer, error) {
	var a wire.WorkerAnswer
	if !t.lives() {
		return nil, errNotYours
	}
	return &a, t.w.request(ctx, wire.MethodWorkerAsk, wire.WorkerAsk{Task: t.Task, Text: text, Options: options}, &a)
}

// Call makes a request as the agent, such as memory.store, within what its type may do (docs/agents.md). It is carried out once.
func (t *Work) Call(ctx context.Context, method string, params, result any) error {
	if !t.lives() {
		return errNotYours
	}
	return t.w.request(ctx, method, params, result)
}
