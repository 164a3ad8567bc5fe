package server

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/webtransport/wire"
)

func body(s string) func(*http.Request) {
	return func(r *http.Request) {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(s)), int64(len(s))
		r.Header.Set("Content-Type", "application/json")
	}
}

// rpc sends a body to /rpc as a client.
func (n *node) rpc(t *testing.T, client, s string) answer {
	t.Helper()
	return n.ask(t, "POST", "/rpc", bearer(n.dir.Token), header(wire.ClientIDHeader, client), body(s))
}

func TestBatch(t *testing.T) {
	t.Parallel()
	n := start(t)
	id := clientID()
	spawn := request("1", wire.MethodSpawn, wire.SpawnParams{Type: "scripted", Script: "read\nsay got ${reply}\nread\nsay got ${reply}\nread\nsay got ${reply}"})
	a := n.rpc(t, id, spawn)
	var m wire.Message
	if err := json.Unmarshal([]byte(a.body), &m); err != nil || a.StatusCode != http.StatusOK {
		t.Fatalf("a single request: %s %s", a.Status, a.body)
	}
	agent := result[wire.SpawnResult](t, &m).Agents[0]

	var lines []string
	for i := range 3 {
		lines = append(lines, request(fmt.Sprint(10+i), wire.MethodInput, wire.InputParams{ID: agent.ID, Text: fmt.Sprintf("%d\n", i)}))
	}
	lines = append(lines, request("20", wire.MethodGet, wire.AgentParams{ID: agent.ID}), request("21", wire.MethodNetwork, nil),
		request("22", "no.such", nil), `{"jsonrpc":"2.0","method":"ping"}`, `7`,
		request("23", wire.MethodTaskList, wire.TaskFilter{}),
		request("24", wire.MethodMemoryStore, map[string]any{"namespace": "n", "key": "k", "text": "v"}),
		request("25", wire.MethodAgentSearch, wire.AgentSearchParams{ID: agent.ID, Query: "x"}),
		request("26", wire.MethodAgentEvents, wire.AgentEventsParams{ID: agent.ID, Limit: 1}))
	a = n.rpc(t, id, "["+strings.Join(lines, ",")+"]")
	var answers []*wire.Message
	if err := json.Unmarshal([]byte(a.body), &answers); err != nil || a.StatusCode != http.StatusOK {
		t.Fatalf("a batch: %s %s", a.Status, a.body)
	}
	want := []string{"10", "11", "12", "20", "21!", "22!", "null!", "23", "24", "25", "26"}
	var got []string
	for _, m := range answers {
		s := string(m.ID)
		if m.Error != nil {
			s += "!"
		}
		got = append(got, s)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("answers %v, want %v: %s", got, want, a.body)
	}
	kit.Eventually(t, "the inputs, in their order", func() bool {
		_, p := n.plane.Get(agent.ID)
		if p != nil {
			t.Fatal(p)
		}
		rec, _ := n.plane.Get(agent.ID)
		return rec.LastLine == "got 2"
	})

	a = n.rpc(t, id, request("30", wire.MethodAgentSearch, wire.AgentSearchParams{ID: agent.ID, Query: "GOT 2"}))
	var found wire.Message
	if err := json.Unmarshal([]byte(a.body), &found); err != nil {
		t.Fatal(err)
	}
	if res := result[wire.AgentSearchResult](t, &found); len(res.Matches) != 1 || res.Matches[0].Line != "got 2" || res.Matches[0].Type != wire.EventStdout || res.Scanned == 0 {
		t.Errorf("the search: %s", a.body)
	}

	// A session of the same client gets the recorded answer.
	p := n.join(t, wire.WebSocket, as(id))
	again := p.call(t, "1", wire.MethodSpawn, wire.SpawnParams{Type: "scripted", Script: "read\nsay got ${reply}\nread\nsay got ${reply}\nread\nsay got ${reply}"})
	if got := result[wire.SpawnResult](t, again).Agents[0].ID; got != agent.ID {
		t.Errorf("the request, again in a session, made agent %s beside %s", got, agent.ID)
	}
	if got := len(n.plane.List(wire.Filter{}).Agents); got != 1 {
		t.Errorf("%d agents, want 1", got)
	}
}

func TestBadBatches(t *testing.T) {
	t.Parallel()
	n := start(t)
	many := "[" + strings.Repeat(`{"jsonrpc":"2.0","id":1,"method":"ping"},`, wire.MaxRPCBatch) + `{"jsonrpc":"2.0","id":1,"method":"ping"}]`
	for _, c := range []struct {
		what, body, client string
		status             int
		code               wire.ErrorCode
	}{
		{"no JSON", "{", clientID(), 400, wire.CodeParse},
		{"nothing", "", clientID(), 400, wire.CodeParse},
		{"an empty batch", "[]", clientID(), 400, wire.CodeInvalidRequest},
		{"too many", many, clientID(), 400, wire.CodeInvalidRequest},
		{"an answer", `{"jsonrpc":"2.0","id":1,"result":{}}`, clientID(), 400, wire.CodeInvalidRequest},
		{"too long", `[{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"` + strings.Repeat("x", wire.MaxRPCBody) + `"}}]`, clientID(), 413, wire.CodeTooLarge},
		{"a short client id", `{"jsonrpc":"2.0","id":1,"method":"ping"}`, "short", 400, wire.CodeInvalidParams},
	} {
		t.Run(c.what, func(t *testing.T) {
			a := n.rpc(t, c.client, c.body)
			var m wire.Message
			if err := json.Unmarshal([]byte(a.body), &m); err != nil || a.StatusCode != c.status || m.Error == nil || m.Error.Code != c.code {
				t.Errorf("%s %s; want %d and code %d", a.Status, a.body, c.status, c.code)
			}
		})
	}
	a := n.ask(t, "POST", "/rpc", header(wire.ClientIDHeader, clientID()), body(request("1", wire.MethodSpawn, wire.SpawnParams{Type: "scripted"})))
	if a.StatusCode != http.StatusUnauthorized {
		t.Errorf("a stranger gets %s", a.Status)
	}
	a = n.ask(t, "POST", "/rpc", with(n.login(t)), header(wire.ClientIDHeader, clientID()), header("Origin", "https://elsewhere.example"),
		body(request("1", wire.MethodSpawn, wire.SpawnParams{Type: "scripted"})))
	if a.StatusCode != http.StatusForbidden {
		t.Errorf("another site's page gets %s", a.Status)
	}
	if got := len(n.plane.List(wire.Filter{}).Agents); got != 0 {
		t.Errorf("%d agents, want none", got)
	}
}
