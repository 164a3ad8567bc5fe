package control

import (
	"strings"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

func TestNamespaces(t *testing.T) {
	for name, c := range map[string]struct {
		list    []string
		in, out string // namespaces, separated by spaces
	}{
		"none":             {nil, "", "a team"},
		"a name":           {[]string{"team"}, "team", "tea team2 team.x"},
		"a beginning":      {[]string{"team.*"}, "team.a team. team.a.b", "team teams.a a.team.b"},
		"of several":       {[]string{"a", "b*"}, "a b bc", "c ab"},
		"all":              {[]string{"*"}, "a team.x", ""},
		"a * in the midst": {[]string{"a*b"}, "a*b", "ab axb"},
	} {
		t.Run(name, func(t *testing.T) {
			allowed := namespaces(c.list)
			for _, ns := range strings.Fields(c.in) {
				if !allowed(ns) {
					t.Errorf("%s is not allowed", ns)
				}
			}
			for _, ns := range strings.Fields(c.out) {
				if allowed(ns) {
					t.Errorf("%s is allowed", ns)
				}
			}
		})
	}
}

func TestAnAgentUsesItsNamespacesAndNoOthers(t *testing.T) {
	typ := speaks(`
		ask() { printf '{"jsonrpc":"2.0","id":"a","method":"%s","params":{"namespace":"%s","key":"k"%s}}\n' "$@"; read -r line; echo "got $line"; }
		next
		ask memory.store team.a ',"value":{"text":"mine"}'
		ask memory.retrieve team.a ''
		ask memory.store other ',"value":{"text":"not mine"}'
		ask memory.retrieve secret ''
		ask memory.watch team.a ''
		ask task.submit x ''
		ask fly x ''
		say task.result '"task":"'$task'","output":""'
		next`)
	typ.Memory = []string{"team.*"}
	p := linesPlane(t, typ)
	by := noun.Caller{Actor: "me"}
	if _, err := p.Memory.Store(t.Context(), by, wire.MemoryStoreParams{Namespace: "secret", Key: "k", Value: wire.Payload{Text: "hush"}}); err != nil {
		t.Fatal(err)
	}
	over(t, p, submitted(t, p, wire.TaskSpec{Type: "worker"})[0])
	a := p.worker(t)
	var got []string
	kit.Eventually(t, "it has seven answers", func() bool { got = logged(t, p, a.ID, wire.EventStdout); return len(got) == 7 })
	for i, want := range []string{`"revision"`, `"text":"mine"`, `"unauthorized"`, `"unauthorized"`, `"method_not_found"`, "coordinator: true", `"method_not_found"`} {
		if !strings.Contains(got[i], want) {
			t.Errorf("answer %d is %s, want %s", i, got[i], want)
		}
	}
	if e, err := p.Memory.Retrieve(t.Context(), wire.MemoryKeyParams{Namespace: "team.a", Key: "k"}); err != nil || e.Value.Text != "mine" || e.Writer != string(a.ID) {
		t.Errorf("memory holds %+v, %v", e, err)
	}
	if e, err := p.Memory.Retrieve(t.Context(), wire.MemoryKeyParams{Namespace: "other", Key: "k"}); err == nil {
		t.Errorf("another's memory holds %+v", e)
	}
}
