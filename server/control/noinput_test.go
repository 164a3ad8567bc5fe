package control_test

import (
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// stdinOf prints what standard input is, and reads it to its end.
const stdinOf = "readlink /proc/self/fd/0; cat"

// TestAnAgentWithoutInput checks that nothing waits for standard input, and that programs which check it see no pipe.
func TestAnAgentWithoutInput(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir(), workers, with(
		wire.AgentType{Name: "deaf", Kind: wire.KindExec, Argv: []string{"sh", "-c", stdinOf}, Stdin: wire.StdinNone}))
	for name, p := range map[string]wire.SpawnParams{
		"asked for":   {Type: "shell", Argv: []string{"sh", "-c", stdinOf}, NoInput: true},
		"by its type": {Type: "deaf"},
	} {
		t.Run(name, func(t *testing.T) {
			a := n.spawn(t, p)
			if !a.NoInput {
				t.Error("its record does not say so")
			}
			if end := n.wait(t, a.ID); end.LastLine != "/dev/null" || end.Reason != wire.ReasonCompleted {
				t.Errorf("%s: %q", end.Reason, end.LastLine)
			}
		})
	}
	a := n.spawn(t, wire.SpawnParams{Type: "shell", Argv: []string{"sleep", "300"}, NoInput: true})
	for _, in := range []wire.InputParams{{ID: a.ID, Text: "hello\n"}, {ID: a.ID, EOF: true}} {
		kit.Refused(t, n.Input(t.Context(), "test", in), wire.CodePrecondition, "id")
	}
}

func TestATaskWithoutInput(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir(), workers, with(
		wire.AgentType{Name: "deaf", Kind: wire.KindExec, Argv: []string{"sh", "-c", stdinOf}, Stdin: wire.StdinNone, Tasks: wire.TasksProcess, Capabilities: []string{"deafness"}}))
	for name, s := range map[string]wire.TaskSpec{
		"asked for":   {Type: "command", Argv: []string{"sh", "-c", stdinOf}, NoInput: true},
		"by its type": {Type: "deaf"},
	} {
		t.Run(name, func(t *testing.T) {
			if end := n.over(t, n.submit(t, s)[0].ID); end.State != wire.TaskCompleted || end.Result.Text != "/dev/null\n" {
				t.Errorf("%s %s: %+v", end.State, end.Message, end.Result)
			}
		})
	}
	refused := func(s wire.TaskSpec, field string) {
		t.Helper()
		_, err := n.Tasks.Submit(t.Context(), noun.Caller{Actor: "test"}, wire.SubmitParams{Tasks: []wire.TaskSpec{s}})
		kit.Refused(t, err, wire.CodeInvalidParams, field)
	}
	refused(wire.TaskSpec{Type: "command", Argv: []string{"cat"}, NoInput: true, Input: text("lost")}, "input")
	refused(wire.TaskSpec{Type: "deaf", Input: text("lost")}, "input")
	refused(wire.TaskSpec{Type: "echo", NoInput: true}, "no_input")
	// By its capability a type is found only when it starts.
	if end := n.over(t, n.submit(t, wire.TaskSpec{Capabilities: []string{"deafness"}, Input: text("not lost")})[0].ID); end.State != wire.TaskFailed || end.Failure != wire.FailAgentError {
		t.Errorf("%s %s: %s", end.State, end.Failure, end.Message)
	}
}
