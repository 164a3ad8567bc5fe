package control_test

import (
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/control"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// pending returns the questions of an agent that wait, when there are so many.
func (n *node) pending(t *testing.T, id wire.AgentID, count int) (all []wire.Ask) {
	t.Helper()
	kit.Eventually(t, "questions wait", func() bool {
		r, err := n.Asks.List(t.Context(), wire.AskListParams{Agent: id})
		all = r.Asks
		return err == nil && len(all) == count
	})
	return all
}

func TestAQuestionIsInTheInbox(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir())
	a := n.spawn(t, wire.SpawnParams{Type: "scripted", Name: "asker", Script: "ask Merge?\nsay got ${reply}\nask Push?\nsay then ${reply}\nask Never mind?\nread"})
	ask := n.pending(t, a.ID, 1)[0]
	if ask.Kind != wire.AskQuestion || ask.Text != "Merge?" || ask.Name != "asker" || ask.Generation != 1 {
		t.Errorf("it is %+v", ask)
	}
	got, err := n.Asks.Answer(t.Context(), noun.Caller{Actor: "ann"}, wire.AskAnswerParams{ID: ask.ID, Prompt: ask.Prompt, Text: "yes"})
	if err != nil || got.State != wire.AskResolved || got.Answer.By != "ann" {
		t.Fatalf("it is %+v, %v", got, err)
	}
	n.untilAgent(t, a.ID, "it got the answer", func(a wire.Agent) bool { return a.LastLine == "got yes" && a.Question == "Push?" })
	_, err = n.Asks.Answer(t.Context(), noun.Caller{Actor: "bob"}, wire.AskAnswerParams{ID: ask.ID, Prompt: ask.Prompt, Text: "no"})
	kit.Refused(t, err, wire.CodeConflict, "id")

	// An input answers it as well.
	ask = n.pending(t, a.ID, 1)[0]
	if err := n.Input(t.Context(), "bob", wire.InputParams{ID: a.ID, Text: "no\n"}); err != nil {
		t.Fatal(err)
	}
	kit.Eventually(t, "bob's answer counts", func() bool {
		got, err := n.Asks.Get(ask.ID)
		return err == nil && got.State == wire.AskResolved && got.Answer.By == "bob" && got.Answer.Text == "no"
	})

	// A question ends with its agent.
	kit.Eventually(t, "the third", func() bool { return n.pending(t, a.ID, 1)[0].Text == "Never mind?" })
	ask = n.pending(t, a.ID, 1)[0]
	if _, err := n.Stop(t.Context(), noun.Caller{Actor: "test"}, wire.StopParams{IDs: []wire.AgentID{a.ID}}); err != nil {
		t.Fatal(err)
	}
	if got, err := n.Asks.Get(ask.ID); err != nil || got.State != wire.AskCanceled || got.Reason == "" {
		t.Errorf("it is %+v, %v", got, err)
	}
}

func TestAProgramThatWaitsInItsTerminalIsInTheInbox(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir())
	a := n.spawn(t, inTerminal(`printf '\033]7501;state=blocked:kind=permission:msg=bWF5IEk/:app=test\033\\'; read x; printf '\033]7501;state=working:app=test\033\\'; sleep 300`))
	ask := n.pending(t, a.ID, 1)[0]
	if ask.Kind != wire.AskTerminal || ask.Text != "may I?" {
		t.Errorf("it is %+v", ask)
	}
	_, err := n.Asks.Answer(t.Context(), noun.Caller{Actor: "ann"}, wire.AskAnswerParams{ID: ask.ID, Prompt: ask.Prompt, Text: "yes"})
	kit.Refused(t, err, wire.CodePrecondition, "id")
	if err := n.Input(t.Context(), "bob", wire.InputParams{ID: a.ID, Text: "\n"}); err != nil {
		t.Fatal(err)
	}
	n.pending(t, a.ID, 0)
}

func TestWhoWantsToKnowIsToldOfWhatWaits(t *testing.T) {
	t.Parallel()
	asked := make(chan wire.Ask, 10)
	n := open(t, t.TempDir(), func(o *control.Options) {
		o.Asked = func(a wire.Ask) { asked <- a }
		o.Types = append(o.Types, wire.AgentType{Name: "coder", Kind: wire.KindScripted, Permissions: &wire.Permissions{
			Rules: []wire.PermissionRule{{Decision: wire.PermissionAllow, Command: "git *"}}}})
	})
	a := n.spawn(t, wire.SpawnParams{Type: "coder", Script: "read"})
	options := []wire.AskOption{{ID: "y", Name: "Yes", Kind: wire.AllowOnce}}
	for _, command := range []string{"git status", "make"} { // a policy allows the first at once
		n.Asks.Request(a, runner.Permission{Key: command, Text: "Run it?", Tool: &wire.AskTool{Kind: "execute", Command: command}, Options: options, Answer: func(*wire.AskAnswer) {}})
	}
	got := kit.Receive(t, "a question", asked)
	if got.Tool == nil || got.Tool.Command != "make" || got.State != wire.AskPending {
		t.Errorf("it is told of %+v", got)
	}
	if _, err := n.Asks.Answer(t.Context(), noun.Caller{Actor: "ann"}, wire.AskAnswerParams{ID: got.ID, Prompt: got.Prompt, Option: "y"}); err != nil {
		t.Fatal(err)
	}
	if len(asked) > 0 {
		t.Errorf("then it is told of %+v", <-asked)
	}
}
