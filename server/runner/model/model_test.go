package model_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/server/runner/acp"
	"skein.dev/skein/server/runner/model"
	"skein.dev/skein/server/runner/process"
	"skein.dev/skein/webtransport/wire"
)

// request is what an endpoint is asked.
type request struct {
	Model    string `json:"model"`
	Messages []struct {
		Role       string `json:"role"`
		Content    string `json:"content"`
		ToolCallID string `json:"tool_call_id"`
		ToolCalls  []struct {
			ID       string `json:"id"`
			Function struct {
				Name      string `json:"name"`
				Arguments string `json:"arguments"`
			} `json:"function"`
		} `json:"tool_calls"`
	} `json:"messages"`
	Tools []struct {
		Function struct {
			Name       string          `json:"name"`
			Parameters json.RawMessage `json:"parameters"`
		} `json:"function"`
	} `json:"tools"`
	Stream        bool            `json:"stream"`
	StreamOptions json.RawMessage `json:"stream_options"`
	Temperature   float64         `json:"temperature"`

	key string
	ctx context.Context
}

// last is what the last message says.
func (r *request) last() string { return r.Messages[len(r.Messages)-1].Content }

// endpoint is one that answers as a test says, over HTTP. The last answer is used again.
type endpoint struct {
	*httptest.Server

	mu      sync.Mutex
	answers []func(http.ResponseWriter, *request)
	asked   []*request
}

func newEndpoint(t *testing.T, answers ...func(http.ResponseWriter, *request)) *endpoint {
	e := &endpoint{answers: answers}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req := &request{key: r.Header.Get("Authorization"), ctx: r.Context()}
		if err := json.NewDecoder(r.Body).Decode(req); err != nil || r.URL.Path != "/v1/chat/completions" {
			t.Errorf("%s: %v", r.URL, err)
		}
		e.mu.Lock()
		answer := e.answers[min(len(e.asked), len(e.answers)-1)]
		e.asked = append(e.asked, req)
		e.mu.Unlock()
		answer(w, req)
	}))
	t.Cleanup(e.Close)
	return e
}

// requests are those that have come.
func (e *endpoint) requests() []*request {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.asked)
}

// events answers with events.
func events(data ...string) func(http.ResponseWriter, *request) {
	return func(w http.ResponseWriter, _ *request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, d := range data {
			fmt.Fprintf(w, "data: %s\n\n", d)
			w.(http.Flusher).Flush()
		}
	}
}

// says answers with a text, in two parts.
func says(text string) func(http.ResponseWriter, *request) {
	half := len(text) / 2
	return events(part(`"content":`+quoted(text[:half])), part(`"content":`+quoted(text[half:])), finish("stop"),
		`{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":4}}}`, "[DONE]")
}

// wants answers with a tool call, in parts.
func wants(name, arguments string) func(http.ResponseWriter, *request) {
	half := len(arguments) / 2
	return events(part(`"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":`+quoted(name)+`,"arguments":""}}]`),
		part(`"tool_calls":[{"index":0,"function":{"arguments":`+quoted(arguments[:half])+`}}]`),
		part(`"tool_calls":[{"index":0,"function":{"arguments":`+quoted(arguments[half:])+`}}]`), finish("tool_calls"), "[DONE]")
}

// status answers with an error.
func status(code int, body string, headers ...string) func(http.ResponseWriter, *request) {
	return func(w http.ResponseWriter, _ *request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
		io.WriteString(w, body)
	}
}

func part(delta string) string { return `{"choices":[{"index":0,"delta":{` + delta + `}}]}` }

