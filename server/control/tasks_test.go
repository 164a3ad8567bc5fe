package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/control"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

const echoWorker = "repeat forever\n take\n result ${input}\nend"

// workers adds types that take tasks.
func workers(o *control.Options) {
	o.Types = append(o.Types,
		wire.AgentType{Name: "echo", Kind: wire.KindScripted, Tasks: wire.TasksLines, Script: echoWorker, MaxInstances: 2, Capabilities: []string{"echo", "text"}},
		wire.AgentType{Name: "slow", Kind: wire.KindScripted, Tasks: wire.TasksLines, Script: "repeat forever\n take\n wait 1h\n result ${input}\nend", MaxInstances: 2},
		wire.AgentType{Name: "busy", Kind: wire.KindScripted, Tasks: wire.TasksLines, Script: "repeat forever\n take\n busy try later\nend", MaxInstances: 1},
		wire.AgentType{Name: "poison", Kind: wire.KindScripted, Tasks: wire.TasksLines, Script: "take\ncrash on ${input}", MaxInstances: 1},
		wire.AgentType{Name: "refuse", Kind: wire.KindScripted, Tasks: wire.TasksLines, Script: "repeat forever\n take\n error no: ${input}\nend", MaxInstances: 1},
		wire.AgentType{Name: "asker", Kind: wire.KindScripted, Tasks: wire.TasksLines, Script: "repeat forever\n take\n ask really?\n result ${reply}\nend", MaxInstances: 1},
		wire.AgentType{Name: "words", Kind: wire.KindExec, Tasks: wire.TasksProcess, Argv: []string{"wc", "-w"}, MaxInstances: 4, Capabilities: []string{"count", "text"}},
		wire.AgentType{Name: "command", Kind: wire.KindExec, Tasks: wire.TasksProcess, MaxInstances: 4, StopGraceMS: 100},
	)
}

func (n *node) submit(t *testing.T, specs ...wire.TaskSpec) []wire.Task {
	t.Helper()
	res, err := n.Tasks.Submit(t.Context(), noun.Caller{Actor: "test"}, wire.SubmitParams{Tasks: specs})
	if err != nil {
		t.Fatal(err)
	}
	return res.Tasks
}

// over waits for the end of a task.
func (n *node) over(t *testing.T, id wire.TaskID) wire.Task {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), kit.Patience)
	defer cancel()
	rec, err := n.Tasks.Wait(ctx, id)
	if err != nil {
		now, _ := n.Tasks.Get(id)
		t.Fatalf("task %s is %s (%s %s): %v", id, now.State, now.Waiting, now.Message, err)
	}
	return rec
}

// until waits for a task to satisfy ok.
func (n *node) until(t *testing.T, id wire.TaskID, what string, ok func(wire.Task) bool) wire.Task {
	t.Helper()
	return kit.Until(t, "task "+string(id)+" "+what, func() wire.Task {
		rec, err := n.Tasks.Get(id)
		if err != nil {
			t.Fatal(err)
		}
		return rec
	}, ok)
}

func working(r wire.Task) bool { return r.State == wire.TaskWorking && len(r.Runs) > 0 }

func text(s string) wire.Payload { return wire.Payload{Text: s} }

func result(r wire.Task) string {
	if r.Result == nil {
		return ""
	}
	return string(r.Result.Bytes())
}

func TestTasksGoToAgentsThatAreStartedForThem(t *testing.T) {
	n := open(t, t.TempDir(), workers)
	var specs []wire.TaskSpec
	for i := range 20 {
		specs = append(specs, wire.TaskSpec{Type: "echo", Input: text(fmt.Sprintf("input %d", i))})
	}
	for i, task := range n.submit(t, specs...) {
		rec := n.over(t, task.ID)
		if rec.State != wire.TaskCompleted || result(rec) != fmt.Sprintf("input %d", i) {
			t.Errorf("task %d is %s with %q: %s", i, rec.State, result(rec), rec.Message)
		}
		if len(rec.Runs) != 1 || rec.Runs[0].Agent == "" || rec.Runs[0].EndedAt == nil {
			t.Errorf("its runs are %+v", rec.Runs)
		}
	}
	agents := n.List(wire.Filter{Types: []string{"echo"}})
	done := 0
	for _, a := range agents.Agents {
		done += a.Done
		if !a.OnDemand || len(a.Tasks) != 0 {
			t.Errorf("agent %+v", a)
		}
	}
	if agents.Total < 1 || agents.Total > 2 || done != 20 {
		t.Errorf("%d agents did %d tasks", agents.Total, done)
	}
}

