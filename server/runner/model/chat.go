package model

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// Bounds of what an endpoint sends.
const (
	maxAnswer    = 8 << 20  // bytes of a whole answer, unless Options.Answer says otherwise
	maxProblem   = 64 << 10 // bytes that are read of an error
	maxToolCalls = 128      // of an answer
)

// message is one message of a conversation.
type message struct {
	Role       string     `json:"role"`
	Content    string     `json:"content"`
	ToolCalls  []toolCall `json:"tool_calls,omitempty"`
	ToolCallID string     `json:"tool_call_id,omitempty"`
}

// size is about how much memory a message takes, in bytes.
func (m *message) size() int {
	n := 64 + len(m.Content)
	for _, c := range m.ToolCalls {
		n += 64 + len(c.Function.Name) + len(c.Function.Arguments)
	}
	return n
}

// toolCall is a call that a model wants to be made.
type toolCall struct {
	ID       string       `json:"id"`
	Type     string       `json:"type"` // function
	Function functionCall `json:"function"`
}

type functionCall struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments"` // JSON
}

// usage counts tokens.
type usage struct {
	Input        int `json:"prompt_tokens"`
	Output       int `json:"completion_tokens"`
	InputDetails struct {
		Cached int `json:"cached_tokens"`
	} `json:"prompt_tokens_details"`
	OutputDetails struct {
		Reasoning int `json:"reasoning_tokens"`
	} `json:"completion_tokens_details"`
}

// answer is what a model says in answer to a conversation.
type answer struct {
	message
	finish string // stop, length, tool_calls, content_filter; "": it was cut off
	usage  *usage // nil: the endpoint does not say
	size   int    // of its parts, in bytes
	limit  int    // of that
	key    string // that no error may have

	// what joined makes the message of, because adding to a string a word at a time copies it each time
	text      []byte
	arguments [][]byte // of the tool calls
}

// joined makes the message whole.
func (a *answer) joined() {
	a.Content = string(a.text)
	ids := map[string]bool{}
	for i := range a.ToolCalls {
		c := &a.ToolCalls[i]
		if c.Function.Arguments = string(a.arguments[i]); ids[c.ID] { // an answer is that of one call
			c.ID = fmt.Sprintf("%s_%d", c.ID, i)
		}
		ids[c.ID] = true
	}
}

// chunk is a part of an answer, or a whole one.
type chunk struct {
	Choices []struct {
		Delta   *delta `json:"delta"`
		Message *delta `json:"message"`
		Finish  string `json:"finish_reason"`
	} `json:"choices"`
	Usage *usage          `json:"usage"`
	Error json.RawMessage `json:"error"`
}

type delta struct {
	Content   string      `json:"content"`
	Thought   string      `json:"reasoning_content"` // DeepSeek, llama.cpp, vLLM
	Reasoning string      `json:"reasoning"`         // Ollama, newer vLLM
	Refusal   string      `json:"refusal"`
	ToolCalls []toolDelta `json:"tool_calls"`
}

type toolDelta struct {
	Index    *int   `json:"index"`
	ID       string `json:"id"`
	Function struct {
		Name      string          `json:"name"`
		Arguments json.RawMessage `json:"arguments"` // a string; of some endpoints, an object
	} `json:"function"`
}

// listener hears an answer while it comes.
type listener interface {
	message(text string)
	thought(text string)
	retries(why string, wait time.Duration)
}

// transient is the error of a request that may succeed later, and of which nothing was heard yet.
type transient struct {
	error
	wait time.Duration // that the endpoint asks for
}

var errStalled = errors.New("the endpoint is silent")

// endpoint asks a model for answers.
type endpoint struct {
	spec  *wire.Model
	http  *http.Client
	pause time.Duration // before the second try
	tries int
	limit int // bytes of an answer

	// what the endpoint has refused
	noUsage, noTools, newLimit bool
}

// ask sends a conversation and returns the answer. It tries again if the endpoint is busy or out of reach, and nothing was heard of
// the answer yet. With an error, the answer is what has come of it.
func (e *endpoint) ask(ctx context.Context, messages []message, tools []tool, to listener) (answer, error) {
	for try := 1; ; try++ {
		a, err := e.once(ctx, messages, tools, to)
		var t transient
		switch {
		case err == nil || ctx.Err() != nil || a.size > 0:
			return a, err
		case e.adapt(err):
			try--
			continue
		case !errors.As(err, &t) || try >= e.tries:
			return a, err
		}
		wait := max(t.wait, e.pause<<(try-1))
		if wait > maxWait {
			return a, fmt.Errorf("%w; it asks to wait for %s, which is too long", err, wait.Round(time.Second))
		}
		to.retries(err.Error(), wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return a, context.Cause(ctx)
		}
	}
}