func finish(why string) string {
	return `{"choices":[{"index":0,"delta":{},"finish_reason":"` + why + `"}]}`
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// agent is a model that runs, and what it did.
type agent struct {
	runner.Session
	*endpoint
	dir string

	mu     sync.Mutex
	events []runner.Event
	answer func(runner.Permission) string
}

const instance = "testing"

// agents counts the agents: what belongs to one of them is told by its id.
var agents atomic.Int64

func start(t *testing.T, spec wire.Model, answers ...func(http.ResponseWriter, *request)) *agent {
	t.Helper()
	return startWith(t, runner.Launch{Model: &spec}, answers...)
}

func startWith(t *testing.T, l runner.Launch, answers ...func(http.ResponseWriter, *request)) *agent {
	t.Helper()
	a := &agent{endpoint: newEndpoint(t, answers...), dir: t.TempDir(), answer: func(runner.Permission) string { return "once" }}
	procs := process.New(process.Options{Instance: instance})
	t.Cleanup(procs.Close)
	if l.Model.URL == "" {
		l.Model.URL = a.URL + "/v1"
	}
	l.Model.Name = "small"
	l.Agent, l.Instance, l.Cwd = wire.AgentID(fmt.Sprintf("amodel%d", agents.Add(1))), instance, a.dir
	s, err := acp.New(model.New(procs, model.Options{Pause: time.Microsecond, Answer: 512 << 10, Talk: 2 << 20})).Start(t.Context(), l, a.heard)
	if err != nil {
		t.Fatal(err)
	}
	a.Session = s
	t.Cleanup(func() {
		s.Stop(context.Background(), 0)
		<-s.Done()
	})
	return a
}

// decides sets how permissions are answered, instead of by yes.
func (a *agent) decides(answer func(runner.Permission) string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = answer
}

func (a *agent) heard(e runner.Event) error {
	if o, is := e.(runner.Output); is {
		o.Bytes = slices.Clone(o.Bytes)
		e = o
	}
	a.mu.Lock()
	a.events = append(a.events, e)
	answer := a.answer
	a.mu.Unlock()
	switch e := e.(type) {
	case runner.Permission:
		if option := answer(e); option != "" {
			go e.Answer(&wire.AskAnswer{Option: option})
		}
	case runner.Call:
		go e.Reply(map[string]any{"method": e.Method, "got": e.Params}, nil)
	}
	return nil
}

// prompt gives the agent a prompt and returns what the task came to.
func (a *agent) prompt(t *testing.T, text string) runner.TaskResult {
	t.Helper()
	return a.result(t, a.begin(t, text))
}

func (a *agent) begin(t *testing.T, text string) wire.TaskID {
	t.Helper()
	id := wire.TaskID("t" + text)
	doer, _ := runner.As[runner.Doer](a.Session)
	if err := doer.Deliver(t.Context(), &wire.Task{ID: id, TaskSpec: wire.TaskSpec{Input: wire.Payload{Text: text}}}); err != nil {
		t.Fatal(err)
	}
	return id
}

func (a *agent) result(t *testing.T, id wire.TaskID) (r runner.TaskResult) {
	t.Helper()
	kit.Eventually(t, "the task ends", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, e := range a.events {
			if e, is := e.(runner.TaskResult); is && e.Task == id {
				r = e
				return true
			}
		}
		return false
	})
	return r
}

// all is everything that the agent has told, as text.
func (a *agent) all() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var b strings.Builder
	for _, e := range a.events {
		switch e := e.(type) {
		case runner.Output:
			b.Write(e.Bytes)
		case runner.Conversation:
			fmt.Fprintf(&b, "%s\n", e.JSON)
		case runner.Log:
			fmt.Fprintln(&b, e.Text)
		case runner.TaskResult:
			fmt.Fprintf(&b, "%s %s\n", e.Output, e.Message)
		case runner.Permission:
			fmt.Fprintf(&b, "%+v %+v\n", e.Text, e.Tool)
		}
	}
	return b.String()
}

func TestAConversation(t *testing.T) {
	t.Parallel()
	a := start(t, wire.Model{Options: map[string]any{"temperature": 0.5}}, says("Hello there."), says("Again."))
	if r := a.prompt(t, "Hi"); string(r.Output) != "Hello there." || r.Failure != "" {
		t.Errorf("%s %s", r.Output, r.Message)
	}
	if r := a.prompt(t, "Once more"); string(r.Output) != "Again." {
		t.Errorf("%s %s", r.Output, r.Message)
	}
	var spent wire.Spent
	a.mu.Lock()
	for _, e := range a.events {
		if e, is := e.(runner.Spent); is {
			spent = spent.Plus(e.Spent)
		}
	}
	a.mu.Unlock()
	if want := (wire.Spent{Turns: 2, Input: 20, Output: 6, Cached: 8}); spent != want {
		t.Errorf("it has used %+v, want %+v", spent, want)
	}
	a.prompt(t, "/new")
	a.prompt(t, "Who am I")
	var said []string
	for _, r := range a.requests() {
		line := ""
		for _, m := range r.Messages[1:] {
			line += m.Role + ":" + m.Content + " "
		}
		said = append(said, strings.TrimSpace(line))
		if r.Model != "small" || !r.Stream || len(r.StreamOptions) == 0 || r.Temperature != 0.5 || r.Messages[0].Role != "system" || r.key != "" || len(r.Tools) != 0 {
			t.Errorf("the request is %+v", r)
		}
	}
	want := []string{"user:Hi", "user:Hi assistant:Hello there. user:Once more", "user:Who am I"}
	if !slices.Equal(said, want) {
		t.Errorf("the endpoint was asked %q, want %q", said, want)
	}
}