func TestAProcessIsATask(t *testing.T) {
	n := open(t, t.TempDir(), workers)
	sh := func(script string) wire.TaskSpec {
		return wire.TaskSpec{Type: "command", Argv: []string{"sh", "-c", script}, Input: text("a b c"), Retry: wire.Retry{Max: 2, BackoffMS: 10}}
	}
	for name, c := range map[string]struct {
		spec     wire.TaskSpec
		state    wire.TaskState
		result   string
		failure  wire.FailureReason
		attempts int
	}{
		"counts its input":           {wire.TaskSpec{Type: "words", Input: text("one two three")}, wire.TaskCompleted, "3\n", "", 1},
		"by its capability":          {wire.TaskSpec{Capabilities: []string{"text", "count"}, Input: text("x")}, wire.TaskCompleted, "1\n", "", 1},
		"stderr is not the result":   {sh("echo no >&2; cat"), wire.TaskCompleted, "a b c", "", 1},
		"reads nothing":              {sh("echo done"), wire.TaskCompleted, "done\n", "", 1},
		"fails once":                 {sh("echo broken >&2; exit 3"), wire.TaskFailed, "", wire.FailAgentError, 1},
		"is killed, twice":           {sh("kill -9 $$"), wire.TaskFailed, "", wire.FailAgentLost, 2},
		"prints too much":            {sh("head -c 300000 /dev/zero"), wire.TaskFailed, "", wire.FailTooLarge, 1},
		"prints bytes":               {sh(`printf '\377\376'`), wire.TaskCompleted, "\xff\xfe", "", 1},
		"no such command":            {wire.TaskSpec{Type: "command", Argv: []string{"/does/not/exist"}}, wire.TaskFailed, "", wire.FailAgentError, 1},
		"outlives its time":          {wire.TaskSpec{Type: "command", Argv: []string{"sleep", "60"}, Timeouts: wire.Timeouts{RunMS: 100}}, wire.TaskFailed, "", wire.FailRunTimeout, 1},
		"silent for its lease":       {wire.TaskSpec{Type: "command", Argv: []string{"sleep", "60"}, Timeouts: wire.Timeouts{HeartbeatMS: 100}, Retry: wire.Retry{Max: 1}}, wire.TaskFailed, "", wire.FailHeartbeat, 1},
		"the largest possible input": {wire.TaskSpec{Type: "words", Input: text(strings.Repeat("w ", wire.MaxTaskInput/2))}, wire.TaskCompleted, fmt.Sprintln(wire.MaxTaskInput / 2), "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			rec := n.over(t, n.submit(t, c.spec)[0].ID)
			if rec.State != c.state || result(rec) != c.result || rec.Failure != c.failure || rec.Attempt != c.attempts {
				t.Errorf("it is %s with %q, failure %q after %d attempts: %s", rec.State, result(rec), rec.Failure, rec.Attempt, rec.Message)
			}
			for _, r := range rec.Runs {
				if a, err := n.Get(r.Agent); err != nil || a.ForTask != rec.ID {
					t.Errorf("its agent is %+v, %v", a, err)
				}
			}
			if rec.Failure == wire.FailAgentError && rec.State == wire.TaskFailed && rec.Message == "" {
				t.Error("it does not say why")
			}
		})
	}
}