// refusal is the error of a request that the endpoint does not take.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string {
	s := fmt.Sprintf("the endpoint answers %d %s", r.status, http.StatusText(r.status))
	if r.text != "" {
		s += ": " + r.text
	}
	switch r.status {
	case http.StatusNotFound:
		s += " (is model.url right? It ends before /chat/completions. Is there a model of that name?)"
	case http.StatusUnauthorized, http.StatusForbidden:
		s += " (model.key_env or model.key_file names the key)"
	}
	return s
}

// adapt reports whether a request that was refused is worth another try without something that not every endpoint knows.
func (e *endpoint) adapt(err error) bool {
	var r *refusal
	if !errors.As(err, &r) || r.status != http.StatusBadRequest && r.status != http.StatusUnprocessableEntity {
		return false
	}
	for what, without := range map[string]*bool{"stream_options": &e.noUsage, "max_completion_tokens": &e.newLimit, "support tools": &e.noTools} {
		if !*without && strings.Contains(r.text, what) {
			*without = true
			return true
		}
	}
	return false
}

// body is the body of a request.
func (e *endpoint) body(messages []message, tools []tool) ([]byte, error) {
	req := map[string]any{}
	for k, v := range e.spec.Options {
		req[k] = v
	}
	req["model"], req["messages"], req["stream"] = e.spec.Name, messages, true
	if !e.noUsage {
		req["stream_options"] = map[string]bool{"include_usage": true}
	}
	if n := e.spec.MaxTokens; n > 0 && e.newLimit {
		req["max_completion_tokens"] = n
	} else if n > 0 {
		req["max_tokens"] = n
	}
	if len(tools) > 0 && !e.noTools {
		list := []any{}
		for _, t := range tools {
			list = append(list, map[string]any{"type": "function", "function": t.function})
		}
		req["tools"] = list
	}
	return json.Marshal(req)
}