// TestAnswersOfManyForms has what endpoints other than OpenAI's do.
func TestAnswersOfManyForms(t *testing.T) {
	t.Parallel()
	whole := func(w http.ResponseWriter, _ *request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		io.WriteString(w, `{"choices":[{"message":{"role":"assistant","content":"whole"},"finish_reason":"stop"}]}`)
	}
	raw := func(text string) func(http.ResponseWriter, *request) {
		return func(w http.ResponseWriter, _ *request) {
			w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
			io.WriteString(w, text)
		}
	}
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter, *request)
		want   string
	}{
		"no stream":               {whole, "whole"},
		"lines with \\r":          {raw("data: " + part(`"content":"car"`) + "\r\n\r\ndata:" + part(`"content":"riage"`) + "\r\n\r\ndata: " + finish("stop") + "\r\n\r\n"), "carriage"},
		"comments, other fields":  {raw(": alive\n\nevent: x\nid: 1\ndata: " + part(`"content":"said"`) + "\n\nretry: 3\n\ndata: [DONE]\n\n"), "said"},
		"data of two lines":       {raw("data: {\"choices\":[{\"delta\":{\"content\":\"two\"},\ndata: \"finish_reason\":\"stop\"}]}\n\n"), "two"},
		"no end but a reason":     {events(part(`"content":"end"`), finish("stop")), "end"},
		"a thought, then words":   {events(part(`"reasoning_content":"hm"`), part(`"reasoning":"hm"`), part(`"content":"deep"`), finish("stop"), "[DONE]"), "deep"},
		"an event of a megabyte":  {events(part(`"content":`+quoted(strings.Repeat("x", 100_000))), finish("stop")), strings.Repeat("x", 100_000)},
		"a usage of another form": {events(part(`"content":"u"`), finish("stop"), `{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"prompt_tokens_details":null}}`, "[DONE]"), "u"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if r := start(t, wire.Model{}, c.answer).prompt(t, "x"); string(r.Output) != c.want {
				t.Errorf("the result is %.100q %s", r.Output, r.Message)
			}
		})
	}
}

