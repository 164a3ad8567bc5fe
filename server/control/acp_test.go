package control_test

import (
	"os"
	"path/filepath"
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

// acpAgent says the least that an ACP agent says, and then does what a script does with each prompt.
const acpAgent = `
say() { printf '%s\n' "$1"; }
ask() { say '{"jsonrpc":"2.0","id":"'"$1"'","method":"session/request_permission","params":{"sessionId":"s","toolCall":{"toolCallId":"'"$1"'","title":"'"$1"'"},"options":[{"optionId":"y","name":"Yes","kind":"allow_once"}]}}'; }
read x; say '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":1,"authMethods":[{"id":"key","name":"Key"}]}}'
read x
`

const acpTurns = `
say '{"jsonrpc":"2.0","id":2,"result":{"sessionId":"s"}}'
n=3
while read x; do
  turn
  say '{"jsonrpc":"2.0","id":'$n',"result":{"stopReason":"end_turn"}}'
  n=$((n+1))
done`

func openACP(t *testing.T, script string, change ...func(*control.Options)) (n *node, a wire.Agent, submit func() wire.TaskID) {
	t.Helper()
	n = open(t, t.TempDir(), append([]func(*control.Options){func(o *control.Options) {
		o.Kinds[wire.KindACP] = acp.New(o.Kinds[wire.KindExec].(*process.Kind))
		o.Types = append(o.Types, wire.AgentType{Name: "coder", Kind: wire.KindACP, Argv: []string{"sh", "-c", acpAgent + script}, Tasks: wire.TasksPrompt,
			Restart: &wire.RestartPolicy{Mode: wire.RestartFail, Attempts: 2, IntervalMS: 60_000, DelayMS: 10}})
	}}, change...)...)
	a = n.spawn(t, wire.SpawnParams{Type: "coder", Cwd: t.TempDir()})
	return n, a, func() wire.TaskID {
		t.Helper()
		res, err := n.Tasks.Submit(t.Context(), noun.Caller{Actor: "test"}, wire.SubmitParams{Tasks: []wire.TaskSpec{{Type: "coder", Input: wire.Payload{Text: "Do it"}}}})
		if err != nil {
			t.Fatal(err)
		}
		return res.Tasks[0].ID
	}
}

func (n *node) untilTask(t *testing.T, id wire.TaskID, state wire.TaskState) {
	t.Helper()
	kit.Until(t, "the task is "+string(state), func() wire.Task {
		task, _ := n.Tasks.Get(id)
		return task
	}, func(task wire.Task) bool { return task.State == state })
}

func (n *node) allow(t *testing.T, ask wire.Ask) {
	t.Helper()
	if _, err := n.Asks.Answer(t.Context(), noun.Caller{Actor: "ann"}, wire.AskAnswerParams{ID: ask.ID, Prompt: ask.Prompt, Option: "y"}); err != nil {
		t.Fatal(err)
	}
}

// TestAnInputAnswersNoPermission checks that a task waits on when another prompt is sent to its agent.
func TestAnInputAnswersNoPermission(t *testing.T) {
	t.Parallel()
	n, a, submit := openACP(t, `turn() { ask one; read x; }`+acpTurns)
	task := submit()
	n.untilTask(t, task, wire.TaskInputRequired)
	ask := n.pending(t, a.ID, 1)[0]
	if err := n.Input(t.Context(), "bob", wire.InputParams{ID: a.ID, Text: "and then the docs\n"}); err != nil {
		t.Fatal(err)
	}
	if got, _ := n.Tasks.Get(task); got.State != wire.TaskInputRequired {
		t.Errorf("the task is %s", got.State)
	}
	n.allow(t, ask)
	n.untilTask(t, task, wire.TaskCompleted)
}

// TestTwoPermissionsAtOnce answers the second one first.
func TestTwoPermissionsAtOnce(t *testing.T) {
	t.Parallel()
	n, a, submit := openACP(t, `turn() { ask one; ask two; read x; read x; }`+acpTurns)
	task := submit()
	all := n.pending(t, a.ID, 2)
	n.untilTask(t, task, wire.TaskInputRequired)
	n.untilAgent(t, a.ID, "asks", func(a wire.Agent) bool { return a.Question == "one" })
	n.allow(t, all[1])
	if got, _ := n.Tasks.Get(task); got.State != wire.TaskInputRequired {
		t.Errorf("the task is %s", got.State)
	}
	n.allow(t, all[0])
	n.untilTask(t, task, wire.TaskCompleted)
	n.untilAgent(t, a.ID, "is idle", func(a wire.Agent) bool { return a.Activity == wire.ActivityIdle && a.Question == "" })
	if r, _ := n.Asks.List(t.Context(), wire.AskListParams{All: true}); r.Total != 2 {
		t.Errorf("the inbox had %+v", r.Asks)
	}
}

// TestAPermissionIsAnsweredAtOnce answers before the agent has gone on.
func TestAPermissionIsAnsweredAtOnce(t *testing.T) {
	t.Parallel()
	var n *node
	ready := make(chan struct{})
	n, a, submit := openACP(t, `turn() { ask one; read x; say went; until [ -e end ]; do sleep 0.05; done; }`+acpTurns, func(o *control.Options) {
		o.Asked = func(ask wire.Ask) {
			<-ready
			n.Asks.Answer(t.Context(), noun.Caller{Actor: "ann"}, wire.AskAnswerParams{ID: ask.ID, Prompt: ask.Prompt, Option: "y"})
		}
	})
	close(ready)
	task := submit()
	n.untilAgent(t, a.ID, "went on", func(a wire.Agent) bool { return a.LastLine == "went" })
	if got, _ := n.Tasks.Get(task); got.State != wire.TaskWorking {
		t.Errorf("the task is %s", got.State)
	}
	if got, _ := n.Get(a.ID); got.Activity != wire.ActivityRunning || got.Question != "" {
		t.Errorf("the agent is %s, and asks %q", got.Activity, got.Question)
	}
	if r, _ := n.Asks.List(t.Context(), wire.AskListParams{All: true}); r.Total != 1 {
		t.Errorf("the inbox had %+v", r.Asks)
	}
}

// TestARestartForgetsWhatWasAsked has an agent that ends while it asks.
func TestARestartForgetsWhatWasAsked(t *testing.T) {
	t.Parallel()
	n, a, submit := openACP(t, `if [ ! -e again ]; then
	: > again
	say '{"jsonrpc":"2.0","id":2,"error":{"code":-32000,"message":"Log in"}}'
	until [ -e end ]; do sleep 0.05; done
	exit 1
fi
turn() { ask one; read x; }`+acpTurns)
	n.untilAgent(t, a.ID, "wants a login", func(a wire.Agent) bool { return strings.Contains(a.Question, "Log in") })
	if err := os.WriteFile(filepath.Join(a.Cwd, "end"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	n.untilAgent(t, a.ID, "runs again", func(a wire.Agent) bool { return a.Generation == 2 && a.Activity == wire.ActivityIdle })
	task := submit()
	ask := n.pending(t, a.ID, 1)[0]
	n.untilAgent(t, a.ID, "asks", func(a wire.Agent) bool { return a.Question == "one" })
	n.allow(t, ask)
	n.untilTask(t, task, wire.TaskCompleted)
	n.untilAgent(t, a.ID, "is idle", func(a wire.Agent) bool { return a.Activity == wire.ActivityIdle && a.Question == "" })
}