// once makes one request.
func (e *endpoint) once(ctx context.Context, messages []message, tools []tool, to listener) (a answer, err error) {
	a.limit = e.limit
	key, err := keyOf(e.spec)
	if err != nil {
		return a, err
	}
	a.key = key
	defer func() {
		a.joined()
		err = hide(err, key)
	}()
	body, err := e.body(messages, tools)
	if err != nil {
		return a, err
	}
	stall := time.Duration(cmp.Or(e.spec.StallMS, wire.DefaultModelStall)) * time.Millisecond
	reading, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silent := time.AfterFunc(stall, func() { cancel(fmt.Errorf("%w for %s", errStalled, stall)) })
	defer silent.Stop()
	req, err := http.NewRequestWithContext(reading, http.MethodPost, strings.TrimSuffix(e.spec.URL, "/")+"/chat/completions", bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("User-Agent", "skein")
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := e.http.Do(req)
	if err != nil {
		if reading.Err() != nil {
			return a, context.Cause(reading)
		}
		return a, transient{error: fmt.Errorf("the endpoint can't be reached: %w", err)}
	}
	defer resp.Body.Close()
	in := &heard{resp.Body, func() { silent.Reset(stall) }}
	if resp.StatusCode != http.StatusOK {
		return a, problem(resp, in, key)
	}
	switch kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind {
	case "text/event-stream":
		err = readEvents(in, func(data []byte) error { return a.event(data, to) })
	case "application/json":
		err = a.whole(in, to)
	default:
		return a, fmt.Errorf("the endpoint answers with %.60q, not with an answer of a model (is model.url right? It ends before /chat/completions)", kind)
	}
	switch {
	case err == errDone, err != nil && a.finish != "" && reading.Err() == nil:
		err = nil
	case reading.Err() != nil:
		err = context.Cause(reading)
	case err == nil && a.finish == "":
		err = errors.New("the endpoint has cut the answer off")
	}
	if err != nil && a.size == 0 && ctx.Err() == nil && !errors.Is(err, errStalled) && !errors.Is(err, errLongEvent) {
		err = transient{error: err}
	}
	return a, err
}

var errDone = errors.New("done")

// event takes one event of a stream.
func (a *answer) event(data []byte, to listener) error {
	if string(bytes.TrimSpace(data)) == "[DONE]" {
		if a.finish == "" && a.size > 0 {
			a.finish = "stop"
		}
		return errDone
	}
	var c chunk
	if err := json.Unmarshal(data, &c); err != nil {
		return fmt.Errorf("the endpoint sends what is no part of an answer: %s", wire.Cut(err.Error(), 200))
	}
	return a.take(&c, len(data), to)
}

// whole takes an answer that does not come as a stream.
func (a *answer) whole(r io.Reader, to listener) error {
	b, err := io.ReadAll(io.LimitReader(r, int64(a.limit)+1))
	if err != nil {
		return err
	}
	var c chunk
	if err := json.Unmarshal(b, &c); err != nil {
		return fmt.Errorf("the endpoint sends what is no answer: %s", wire.Cut(err.Error(), 200))
	}
	return a.take(&c, len(b), to)
}

// take adds a part.
func (a *answer) take(c *chunk, size int, to listener) error {
	if len(c.Error) > 0 && string(c.Error) != "null" {
		return fmt.Errorf("the endpoint reports an error: %s", problemText(c.Error, a.key))
	}
	if c.Usage != nil {
		a.usage = c.Usage
	}
	if len(c.Choices) == 0 {
		return nil
	}
	choice := c.Choices[0]
	if a.size += size; a.size > a.limit {
		return fmt.Errorf("the answer is larger than %d bytes", a.limit)
	}
	d := choice.Delta
	if d == nil {
		d = choice.Message
	}
	if d != nil {
		if text := cmp.Or(d.Thought, d.Reasoning); text != "" {
			to.thought(text)
		}
		if text := d.Content + d.Refusal; text != "" {
			a.text = append(a.text, text...)
			to.message(text)
		}
		for i := range d.ToolCalls {
			if err := a.call(&d.ToolCalls[i]); err != nil {
				return err
			}
		}
	}
	if choice.Finish != "" {
		a.finish = choice.Finish
	}
	return nil
}

// call adds a part of a tool call: to the one that its index or id names, or to the last one.
func (a *answer) call(d *toolDelta) error {
	i := len(a.ToolCalls) - 1
	switch {
	case d.Index != nil:
		i = a.place(*d.Index, d)
	case d.ID != "" && (i < 0 || a.ToolCalls[i].ID != d.ID), i < 0:
		i++
	}
	if i < 0 || i > len(a.ToolCalls) || i >= maxToolCalls {
		return fmt.Errorf("the answer has a tool call at the place %d, after %d", i, len(a.ToolCalls))
	}
	if i == len(a.ToolCalls) {
		a.ToolCalls = append(a.ToolCalls, toolCall{Type: "function", ID: cmp.Or(d.ID, fmt.Sprintf("call_%d", i))})
		a.arguments = append(a.arguments, nil)
	}
	c := &a.ToolCalls[i]
	c.Function.Name += d.Function.Name
	var text string
	if raw := d.Function.Arguments; json.Unmarshal(raw, &text) != nil {
		text = string(raw)
	}
	a.arguments[i] = append(a.arguments[i], text...)
	return nil
}

// place returns which tool call a part belongs to that names a place. Gemini, and Ollama before it counted, name the place 0 for all
// calls of an answer, which have ids of their own. Other endpoints send a new id with each part of a call, but its name only once.
func (a *answer) place(i int, d *toolDelta) int {
	if i < 0 || i >= len(a.ToolCalls) || d.ID == "" || a.ToolCalls[i].ID == d.ID {
		return i
	}
	if known := slices.IndexFunc(a.ToolCalls, func(c toolCall) bool { return c.ID == d.ID }); known >= 0 {
		return known
	}
	if d.Function.Name != "" {
		return len(a.ToolCalls)
	}
	return i
}

// wellFormed are tool calls as they stay in the conversation. Endpoints read them with each request, and refuse the whole of it for one
// whose arguments are no object, or that has a name such as no function has.
func wellFormed(calls []toolCall) []toolCall {
	calls = slices.Clone(calls)
	for i := range calls {
		f := &calls[i].Function
		var args map[string]json.RawMessage
		if json.Unmarshal([]byte(f.Arguments), &args) != nil || args == nil {
			f.Arguments = "{}"
		}
		f.Name = cmp.Or(notInName.ReplaceAllString(f.Name, "_"), "_")
		f.Name = f.Name[:min(len(f.Name), maxName)]
	}
	return calls
}

// notInName has what the name of a function can't have.
var notInName = regexp.MustCompile(`[^a-zA-Z0-9_-]`)

const maxName = 64 // bytes of the name of a function

// heard is a body that tells when something comes.
type heard struct {
	io.Reader
	something func()
}

func (h *heard) Read(b []byte) (int, error) {
	n, err := h.Reader.Read(b)
	if n > 0 {
		h.something()
	}
	return n, err
}

// problem is the error of an answer that is none.
func problem(resp *http.Response, body io.Reader, key string) error {
	if to := resp.Header.Get("Location"); resp.StatusCode/100 == 3 && to != "" {
		return fmt.Errorf("the endpoint says that it is at %s: set model.url to that", wire.Cut(without(to, key), 300))
	}
	b, _ := io.ReadAll(io.LimitReader(body, maxProblem))
	err := &refusal{resp.StatusCode, problemText(b, key)}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return transient{err, retryAfter(resp.Header.Get("Retry-After"))}
	}
	return err
}

