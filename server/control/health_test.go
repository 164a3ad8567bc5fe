package control_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/control"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// untilAgent waits for an agent to satisfy ok.
func (n *node) untilAgent(t *testing.T, id wire.AgentID, what string, ok func(wire.Agent) bool) wire.Agent {
	t.Helper()
	return kit.Until(t, "agent "+string(id)+" "+what, func() wire.Agent {
		a, err := n.Get(id)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}, ok)
}

func with(types ...wire.AgentType) func(*control.Options) {
	return func(o *control.Options) { o.Types = append(o.Types, types...) }
}

func printedLines(t *testing.T, file string) int {
	b, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return strings.Count(string(b), "\n")
}

func TestAFailedAgentIsStartedAgain(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "starts")
	crash := []string{"sh", "-c", "echo x >> " + file + "; exit 3"}
	n := open(t, dir,
		with(wire.AgentType{Name: "fails", Kind: wire.KindExec, Argv: crash, Restart: &wire.RestartPolicy{Mode: wire.RestartFail, Attempts: 2, IntervalMS: 60_000, DelayMS: 10}},
			wire.AgentType{Name: "delays", Kind: wire.KindExec, Argv: crash, Restart: &wire.RestartPolicy{Mode: wire.RestartDelay, Attempts: 1, IntervalMS: 700, DelayMS: 10}},
			wire.AgentType{Name: "ends", Kind: wire.KindExec, Argv: []string{"sh", "-c", "echo x >> " + file}, Restart: &wire.RestartPolicy{Mode: wire.RestartFail, Attempts: 2, IntervalMS: 60_000, DelayMS: 10}}))

	a := n.wait(t, n.spawn(t, wire.SpawnParams{Type: "fails"}).ID)
	if a.Status != wire.StatusExited || a.Reason != wire.ReasonFailed || a.Restarts != 2 || a.Generation != 3 || !a.CrashLoop || printedLines(t, file) != 3 {
		t.Errorf("after %d starts: %+v", printedLines(t, file), a)
	}
	crashes := 0
	for _, e := range n.follow(t, wire.Header{Agent: a.ID}, nil) {
		if e.Type == wire.EventCrashed {
			crashes++
		}
	}
	if crashes != 2 {
		t.Errorf("%d crashes are in the log", crashes)
	}

	os.Remove(file)
	if b := n.wait(t, n.spawn(t, wire.SpawnParams{Type: "ends"}).ID); b.Restarts != 0 || printedLines(t, file) != 1 {
		t.Errorf("one that completed was started %d times: %+v", printedLines(t, file), b)
	}

	os.Remove(file)
	c := n.spawn(t, wire.SpawnParams{Type: "delays"})
	loop := n.untilAgent(t, c.ID, "in a crash loop", func(a wire.Agent) bool { return a.CrashLoop && a.RestartAt != nil })
	if loop.Status != wire.StatusPending || !loop.NeedsAttention() {
		t.Errorf("in the loop: %+v", loop)
	}
	n.untilAgent(t, c.ID, "started after the interval", func(a wire.Agent) bool { return a.Restarts >= 3 })
	res, err := n.Stop(t.Context(), noun.Caller{Actor: "test"}, wire.StopParams{IDs: []wire.AgentID{c.ID}})
	if err != nil || res.Reports[0].Reason != wire.ReasonStopped {
		t.Fatalf("%+v, %v", res, err)
	}
	before := printedLines(t, file)
	time.Sleep(900 * time.Millisecond) // longer than the policy would wait
	if now, _ := n.Get(c.ID); now.Status != wire.StatusExited || printedLines(t, file) != before {
		t.Errorf("it went on after the stop: %+v", now)
	}
}

func TestAResumeStartsAFailedAgentAtOnce(t *testing.T) {
	n := open(t, t.TempDir(), with(wire.AgentType{Name: "fails", Kind: wire.KindExec, Argv: []string{"sh", "-c", "exit 3"},
		Restart: &wire.RestartPolicy{Mode: wire.RestartFail, Attempts: 2, IntervalMS: 3_600_000, DelayMS: 3_600_000}}))
	id := n.spawn(t, wire.SpawnParams{Type: "fails"}).ID
	for restarts := range 2 {
		n.untilAgent(t, id, "waiting for an hour", func(a wire.Agent) bool { return a.Restarts == restarts && a.RestartAt != nil })
		res, err := n.Resume(t.Context(), noun.Caller{Actor: "me"}, wire.ResumeParams{IDs: []wire.AgentID{id}})
		if err != nil || res.Reports[0].Error != nil {
			t.Fatalf("%+v, %v", res, err)
		}
	}
	if a := n.wait(t, id); a.Reason != wire.ReasonFailed || a.Restarts != 2 {
		t.Errorf("in the end: %+v", a)
	}
	told := 0
	for _, e := range n.follow(t, wire.Header{Agent: id}, nil) {
		if e.Actor == "me" && e.Data.Text == "it starts again now" {
			told++
		}
	}
	if told != 2 {
		t.Errorf("the log tells of %d starts by a person", told)
	}
}

