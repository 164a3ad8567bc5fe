package ui

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"skein.dev/skein/ui/agent"
	"skein.dev/skein/ui/fleet"
	"skein.dev/skein/ui/frame"
	"skein.dev/skein/ui/task"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

func readTable(t *testing.T, name string, v any) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
}

// pair is ["in", "out"] in a table.
type pair[T any] struct {
	in  T
	out string
}

func (p *pair[T]) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]any{&p.in, &p.out})
}

// agentsAsShown says, for each agent of testdata/format.json, what pages say of it at 14:30 besides.
var agentsAsShown = []struct{ activity, age, text, detail, refusal string }{
	{"Idle", "30m 0s", "", "", ""},
	{"Busy", "30m 0s", "", "", "It has no standard input"},
	{"Needs you", "1s", "Go on?", "", ""},
	{"Needs you", "1s", "It has not said what it needs.", "", ""},
	{"–", "10s", "", "", "It has not started yet"},
	{"–", "1h 0m", "", "", "It is being stopped"},
	{"–", "10m ago", "Exit code 1", "1", "It has ended and takes no input"},
	{"–", "10m ago", "Exit code 3: the disk is full", "3", "It has ended and takes no input"},
	{"–", "just now", "Ended by SIGSEGV, core dumped", "SEGV", "It has ended and takes no input"},
	{"–", "just now", "Orphaned: Skein ended without stopping it", "", "It has ended and takes no input"},
	{"–", "1m ago", "These processes could not be ended: process 7 (redis-server) of user ada, process 9", "", "It has ended and takes no input"},
	{"–", "1h 30m", "It gives no sign of life.", "", "Its node does not answer"},
	{"–", "3d 1h", "It gave no sign of life for too long.", "", "Its node does not answer"},
	{"–", "3d ago", "", "", "It has ended and takes no input"},
	{"–", "3d ago", "", "", "It has ended and takes no input"},
	{"Busy", "1m 0s", "It has a task but shows no sign of work.", "", ""},
	{"Busy", "1m 0s", "A signal stopped its process: it does nothing until it gets SIGCONT.", "", ""},
	{"–", "1m 0s", "It fails again and again. Exit code 1", "", "It has not started yet"},
	{"Idle", "1m 0s", "It fails again and again.", "", ""},
	{"–", "1m 0s", "Lost: it gave no sign of life, and was killed", "", "Its node does not answer"},
	{"–", "1m 0s", "", "", "It has not started yet"},
	{"Busy", "1m 0s", "", "", ""},
	{"–", "1m 0s", "Exit code 2", "2", "It has ended and takes no input"},
	{"Needs you", "1m 0s", "So?", "", ""},
	{"–", "1m 0s", "These processes could not be ended: process 7", "", "It has ended and takes no input"},
}

// TestFormat reads the table that static/test/app-format.test.js also reads.
func TestFormat(t *testing.T) {
	var table struct {
		Bytes     []pair[int64]
		CPU       []pair[float64]
		Span, Ago []pair[int64]
		Clean     []pair[string]
		Argv      []pair[[]string]
		Agents    []struct {
			Agent                                     wire.Agent
			State, Word, Need, Group, Short, CPU, Mem string
		}
	}
	readTable(t, "format.json", &table)
	check := func(what string, in any, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s of %v = %q, want %q", what, in, got, want)
		}
	}
	ms := func(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
	for _, c := range table.Bytes {
		check("Bytes", c.in, words.Bytes(c.in), c.out)
	}
	for _, c := range table.CPU {
		check("CPU", c.in, words.CPU(c.in), c.out)
	}
	for _, c := range table.Span {
		check("Span", c.in, words.Span(ms(c.in)), c.out)
	}
	for _, c := range table.Ago {
		check("Ago", c.in, words.Ago(ms(c.in)), c.out)
	}
	for _, c := range table.Clean {
		check("Clean", c.in, words.Clean(c.in), c.out)
	}
	for _, c := range table.Argv {
		check("JoinArgv", c.in, words.JoinArgv(c.in), c.out)
	}
	if len(agentsAsShown) != len(table.Agents) {
		t.Fatalf("%d agents, and what is shown of %d", len(table.Agents), len(agentsAsShown))
	}
	for i := range table.Agents {
		c, shown := &table.Agents[i], agentsAsShown[i]
		a := &c.Agent
		check("State", a.ID, words.State(a), c.State)
		check("StateWord", a.ID, words.StateWord(words.State(a)), c.Word)
		check("ActivityWord", a.ID, words.ActivityWord(a.Activity), shown.activity)
		check("Age", a.ID, words.Age(a, frame.StoryNow), shown.age)
		check("Need", a.ID, words.Need(a), c.Need)
		check("NeedText", a.ID, words.NeedText(a), shown.text)
		check("StatusDetail", a.ID, fleet.StatusDetail(a), shown.detail)
		check("Group", a.ID, words.Group(a), c.Group)
		check("ShortID", a.ID, words.ShortID(a.ID), c.Short)
		check("cpuCell", a.ID, fleet.CPUCell(a), c.CPU)
		check("memCell", a.ID, fleet.MemCell(a), c.Mem)
		check("InputRefusal", a.ID, agent.InputRefusal(a), shown.refusal)
		if got, want := words.Need(a) != "", a.NeedsAttention(); got != want {
			t.Errorf("%s: Need and NeedsAttention disagree", a.ID)
		}
	}
}

// TestWords reads the table of words for states that static/test/app-words.test.js and the test of the command line also
// read, so that each state has one name everywhere.
func TestWords(t *testing.T) {
	var table struct {
		Agent    map[string]string
		Activity map[wire.Activity]string
		Task     map[wire.TaskState]string
		Summary  []pair[map[string]int]
	}
	readTable(t, "words.json", &table)
	same := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s is %q, want %q", what, got, want)
		}
	}
	for state, word := range table.Agent {
		same(state, words.StateWord(state), word)
	}
	for _, activity := range wire.Activities[1:] {
		same(string(activity), words.ActivityWord(activity), table.Activity[activity])
	}
	for _, state := range wire.TaskStates {
		same(string(state), words.TaskWord(state), table.Task[state])
	}
	for state, words := range map[wire.TaskState]string{wire.TaskWorking: "Task started", wire.TaskInputRequired: "Task needs you", wire.TaskCompleted: "Task completed", wire.TaskFailed: "Task failed", wire.TaskCanceled: "Task canceled"} {
		same("the turn "+string(state), agent.TaskTurn(state), words)
	}
	for _, c := range task.TaskChips {
		if word, ok := table.Task[wire.TaskState(c.Key)]; ok {
			same("the filter "+c.Key, c.Word, word)
		}
	}
	for _, g := range fleet.Groups {
		if word, ok := table.Agent[g.Key]; ok {
			same("the filter "+g.Key, g.Word, word)
		}
	}
	parts := map[string]wire.TaskState{"input": wire.TaskInputRequired, "working": wire.TaskWorking, "waiting": wire.TaskSubmitted}
	for _, p := range task.QueueParts {
		if state, ok := parts[p.Key]; ok {
			same("the part "+p.Key, p.Title, table.Task[state])
		}
	}
	for _, c := range task.BoardColumns {
		if word := table.Task[wire.TaskState(c.Key)]; c.Key != string(wire.TaskCanceled) {
			same("the column "+c.Key, c.Title, word)
		}
	}
	for _, c := range table.Summary {
		var chips []task.TaskChip
		for key, n := range c.in {
			chips = append(chips, task.TaskChip{Key: key, Count: n})
		}
		same("the summary", task.TaskSummary(chips), c.out)
	}
}