func TestWhatAnEndpointDoesWrong(t *testing.T) {
	t.Parallel()
	stalls := func(w http.ResponseWriter, r *request) {
		events(part(`"content":"and then"`))(w, r)
		<-r.ctx.Done()
	}
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter, *request)
		want   string
		asked  int
	}{
		"it cuts an answer off":         {events(part(`"content":"half a"`)), "cut", 1},
		"it cuts it off in a tool call": {events(part(`"tool_calls":[{"index":0,"id":"a","function":{"name":"test","arguments":"{\"a"}}]`)), "cut", 1},
		"it cuts it off at once":        {events(), "cut", 5},
		"it errs in the middle":         {events(part(`"content":"so"`), `{"error":{"message":"out of memory","code":500}}`), "out of memory", 1},
		"it sends no JSON":              {events(part(`"content":"so"`), `oops`), "no part of an answer", 1},
		"it is silent":                  {stalls, "silent for 2s", 1},
		"it is a web page":              {status(200, "<html>", "Content-Type", "text/html"), "model.url", 1},
		"it is elsewhere":               {status(301, "", "Location", "http://elsewhere/v1"), "http://elsewhere/v1", 1},
		"there is no such model":        {status(404, `{"error":{"message":"model 'small' not found"}}`), "model 'small' not found", 1},
		"it is not for us":              {status(401, `{"error":"no key"}`), "key_env", 1},
		"it is too busy":                {status(429, `{"error":{"message":"slow down"}}`), "slow down", 5},
		"it wants us to wait too long":  {status(429, ``, "Retry-After", "3600"), "1h0m0s", 1},
		"it falls over":                 {status(502, `<html>bad gateway</html>`), "502 Bad Gateway", 5},
		"it is all too much":            {events(slices.Repeat([]string{part(`"content":` + quoted(strings.Repeat("x", 1<<16)))}, 9)...), "larger", 1},
		"one event is too much":         {events(part(`"content":` + quoted(strings.Repeat("x", 5<<20)))), "more than 4 MiB", 1},
		"a tool call without a place":   {events(part(`"tool_calls":[{"index":7,"function":{"name":"a"}}]`)), "place 7", 1},
		"it filters":                    {events(part(`"content":"I"`), finish("content_filter")), "refuses", 1},
		"it says too much":              {events(part(`"content":"I"`), finish("length")), "max_tokens", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := wire.Model{}
			if name == "it is silent" {
				spec.StallMS = 2000
			}
			a := start(t, spec, c.answer)
			r := a.prompt(t, "x")
			if r.Failure == "" || !strings.Contains(r.Message, c.want) {
				t.Errorf("%s: %s %q", r.Output, r.Failure, r.Message)
			}
			if n := len(a.requests()); n != c.asked {
				t.Errorf("it was asked %d times, not %d", n, c.asked)
			}
			// What has come stays, and the conversation goes on.
			a.endpoint.mu.Lock()
			a.answers, a.asked = append(a.answers[:0], says("Fine.")), nil
			a.endpoint.mu.Unlock()
			if r := a.prompt(t, "go on"); string(r.Output) != "Fine." {
				t.Errorf("after that: %s %s", r.Output, r.Message)
			}
		})
	}
}

func (a *agent) stop(t *testing.T) {
	t.Helper()
	if _, left := a.Stop(t.Context(), time.Second); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
	<-a.Done()
}

func TestABusyEndpointIsAskedAgain(t *testing.T) {
	t.Parallel()
	a := start(t, wire.Model{}, status(429, `{"error":{"message":"slow down"}}`, "Retry-After", "0"), status(503, ``), status(500, ``), says("Now."))
	if r := a.prompt(t, "x"); string(r.Output) != "Now." || len(a.requests()) != 4 {
		t.Errorf("%s %s after %d requests", r.Output, r.Message, len(a.requests()))
	}
	if !strings.Contains(a.all(), "slow down") {
		t.Errorf("nobody is told why it takes so long: %s", a.all())
	}
}

func TestAnEndpointThatIsNotThere(t *testing.T) {
	t.Parallel()
	a := start(t, wire.Model{URL: "http://127.0.0.1:1/v1"}, says(""))
	if r := a.prompt(t, "x"); !strings.Contains(r.Message, "can't be reached") || !strings.Contains(r.Message, "127.0.0.1:1") {
		t.Errorf("%s", r.Message)
	}
}

func TestWhatNotEveryEndpointKnows(t *testing.T) {
	t.Parallel()
	a := start(t, wire.Model{Commands: []wire.ModelCommand{{Name: "test", Argv: []string{"true"}}}},
		status(400, `{"error":{"message":"Unknown field stream_options"}}`), status(400, `{"error":{"message":"small does not support tools"}}`), says("Fine."))
	if r := a.prompt(t, "x"); string(r.Output) != "Fine." {
		t.Errorf("%s %s", r.Output, r.Message)
	}
	all := a.requests()
	if len(all) != 3 || len(all[0].Tools) != 1 || len(all[1].StreamOptions) > 0 || len(all[2].Tools) > 0 {
		t.Errorf("%d requests", len(all))
	}
}

