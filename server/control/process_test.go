package control_test

import (
	"testing"

	"skein.dev/skein/webtransport/wire"
)

func TestAFailedProcessSaysWhy(t *testing.T) {
	n := open(t, t.TempDir(), workers)
	for script, want := range map[string]string{
		"echo result; echo first >&2; echo '\033[1mbecause\033[0m' >&2; echo >&2; exit 3": "exit status 3: because",
		"echo only this; exit 4": "exit status 4: only this",
		"exit 5":                 "exit status 5",
		"head -c 100000 /dev/zero >&2; echo the end >&2; exit 6": "exit status 6: the end",
	} {
		id := n.submit(t, wire.TaskSpec{Type: "command", Argv: []string{"sh", "-c", script}})[0].ID
		if rec := n.over(t, id); rec.Message != want || rec.Failure != wire.FailAgentError {
			t.Errorf("%s: %s, %q, want %q", script, rec.Failure, rec.Message, want)
		}
	}
}

func TestAProcessIsToldItsTask(t *testing.T) {
	n := open(t, t.TempDir(), workers)
	id := n.submit(t, wire.TaskSpec{Type: "command", Argv: []string{"sh", "-c", `[ $SKEIN_ATTEMPT = 2 ] || kill -9 $$; echo $SKEIN_TASK_ID`}, Retry: wire.Retry{BackoffMS: 1}})[0].ID
	if rec := n.over(t, id); result(rec) != string(id)+"\n" || rec.Attempt != 2 {
		t.Errorf("it is %s with %q after %d attempts: %s", rec.State, result(rec), rec.Attempt, rec.Message)
	}
}
