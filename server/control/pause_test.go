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

// echoes is a program that says back each prompt, by ACP.
const echoes = `
say() { printf '%s\n' "$1"; }
read x; say '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":1}}'
read x; say '{"jsonrpc":"2.0","id":2,"result":{"sessionId":"s"}}'
n=3
while read x; do
  echo "$x" >>heard
  say '{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"s","update":{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"ok"}}}}'
  say '{"jsonrpc":"2.0","id":'$n',"result":{"stopReason":"end_turn"}}'
  n=$((n+1))
done`

func TestAPausedAgentGetsNoPrompts(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir(), func(o *control.Options) {
		o.Kinds[wire.KindACP] = acp.New(o.Kinds[wire.KindExec].(*process.Kind))
		o.Types = append(o.Types, wire.AgentType{Name: "coder", Kind: wire.KindACP, Argv: []string{"sh", "-c", echoes}, Tasks: wire.TasksPrompt, MaxInstances: 1})
	})
	a := n.spawn(t, wire.SpawnParams{Type: "coder"})
	n.untilAgent(t, a.ID, "it is idle", func(a wire.Agent) bool { return a.Activity == wire.ActivityIdle })
	by := noun.Caller{Actor: "ann"}
	pause := func(p wire.PauseParams) wire.PauseReport {
		t.Helper()
		p.IDs = []wire.AgentID{a.ID}
		res, err := n.Pause(t.Context(), by, p)
		if err != nil {
			t.Fatal(err)
		}
		return res.Reports[0]
	}
	if r := pause(wire.PauseParams{Reason: "lunch"}); r.Error != nil || r.Pause == nil || r.Pause.By != "ann" || r.Pause.Reason != "lunch" {
		t.Fatalf("the report is %+v", r)
	}
	if err := n.Input(t.Context(), "bob", wire.InputParams{ID: a.ID, Text: "wait for me\n"}); err != nil {
		t.Fatal(err)
	}
	res, err := n.Tasks.Submit(t.Context(), by, wire.SubmitParams{Tasks: []wire.TaskSpec{{Type: "coder", Input: wire.Payload{Text: "and me"}}, {Agent: a.ID, Input: wire.Payload{Text: "me, too"}}}})
	if err != nil {
		t.Fatal(err)
	}
	n.untilAgent(t, a.ID, "the prompt waits", func(a wire.Agent) bool { return len(a.Prompts) == 1 && a.Prompts[0].Text == "wait for me" })
	for i, why := range []string{"1 of 1 coder busy, 1 of them paused", "is paused"} {
		kit.Eventually(t, why, func() bool {
			task, err := n.Tasks.Get(res.Tasks[i].ID)
			return err == nil && task.State == wire.TaskSubmitted && strings.Contains(task.Waiting, why)
		})
	}
	heard := filepath.Join(a.Cwd, "heard")
	if b, err := os.ReadFile(heard); err == nil {
		t.Errorf("it has heard %s", b)
	}
	resumed, err := n.Resume(t.Context(), by, wire.ResumeParams{IDs: []wire.AgentID{a.ID, "anone"}})
	if err != nil || resumed.Reports[0].Pause != nil || resumed.Reports[0].Error != nil || resumed.Reports[1].Error == nil {
		t.Fatalf("it was resumed: %+v, %v", resumed, err)
	}
	for _, task := range res.Tasks {
		kit.Eventually(t, "its task is done", func() bool {
			task, err := n.Tasks.Get(task.ID)
			return err == nil && task.State == wire.TaskCompleted
		})
	}
	b, err := os.ReadFile(heard)
	for _, text := range []string{"wait for me", "and me", "me, too"} {
		if err != nil || strings.Count(string(b), text) != 1 {
			t.Errorf("it has heard %q: %s, %v", text, b, err)
		}
	}
	n.Stop(t.Context(), by, wire.StopParams{IDs: []wire.AgentID{a.ID}})
	if r := pause(wire.PauseParams{}); r.Error == nil || r.Pause != nil {
		t.Errorf("one that has ended was paused: %+v", r)
	}
}

