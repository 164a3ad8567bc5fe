package server

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"skein.dev/skein/e2e/kit"
	mcpserver "skein.dev/skein/server/mcp"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// withToken sends a token with each request.
type withToken string

func (t withToken) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(t))
	return http.DefaultTransport.RoundTrip(r)
}

// mcp connects the SDK's own client.
func (n *node) mcp(t *testing.T, token string) *mcp.ClientSession {
	t.Helper()
	c := mcp.NewClient(&mcp.Implementation{Name: "tester", Version: "1"}, nil)
	s, err := c.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: n.addrs.HTTP + wire.MCPPath, HTTPClient: &http.Client{Transport: withToken(token)}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func tools(t *testing.T, s *mcp.ClientSession) (names []string) {
	t.Helper()
	res, err := s.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range res.Tools {
		names = append(names, tool.Name)
	}
	return names
}

// use calls a tool, and returns what it says.
func use(t *testing.T, s *mcp.ClientSession, name string, args any) (string, bool) {
	t.Helper()
	res, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: name, Arguments: args})
	if err != nil {
		return err.Error(), false
	}
	return res.Content[0].(*mcp.TextContent).Text, !res.IsError
}

func TestMCPHasTheMethodsOfThePerson(t *testing.T) {
	t.Parallel()
	n := start(t)
	s := n.mcp(t, n.token)
	if got := tools(t, s); !slices.Contains(got, "agent_spawn") || !slices.Contains(got, "task_wait") || slices.Contains(got, "hello") {
		t.Errorf("the tools are %v", got)
	}
	out := filepath.Join(t.TempDir(), "out")
	text, ok := use(t, s, "agent_spawn", map[string]any{"type": "shell", "argv": []string{"sh", "-c", "echo it ran > " + out + "; read x"}})
	var spawned wire.SpawnResult
	if err := json.Unmarshal([]byte(text), &spawned); err != nil || !ok || len(spawned.Agents) != 1 {
		t.Fatalf("%v: %s", err, text)
	}
	kit.Eventually(t, "it runs", func() bool { b, _ := os.ReadFile(out); return string(b) == "it ran\n" })
	id := spawned.Agents[0].ID
	var actor string
	kit.Eventually(t, "its spawn is in the log", func() bool {
		res, err := n.plane.EventPage(t.Context(), wire.AgentEventsParams{ID: id})
		if err != nil || len(res.Events) == 0 {
			return false
		}
		actor = res.Events[0].Actor
		return true
	})
	if actor != "tester" {
		t.Errorf("it was spawned by %q", actor)
	}
	if text, ok := use(t, s, "agent_stop", map[string]any{"ids": []wire.AgentID{id}, "grace_ms": 0}); !ok || len(processes(t, id)) > 0 {
		t.Errorf("%s; %v is left", text, processes(t, id))
	}
	for name, args := range map[string]any{"agent_get": map[string]any{"id": "anope"}, "agent_spawn": map[string]any{"type": 7}, "task_wait": map[string]any{}} {
		if text, ok := use(t, s, name, args); ok || text == "" {
			t.Errorf("%s %v succeeds: %s", name, args, text)
		}
	}
	if text, ok := use(t, s, "hello", map[string]any{}); ok {
		t.Error(text)
	}
}

// ownTools are those that every agent has.
var ownTools = []string{"agent_summary", "artifact_get", "artifact_list", "artifact_read"}