func TestBadTasksAreRefusedWhole(t *testing.T) {
	n := open(t, t.TempDir(), workers)
	canceled := n.submit(t, wire.TaskSpec{Type: "slow"})[0].ID
	if _, err := n.Tasks.Cancel(noun.Caller{Actor: "test"}, wire.TaskCancelParams{IDs: []wire.TaskID{canceled}}); err != nil {
		t.Fatal(err)
	}
	n.over(t, canceled)
	before := n.Tasks.List(wire.TaskFilter{}).Total
	for name, c := range map[string]struct {
		specs []wire.TaskSpec
		code  wire.ErrorCode
		says  string
	}{
		"nobody to do it":         {[]wire.TaskSpec{{}}, wire.CodeInvalidParams, "type, agent or capabilities"},
		"unknown type":            {[]wire.TaskSpec{{Type: "nobody"}}, wire.CodeNotFound, "echo"},
		"a type without tasks":    {[]wire.TaskSpec{{Type: "scripted"}}, wire.CodePrecondition, "tasks: lines"},
		"unknown capability":      {[]wire.TaskSpec{{Capabilities: []string{"fly"}}}, wire.CodeNotFound, "fly"},
		"capabilities of two":     {[]wire.TaskSpec{{Capabilities: []string{"echo", "count"}}}, wire.CodeNotFound, "count"},
		"a command where none is": {[]wire.TaskSpec{{Type: "echo", Argv: []string{"x"}}}, wire.CodeInvalidParams, "no command"},
		"no command":              {[]wire.TaskSpec{{Type: "command"}}, wire.CodeInvalidParams, "argv"},
		"priority":                {[]wire.TaskSpec{{Type: "echo", Priority: "now"}}, wire.CodeInvalidParams, "critical"},
		"too large":               {[]wire.TaskSpec{{Type: "echo", Input: text(strings.Repeat("x", wire.MaxTaskInput+1))}}, wire.CodeTooLarge, "artifact"},
		"a negative timeout":      {[]wire.TaskSpec{{Type: "echo", Timeouts: wire.Timeouts{RunMS: -1}}}, wire.CodeInvalidParams, "timeout"},
		"unknown parent":          {[]wire.TaskSpec{{Type: "echo", Parent: "t0"}}, wire.CodeNotFound, "t0"},
		"a canceled tree":         {[]wire.TaskSpec{{Type: "echo", Parent: canceled}}, wire.CodePrecondition, "canceled"},
		"a canceled dependency":   {[]wire.TaskSpec{{Type: "echo", DependsOn: []string{string(canceled)}}}, wire.CodePrecondition, "canceled"},
		"unknown dependency":      {[]wire.TaskSpec{{Type: "echo", DependsOn: []string{"t0"}}}, wire.CodeNotFound, "t0"},
		"unknown key":             {[]wire.TaskSpec{{Type: "echo", DependsOn: []string{"#a"}}}, wire.CodeInvalidParams, "a"},
		"itself":                  {[]wire.TaskSpec{{Key: "a", Type: "echo", DependsOn: []string{"#a"}}}, wire.CodeInvalidParams, "itself"},
		"a cycle": {[]wire.TaskSpec{{Key: "a", Type: "echo", DependsOn: []string{"#c"}}, {Key: "b", Type: "echo", DependsOn: []string{"#a"}},
			{Key: "c", Type: "echo", DependsOn: []string{"#b"}}}, wire.CodeInvalidParams, "→"},
		"one bad of two": {[]wire.TaskSpec{{Type: "echo"}, {Type: "nobody"}}, wire.CodeNotFound, "tasks[1]"},
		"two of one key": {[]wire.TaskSpec{{Key: "a", Type: "echo"}, {Key: "a", Type: "echo"}}, wire.CodeInvalidParams, "key"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := n.Tasks.Submit(t.Context(), noun.Caller{Actor: "test"}, wire.SubmitParams{Tasks: c.specs})
			if !errors.Is(err, &wire.Error{Code: c.code}) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("the error is %v", err)
			}
		})
	}
	if after := n.Tasks.List(wire.TaskFilter{}).Total; after != before {
		t.Errorf("%d tasks are there that should not be", after-before)
	}
}

func TestWaitingTasksSayWhyAndWhere(t *testing.T) {
	n := open(t, t.TempDir(), workers)
	all := n.submit(t, wire.TaskSpec{Type: "slow"}, wire.TaskSpec{Type: "slow"})
	n.until(t, all[0].ID, "working", working)
	n.until(t, all[1].ID, "working", working)
	all = append(all, n.submit(t, wire.TaskSpec{Type: "slow", Priority: wire.PriorityLow}, wire.TaskSpec{Type: "slow", Priority: wire.PriorityCritical})...)
	low := n.until(t, all[2].ID, "waiting", func(r wire.Task) bool { return r.Waiting == "2 of 2 slow busy" })
	critical := n.until(t, all[3].ID, "waiting", func(r wire.Task) bool { return r.Waiting == "2 of 2 slow busy" })
	if low.Position != 2 || critical.Position != 1 {
		t.Errorf("the low one is at %d, the critical one at %d", low.Position, critical.Position)
	}
	if _, err := n.Tasks.Cancel(noun.Caller{Actor: "me"}, wire.TaskCancelParams{IDs: []wire.TaskID{all[0].ID}}); err != nil {
		t.Fatal(err)
	}
	n.until(t, all[3].ID, "working", working)
	if rec := n.over(t, all[0].ID); rec.State != wire.TaskCanceled || rec.Message != "canceled by me" {
		t.Errorf("it is %s: %s", rec.State, rec.Message)
	}
	if total := n.List(wire.Filter{Types: []string{"slow"}}).Total; total != 2 {
		t.Errorf("%d agents: the canceled one's should have gone on", total)
	}
}

