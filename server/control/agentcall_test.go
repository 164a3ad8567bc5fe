package control_test

import (
	"strings"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

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