// An agent reads what it has made, and what is of its tasks and of those that these depend on; a coordinator reads all.
func TestMCPArtifactsOfAnAgent(t *testing.T) {
	t.Parallel()
	n := start(t, func(o *Options) {
		o.ConfigFile = write(t, "skein.yaml", "agent_types:\n  lone: {kind: scripted, script: read}\n  boss: {kind: scripted, script: read, coordinator: true}\n"+
			"  first: {kind: scripted, script: \"take\\nresult x\\nread\", tasks: lines}\n  then: {kind: scripted, script: \"take\\nread\\nresult y\", tasks: lines}\n")
	})
	lone, boss := n.spawn(t, wire.SpawnParams{Type: "lone"}), n.spawn(t, wire.SpawnParams{Type: "boss"})
	res, err := n.plane.Tasks.Submit(t.Context(), noun.Caller{Actor: "test"}, wire.SubmitParams{Tasks: []wire.TaskSpec{{Key: "a", Type: "first"}, {Type: "then", DependsOn: []string{"#a"}}}})
	if err != nil {
		t.Fatal(err)
	}
	keep := func(agent wire.AgentID, task wire.TaskID, text string) wire.ArtifactID {
		t.Helper()
		a, err := n.plane.Artifacts.Keep(t.Context(), agent, task, "notes.txt", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return a.ID
	}
	var works wire.AgentID
	kit.Eventually(t, "the second task is under way", func() bool {
		task, err := n.plane.Tasks.Get(res.Tasks[1].ID)
		if err == nil && len(task.Runs) > 0 {
			works = task.Runs[0].Agent
		}
		return works != ""
	})
	own, dependency, others := keep(lone.ID, "", "mine"), keep("", res.Tasks[0].ID, strings.Repeat("€", 30_000)), keep(boss.ID, "", "his")
	as := map[string]*mcp.ClientSession{}
	for name, id := range map[string]wire.AgentID{"lone": lone.ID, "boss": boss.ID, "works": works} {
		as[name] = n.mcp(t, n.auth.AgentToken(id))
	}
	for _, c := range []struct {
		who  string
		id   wire.ArtifactID
		sees bool
	}{
		{"lone", own, true}, {"lone", dependency, false}, {"lone", others, false}, {"works", dependency, true}, {"works", own, false},
		{"boss", own, true}, {"boss", dependency, true}, {"boss", others, true},
	} {
		for _, tool := range []string{"artifact_read", "artifact_get"} {
			if text, ok := use(t, as[c.who], tool, map[string]any{"id": c.id}); ok != c.sees {
				t.Errorf("%s calls %s of %s: %s", c.who, tool, c.id, text)
			}
		}
		if text, _ := use(t, as[c.who], "artifact_list", map[string]any{}); strings.Contains(text, string(c.id)) != c.sees {
			t.Errorf("the list of %s is %s", c.who, text)
		}
	}
	text, _ := use(t, as["works"], "artifact_read", map[string]any{"id": dependency, "offset": 3, "length": 10})
	var part wire.ArtifactPart
	if err := json.Unmarshal([]byte(text), &part); err != nil || part.Text != "€€€" || part.Next == nil || *part.Next != 12 {
		t.Errorf("a part is %s, %v", text, err)
	}
	text, _ = use(t, as["works"], "artifact_read", map[string]any{"id": dependency, "offset": 1, "length": 4})
	if part = (wire.ArtifactPart{}); json.Unmarshal([]byte(text), &part) != nil || len(part.Base64) != 4 || part.Text != "" {
		t.Errorf("a part that is no text is %s", text)
	}
	for _, args := range []map[string]any{{"id": dependency, "offset": -1}, {"id": dependency, "offset": 90_001}, {"id": dependency, "length": wire.MaxArtifactPart + 1}, {"id": "fnope"}} {
		if text, ok := use(t, as["works"], "artifact_read", args); ok {
			t.Errorf("%v: %s", args, text)
		}
	}
}

func TestMCPGivesAnAgentWhatItsTypeAllows(t *testing.T) {
	t.Parallel()
	n := start(t, func(o *Options) {
		o.ConfigFile = write(t, "skein.yaml", "agent_types:\n  keeper: {kind: scripted, script: read, memory: [\"team.*\"]}\n  boss: {kind: scripted, script: read, coordinator: true}\n  mute: {kind: scripted, script: read}\n")
	})
	keeper, boss, mute := n.spawn(t, wire.SpawnParams{Type: "keeper"}), n.spawn(t, wire.SpawnParams{Type: "boss"}), n.spawn(t, wire.SpawnParams{Type: "mute"})
	s := n.mcp(t, n.auth.AgentToken(keeper.ID))
	if got := tools(t, s); !slices.Contains(got, "memory_store") || slices.ContainsFunc(got, func(name string) bool {
		return !strings.HasPrefix(name, "memory_") && !slices.Contains(ownTools, name)
	}) {
		t.Errorf("the tools are %v", got)
	}
	if text, ok := use(t, s, "memory_store", map[string]any{"namespace": "team.a", "key": "k", "value": map[string]string{"text": "v"}}); !ok {
		t.Error(text)
	}
	if e, err := n.plane.Memory.Retrieve(t.Context(), wire.MemoryKeyParams{Namespace: "team.a", Key: "k"}); err != nil || e.Writer != string(keeper.ID) || e.Value.Text != "v" {
		t.Errorf("%+v, %v", e, err)
	}
	for name, args := range map[string]any{"memory_store": map[string]any{"namespace": "other", "key": "k"}, "agent_spawn": map[string]any{"type": "mute"}, "task_submit": map[string]any{"tasks": []any{}}} {
		if text, ok := use(t, s, name, args); ok {
			t.Errorf("%s %v succeeds: %s", name, args, text)
		}
	}
	if text, ok := use(t, s, "agent_summary", map[string]any{"text": "keeping"}); !ok || !strings.Contains(text, "keeping") {
		t.Error(text)
	}
	if text, ok := use(t, s, "agent_summary", map[string]any{"id": boss.ID, "text": "not mine"}); ok {
		t.Errorf("it says what another does: %s", text)
	}
	if a, _ := n.plane.Get(keeper.ID); a.Summary != "keeping" {
		t.Errorf("its summary is %q", a.Summary)
	}
	if got := tools(t, n.mcp(t, n.auth.AgentToken(boss.ID))); !slices.Contains(got, "task_submit") || slices.Contains(got, "memory_store") {
		t.Errorf("the tools of a coordinator are %v", got)
	}
	if got := tools(t, n.mcp(t, n.auth.AgentToken(mute.ID))); !slices.Equal(got, ownTools) {
		t.Errorf("the tools of an agent that may nothing are %v", got)
	}
	// A session is not for others, and not for an agent that has ended.
	session := header("Mcp-Session-Id", s.ID())
	list := body(`{"jsonrpc":"2.0","id":9,"method":"tools/list"}`)
	accept := header("Accept", "application/json, text/event-stream")
	if a := n.ask(t, "POST", wire.MCPPath, bearer(n.auth.AgentToken(boss.ID)), session, list, accept); a.StatusCode != http.StatusForbidden {
		t.Errorf("another agent's session: %s %s", a.Status, a.body)
	}
	if _, err := n.plane.Stop(t.Context(), noun.Caller{Actor: "test"}, wire.StopParams{IDs: []wire.AgentID{keeper.ID}}); err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{n.auth.AgentToken(keeper.ID), n.auth.AgentToken("anope"), "agent." + string(boss.ID) + ".AAAA", "agent.", "nonsense"} {
		if a := n.ask(t, "POST", wire.MCPPath, bearer(token), session, list, accept); a.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %s %s", token, a.Status, a.body)
		}
	}
	if a := n.ask(t, "POST", wire.MCPPath, header("Authorization", "bearer  "+n.token), list, accept); a.StatusCode == http.StatusUnauthorized {
		t.Errorf("with a scheme in lower case: %s %s", a.Status, a.body)
	}
	if a := n.ask(t, "POST", wire.MCPPath, list, accept); a.StatusCode != http.StatusUnauthorized || a.Header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("without a token: %s %v", a.Status, a.Header)
	}
}