func TestTransientFailuresAreTriedAgain(t *testing.T) {
	n := open(t, t.TempDir(), workers)
	all := n.submit(t,
		wire.TaskSpec{Type: "busy", Retry: wire.Retry{Max: 4, BackoffMS: 5}},
		wire.TaskSpec{Type: "poison", Input: text("bad"), Retry: wire.Retry{Max: 2, BackoffMS: 5}},
		wire.TaskSpec{Type: "refuse", Input: text("x"), Retry: wire.Retry{Max: 4, BackoffMS: 5}})
	busy, poison, refused := n.over(t, all[0].ID), n.over(t, all[1].ID), n.over(t, all[2].ID)
	if busy.Attempt != 4 || len(busy.Runs) != 4 || busy.Failure != wire.FailTransient || !busy.DeadLetter {
		t.Errorf("busy: %+v", busy)
	}
	if poison.Attempt != 2 || poison.Failure != wire.FailAgentLost || !poison.DeadLetter || !strings.Contains(poison.Message, "on bad") {
		t.Errorf("poison: %+v", poison)
	}
	if refused.Attempt != 1 || refused.Failure != wire.FailAgentError || refused.DeadLetter || refused.Message != "no: x" {
		t.Errorf("refused: %+v", refused)
	}
	if dead := n.Tasks.List(wire.TaskFilter{DeadLetter: true}); dead.Total != 2 {
		t.Errorf("%d dead letters", dead.Total)
	}
	if _, err := n.Tasks.Retry(noun.Caller{Actor: "test"}, poison.ID); err != nil {
		t.Fatal(err)
	}
	if again := n.over(t, poison.ID); again.Attempt != 4 || !again.DeadLetter {
		t.Errorf("after a retry: %+v", again)
	}
	done := n.submit(t, wire.TaskSpec{Type: "echo"})[0]
	n.over(t, done.ID)
	if _, err := n.Tasks.Retry(noun.Caller{Actor: "test"}, done.ID); !errors.Is(err, &wire.Error{Code: wire.CodePrecondition}) {
		t.Errorf("a completed task was retried: %v", err)
	}
}

func TestAWatchTellsWhatLeavesItsFilter(t *testing.T) {
	n := open(t, t.TempDir(), workers)
	open := wire.TaskFilter{States: []wire.TaskState{wire.TaskSubmitted, wire.TaskWorking, wire.TaskInputRequired}}
	start, _ := n.Tasks.Resume(0, open)
	if len(start.Tasks)+len(start.Removed) > 0 {
		t.Fatalf("it begins with %+v", start)
	}
	asks := n.submit(t, wire.TaskSpec{Type: "asker"})[0]
	other := n.submit(t, wire.TaskSpec{Type: "asker", Queue: "other"})[0]
	here := open
	here.Queue = "default"
	n.until(t, asks.ID, "asking", func(r wire.Task) bool { return r.State == wire.TaskInputRequired })
	seen := n.Tasks.Changes(start.Now, here)
	if len(seen.Tasks) != 1 || seen.Tasks[0].ID != asks.ID || len(seen.Removed) > 0 {
		t.Fatalf("it gives %+v", seen)
	}
	if _, err := n.Tasks.Cancel(noun.Caller{Actor: "test"}, wire.TaskCancelParams{IDs: []wire.TaskID{asks.ID, other.ID}}); err != nil {
		t.Fatal(err)
	}
	n.over(t, asks.ID)
	n.over(t, other.ID)
	if left := n.Tasks.Changes(seen.Now, here); len(left.Tasks) > 0 || !slices.Equal(left.Removed, []wire.TaskID{asks.ID}) {
		t.Errorf("what left the filter is %+v", left)
	}
	if back, ok := n.Tasks.Resume(seen.Cursor, here); !ok || len(back.Tasks) > 0 || !slices.Equal(back.Removed, []wire.TaskID{asks.ID}) {
		t.Errorf("who comes back gets %+v, %v", back, ok)
	}
}

func TestDependenciesComeFirst(t *testing.T) {
	n := open(t, t.TempDir(), workers)
	all := n.submit(t,
		wire.TaskSpec{Key: "last", Type: "echo", DependsOn: []string{"#mid", "#first"}},
		wire.TaskSpec{Key: "mid", Type: "echo", DependsOn: []string{"#first"}},
		wire.TaskSpec{Key: "first", Type: "asker"},
		wire.TaskSpec{Key: "fails", Type: "refuse"},
		wire.TaskSpec{Key: "never", Type: "echo", DependsOn: []string{"#fails"}})
	n.until(t, all[2].ID, "asking", func(r wire.Task) bool { return r.State == wire.TaskInputRequired })
	if rec, _ := n.Tasks.Get(all[0].ID); rec.State != wire.TaskSubmitted || !strings.Contains(rec.Waiting, "for 2 of 2 tasks") {
		t.Errorf("the last one is %s, waiting %q", rec.State, rec.Waiting)
	}
	first, _ := n.Tasks.Get(all[2].ID)
	if err := n.Input(t.Context(), "test", wire.InputParams{ID: first.Runs[0].Agent, Text: "yes\n"}); err != nil {
		t.Fatal(err)
	}
	last, mid, first := n.over(t, all[0].ID), n.over(t, all[1].ID), n.over(t, all[2].ID)
	if result(first) != "yes" || mid.StartedAt.Before(*first.EndedAt) || last.StartedAt.Before(*mid.EndedAt) {
		t.Errorf("first %v to %v, mid from %v to %v, last from %v", first.StartedAt, first.EndedAt, mid.StartedAt, mid.EndedAt, last.StartedAt)
	}
	if never := n.over(t, all[4].ID); never.State != wire.TaskCanceled || never.Failure != wire.FailDependency {
		t.Errorf("what depends on a failed one is %s: %s", never.State, never.Message)
	}
}

