package acp

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/coder/acp-go-sdk"
)

// envAgent makes the test's own binary an agent, on the agent's side of coder/acp-go-sdk.
const envAgent = "SKEIN_TEST_ACP_AGENT"

func TestMain(m *testing.M) {
	if how, is := os.LookupEnv(envAgent); is {
		a := &puppet{how: how, ready: make(chan struct{})}
		a.conn = sdk.NewAgentSideConnection(a, os.Stdout, os.Stdin)
		close(a.ready)
		<-a.conn.Done()
		return
	}
	os.Exit(m.Run())
}

// puppet is an agent that does what its prompts say, a line after the other.
type puppet struct {
	sdk.Agent // what it does not have
	how       string
	ready     chan struct{} // closed when conn is set
	conn      *sdk.AgentSideConnection

	mu     sync.Mutex
	in     bool // logged in
	cancel context.CancelFunc
	calls  int
	store  store
}

func (a *puppet) Initialize(context.Context, sdk.InitializeRequest) (r sdk.InitializeResponse, err error) {
	r.ProtocolVersion = sdk.ProtocolVersionNumber
	r.AgentInfo = &sdk.Implementation{Name: "puppet", Version: "1.2.3"}
	a.abilities(&r.AgentCapabilities)
	switch a.how {
	case "version":
		r.ProtocolVersion = 2
	case "login":
		r.AuthMethods = []sdk.AuthMethod{{Agent: &sdk.AuthMethodAgent{Id: "key", Name: "A key"}}}
	case "http":
		r.AgentCapabilities.McpCapabilities.Http = true
	case "mute":
		time.Sleep(time.Hour)
	case "dead":
		os.Exit(7)
	}
	return r, nil
}

func (a *puppet) Authenticate(_ context.Context, p sdk.AuthenticateRequest) (r sdk.AuthenticateResponse, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.in = p.MethodId == "key"
	return r, nil
}

func (a *puppet) NewSession(_ context.Context, p sdk.NewSessionRequest) (r sdk.NewSessionResponse, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.how == "login" && !a.in {
		return r, &sdk.RequestError{Code: -32000, Message: "Authentication required"}
	}
	r.SessionId = a.store.begin(p.Cwd)
	for _, s := range p.McpServers {
		b, _ := json.Marshal(s)
		fmt.Fprintf(os.Stderr, "MCP %s\n", b)
	}
	if a.how == "asks" {
		<-a.ready
		go a.ask(context.Background(), r.SessionId, "run", "make")
	}
	r.Modes, r.Models, r.ConfigOptions = a.state()
	return r, nil
}

func (a *puppet) SetSessionMode(_ context.Context, p sdk.SetSessionModeRequest) (r sdk.SetSessionModeResponse, err error) {
	fmt.Fprintf(os.Stderr, "mode is %s\n", p.ModeId)
	return r, nil
}

func (a *puppet) Cancel(context.Context, sdk.CancelNotification) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cancel != nil {
		a.cancel()
	}
	return nil
}

func (a *puppet) Prompt(_ context.Context, p sdk.PromptRequest) (r sdk.PromptResponse, err error) {
	<-a.ready
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	a.mu.Lock()
	a.cancel = cancel
	a.mu.Unlock()
	r.StopReason = sdk.StopReasonEndTurn
	a.store.add(p.SessionId, p.Prompt[0].Text.Text)
	for line := range strings.SplitSeq(p.Prompt[0].Text.Text, "\n") {
		if err := a.do(ctx, p.SessionId, line); err != nil {
			return r, err
		}
		if ctx.Err() != nil {
			r.StopReason = sdk.StopReasonCancelled
			return r, nil
		}
	}
	return r, nil
}

func (a *puppet) update(id sdk.SessionId, u sdk.SessionUpdate) {
	a.conn.SessionUpdate(context.Background(), sdk.SessionNotification{SessionId: id, Update: u})
}

func (a *puppet) do(ctx context.Context, id sdk.SessionId, line string) error {
	verb, rest, _ := strings.Cut(line, " ")
	switch verb {
	case "say":
		a.update(id, sdk.UpdateAgentMessageText(rest))
	case "think":
		a.update(id, sdk.UpdateAgentThoughtText(rest))
	case "updates":
		n, _ := strconv.Atoi(rest)
		for i := range n {
			a.update(id, sdk.UpdateAgentMessageText(fmt.Sprintf("%d\n", i)))
		}
	case "hang":
		<-ctx.Done()
	case "die":
		os.Exit(3)
	case "print":
		fmt.Println(rest)
	case "fail":
		return &sdk.RequestError{Code: -32603, Message: "Internal error", Data: map[string]any{"details": rest}}
	case "become", "offer", "call":
		a.offer(id, verb, rest)
	case "run", "write", "change":
		return a.ask(ctx, id, verb, rest)
	}
	return nil
}

// ask asks for permission, and does what it is for if it gets it.
func (a *puppet) ask(ctx context.Context, id sdk.SessionId, verb, rest string) error {
	a.mu.Lock()
	a.calls++
	call := sdk.ToolCallId("call_" + strconv.Itoa(a.calls))
	a.mu.Unlock()
	kind, input := sdk.ToolKindExecute, any(map[string]any{"command": rest})
	content := []sdk.ToolCallContent{}
	if verb != "run" {
		kind, input = sdk.ToolKindEdit, map[string]any{"path": rest}
		content = append(content, sdk.ToolDiffContent(rest, "written\n"))
	}
	title := verb + " " + rest
	a.update(id, sdk.StartToolCall(call, title, sdk.WithStartKind(kind), sdk.WithStartStatus(sdk.ToolCallStatusPending), sdk.WithStartRawInput(input),
		sdk.WithStartContent(content)))
	if verb == "change" {
		go func() {
			a.update(id, sdk.UpdateToolCall(call, sdk.WithUpdateContent([]sdk.ToolCallContent{sdk.ToolDiffContent(rest, "something else\n")})))
		}()
	}
	r, err := a.conn.RequestPermission(ctx, sdk.RequestPermissionRequest{SessionId: id, ToolCall: sdk.ToolCallUpdate{ToolCallId: call},
		Options: []sdk.PermissionOption{{Kind: sdk.PermissionOptionKindAllowOnce, Name: "Allow", OptionId: "yes"}, {Kind: sdk.PermissionOptionKindRejectOnce, Name: "Reject", OptionId: "no"}}})
	switch {
	case err != nil:
		return err
	case r.Outcome.Cancelled != nil:
		fmt.Fprintln(os.Stderr, "outcome: cancelled")
		<-ctx.Done() // it ends when it was canceled, too
	case r.Outcome.Selected.OptionId == "yes":
		if verb != "run" {
			if err := os.WriteFile(rest, []byte("written\n"), 0o600); err != nil {
				return err
			}
		}
		a.update(id, sdk.UpdateToolCall(call, sdk.WithUpdateStatus(sdk.ToolCallStatusCompleted)))
	default:
		a.update(id, sdk.UpdateToolCall(call, sdk.WithUpdateStatus(sdk.ToolCallStatusFailed)))
	}
	return nil
}