// A frozen agent does nothing, and neither do those that it started; it needs nobody, and a stop ends it all the same.
func TestAFrozenAgent(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir(), func(o *control.Options) {
		o.Types = append(o.Types, wire.AgentType{Name: "ticks", Kind: wire.KindExec,
			Argv: []string{"sh", "-c", `setsid sh -c 'while :; do echo x >>apart; sleep 0.01; done' & while :; do echo tick; sleep 0.01; done`}})
	})
	a := n.spawn(t, wire.SpawnParams{Type: "ticks"})
	apart := filepath.Join(a.Cwd, "apart")
	size := func() int64 {
		s, err := os.Stat(apart)
		if err != nil {
			return 0
		}
		return s.Size()
	}
	kit.Eventually(t, "both are at work", func() bool { return size() > 0 })
	by := noun.Caller{Actor: "ann"}
	ids := []wire.AgentID{a.ID}
	res, err := n.Pause(t.Context(), by, wire.PauseParams{IDs: ids, Freeze: true})
	if err != nil || res.Reports[0].Error != nil || !res.Reports[0].Pause.Frozen {
		t.Fatalf("it was frozen: %+v, %v", res, err)
	}
	frozen := size()
	n.untilAgent(t, a.ID, "a sample has seen it", func(a wire.Agent) bool { return a.Suspended })
	if got := size(); got != frozen {
		t.Errorf("a process that it started has written %d bytes since", got-frozen)
	}
	if rec, err := n.Get(a.ID); err != nil || rec.Status != wire.StatusRunning || rec.NeedsAttention() {
		t.Errorf("it is %s, %v", rec.Status, err)
	}
	if res, err = n.Resume(t.Context(), by, wire.ResumeParams{IDs: ids}); err != nil || res.Reports[0].Error != nil {
		t.Fatalf("it was resumed: %+v, %v", res, err)
	}
	kit.Eventually(t, "both are at work again", func() bool { return size() > frozen })
	if _, err := n.Pause(t.Context(), by, wire.PauseParams{IDs: ids, Freeze: true}); err != nil {
		t.Fatal(err)
	}
	stopped, err := n.Stop(t.Context(), by, wire.StopParams{IDs: ids})
	if err != nil || stopped.Reports[0].Reason != wire.ReasonStopped || stopped.Reports[0].Forced || len(stopped.Reports[0].Leftovers) > 0 {
		t.Errorf("the stop of a frozen agent: %+v, %v", stopped, err)
	}
}

// spends is a program that says what each turn has cost.
const spends = `
say() { printf '%s\n' "$1"; }
read x; say '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":1}}'
read x; say '{"jsonrpc":"2.0","id":2,"result":{"sessionId":"s"}}'
n=3
while read x; do
  echo "$x" >>heard
  say '{"jsonrpc":"2.0","id":'$n',"result":{"stopReason":"end_turn","usage":{"totalTokens":120,"inputTokens":100,"outputTokens":20}}}'
  n=$((n+1))
done`

func TestAnAgentWhoseBudgetIsSpentGetsNoPrompt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := open(t, dir, func(o *control.Options) {
		o.Kinds[wire.KindACP] = acp.New(o.Kinds[wire.KindExec].(*process.Kind))
		o.Types = append(o.Types, wire.AgentType{Name: "coder", Kind: wire.KindACP, Argv: []string{"sh", "-c", spends}, Tasks: wire.TasksPrompt,
			Budget: &wire.Budget{Agent: &wire.Limit{Tokens: 200}, Then: wire.BudgetPause}})
	})
	a := n.spawn(t, wire.SpawnParams{Type: "coder"})
	for _, text := range []string{"one\n", "two\n", "three\n", "four\n"} { // all at once: the third must not begin
		if err := n.Input(t.Context(), "bob", wire.InputParams{ID: a.ID, Text: text}); err != nil {
			t.Fatal(err)
		}
	}
	n.untilAgent(t, a.ID, "it is paused", func(a wire.Agent) bool {
		return a.Paused != nil && a.Paused.By == "budget" && strings.Contains(a.Paused.Reason, "240 of 200 tokens") && len(a.Prompts) == 2
	})
	heard := func() int {
		b, _ := os.ReadFile(filepath.Join(a.Cwd, "heard"))
		return strings.Count(string(b), "session/prompt")
	}
	if got := heard(); got != 2 {
		t.Errorf("it got %d prompts", got)
	}
	// Whoever resumes it gives it one more.
	if _, err := n.Resume(t.Context(), noun.Caller{Actor: "ann"}, wire.ResumeParams{IDs: []wire.AgentID{a.ID}}); err != nil {
		t.Fatal(err)
	}
	n.untilAgent(t, a.ID, "it is paused again", func(a wire.Agent) bool { return a.Paused != nil && len(a.Prompts) == 1 })
	if got := heard(); got != 3 {
		t.Errorf("it got %d prompts", got)
	}
	res, err := n.Usage.List(wire.UsageParams{})
	if err != nil || len(res.Days) != 1 || res.Days[0].Turns != 3 || res.Days[0].Input != 300 || res.Days[0].Output != 60 {
		t.Errorf("the usage is %+v, %v", res, err)
	}
}