func TestOneTaskAnIdempotencyKey(t *testing.T) {
	dir := t.TempDir()
	n := open(t, dir, workers)
	ids := make([]wire.TaskID, 16)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			res, err := n.Tasks.Submit(t.Context(), noun.Caller{Actor: "test"}, wire.SubmitParams{Tasks: []wire.TaskSpec{{Type: "echo", IdempotencyKey: "k"}}})
			if err == nil {
				ids[i] = res.Tasks[0].ID
			}
		})
	}
	wg.Wait()
	if one := slices.Compact(slices.Sorted(slices.Values(ids))); len(one) != 1 || one[0] == "" {
		t.Errorf("%d tasks: %v", len(one), one)
	}
	by := noun.Caller{Actor: "test", Request: "mark"}
	first, err := n.Tasks.Submit(t.Context(), by, wire.SubmitParams{Tasks: []wire.TaskSpec{{Type: "echo"}, {Type: "echo"}}})
	if err != nil {
		t.Fatal(err)
	}
	n.close()
	n = open(t, dir, workers)
	again, err := n.Tasks.Submit(t.Context(), by, wire.SubmitParams{Tasks: []wire.TaskSpec{{Type: "echo"}, {Type: "echo"}}})
	if err != nil || again.Tasks[0].ID != first.Tasks[0].ID || again.Tasks[1].ID != first.Tasks[1].ID {
		t.Errorf("the repeated request gave %+v, %v", again, err)
	}
	if n.submit(t, wire.TaskSpec{Type: "echo", IdempotencyKey: "k"})[0].ID != ids[0] {
		t.Error("the key was forgotten with the restart")
	}
	if total := n.Tasks.List(wire.TaskFilter{}).Total; total != 3 {
		t.Errorf("%d tasks, want 3", total)
	}
}

func TestARestartTriesAgain(t *testing.T) {
	dir := t.TempDir()
	n := open(t, dir, workers)
	all := n.submit(t, wire.TaskSpec{Type: "slow", Input: text("x"), Retry: wire.Retry{Max: 1, BackoffMS: 1}}, wire.TaskSpec{Type: "slow"}, wire.TaskSpec{Type: "slow", Name: "third"})
	n.until(t, all[0].ID, "working", working)
	n.until(t, all[1].ID, "working", working)
	n.close()
	n = open(t, dir, func(o *control.Options) {
		o.Types = append(o.Types, wire.AgentType{Name: "slow", Kind: wire.KindScripted, Tasks: wire.TasksLines, Script: echoWorker})
	})
	first := n.over(t, all[0].ID)
	if first.State != wire.TaskCompleted || result(first) != "x" || first.Attempt != 2 || first.Runs[0].Failure != wire.FailServerRestart {
		t.Errorf("it is %s with %q after %d attempts: %+v", first.State, result(first), first.Attempt, first.Runs)
	}
	n.over(t, all[1].ID)
	if third := n.over(t, all[2].ID); third.State != wire.TaskCompleted || third.Attempt != 1 || third.Name != "third" {
		t.Errorf("the one that waited is %s after %d attempts", third.State, third.Attempt)
	}
}

func TestLateAnswersAreRecorded(t *testing.T) {
	n := open(t, t.TempDir(), workers, func(o *control.Options) {
		o.Types = append(o.Types, wire.AgentType{Name: "twice", Kind: wire.KindExec, Tasks: wire.TasksLines, MaxInstances: 1, StopGraceMS: 100, Argv: []string{"sh", "-c", `
			while read line; do
				id=$(echo "$line" | sed 's/.*"task":"\([^"]*\)".*/\1/')
				echo '{"jsonrpc":"2.0","method":"task.result","params":{"task":"'$id'","output":"first"}}'
				echo '{"jsonrpc":"2.0","method":"task.result","params":{"task":"'$id'","output":"second"}}'
				echo '{"jsonrpc":"2.0","method":"task.error","params":{"task":"'$id'","message":"third"}}'
			done`}})
	})
	id := n.submit(t, wire.TaskSpec{Type: "twice"})[0].ID
	rec := n.until(t, id, "late", func(r wire.Task) bool { return r.State.Terminal() && len(r.Late) == 2 })
	if rec.State != wire.TaskCompleted || result(rec) != "first" {
		t.Errorf("it is %s with %q", rec.State, result(rec))
	}
	if rec.Late[0].Text != "second" || rec.Late[0].Failed || rec.Late[1].Text != "third" || !rec.Late[1].Failed || rec.Late[0].Attempt != 1 {
		t.Errorf("late: %+v", rec.Late)
	}
}

