package control_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// TestAProcessAsksToBeTriedAgain lets commands end with exit codes that ask for another attempt: the standard one, those of
// their type, and those of their task.
func TestAProcessAsksToBeTriedAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := open(t, dir, with(
		wire.AgentType{Name: "plain", Kind: wire.KindExec, Tasks: wire.TasksProcess, Argv: []string{"sh", "-c"}},
		wire.AgentType{Name: "choosy", Kind: wire.KindExec, Tasks: wire.TasksProcess, RetryOn: []int{3}, Argv: []string{"sh", "-c"}},
		wire.AgentType{Name: "lines", Kind: wire.KindExec, Tasks: wire.TasksLines, Argv: []string{"cat"}},
	))
	always := func(code int) string { return fmt.Sprintf("echo busy >&2; exit %d", code) }
	thenGood := fmt.Sprintf("test -e %[1]s && echo good && exit 0; touch %[1]s; exit 75", filepath.Join(dir, "tried"))
	for name, c := range map[string]struct {
		typ, script string
		on          []int
		attempts    int
		failure     wire.FailureReason
	}{
		"75":                 {"plain", always(75), nil, 3, wire.FailTemporary},
		"75 and then 0":      {"plain", thenGood, nil, 2, ""},
		"another code":       {"plain", always(3), nil, 1, wire.FailAgentError},
		"the type's":         {"choosy", always(3), nil, 3, wire.FailTemporary},
		"the task's":         {"plain", always(7), []int{7, 8}, 3, wire.FailTemporary},
		"not the task's":     {"plain", always(9), []int{7, 8}, 1, wire.FailAgentError},
		"75 beside others":   {"choosy", always(75), []int{7}, 3, wire.FailTemporary},
		"the type's as well": {"choosy", always(3), []int{7}, 3, wire.FailTemporary},
	} {
		task := n.submit(t, wire.TaskSpec{Type: c.typ, Args: []string{c.script}, RetryOn: c.on, Retry: wire.Retry{Max: 3, BackoffMS: 1}})[0]
		got := n.over(t, task.ID)
		if got.Attempt != c.attempts || got.Failure != c.failure || got.DeadLetter != (c.failure == wire.FailTemporary) || len(got.Runs) != c.attempts {
			t.Errorf("%s: %+v", name, got)
			continue
		}
		for _, r := range got.Runs[:len(got.Runs)-1] {
			if r.Failure != wire.FailTemporary {
				t.Errorf("%s: attempt %d failed for %q", name, r.Attempt, r.Failure)
			}
		}
		if c.failure != "" && !strings.Contains(got.Message, "busy") {
			t.Errorf("%s: %q", name, got.Message)
		}
	}
	many := make([]int, wire.MaxRetryOn+1)
	for i := range many {
		many[i] = i + 1
	}
	for name, s := range map[string]wire.TaskSpec{
		"success":           {Type: "plain", RetryOn: []int{0}},
		"beyond a byte":     {Type: "plain", RetryOn: []int{256}},
		"too many":          {Type: "plain", RetryOn: many},
		"of running agents": {Type: "lines", RetryOn: []int{7}},
	} {
		_, err := n.Tasks.Submit(t.Context(), noun.Caller{Actor: "test"}, wire.SubmitParams{Tasks: []wire.TaskSpec{s}})
		if e := wire.AsError(err); err == nil || e.Code != wire.CodeInvalidParams || e.Data == nil || e.Data.Field != "retry_on" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
