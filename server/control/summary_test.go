package control_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// A summary is the newest one alone: no event of the log tells of those before.
func TestAnAgentSaysWhatItDoes(t *testing.T) {
	t.Parallel()
	p := linesPlane(t, speaks(`
		i=0; while [ $i -lt 1000 ]; do i=$((i+1)); say agent.summary '"text":"step '$i'\nof 1000"'; done
		printf '{"jsonrpc":"2.0","id":1,"method":"agent.summary","params":{"text":"step 1001"}}\n'; read -r line; echo "got $line"
		printf '{"jsonrpc":"2.0","id":2,"method":"agent.summary","params":{"text":7}}\n'; read -r line; echo "got $line"
		next; say agent.summary '"text":""'; say task.result '"task":"'$task'","output":""'
		next`))
	id := p.spawnOne(t)
	kit.Eventually(t, "it has two answers", func() bool { return len(logged(t, p, id, wire.EventStdout)) == 2 })
	got := strings.Join(logged(t, p, id, wire.EventStdout), "")
	if !strings.Contains(got, `"id":1,"result":{}`) || !strings.Contains(got, `"id":2,"error"`) {
		t.Errorf("it is answered %s", got)
	}
	if a, _ := p.Get(id); a.Summary != "step 1001" {
		t.Errorf("its summary is %q", a.Summary)
	}
	if res, err := p.Summarize(wire.SummaryParams{ID: id, Text: "by  a person"}); err != nil || res.Summary != "by a person" {
		t.Errorf("%+v, %v", res, err)
	}
	if all := p.List(wire.Filter{Query: "A PERSON"}).Agents; len(all) != 1 {
		t.Errorf("%d agents are found by it", len(all))
	}
	over(t, p, submitted(t, p, wire.TaskSpec{Type: "worker"})[0])
	if a, _ := p.Get(id); a.Summary != "" || a.LastSeq > 60 {
		t.Errorf("its summary is %q, and its log has %d events", a.Summary, a.LastSeq)
	}
	for _, e := range []wire.EventType{wire.EventLog, wire.EventUpdate} {
		if said := logged(t, p, id, e); len(said) > 1 {
			t.Errorf("its log has %d of %s", len(said), e)
		}
	}
}

func (p *speaking) spawnOne(t *testing.T) wire.AgentID {
	t.Helper()
	res, err := p.Spawn(t.Context(), noun.Caller{Actor: "test"}, wire.SpawnParams{Type: "worker"})
	if err != nil {
		t.Fatal(err)
	}
	return res.Agents[0].ID
}

func TestASummaryIsKeptWithItsAgent(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir())
	a := n.shell(t, "exec sleep 1000")
	if _, err := n.Summarize(wire.SummaryParams{ID: a.ID, Text: "waiting"}); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Summarize(wire.SummaryParams{ID: "anope"}); !errors.Is(err, &wire.Error{Code: wire.CodeNotFound}) {
		t.Errorf("one of nobody: %v", err)
	}
	n.close()
	n = open(t, n.dir)
	if now, err := n.Get(a.ID); err != nil || now.Summary != "waiting" {
		t.Errorf("it says %q, %v", now.Summary, err)
	}
	if _, err := n.Summarize(wire.SummaryParams{ID: a.ID, Text: "late"}); !errors.Is(err, &wire.Error{Code: wire.CodePrecondition}) {
		t.Errorf("one of an agent that has ended: %v", err)
	}
}

// An ACP agent that sets no summary is at an entry of its plan, or in a conversation that has a title.
func TestTheSummaryOfAConversation(t *testing.T) {
	t.Parallel()
	update := func(s string) string {
		return fmt.Sprintf(`say '{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"s","update":{"sessionUpdate":%s}}}'; `, s)
	}
	n, a, _ := openACP(t, `turn() { `+
		update(`"session_info_update","title":"The parser"`)+`ask one; read x; `+
		update(`"plan","entries":[{"content":"look","status":"completed"},{"content":"mend\nit","status":"in_progress"},{"content":"tell","status":"in_progress"}]`)+`ask two; read x; }`+acpTurns)
	says := func(want string) {
		t.Helper()
		n.untilAgent(t, a.ID, "says "+want, func(a wire.Agent) bool { return a.Summary == want })
	}
	for range 2 { // the second time the conversation has a title already
		if err := n.Input(t.Context(), "bob", wire.InputParams{ID: a.ID, Text: "Do it\n"}); err != nil {
			t.Fatal(err)
		}
		one := n.pending(t, a.ID, 1)[0]
		says("The parser")
		n.allow(t, one)
		says("mend it")
		set := func(text, want string) {
			t.Helper()
			if res, err := n.Summarize(wire.SummaryParams{ID: a.ID, Text: text}); err != nil || res.Summary != want {
				t.Fatalf("%+v, %v", res, err)
			}
		}
		set("its own words", "its own words")
		set("", "mend it")
		n.allow(t, n.pending(t, a.ID, 1)[0])
		says("The parser") // the turn is over
	}
}