func TestOrchestrations(t *testing.T) {
	n := open(t, t.TempDir(), workers)
	inputs := func(all ...string) (p []wire.Payload) {
		for _, s := range all {
			p = append(p, text(s))
		}
		return p
	}
	sh := wire.TaskSpec{Type: "command", Argv: []string{"sh", "-c", "read x; eval \"$x\""}}
	for name, c := range map[string]struct {
		p        wire.OrchestrateParams
		state    wire.TaskState
		check    func(t *testing.T, parent wire.Task)
		children map[wire.TaskState]int
	}{
		"all": {wire.OrchestrateParams{Task: sh, Inputs: inputs("echo a", "exit 1", "echo c")}, wire.TaskCompleted, func(t *testing.T, p wire.Task) {
			var all []wire.Result
			if err := json.Unmarshal(p.Result.Bytes(), &all); err != nil || len(all) != 3 || string(all[2].Output.Bytes()) != "c\n" || all[1].State != wire.TaskFailed || all[1].Index != 1 {
				t.Errorf("%s, %v", p.Result.Text, err)
			}
		}, map[wire.TaskState]int{wire.TaskCompleted: 2, wire.TaskFailed: 1}},
		"fail fast": {wire.OrchestrateParams{Task: sh, Inputs: inputs("sleep 60", "exit 1", "sleep 60"), FailFast: true}, wire.TaskFailed, nil,
			map[wire.TaskState]int{wire.TaskFailed: 1, wire.TaskCanceled: 2}},
		"first": {wire.OrchestrateParams{Task: sh, Inputs: inputs("sleep 60", "echo me"), Mode: wire.AggregateFirst}, wire.TaskCompleted, func(t *testing.T, p wire.Task) {
			if p.Result.Text != "me\n" {
				t.Errorf("%q", p.Result.Text)
			}
		}, map[wire.TaskState]int{wire.TaskCompleted: 1, wire.TaskCanceled: 1}},
		"quorum": {wire.OrchestrateParams{Task: sh, Inputs: inputs("echo 1", "sleep 60", "echo 3"), Mode: wire.AggregateQuorum, Quorum: 2}, wire.TaskCompleted, func(t *testing.T, p wire.Task) {
			var all []wire.Result
			if err := json.Unmarshal(p.Result.Bytes(), &all); err != nil || len(all) != 2 || all[0].Index != 0 || all[1].Index != 2 {
				t.Errorf("%s, %v", p.Result.Text, err)
			}
		}, map[wire.TaskState]int{wire.TaskCompleted: 2, wire.TaskCanceled: 1}},
		"no quorum": {wire.OrchestrateParams{Task: sh, Inputs: inputs("sleep 60", "exit 1", "exit 1"), Mode: wire.AggregateQuorum, Quorum: 2}, wire.TaskFailed, nil,
			map[wire.TaskState]int{wire.TaskCanceled: 1, wire.TaskFailed: 2}},
		"reduce": {wire.OrchestrateParams{Task: sh, Inputs: inputs("echo 1", "echo 2", "exit 1"), Mode: wire.AggregateReduce, Reduce: &wire.TaskSpec{Type: "command", Argv: []string{"grep", "-o", `completed`}}},
			wire.TaskCompleted, func(t *testing.T, p wire.Task) {
				if p.Result.Text != "completed\ncompleted\n" {
					t.Errorf("%q", p.Result.Text)
				}
			}, map[wire.TaskState]int{wire.TaskCompleted: 3, wire.TaskFailed: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := n.Tasks.Orchestrate(t.Context(), noun.Caller{Actor: "test"}, c.p)
			if err != nil {
				t.Fatal(err)
			}
			results, end := n.results(t, p.ID, 0)
			if end.State != c.state {
				t.Fatalf("it is %s: %s", end.State, end.Message)
			}
			if c.check != nil {
				c.check(t, end)
			}
			counts := map[wire.TaskState]int{}
			for _, child := range n.Tasks.List(wire.TaskFilter{Parent: p.ID}).Tasks {
				counts[n.over(t, child.ID).State]++
			}
			if fmt.Sprint(counts) != fmt.Sprint(c.children) {
				t.Errorf("the children are %v, want %v", counts, c.children)
			}
			if len(results) != len(c.p.Inputs) {
				t.Errorf("%d results of %d inputs", len(results), len(c.p.Inputs))
			}
			for i, r := range results {
				if r.Ordinal != i+1 {
					t.Errorf("result %d has the ordinal %d", i, r.Ordinal)
				}
			}
			if rest, _ := n.results(t, p.ID, 1); len(rest) != len(results)-1 || len(rest) > 0 && rest[0].Task != results[1].Task {
				t.Errorf("from the second on there are %d results", len(rest))
			}
			if alive := n.List(wire.Filter{Types: []string{"command"}, Status: []wire.Status{wire.StatusRunning}}); alive.Total != 0 {
				n.untilNone(t, "command")
			}
		})
	}
}