func TestASilentAgentIsUnknownThenLost(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for heartbeats")
	}
	dir := t.TempDir()
	n := open(t, dir, with(
		wire.AgentType{Name: "silent", Kind: wire.KindExec, Argv: []string{"sh", "-c", "echo here; sleep 600"}, HeartbeatMS: 1000, StopGraceMS: 100},
		wire.AgentType{Name: "back", Kind: wire.KindExec, Argv: []string{"sh", "-c", "sleep 2.5; echo here; sleep 1.2; exit 0"}, HeartbeatMS: 1000},
		wire.AgentType{Name: "stalls", Kind: wire.KindScripted, Tasks: wire.TasksLines, Script: "take\nwait 600s", StallMS: 500, MaxInstances: 1}))
	a := n.spawn(t, wire.SpawnParams{Type: "silent"})
	b := n.spawn(t, wire.SpawnParams{Type: "back"})
	task := n.submit(t, wire.TaskSpec{Type: "stalls"})[0]
	unknown := n.untilAgent(t, a.ID, "unknown", func(a wire.Agent) bool { return a.Status == wire.StatusUnknown })
	if !unknown.NeedsAttention() {
		t.Error("an unknown agent needs no attention")
	}
	lost := n.untilAgent(t, a.ID, "lost", func(a wire.Agent) bool { return a.Status == wire.StatusLost })
	if lost.Exit == nil || lost.Reason != wire.ReasonFailed || !strings.Contains(lost.Exit.Message, "lost") || alive(unknown.Process.PID) {
		t.Errorf("lost: %+v", lost)
	}
	var health []string
	for _, e := range n.follow(t, wire.Header{Agent: b.ID, Follow: true}, nil) {
		if e.Type == wire.EventHealth {
			health = append(health, e.Data.Text)
		}
	}
	if back, _ := n.Get(b.ID); back.Reason != wire.ReasonCompleted || len(health) < 2 || !strings.HasPrefix(health[0], "unknown") || health[1] != "it is back" {
		t.Errorf("%v: %+v", health, back)
	}
	rec := n.until(t, task.ID, "working", working)
	n.untilAgent(t, rec.Runs[0].Agent, "stalled", func(a wire.Agent) bool { return a.Stalled })
}

// alive reports whether a process runs; a zombie that its parent has not reaped does not.
func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