func TestAModelRunsItsCommands(t *testing.T) {
	t.Parallel()
	commands := []wire.ModelCommand{
		{Name: "write", Argv: []string{"sh", "-c", `printf '%s|' "$@" > out; echo done; echo "key $MODEL_TEST_KEY"; pwd`, "write"}, Args: "what to write"},
		{Name: "fail", Argv: []string{"sh", "-c", "echo it broke >&2; exit 3"}},
	}
	a := start(t, wire.Model{Commands: commands}, wants("write", `{"args":["a b","it's; rm"]}`), wants("fail", `{}`), wants("fly", `{}`), wants("fail", `{"args":`), wants("fail", `{"args":["x"]}`), says("All done."))
	var asked []string
	a.decides(func(p runner.Permission) string {
		asked = append(asked, p.Tool.Kind+" "+p.Tool.Command)
		return "once"
	})
	if r := a.prompt(t, "Write"); string(r.Output) != "All done." {
		t.Errorf("%s %s", r.Output, r.Message)
	}
	if b, err := os.ReadFile(filepath.Join(a.dir, "out")); string(b) != "a b|it's; rm|" {
		t.Errorf("the file has %q, %v", b, err)
	}
	if len(asked) != 2 || !strings.HasSuffix(asked[0], `write 'a b' 'it'\''s; rm'`) || !strings.HasPrefix(asked[0], "execute sh -c ") {
		t.Errorf("people were asked %q", asked)
	}
	all := a.requests()
	for i, want := range []string{"done\nkey \n" + a.dir, "error: it ended with exit code 3\nit broke\n", "error: there is no such tool", "error: the arguments make no sense", "error: this command takes no arguments"} {
		if got := all[i+1].last(); !strings.HasPrefix(got, want) {
			t.Errorf("the model was told %q, want %q", got, want)
		}
	}
	var schema map[string]any
	if tools := all[0].Tools; len(tools) != 2 || tools[0].Function.Name != "write" || json.Unmarshal(tools[0].Function.Parameters, &schema) != nil || schema["properties"].(map[string]any)["args"] == nil {
		t.Errorf("it was offered %+v", all[0].Tools)
	}
	for _, r := range all[1:] { // each call has one answer
		calls := map[string]int{}
		for _, m := range r.Messages {
			for _, c := range m.ToolCalls {
				calls[c.ID]++
			}
			if m.Role == "tool" {
				calls[m.ToolCallID]--
			}
		}
		for id, n := range calls {
			if n != 0 {
				t.Errorf("the call %s has %d answers too few", id, n)
			}
		}
	}
}

