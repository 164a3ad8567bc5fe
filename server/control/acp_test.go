package control_test

import (
	"strings"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/control"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/runner/acp"
	"skein.dev/skein/server/runner/process"
	"skein.dev/skein/webtransport/wire"
)

// TestATaskOfAnACPAgentWaitsForItsPermission drives a program that says the least that an ACP agent says.
func TestATaskOfAnACPAgentWaitsForItsPermission(t *testing.T) {
	t.Parallel()
	const agent = `
say() { printf '%s\n' "$1"; }
update() { say '{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"s","update":'"$1"'}}'; }
read x; say '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":1}}'
read x; say '{"jsonrpc":"2.0","id":2,"result":{"sessionId":"s"}}'
n=3
while read x; do
  say '{"jsonrpc":"2.0","id":'$n$n',"method":"session/request_permission","params":{"sessionId":"s","toolCall":{"toolCallId":"t'$n'","title":"Deploy it","kind":"execute","rawInput":{"command":"make deploy"}},"options":[{"optionId":"y","name":"Yes","kind":"allow_once"},{"optionId":"n","name":"No","kind":"reject_once"}]}}'
  read answer
  case "$answer" in *'"optionId":"y"'*) text=deployed;; *) text=refused;; esac
  update '{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"'$text'"}}'
  say '{"jsonrpc":"2.0","id":'$n',"result":{"stopReason":"end_turn"}}'
  n=$((n+1))
done`
	n := open(t, t.TempDir(), func(o *control.Options) {
		o.Kinds[wire.KindACP] = acp.New(o.Kinds[wire.KindExec].(*process.Kind))
		o.Types = append(o.Types, wire.AgentType{Name: "coder", Kind: wire.KindACP, Argv: []string{"sh", "-c", agent}, Tasks: wire.TasksPrompt,
			Permissions: &wire.Permissions{Otherwise: wire.PermissionAsk}})
	})
	a := n.spawn(t, wire.SpawnParams{Type: "coder"})
	submit := func() wire.TaskID {
		t.Helper()
		res, err := n.Tasks.Submit(t.Context(), noun.Caller{Actor: "test"}, wire.SubmitParams{Tasks: []wire.TaskSpec{{Type: "coder", Input: wire.Payload{Text: "Deploy"}}}})
		if err != nil {
			t.Fatal(err)
		}
		return res.Tasks[0].ID
	}
	becomes := func(id wire.TaskID, state wire.TaskState) (task wire.Task) {
		t.Helper()
		kit.Eventually(t, string(state), func() bool {
			task, _ = n.Tasks.Get(id)
			return task.State == state
		})
		return task
	}
	for option, want := range map[string]string{"y": "deployed", "n": "refused"} {
		task := submit()
		ask := n.pending(t, a.ID, 1)[0]
		if ask.Kind != wire.AskPermission || ask.Text != "Deploy it" || ask.Task != task || ask.Tool.Command != "make deploy" {
			t.Errorf("it asks %+v", ask)
		}
		becomes(task, wire.TaskInputRequired)
		n.untilAgent(t, a.ID, "it needs a person", func(a wire.Agent) bool {
			return a.Activity == wire.ActivityRequiresAction && a.Question == "Deploy it"
		})
		if _, err := n.Asks.Answer(t.Context(), noun.Caller{Actor: "ann"}, wire.AskAnswerParams{ID: ask.ID, Prompt: ask.Prompt, Option: option}); err != nil {
			t.Fatal(err)
		}
		if got := becomes(task, wire.TaskCompleted); string(got.Result.Bytes()) != want {
			t.Errorf("the result is %q", got.Result.Bytes())
		}
		n.untilAgent(t, a.ID, "it is idle", func(a wire.Agent) bool { return a.Activity == wire.ActivityIdle && a.Question == "" })
	}
	if err := n.Input(t.Context(), "bob", wire.InputParams{ID: a.ID, Text: "Once more\n"}); err != nil {
		t.Fatal(err)
	}
	n.pending(t, a.ID, 1)
	if err := n.Input(t.Context(), "bob", wire.InputParams{ID: a.ID, Interrupt: true}); err != nil {
		t.Fatal(err)
	}
	n.pending(t, a.ID, 0)
	var asked, answered, updates int
	n.follow(t, wire.Header{Agent: a.ID, Follow: true}, func(e wire.Event) bool {
		switch e.Type {
		case wire.EventAsk:
			asked++
		case wire.EventAnswer:
			answered++
		case wire.EventUpdate:
			if strings.Contains(e.Data.Text, "agent_message_chunk") {
				updates++
			}
		}
		return answered == 3 && updates == 3
	})
	if asked != 3 {
		t.Errorf("the log has %d questions and %d answers", asked, answered)
	}
}
