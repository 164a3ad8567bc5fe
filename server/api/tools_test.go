package api

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"

	"skein.dev/skein/webtransport/wire"
)

// untold are methods without a session that models are not told of.
var untold = []string{wire.MethodPing, wire.MethodArtifactCreate, wire.MethodMemoryRender}

func TestModelsAreToldOfEachMethod(t *testing.T) {
	t.Parallel()
	for _, m := range wire.Methods {
		if _, is := tells[m.Name]; is == (m.Session || slices.Contains(untold, m.Name)) {
			t.Errorf("%s: models are told of it: %t", m.Name, is)
		}
	}
	if n := len(Tools()); n != len(tells) {
		t.Errorf("%d tools of %d", n, len(tells))
	}
	for _, tool := range Tools() {
		if !slices.Contains(wire.ToolKinds, tool.Kind) || tool.About == "" || tool.Destroys && tool.Kind != "delete" {
			t.Errorf("%+v", tool)
		}
		if reads := tool.Kind == "read" || tool.Kind == "search"; reads != (tool.Effect == wire.Reads) {
			t.Errorf("%s has the effect %d and the kind %s", tool.Name, tool.Effect, tool.Kind)
		}
	}
}

func TestToolsTakeWhatMethodsTake(t *testing.T) {
	t.Parallel()
	schemas := map[string]*jsonschema.Resolved{}
	for _, tool := range Tools() {
		var s jsonschema.Schema
		if err := json.Unmarshal(tool.Parameters, &s); err != nil {
			t.Fatal(err)
		}
		r, err := s.Resolve(nil)
		if err != nil {
			t.Fatalf("%s: %v", tool.Name, err)
		}
		if s.Type != "object" || strings.Contains(string(tool.Parameters), `"html"`) || strings.Contains(string(tool.Parameters), `"null"`) {
			t.Errorf("%s: %s", tool.Name, tool.Parameters)
		}
		schemas[tool.Name] = r
	}
	for _, c := range []struct {
		name, params string
		good         bool
	}{
		{wire.MethodTaskSubmit, `{"tasks":[{"type":"shell","argv":["ls"],"input":{"text":"a"},"priority":"high","timeouts":{"run":1000},"labels":{"a":"b"}}]}`, true},
		{wire.MethodTaskSubmit, `{"tasks":[{"type":7}]}`, false},
		{wire.MethodTaskSubmit, `{}`, false},
		{wire.MethodMemoryStore, `{"namespace":"a","key":"b","value":{"base64":"AAAA"},"if_revision":0}`, true},
		{wire.MethodMemoryStore, `{"key":"b"}`, false},
		{wire.MethodStop, `{"scope":"all","grace_ms":0}`, true},
		{wire.MethodAdmission, `{}`, true},
		{wire.MethodGet, `{"id":"a","color":"red"}`, false},
	} {
		var v any
		if err := json.Unmarshal([]byte(c.params), &v); err != nil {
			t.Fatal(err)
		}
		if err := schemas[c.name].Validate(v); (err == nil) != c.good {
			t.Errorf("%s %s: %v", c.name, c.params, err)
		}
	}
}

func TestToolsOfAnAgentAreThoseThatItsTypeAllows(t *testing.T) {
	t.Parallel()
	names := func(typ wire.AgentType) (names []string) {
		for _, tool := range ToolsOf(typ) {
			names = append(names, tool.Name)
		}
		return names
	}
	own := []string{wire.MethodSummary, wire.MethodArtifactGet, wire.MethodArtifactList, wire.MethodArtifactRead}
	if got := names(wire.AgentType{}); !slices.Equal(got, own) {
		t.Errorf("an agent that may nothing has %v", got)
	}
	if got := names(wire.AgentType{Memory: []string{"a"}}); !slices.Contains(got, wire.MethodMemoryStore) || slices.ContainsFunc(got, func(n string) bool { return !strings.HasPrefix(n, "memory.") && !slices.Contains(own, n) }) || slices.Contains(got, wire.MethodMemoryNamespaces) {
		t.Errorf("an agent with a memory has %v", got)
	}
	if got := names(wire.AgentType{Coordinator: true}); !slices.Contains(got, wire.MethodTaskWait) || !slices.Contains(got, wire.MethodTaskSubmit) || slices.Contains(got, wire.MethodSpawn) || slices.Contains(got, wire.MethodTaskRetry) {
		t.Errorf("a coordinator has %v", got)
	}
}
