package control_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"skein.dev/skein/server/control"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/runner/acp"
	"skein.dev/skein/server/runner/process"
	"skein.dev/skein/webtransport/wire"
)

func restart(t *testing.T, n *node, id wire.AgentID) *wire.RestartResult {
	t.Helper()
	r, err := n.Restart(t.Context(), noun.Caller{Actor: "ann"}, wire.RestartParams{ID: id})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestAnAgentIsRestarted checks that it gets another process with the same environment, under its id.
func TestAnAgentIsRestarted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := open(t, dir, with(wire.AgentType{Name: "fails", Kind: wire.KindExec, Restart: &wire.RestartPolicy{Mode: wire.RestartDelay, Attempts: 1, IntervalMS: 3_600_000, DelayMS: 10}}))
	said := func(a wire.Agent) string {
		b, _ := os.ReadFile(filepath.Join(a.Cwd, "said"))
		return string(b)
	}
	a := n.spawn(t, wire.SpawnParams{Type: "shell", Name: "one", Argv: []string{"sh", "-c", "echo $SECRET >>said; exec sleep 300"}, Env: map[string]string{"SECRET": "sesame"}, Labels: map[string]string{"team": "core"}})
	before := n.untilAgent(t, a.ID, "has begun", func(a wire.Agent) bool { return said(a) == "sesame\n" })
	r := restart(t, n, a.ID)
	if r.Spawned || r.Agent.ID != a.ID || r.Agent.Generation != 2 || r.Agent.Restarts != 1 || r.Agent.Status != wire.StatusRunning || r.Agent.Process.PID == before.Process.PID {
		t.Errorf("it was restarted as %+v", r.Agent)
	}
	if exists(before.Process.PID) {
		t.Errorf("its process %d is still there", before.Process.PID)
	}
	n.untilAgent(t, a.ID, "has begun again", func(a wire.Agent) bool { return said(a) == "sesame\nsesame\n" })
	n.follow(t, wire.Header{Agent: a.ID, Follow: true}, func(e wire.Event) bool {
		return e.Type == wire.EventHealth && e.Actor == "ann" && strings.HasPrefix(e.Data.Text, "restarting")
	})

	// In place of one that has ended there is another one that is like it, once for each request.
	n.Stop(t.Context(), noun.Caller{Actor: "ann"}, wire.StopParams{IDs: []wire.AgentID{a.ID}})
	by := noun.Caller{Actor: "ann", Request: "r1"}
	r, err := n.Restart(t.Context(), by, wire.RestartParams{ID: a.ID})
	if err != nil || !r.Spawned || r.Agent.ID == a.ID || r.Agent.Name != "one" || r.Agent.Labels["team"] != "core" {
		t.Fatalf("in its place: %+v, %v", r, err)
	}
	n.untilAgent(t, r.Agent.ID, "has begun", func(a wire.Agent) bool { return said(a) == "sesame\n" })
	if again, err := n.Restart(t.Context(), by, wire.RestartParams{ID: a.ID}); err != nil || again.Agent.ID != r.Agent.ID {
		t.Errorf("the same request made %+v, %v", again, err)
	}

	// One that waits to start again starts at once.
	loops := n.spawn(t, wire.SpawnParams{Type: "fails", Argv: []string{"sh", "-c", "[ -e good ] && exec sleep 300; exit 3"}})
	loops = n.untilAgent(t, loops.ID, "waits", func(a wire.Agent) bool { return a.CrashLoop && a.RestartAt != nil })
	if err := os.WriteFile(filepath.Join(loops.Cwd, "good"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := restart(t, n, loops.ID); r.Agent.Status != wire.StatusRunning || r.Agent.Generation != loops.Generation+1 {
		t.Errorf("it was restarted as %+v", r.Agent)
	}
}

// TestARestartGoesOnWithTheConversation checks that an agent by ACP resumes its session, and begins another one if it can't.
func TestARestartGoesOnWithTheConversation(t *testing.T) {
	t.Parallel()
	n := openChooser(t)
	a := n.spawn(t, wire.SpawnParams{Type: "chooser"})
	a = n.untilAgent(t, a.ID, "is idle", idle)
	restart(t, n, a.ID)
	n.untilAgent(t, a.ID, "is idle", idle)
	if got := history(t, a); got != "new resumed " {
		t.Errorf("after a restart: %s", got)
	}
	n.Stop(t.Context(), noun.Caller{Actor: "ann"}, wire.StopParams{IDs: []wire.AgentID{a.ID}})
	r := restart(t, n, a.ID)
	b := n.untilAgent(t, r.Agent.ID, "is idle", idle)
	if got := history(t, a); got != "new resumed resumed " || b.Cwd != a.Cwd || b.Session != "s1" {
		t.Errorf("in its place: %s, %+v", got, b)
	}
	n.Stop(t.Context(), noun.Caller{Actor: "ann"}, wire.StopParams{IDs: []wire.AgentID{b.ID}})
	if err := os.Remove(filepath.Join(a.Cwd, "history")); err != nil {
		t.Fatal(err)
	}
	r = restart(t, n, b.ID)
	n.untilAgent(t, r.Agent.ID, "is idle", idle)
	if got := history(t, a); got != "new " {
		t.Errorf("without the session: %s", got)
	}
}

// TestAConversationIsForked checks that another agent goes on in a copy of a session, beside the one that is in it.
func TestAConversationIsForked(t *testing.T) {
	t.Parallel()
	n := openChooser(t)
	a := n.untilAgent(t, n.spawn(t, wire.SpawnParams{Type: "chooser"}).ID, "is idle", idle)
	b := n.untilAgent(t, n.spawn(t, wire.SpawnParams{Type: "chooser", Session: a.Session, Fork: true}).ID, "is idle", idle)
	if b.Session != "f1" || b.Cwd != a.Cwd || history(t, a) != "new forked " {
		t.Errorf("the copy is %+v, after %s", b, history(t, a))
	}
	if r, err := n.Options(a.ID); err != nil || !r.Forks || r.Session != "s1" {
		t.Errorf("the other one offers %+v, %v", r, err)
	}
	restart(t, n, b.ID)
	if b = n.untilAgent(t, b.ID, "is idle", idle); b.Session != "f1" || history(t, a) != "new forked resumed " {
		t.Errorf("after a restart it is in %s: %s", b.Session, history(t, a))
	}
	for name, p := range map[string]wire.SpawnParams{"the session itself": {Type: "chooser", Session: a.Session}, "no session": {Type: "chooser", Fork: true}, "a process": {Type: "shell", Argv: []string{"true"}, Session: "s1", Fork: true}} {
		if _, err := n.Spawn(t.Context(), noun.Caller{Actor: "ann"}, p); err == nil {
			t.Errorf("%s: it was spawned", name)
		}
	}
}

func TestWhatCanNotBeRestarted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	configure := func(o *control.Options) {
		o.Kinds[wire.KindACP] = acp.New(o.Kinds[wire.KindExec].(*process.Kind))
		o.Types = append(o.Types, wire.AgentType{Name: "job", Kind: wire.KindExec, Argv: []string{"sh", "-c", "exec sleep 300"}, Tasks: wire.TasksProcess})
	}
	n := open(t, dir, configure)
	task := n.until(t, n.submit(t, wire.TaskSpec{Type: "job"})[0].ID, "works", func(task wire.Task) bool { return task.State == wire.TaskWorking })
	job := n.untilAgent(t, task.Runs[0].Agent, "runs", func(a wire.Agent) bool { return a.Status == wire.StatusRunning })
	ended := n.wait(t, n.spawn(t, wire.SpawnParams{Type: "shell", Argv: []string{"true"}}).ID)
	refused := func(n *node, what string, id wire.AgentID, code wire.ErrorCode, says string) {
		t.Helper()
		_, err := n.Restart(t.Context(), noun.Caller{Actor: "ann"}, wire.RestartParams{ID: id})
		if !errors.Is(err, &wire.Error{Code: code}) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused(n, "the process of a task", job.ID, wire.CodePrecondition, "retry the task")
	refused(n, "none", "anone", wire.CodeNotFound, "no agent")
	long := int64(3_600_000)
	if _, err := n.Restart(t.Context(), noun.Caller{}, wire.RestartParams{ID: job.ID, GraceMS: &long}); !errors.Is(err, &wire.Error{Code: wire.CodeInvalidParams}) {
		t.Errorf("a grace of an hour: %v", err)
	}
	n.close()
	refused(open(t, dir, configure), "one of an earlier server", ended.ID, wire.CodePrecondition, "Spawn one like it")
}
