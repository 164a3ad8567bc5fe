package control_test

import (
	"slices"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/control"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// Agents of this type ask before they work, and then work for long.
func careful(o *control.Options) {
	o.Types = append(o.Types, wire.AgentType{Name: "careful", Kind: wire.KindScripted, Tasks: wire.TasksLines,
		Script: "repeat forever\n take\n ask go on?\n wait 1h\n result x\nend", MaxInstances: 2})
}

// A question that is asked or answered starts no task, and nothing else happens meanwhile: what others wait for changes all the same.
func TestWaitingTasksSayThatAnAgentWaitsForAnAnswer(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir(), careful)
	all := n.submit(t, wire.TaskSpec{Type: "careful"}, wire.TaskSpec{Type: "careful"}, wire.TaskSpec{Type: "careful"})
	waits := func(i int, why string, asking ...wire.AgentID) {
		t.Helper()
		n.until(t, all[i].ID, why, func(r wire.Task) bool {
			return r.State == wire.TaskSubmitted && r.Waiting == why && slices.Equal(r.Asking, asking)
		})
	}
	at := func(i int) wire.Agent {
		t.Helper()
		r := n.until(t, all[i].ID, "it asks", func(r wire.Task) bool { return r.State == wire.TaskInputRequired })
		a, err := n.Get(r.Runs[0].Agent)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	first, second := at(0), at(1)
	ids := []wire.AgentID{first.ID, second.ID}
	slices.Sort(ids)
	waits(2, "2 of 2 careful wait for your answer", ids...)
	all = append(all, n.submit(t, wire.TaskSpec{Agent: first.ID})...)
	waits(3, first.Name+" waits for your answer", first.ID)
	answer := func(a wire.Agent) {
		t.Helper()
		ask := n.pending(t, a.ID, 1)[0]
		if _, err := n.Asks.Answer(t.Context(), noun.Caller{Actor: "ann"}, wire.AskAnswerParams{ID: ask.ID, Prompt: ask.Prompt, Text: "yes"}); err != nil {
			t.Fatal(err)
		}
	}
	answer(first)
	waits(2, "1 of 2 careful waits for your answer, 1 busy", second.ID)
	waits(3, "agent "+first.Name+" is busy")
	answer(second)
	waits(2, "2 of 2 careful busy")
}

func TestANodeThatIsFullOfQuestionsSaysSo(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir(), workers, func(o *control.Options) { o.MaxAgents = 1 })
	a := n.spawn(t, wire.SpawnParams{Type: "scripted", Script: "ask May I?\nwait 1h"})
	task := n.submit(t, wire.TaskSpec{Type: "echo"})[0]
	n.until(t, task.ID, "it asks", func(r wire.Task) bool {
		return r.Waiting == "this node runs 1 of 1 agents, 1 waits for your answer" && slices.Equal(r.Asking, []wire.AgentID{a.ID})
	})
	if err := n.Input(t.Context(), "ann", wire.InputParams{ID: a.ID, Text: "yes\n"}); err != nil {
		t.Fatal(err)
	}
	n.until(t, task.ID, "it was answered", func(r wire.Task) bool { return r.Waiting == "this node runs 1 of 1 agents" && r.Asking == nil })
	kit.Eventually(t, "no question is left", func() bool { return len(n.pending(t, a.ID, 0)) == 0 })
}
