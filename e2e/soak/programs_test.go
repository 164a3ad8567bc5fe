package soak

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	sdk "github.com/coder/acp-go-sdk"
)

const dirVar = "SKEIN_SOAK_DIR"

// effects is a file that says what a program has done, a line each. Nothing may be there twice.
type effects struct {
	mu sync.Mutex
	f  *os.File
}

func newEffects() (*effects, error) {
	dir := filepath.Join(os.Getenv(dirVar), "effects")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(dir, "*.txt")
	return &effects{f: f}, err
}

func (e *effects) add(line string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	fmt.Fprintln(e.f, line)
}

// doTasks is an agent that takes tasks by the line protocol, and answers each with its input.
func doTasks() error {
	done, err := newEffects()
	if err != nil {
		return err
	}
	var mu sync.Mutex
	say := func(method string, params map[string]any) {
		b, _ := json.Marshal(params)
		mu.Lock()
		defer mu.Unlock()
		fmt.Printf("{\"jsonrpc\":\"2.0\",\"method\":%q,\"params\":%s}\n", method, b)
	}
	in := bufio.NewReader(os.Stdin)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return nil
		}
		var m struct {
			Method string `json:"method"`
			Params struct {
				Task    string `json:"task"`
				Attempt int    `json:"attempt"`
				Input   string `json:"input"`
			} `json:"params"`
		}
		if json.Unmarshal(line, &m) != nil || m.Method != "task.run" {
			continue
		}
		go func() {
			p := m.Params
			done.add(fmt.Sprintf("task %s attempt %d", p.Task, p.Attempt))
			say("task.progress", map[string]any{"task": p.Task, "text": "half of it", "fraction": 0.5})
			time.Sleep(200 * time.Millisecond)
			say("task.result", map[string]any{"task": p.Task, "output": p.Input})
		}()
	}
}

// coder is an ACP agent whose prompts are a verb, and a number that no other prompt has.
type coder struct {
	sdk.Agent // what it does not have
	done      *effects
	ready     chan struct{} // closed when conn is set
	conn      *sdk.AgentSideConnection
}

func code() error {
	done, err := newEffects()
	if err != nil {
		return err
	}
	c := &coder{done: done, ready: make(chan struct{})}
	c.conn = sdk.NewAgentSideConnection(c, os.Stdout, os.Stdin)
	close(c.ready)
	<-c.conn.Done()
	return nil
}

func (c *coder) Initialize(context.Context, sdk.InitializeRequest) (r sdk.InitializeResponse, err error) {
	r.ProtocolVersion = sdk.ProtocolVersionNumber
	return r, nil
}

func (c *coder) NewSession(context.Context, sdk.NewSessionRequest) (r sdk.NewSessionResponse, err error) {
	r.SessionId = "soak"
	return r, nil
}

func (c *coder) Cancel(context.Context, sdk.CancelNotification) error { return nil }

func (c *coder) Prompt(ctx context.Context, p sdk.PromptRequest) (r sdk.PromptResponse, err error) {
	<-c.ready
	text := p.Prompt[0].Text.Text
	c.done.add("prompt " + text)
	update := func(u sdk.SessionUpdate) {
		c.conn.SessionUpdate(ctx, sdk.SessionNotification{SessionId: p.SessionId, Update: u})
	}
	switch verb, n, _ := strings.Cut(text, " "); verb {
	case "run":
		call := sdk.ToolCallId("call-" + n)
		update(sdk.StartToolCall(call, "Run it", sdk.WithStartKind(sdk.ToolKindExecute), sdk.WithStartRawInput(map[string]any{"command": "make " + n})))
		if _, err := c.conn.RequestPermission(ctx, sdk.RequestPermissionRequest{SessionId: p.SessionId, ToolCall: sdk.ToolCallUpdate{ToolCallId: call},
			Options: []sdk.PermissionOption{{Kind: sdk.PermissionOptionKindAllowOnce, Name: "Allow", OptionId: "yes"}}}); err != nil {
			return r, err
		}
		update(sdk.UpdateToolCall(call, sdk.WithUpdateStatus(sdk.ToolCallStatusCompleted)))
	case "flood":
		for i := range 500 {
			update(sdk.UpdateAgentMessageText(fmt.Sprintf("%d of %s\n", i, n)))
		}
	default:
		update(sdk.UpdateAgentThoughtText("thinking of " + n))
		update(sdk.UpdateAgentMessageText("said " + n + "\n"))
	}
	r.StopReason = sdk.StopReasonEndTurn
	return r, nil
}

// serveModel is an endpoint of a model that repeats what it is told, a word at a time.
func serveModel() error {
	return http.ListenAndServe("127.0.0.1:9000", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct {
			Messages []struct {
				Content string `json:"content"`
			} `json:"messages"`
		}
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || len(asked.Messages) == 0 {
			http.Error(w, "no messages", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		for word := range strings.FieldsSeq("You said " + asked.Messages[len(asked.Messages)-1].Content) {
			b, _ := json.Marshal(word + " ")
			fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":%s}}]}\n\n", b)
			w.(http.Flusher).Flush()
			time.Sleep(50 * time.Millisecond)
		}
		fmt.Fprint(w, "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"+
			"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":20,\"completion_tokens\":5}}\n\ndata: [DONE]\n\n")
	}))
}