func TestStopsHaveScopes(t *testing.T) {
	dir := t.TempDir()
	n := open(t, dir, workers)
	stop := func(p wire.StopParams) *wire.StopResult {
		t.Helper()
		res, err := n.Stop(t.Context(), noun.Caller{Actor: "test"}, p)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	pidFile := filepath.Join(dir, "pid")
	long := wire.TaskSpec{Type: "command", Argv: []string{"sh", "-c", "sleep 600 & echo $$ $! > " + pidFile + "; wait"}}

	// A task tree: its processes are gone, another's goes on.
	other := n.submit(t, wire.TaskSpec{Type: "slow"})[0]
	n.until(t, other.ID, "working", working)
	parent := n.submit(t, long)[0]
	child := n.submit(t, wire.TaskSpec{Type: "slow", Parent: parent.ID})[0]
	n.until(t, child.ID, "working", working)
	n.until(t, parent.ID, "at work", func(wire.Task) bool { return printedLines(t, pidFile) == 1 })
	res := stop(wire.StopParams{Scope: wire.ScopeTask, Tasks: []wire.TaskID{parent.ID}})
	if len(res.Canceled) != 2 || len(res.Reports) != 1 || res.Closed {
		t.Errorf("stop of a tree: %+v", res)
	}
	b, _ := os.ReadFile(pidFile)
	for _, f := range strings.Fields(string(b)) {
		if pid, _ := strconv.Atoi(f); alive(pid) {
			t.Errorf("process %d is left", pid)
		}
	}
	if rec := n.over(t, child.ID); rec.State != wire.TaskCanceled {
		t.Errorf("the child is %s", rec.State)
	}
	if rec, _ := n.Tasks.Get(other.ID); rec.State != wire.TaskWorking {
		t.Errorf("another task is %s", rec.State)
	}

	// A type: its admission closes, the others' stays.
	res = stop(wire.StopParams{Scope: wire.ScopeType, Type: "slow"})
	if rec := n.over(t, other.ID); rec.State != wire.TaskCanceled || !res.Closed || len(res.Canceled) != 1 {
		t.Errorf("stop of a type: the task is %s, %+v", rec.State, res)
	}
	if _, err := n.Spawn(t.Context(), noun.Caller{}, wire.SpawnParams{Type: "slow"}); !errors.Is(err, &wire.Error{Code: wire.CodeUnavailable}) {
		t.Errorf("a closed type was spawned: %v", err)
	}
	waits := n.submit(t, wire.TaskSpec{Type: "slow"})[0]
	n.until(t, waits.ID, "held", func(r wire.Task) bool { return r.Waiting == "admission is closed for slow" })
	if rec := n.over(t, n.submit(t, wire.TaskSpec{Type: "echo", Input: text("on")})[0].ID); result(rec) != "on" {
		t.Errorf("another type's task is %s", rec.State)
	}

	// All: tasks that wait for another attempt are canceled, tasks that never ran keep waiting. Admission stays closed over
	// a restart.
	retry := n.submit(t, wire.TaskSpec{Type: "busy", Retry: wire.Retry{Max: 5, BackoffMS: 600_000}})[0]
	n.until(t, retry.ID, "backing off", func(r wire.Task) bool { return r.NotBefore != nil })
	for i := range 3 {
		n.shell(t, fmt.Sprintf("sleep %d", 600+i))
	}
	res = stop(wire.StopParams{Scope: wire.ScopeAll})
	if len(res.Canceled) != 1 || res.Canceled[0] != retry.ID || !res.Closed || len(res.Reports) < 4 {
		t.Errorf("stop of all: %+v", res)
	}
	for _, r := range res.Reports {
		if len(r.Leftovers) > 0 || r.Error != nil {
			t.Errorf("%+v", r)
		}
	}
	n.close()
	n = open(t, dir, workers)
	if a := n.Admission(); !a.Closed || a.Actor != "test" {
		t.Errorf("after a restart admission is %+v", a)
	}
	n.until(t, waits.ID, "held", func(r wire.Task) bool { return r.Waiting == "admission is closed" })
	if _, err := n.SetAdmission(t.Context(), noun.Caller{Actor: "me"}, wire.AdmissionParams{}); err != nil {
		t.Fatal(err)
	}
	n.until(t, waits.ID, "working", working)
	if a := n.Admission(); a.Closed || len(a.Types) != 0 {
		t.Errorf("opened, it is %+v", a)
	}
	res = stop(wire.StopParams{Scope: wire.ScopeNode, Node: "test", Reopen: true})
	if res.Closed || n.Admission().Closed {
		t.Error("a stop that reopens left admission closed")
	}
}

// A stop itself ends the processes of the tasks that it cancels: within the requested grace, in the name of the caller, and
// its report is about that end.
func TestAStopOfTasksIsItsOwn(t *testing.T) {
	dir := t.TempDir()
	n := open(t, dir, workers)
	grace := int64(20_000)
	for i, p := range []wire.StopParams{{Scope: wire.ScopeTask}, {Scope: wire.ScopeType, Type: "command", Reopen: true}, {Scope: wire.ScopeAll}} {
		ready, saved := filepath.Join(dir, fmt.Sprint("ready", i)), filepath.Join(dir, fmt.Sprint("saved", i))
		script := fmt.Sprintf("trap 'sleep 0.4; echo work > %s; exit' TERM; echo > %s; while :; do sleep 0.01; done", saved, ready)
		task := n.submit(t, wire.TaskSpec{Type: "command", Argv: []string{"sh", "-c", script}})[0]
		rec := n.until(t, task.ID, "at work", func(wire.Task) bool { return printedLines(t, ready) == 1 })
		p.GraceMS = &grace // the type's own, 100 ms, is too short for what it saves
		if p.Scope == wire.ScopeTask {
			p.Tasks = []wire.TaskID{task.ID}
		}
		res, err := n.Stop(t.Context(), noun.Caller{Actor: "me"}, p)
		if err != nil {
			t.Fatal(err)
		}
		if len(res.Canceled) != 1 || len(res.Reports) != 1 {
			t.Fatalf("%s: %+v", p.Scope, res)
		}
		if r := res.Reports[0]; r.ID != rec.Runs[0].Agent || r.Already || r.Forced || r.TookMS < 400 || r.Reason != wire.ReasonStopped {
			t.Errorf("%s: %+v", p.Scope, r)
		}
		if printedLines(t, saved) != 1 {
			t.Errorf("%s: its process was killed before it had saved its work", p.Scope)
		}
		n.follow(t, wire.Header{Agent: rec.Runs[0].Agent}, func(e wire.Event) bool {
			if e.Type == wire.EventStopping && e.Actor != "me" {
				t.Errorf("%s: stopped by %q", p.Scope, e.Actor)
			}
			return e.Type == wire.EventStopping
		})
	}
}

func TestTheNodeHasACap(t *testing.T) {
	n := open(t, t.TempDir(), workers, func(o *control.Options) { o.MaxAgents = 2 })
	n.shell(t, "sleep 600")
	first := n.submit(t, wire.TaskSpec{Type: "slow"})[0]
	n.until(t, first.ID, "working", working)
	if _, err := n.Spawn(t.Context(), noun.Caller{}, wire.SpawnParams{Type: "scripted"}); !errors.Is(err, &wire.Error{Code: wire.CodeExhausted}) {
		t.Errorf("over the cap: %v", err)
	}
	second := n.submit(t, wire.TaskSpec{Type: "slow"})[0]
	n.until(t, second.ID, "held", func(r wire.Task) bool { return r.Waiting == "this node runs 2 of 2 agents" })
}