// TestMCPSessionsAreBounded begins sessions and ends none. Those of others are not affected.
func TestMCPSessionsAreBounded(t *testing.T) {
	t.Parallel()
	n := start(t, func(o *Options) {
		o.ConfigFile = write(t, "skein.yaml", "agent_types:\n  keeper: {kind: scripted, script: read, memory: [a]}\n")
	})
	token := n.auth.AgentToken(n.spawn(t, wire.SpawnParams{Type: "keeper"}).ID)
	hello := body(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}`)
	accept := header("Accept", "application/json, text/event-stream")
	session := ""
	for i := range mcpserver.MaxSessions {
		a := n.ask(t, "POST", wire.MCPPath, bearer(token), hello, accept)
		if session = a.Header.Get("Mcp-Session-Id"); session == "" {
			t.Fatalf("session %d: %s %s", i, a.Status, a.body)
		}
	}
	if a := n.ask(t, "POST", wire.MCPPath, bearer(token), hello, accept); a.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("one more: %s %s", a.Status, a.body)
	}
	n.mcp(t, n.token)
	n.ask(t, "DELETE", wire.MCPPath, bearer(token), header("Mcp-Session-Id", session))
	kit.Eventually(t, "there is room after one has ended", func() bool {
		return n.ask(t, "POST", wire.MCPPath, bearer(token), hello, accept).StatusCode == http.StatusOK
	})
}

// TestALongMCPCallSurvivesItsConnection has a client that loses its connection while a tool works, and comes back.
func TestALongMCPCallSurvivesItsConnection(t *testing.T) {
	t.Parallel()
	n := start(t)
	s := n.mcp(t, n.token)
	gate := filepath.Join(t.TempDir(), "gate")
	text, _ := use(t, s, "task_submit", map[string]any{"tasks": []any{map[string]any{"type": "shell", "argv": []string{"sh", "-c", "until [ -e " + gate + " ]; do sleep 0.05; done; echo at last"}}}})
	var submitted wire.SubmitResult
	if err := json.Unmarshal([]byte(text), &submitted); err != nil {
		t.Fatal(err)
	}
	do := func(ctx context.Context, method, body, last string) *http.Response {
		r, err := http.NewRequestWithContext(ctx, method, n.addrs.HTTP+wire.MCPPath, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Mcp-Session-Id": s.ID(), "Mcp-Protocol-Version": "2025-11-25", "Last-Event-ID": last} {
			if v != "" {
				r.Header.Set(k, v)
			}
		}
		res, err := withToken(n.token).RoundTrip(r)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%v, %v", res, err)
		}
		return res
	}
	ctx, cut := context.WithCancel(t.Context())
	defer cut()
	res := do(ctx, "POST", fmt.Sprintf(`{"jsonrpc":"2.0","id":77,"method":"tools/call","params":{"name":"task_wait","arguments":{"id":%q}}}`, submitted.Tasks[0].ID), "")
	last := ""
	for lines := bufio.NewScanner(res.Body); last == "" && lines.Scan(); {
		last = strings.TrimPrefix(strings.TrimSpace(lines.Text()), "id: ")
		if !strings.HasPrefix(lines.Text(), "id: ") {
			last = ""
		}
	}
	cut()
	res.Body.Close()
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	kit.Eventually(t, "the task is over", func() bool {
		task, err := n.plane.Tasks.Get(submitted.Tasks[0].ID)
		return err == nil && task.State == wire.TaskCompleted
	})
	res = do(t.Context(), "GET", "", last)
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if data, is := strings.CutPrefix(lines.Text(), "data: "); is && strings.Contains(data, `"id":77`) {
			if !strings.Contains(data, "at last") {
				t.Errorf("the result is %s", data)
			}
			return
		}
	}
	t.Error("the result did not come")
}
