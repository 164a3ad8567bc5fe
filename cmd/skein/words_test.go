package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"skein.dev/skein/webtransport/wire"
)

// The command line uses the pages' words for states, in lower case.
func TestStatesHaveThePagesWords(t *testing.T) {
	b, err := os.ReadFile("../../ui/testdata/words.json")
	if err != nil {
		t.Fatal(err)
	}
	var table struct {
		Agent    map[string]string
		Activity map[wire.Activity]string
		Task     map[wire.TaskState]string
	}
	if err := json.Unmarshal(b, &table); err != nil {
		t.Fatal(err)
	}
	same := func(got, want string) {
		t.Helper()
		if want = strings.ToLower(want); got != want {
			t.Errorf("the command line says %q, the page %q", got, want)
		}
	}
	for _, s := range wire.Statuses {
		if s != wire.StatusExited {
			same(plainStatus(&wire.Agent{Status: s}), table.Agent[string(s)])
		}
	}
	for _, r := range wire.Reasons[1:] {
		same(plainStatus(&wire.Agent{Status: wire.StatusExited, Reason: r}), table.Agent[string(r)])
	}
	same(plainStatus(&wire.Agent{Status: wire.StatusRunning, Activity: wire.ActivityRequiresAction}), table.Activity[wire.ActivityRequiresAction])
	for _, s := range wire.TaskStates {
		same(stateWord(&wire.Task{State: s}), table.Task[s])
	}
}