// TestAMalformedCallDoesNotSpoilTheConversation has calls that endpoints refuse to read back.
func TestAMalformedCallDoesNotSpoilTheConversation(t *testing.T) {
	t.Parallel()
	a := start(t, wire.Model{Commands: []wire.ModelCommand{{Name: "test", Argv: []string{"true"}}}},
		wants("test", `{"args":`), wants("test", ``), wants("test", `null`), wants("test", `["x"]`), wants("functions.test", `{"a":1}`), wants("", `{}`), wants(strings.Repeat("é", 100), `{}`), says("ok"))
	if r := a.prompt(t, "x"); string(r.Output) != "ok" {
		t.Errorf("%s %s", r.Output, r.Message)
	}
	name := regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`) // of OpenAI
	all := a.requests()
	calls := 0
	for _, m := range all[len(all)-1].Messages {
		for _, c := range m.ToolCalls {
			calls++
			var args map[string]any
			if err := json.Unmarshal([]byte(c.Function.Arguments), &args); err != nil || args == nil || !name.MatchString(c.Function.Name) {
				t.Errorf("the endpoint is told of a call of %q with %q", c.Function.Name, c.Function.Arguments)
			}
		}
	}
	if calls != 7 {
		t.Errorf("it is told of %d calls", calls)
	}
}

// TestSeveralCallsInAnAnswer has how endpoints tell calls apart: by their places, by their ids although all have the same place, or not at all.
func TestSeveralCallsInAnAnswer(t *testing.T) {
	t.Parallel()
	begin := func(place, id string) string {
		return `"tool_calls":[{` + place + id + `"function":{"name":"test","arguments":"{\"args\":"}}]`
	}
	end := func(place, id, arg string) string {
		return `"tool_calls":[{` + place + id + `"function":{"arguments":"[\"` + arg + `\"]}"}}]`
	}
	for name, parts := range map[string][]string{
		"places":                          {begin(`"index":0,`, `"id":"a",`), end(`"index":0,`, ``, "x"), begin(`"index":1,`, `"id":"b",`), end(`"index":1,`, ``, "y")},
		"places and the same id":          {begin(`"index":0,`, `"id":"a",`), end(`"index":0,`, ``, "x"), begin(`"index":1,`, `"id":"a",`), end(`"index":1,`, ``, "y")},
		"places, and an id for each part": {begin(`"index":0,`, `"id":"a",`), end(`"index":0,`, `"id":"a2",`, "x"), begin(`"index":1,`, `"id":"b",`), end(`"index":1,`, `"id":"b2",`, "y")},
		"ids":                             {begin(``, `"id":"a",`), end(``, ``, "x"), begin(``, `"id":"b",`), end(``, ``, "y")},
		"ids and the same place":          {begin(`"index":0,`, `"id":"a",`), end(`"index":0,`, ``, "x"), begin(`"index":0,`, `"id":"b",`), end(`"index":0,`, `"id":"b",`, "y")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var all []string
			for _, p := range parts {
				all = append(all, part(p))
			}
			a := start(t, wire.Model{Commands: []wire.ModelCommand{{Name: "test", Argv: []string{"echo"}, Args: "words"}}}, events(append(all, finish("tool_calls"), "[DONE]")...), says("ok"))
			a.prompt(t, "x")
			msgs := a.requests()[1].Messages
			said := msgs[len(msgs)-3]
			if len(said.ToolCalls) != 2 || said.ToolCalls[0].ID == said.ToolCalls[1].ID {
				t.Fatalf("the calls are %+v", said.ToolCalls)
			}
			for i, want := range []string{"x\n", "y\n"} {
				if m := msgs[len(msgs)-2+i]; m.Content != want || m.ToolCallID != said.ToolCalls[i].ID {
					t.Errorf("the answer to %+v is %+v", said.ToolCalls[i], m)
				}
			}
		})
	}
}

func TestAConversationIsBoundedWithinATurn(t *testing.T) {
	t.Parallel()
	long := wants("fly", `{"to":"`+strings.Repeat("x", 7<<16)+`"}`) // half of it in an event
	a := start(t, wire.Model{Commands: []wire.ModelCommand{{Name: "test", Argv: []string{"true"}}}}, long)
	if r := a.prompt(t, "x"); !strings.Contains(r.Message, "larger than") || len(a.requests()) != 5 {
		t.Errorf("%.300s after %d requests", r.Message, len(a.requests()))
	}
	a.endpoint.mu.Lock()
	a.answers = append(a.answers[:0], says("ok"))
	a.endpoint.mu.Unlock()
	if r := a.prompt(t, "y"); !strings.Contains(r.Message, "/new") {
		t.Errorf("it goes on: %.300s", r.Message)
	}
	a.prompt(t, "/new")
	if r := a.prompt(t, "z"); string(r.Output) != "ok" {
		t.Errorf("%s %.300s", r.Output, r.Message)
	}
}

func TestACommandIsRejectedOrAllowedForGood(t *testing.T) {
	t.Parallel()
	a := start(t, wire.Model{Commands: []wire.ModelCommand{{Name: "touch", Argv: []string{"touch"}, Args: "files"}}},
		wants("touch", `{"args":["no"]}`), wants("touch", `{"args":["yes"]}`), wants("touch", `{"args":["yes"]}`), wants("touch", `{"args":["yes","no"]}`), says("ok"))
	asked := 0
	a.decides(func(p runner.Permission) string {
		asked++
		if strings.HasSuffix(p.Tool.Command, "no") {
			return "reject"
		}
		return "always"
	})
	a.prompt(t, "x")
	if _, err := os.Stat(filepath.Join(a.dir, "no")); err == nil {
		t.Error("it has run what was rejected")
	}
	if _, err := os.Stat(filepath.Join(a.dir, "yes")); err != nil || asked != 3 {
		t.Errorf("%v, and %d were asked", err, asked)
	}
	if got := a.requests()[1].last(); !strings.Contains(got, "rejected") {
		t.Errorf("the model was told %q", got)
	}
}

func TestACommandThatTakesTooLong(t *testing.T) {
	t.Parallel()
	a := start(t, wire.Model{Commands: []wire.ModelCommand{{Name: "wait", Argv: []string{"sh", "-c", "echo begun; sleep 600"}, TimeoutMS: 100}}}, wants("wait", `{}`), says("ok"))
	a.prompt(t, "x")
	if got := a.requests()[1].last(); !strings.HasPrefix(got, "error: it was stopped after 100ms") {
		t.Errorf("the model was told %q", got)
	}
}

// waiting is a command that says when it runs, and ignores SIGTERM.
func waiting() []wire.ModelCommand {
	return []wire.ModelCommand{{Name: "wait", Argv: []string{"sh", "-c", `trap "" TERM; echo $$ > pid; while :; do sleep 0.1; done`}}}
}

// pid waits for the process of a command.
func (a *agent) pid(t *testing.T) (pid string) {
	t.Helper()
	kit.Eventually(t, "the command runs", func() bool {
		b, _ := os.ReadFile(filepath.Join(a.dir, "pid"))
		pid = strings.TrimSpace(string(b))
		return pid != ""
	})
	return pid
}

func TestAnInterruptedCommandIsGone(t *testing.T) {
	t.Parallel()
	a := start(t, wire.Model{Commands: waiting()}, wants("wait", `{}`), says("Well then."))
	id := a.begin(t, "x")
	pid := a.pid(t)
	in, _ := runner.As[runner.Interrupter](a.Session)
	if !in.Interrupt() {
		t.Error("there is no turn")
	}
	if r := a.result(t, id); r.Message != "it was canceled" {
		t.Errorf("%s %s", r.Output, r.Message)
	}
	if _, err := os.Stat("/proc/" + pid); err == nil {
		t.Error("the command still runs")
	}
	if r := a.prompt(t, "go on"); string(r.Output) != "Well then." {
		t.Errorf("%s %s", r.Output, r.Message)
	}
	if msgs := a.requests()[1].Messages; msgs[len(msgs)-2].Role != "tool" || !strings.Contains(msgs[len(msgs)-2].Content, "canceled") {
		t.Errorf("the model is told %+v", msgs)
	}
}

func TestAStoppedAgentLeavesNoCommand(t *testing.T) {
	t.Parallel()
	a := start(t, wire.Model{Commands: waiting()}, wants("wait", `{}`))
	a.begin(t, "x")
	pid := a.pid(t)
	forced, left := a.Stop(t.Context(), 0)
	if !forced || len(left) > 0 {
		t.Errorf("forced %t, %v is left", forced, left)
	}
	if _, err := os.Stat("/proc/" + pid); err == nil {
		t.Error("the command still runs")
	}
}

func TestARequestIsCanceledInFlight(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	a := start(t, wire.Model{}, func(w http.ResponseWriter, r *request) {
		events(part(`"content":"I begin"`))(w, r)
		<-r.ctx.Done()
		close(gone)
	}, says("ok"))
	id := a.begin(t, "x")
	kit.Eventually(t, "it speaks", func() bool { return strings.Contains(a.all(), "I begin") })
	in, _ := runner.As[runner.Interrupter](a.Session)
	in.Interrupt()
	<-gone
	if r := a.result(t, id); r.Message != "it was canceled" {
		t.Errorf("%s %s", r.Output, r.Message)
	}
	a.prompt(t, "y")
	if got := a.requests()[1].Messages; len(got) != 4 || got[2].Content != "I begin" {
		t.Errorf("the conversation is %+v", got)
	}
}

func TestAStopDuringARequest(t *testing.T) {
	t.Parallel()
	a := start(t, wire.Model{}, func(_ http.ResponseWriter, r *request) { <-r.ctx.Done() })
	a.begin(t, "x")
	kit.Eventually(t, "it asks", func() bool { return len(a.requests()) == 1 })
	a.stop(t)
}

// TestDoneIsAfterTheLastEvent stops an agent, or ends its input, while the Sink takes the answer to a prompt.
func TestDoneIsAfterTheLastEvent(t *testing.T) {
	t.Parallel()
	at := newEndpoint(t, says("ok"))
	procs := process.New(process.Options{Instance: instance})
	t.Cleanup(procs.Close)
	for name, end := range map[string]func(s runner.Session){
		"stop": func(s runner.Session) {
			canceled, cancel := context.WithCancel(t.Context())
			cancel()
			s.Stop(canceled, 0)
		},
		"end of input": func(s runner.Session) {
			in, _ := runner.As[runner.Inputter](s)
			in.Input(t.Context(), nil, true)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			taking, took := make(chan struct{}), make(chan struct{})
			s, err := model.New(procs, model.Options{}).Start(t.Context(), runner.Launch{Agent: "adone", Model: &wire.Model{Name: "small", URL: at.URL + "/v1"}}, func(e runner.Event) error {
				if o, is := e.(runner.Output); is && strings.Contains(string(o.Bytes), "stopReason") {
					close(taking)
					<-took
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			in, _ := runner.As[runner.Inputter](s)
			in.Input(t.Context(), []byte(`{"id":1,"method":"session/prompt","params":{"prompt":[{"text":"x"}]}}`+"\n"), false)
			<-taking
			end(s)
			select {
			case <-s.Done():
				t.Error("it is done before the Sink has its last event")
			default:
			}
			close(took)
			<-s.Done()
		})
	}
}

func TestAnAgentThatHasNothingMoreToDoEnds(t *testing.T) {
	t.Parallel()
	a := start(t, wire.Model{}, says("Bye."))
	in, _ := runner.As[runner.Inputter](a.Session)
	if err := in.Input(t.Context(), []byte("Say bye\n"), true); err != nil {
		t.Fatal(err)
	}
	<-a.Done()
	if e := a.Exit(); e.Code != 0 || !strings.Contains(a.all(), "Bye.") {
		t.Errorf("%+v: %s", e, a.all())
	}
}

func TestAModelMakesCalls(t *testing.T) {
	t.Parallel()
	tools := []runner.Tool{{Name: "memory.store", About: "Stores", Kind: "other", Parameters: json.RawMessage(`{"type":"object"}`)}}
	a := startWith(t, runner.Launch{Model: &wire.Model{}, Tools: tools}, wants("memory_store", `{"key":"k"}`), says("ok"))
	a.prompt(t, "x")
	all := a.requests()
	if all[0].Tools[0].Function.Name != "memory_store" || all[1].last() != `{"got":{"key":"k"},"method":"memory.store"}` {
		t.Errorf("it was offered %+v and told %q", all[0].Tools, all[1].last())
	}
}

func TestNobodySeesTheKey(t *testing.T) {
	const secret = "sk-very-secret"
	t.Setenv("MODEL_TEST_KEY", secret)
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, spec := range map[string]wire.Model{"of the environment": {KeyEnv: "MODEL_TEST_KEY"}, "of a file": {KeyFile: file}} {
		t.Run(name, func(t *testing.T) {
			spec.Commands = []wire.ModelCommand{{Name: "env", Argv: []string{"env"}}}
			a := start(t, spec, wants("env", `{}`), status(401, `{"error":{"message":"the key `+secret+` is wrong"}}`))
			if r := a.prompt(t, "x"); !strings.Contains(r.Message, "the key (the key) is wrong") {
				t.Errorf("%s", r.Message)
			}
			for _, r := range a.requests() {
				if r.key != "Bearer "+secret {
					t.Errorf("the endpoint got the key %q", r.key)
				}
			}
			if said := a.all(); name == "of the environment" && strings.Contains(said, secret) || !strings.Contains(said, "PATH=") {
				t.Errorf("the key is told: %s", said)
			}
		})
	}
	// A part of it is not told either, where a long error is cut.
	for name, answer := range map[string]func(string) func(http.ResponseWriter, *request){
		"a status": func(text string) func(http.ResponseWriter, *request) {
			return status(400, `{"error":{"message":`+quoted(text)+`}}`)
		},
		"an event": func(text string) func(http.ResponseWriter, *request) {
			return events(`{"error":{"message":` + quoted(text) + `}}`)
		},
		"a place": func(text string) func(http.ResponseWriter, *request) { return status(307, ``, "Location", text) },
	} {
		t.Run(name, func(t *testing.T) {
			for _, limit := range []int{300, 500} {
				a := start(t, wire.Model{KeyEnv: "MODEL_TEST_KEY"}, answer(strings.Repeat("x", limit-len(secret)+1)+secret))
				if r := a.prompt(t, "x"); strings.Contains(r.Message, secret[:5]) || strings.Contains(a.all(), secret[:5]) {
					t.Errorf("%s", r.Message)
				}
			}
		})
	}
	t.Setenv("MODEL_TEST_KEY", "")
	if r := start(t, wire.Model{KeyEnv: "MODEL_TEST_KEY"}, says("")).prompt(t, "x"); !strings.Contains(r.Message, "MODEL_TEST_KEY") {
		t.Errorf("%s", r.Message)
	}
}