// Unwrap returns what went wrong.
func (t transient) Unwrap() error { return t.error }

// problemText is what an error says, in one of the forms that endpoints have for it, without the key.
func problemText(b []byte, key string) string {
	type said struct {
		Message string `json:"message"`
		Detail  string `json:"detail"`
	}
	var outer struct {
		said
		Error json.RawMessage `json:"error"`
	}
	var inner said
	var text string
	if json.Unmarshal(b, &outer) == nil {
		json.Unmarshal(outer.Error, &inner)
		json.Unmarshal(outer.Error, &text)
	}
	if text == "" && json.Unmarshal(b, &text) != nil {
		text = ""
	}
	text = cmp.Or(inner.Message, text, outer.Message, outer.Detail, string(b))
	return wire.Cut(without(strings.Join(strings.Fields(strings.ToValidUTF8(text, "�")), " "), key), 500)
}

// retryAfter reads a Retry-After (RFC 9110, section 10.2.3). It is 0 if there is none.
func retryAfter(s string) time.Duration {
	if n, err := strconv.ParseFloat(s, 64); err == nil && n > 0 {
		return time.Duration(min(n, 1e6) * float64(time.Second))
	}
	if t, err := http.ParseTime(s); err == nil {
		return max(0, time.Until(t))
	}
	return 0
}

// maxKey bounds a key, in bytes.
const maxKey = 16 << 10

// keyOf reads the key of a model. It is "" if none is configured.
func keyOf(m *wire.Model) (string, error) {
	var key string
	switch {
	case m.KeyEnv != "":
		if key = os.Getenv(m.KeyEnv); key == "" {
			return "", fmt.Errorf("the environment variable %s, which is to have the key of the model, is not set", m.KeyEnv)
		}
	case m.KeyFile != "":
		f, err := os.Open(m.KeyFile)
		if err != nil {
			return "", fmt.Errorf("the key of the model can't be read: %w", err)
		}
		defer f.Close()
		b, err := io.ReadAll(io.LimitReader(f, maxKey))
		if err != nil {
			return "", fmt.Errorf("the key of the model can't be read: %w", err)
		}
		key = string(b)
	}
	if key = strings.TrimSpace(key); strings.ContainsFunc(key, func(c rune) bool { return c < ' ' || c > '~' }) {
		return "", errors.New("the key of the model has characters that no header may have")
	}
	return key, nil
}

// hide removes a key from an error. What is cut is without the key before that: hide would not find a part of it.
func hide(err error, key string) error {
	if err == nil || key == "" || !strings.Contains(err.Error(), key) {
		return err
	}
	var t transient
	hidden := errors.New(without(err.Error(), key))
	if errors.As(err, &t) {
		return transient{hidden, t.wait}
	}
	return hidden
}

// without is a text without a key; "": there is none.
func without(text, key string) string {
	if key == "" {
		return text
	}
	return strings.ReplaceAll(text, key, "(the key)")
}