// untilNone waits until no agent of a type is alive.
func (n *node) untilNone(t *testing.T, typ string) {
	t.Helper()
	kit.Eventually(t, "no agent of type "+typ+" is left", func() bool {
		return !slices.ContainsFunc(n.List(wire.Filter{Types: []string{typ}}).Agents, func(a wire.Agent) bool { return a.Status.Alive() })
	})
}

func (n *node) results(t *testing.T, id wire.TaskID, after int) (all []wire.Result, end wire.Task) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), kit.Patience)
	defer cancel()
	f, err := n.Tasks.FollowResults(id, after)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for {
		part, rec, err := f.Next(ctx)
		if errors.Is(err, io.EOF) {
			return all, rec
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, part...)
	}
}

func TestAnOrchestrationOutlivesARestart(t *testing.T) {
	dir := t.TempDir()
	n := open(t, dir, workers)
	flag := filepath.Join(dir, "go")
	p, err := n.Tasks.Orchestrate(t.Context(), noun.Caller{Actor: "test"}, wire.OrchestrateParams{
		Task:   wire.TaskSpec{Type: "command", Argv: []string{"sh", "-c", "read x; if [ $x = wait ]; then while [ ! -e " + flag + " ]; do sleep 0.02; done; fi; echo $x"}, Retry: wire.Retry{BackoffMS: 1}},
		Inputs: []wire.Payload{text("now"), text("wait"), text("now")}})
	if err != nil {
		t.Fatal(err)
	}
	n.until(t, p.ID, "nearly done", func(r wire.Task) bool { return r.Orchestration.Completed == 2 })
	n.close()
	if err := os.WriteFile(flag, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	n = open(t, dir, workers)
	results, end := n.results(t, p.ID, 0)
	if end.State != wire.TaskCompleted || len(results) != 3 || results[2].Index != 1 {
		t.Errorf("it is %s with %d results: %s", end.State, len(results), end.Message)
	}
}

func TestTheTaskWatchGoesOnAtItsCursor(t *testing.T) {
	dir := t.TempDir()
	n := open(t, dir, workers)
	old := n.submit(t, wire.TaskSpec{Type: "echo"})[0].ID
	end := n.over(t, old)
	cursor := kit.Until(t, "the cursor behind its end", func() uint64 { return n.Tasks.Changes(0, wire.TaskFilter{}).Cursor }, func(c uint64) bool { return c >= end.Rev })
	fresh := n.submit(t, wire.TaskSpec{Type: "echo"})[0].ID
	n.over(t, fresh)
	see := func(n *node) []wire.TaskID {
		ch, ok := n.Tasks.Resume(cursor, wire.TaskFilter{})
		if !ok {
			t.Fatal("the cursor was not known")
		}
		var ids []wire.TaskID
		for _, task := range ch.Tasks {
			ids = append(ids, task.ID)
		}
		return ids
	}
	if ids := see(n); !slices.Equal(ids, []wire.TaskID{fresh}) {
		t.Errorf("it saw %v, not %s alone", ids, fresh)
	}
	n.close()
	n = open(t, dir, workers)
	if ids := see(n); !slices.Equal(ids, []wire.TaskID{fresh}) {
		t.Errorf("after a restart it saw %v, not %s alone", ids, fresh)
	}
	asker := n.submit(t, wire.TaskSpec{Type: "asker"})[0].ID
	asking := n.until(t, asker, "asking", func(r wire.Task) bool { return r.State == wire.TaskInputRequired })
	cursor = asking.Rev // the cursor of a client that saw the agent get the task; the question is not stored
	if ids := see(n); !slices.Contains(ids, asker) {
		t.Errorf("it saw %v, and not the question", ids)
	}
	if ch, ok := n.Tasks.Resume(1<<40, wire.TaskFilter{}); ok || len(ch.Tasks) != 3 {
		t.Errorf("a cursor of the future: %v, with %d tasks", ok, len(ch.Tasks))
	}
}

// slowEnds is a store that holds the ends of some tasks back: written, and not yet answered.
type slowEnds struct {
	control.Store
	held    func(*wire.Task) bool
	written chan struct{}
	answer  chan struct{}
}

func (s *slowEnds) PutTask(ctx context.Context, rec *wire.Task) error {
	err := s.Store.PutTask(ctx, rec)
	if s.held(rec) && rec.State.Terminal() {
		s.written <- struct{}{}
		<-s.answer
	}
	return err
}

func TestNoCursorGoesBeyondAnEndThatIsNotTold(t *testing.T) {
	slow := &slowEnds{held: func(r *wire.Task) bool { return r.Name == "held" }, written: make(chan struct{}), answer: make(chan struct{})}
	n := open(t, t.TempDir(), workers, func(o *control.Options) { slow.Store, o.Store = o.Store, slow })
	held := n.submit(t, wire.TaskSpec{Type: "echo", Name: "held"})[0].ID
	<-slow.written
	n.over(t, n.submit(t, wire.TaskSpec{Type: "echo"})[0].ID) // stored behind it, and told before it
	cursor := n.Tasks.Changes(0, wire.TaskFilter{}).Cursor
	close(slow.answer)
	n.over(t, held)
	ch, ok := n.Tasks.Resume(cursor, wire.TaskFilter{})
	if !ok || !slices.ContainsFunc(ch.Tasks, func(r wire.Task) bool { return r.ID == held && r.State == wire.TaskCompleted }) {
		t.Errorf("who comes back with that cursor does not see the end: %v, %+v", ok, ch.Tasks)
	}
}

// writes is a store that records the states that it stores.
type writes struct {
	control.Store
	mu     sync.Mutex
	states map[wire.TaskID][]wire.TaskState
}

func (s *writes) PutTask(ctx context.Context, rec *wire.Task) error {
	s.mu.Lock()
	s.states[rec.ID] = append(s.states[rec.ID], rec.State)
	s.mu.Unlock()
	return s.Store.PutTask(ctx, rec)
}

func TestNothingIsStoredOverAnEnd(t *testing.T) {
	w := &writes{states: map[wire.TaskID][]wire.TaskState{}}
	n := open(t, t.TempDir(), workers, func(o *control.Options) { w.Store, o.Store = o.Store, w })
	specs := make([]wire.TaskSpec, 200)
	for i := range specs {
		specs[i] = wire.TaskSpec{Type: "echo"}
	}
	for _, task := range n.submit(t, specs...) {
		n.over(t, task.ID)
	}
	n.close()
	for id, states := range w.states {
		if i := slices.Index(states, wire.TaskCompleted); i != len(states)-1 {
			t.Errorf("task %s was stored as %v", id, states)
		}
	}
}

func TestARetryHasItsTimeInLineAnew(t *testing.T) {
	n := open(t, t.TempDir(), workers)
	if _, err := n.SetAdmission(t.Context(), noun.Caller{Actor: "test"}, wire.AdmissionParams{Type: "echo", Closed: true}); err != nil {
		t.Fatal(err)
	}
	id := n.submit(t, wire.TaskSpec{Type: "echo", Timeouts: wire.Timeouts{QueueMS: 300}})[0].ID
	if rec := n.over(t, id); rec.Failure != wire.FailQueueTimeout {
		t.Fatalf("it is %s: %s", rec.State, rec.Message)
	}
	begin := time.Now()
	if _, err := n.Tasks.Retry(noun.Caller{Actor: "test"}, id); err != nil {
		t.Fatal(err)
	}
	if rec := n.over(t, id); rec.Failure != wire.FailQueueTimeout || time.Since(begin) < 300*time.Millisecond {
		t.Errorf("after %s it is %s: %s", time.Since(begin), rec.State, rec.Message)
	}
}

func TestResultsThatDoNotFitAreNotReduced(t *testing.T) {
	n := open(t, t.TempDir(), workers)
	big := text(strings.Repeat("x", wire.MaxTaskOutput*2/3))
	for mode, failure := range map[wire.AggregateMode]wire.FailureReason{wire.AggregateAll: "", wire.AggregateReduce: wire.FailTooLarge} {
		p := wire.OrchestrateParams{Mode: mode, Task: wire.TaskSpec{Type: "echo"}, Inputs: []wire.Payload{big, big}}
		if mode == wire.AggregateReduce {
			p.Reduce = &wire.TaskSpec{Type: "echo"}
		}
		parent, err := n.Tasks.Orchestrate(t.Context(), noun.Caller{Actor: "test"}, p)
		if err != nil {
			t.Fatal(err)
		}
		results, end := n.results(t, parent.ID, 0)
		if len(results) != 2 || string(results[0].Output.Bytes()) != big.Text {
			t.Errorf("mode %s: %d results", mode, len(results))
		}
		if end.Failure != failure || failure == "" && (end.State != wire.TaskCompleted || strings.Contains(end.Result.Text, "output")) {
			t.Errorf("mode %s: it is %s: %s", mode, end.State, end.Message)
		}
	}
}
