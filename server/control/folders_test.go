package control_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/control"
	"skein.dev/skein/server/fork"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/runner/acp"
	"skein.dev/skein/server/runner/process"
	"skein.dev/skein/webtransport/wire"
)

// git runs git as somebody who has a name, whatever this machine's configuration says.
func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=Ada", "-c", "user.email=ada@localhost", "-c", "commit.gpgsign=false"}, args...)...)
	var out bytes.Buffer
	c.Dir, c.Stdout, c.Stderr = dir, &out, &out
	if err := fork.Run(c); err != nil { // not while an agent is started, as whose process it would count
		t.Fatalf("git %v: %v\n%s", args, err, out.Bytes())
	}
	return strings.TrimSpace(out.String())
}

// repository makes one with a commit.
func repository(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a.txt"), []byte("one\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	git(t, dir, "init", "-q", "-b", "main")
	git(t, dir, "config", "user.name", "Ada")
	git(t, dir, "config", "user.email", "ada@localhost")
	git(t, dir, "add", ".")
	git(t, dir, "commit", "-q", "-m", "begin")
	return dir
}

func (n *node) inWorktree(t *testing.T, repo, script string) wire.Agent {
	t.Helper()
	return n.spawn(t, wire.SpawnParams{Type: "shell", Cwd: repo, Folder: wire.FolderWorktree, Argv: []string{"sh", "-c", script}})
}

func TestAWorktreeIsKeptWhileItHasWork(t *testing.T) {
	t.Parallel()
	dir, repo := t.TempDir(), repository(t)
	n := open(t, dir)
	clean := n.inWorktree(t, repo, "test -f a.txt && git branch --show-current")
	dirty := n.inWorktree(t, repo, "echo two >>a.txt; echo new >new")
	gone := n.untilAgent(t, clean.ID, "its worktree is gone", func(a wire.Agent) bool { return a.Folder.State == wire.FolderRemoved })
	if text := output(n.follow(t, wire.Header{Agent: clean.ID}, nil), wire.EventStdout); gone.Exit.Code != 0 || text != gone.Folder.Branch+"\n" || gone.Folder.Branch != "skein/"+clean.Name {
		t.Errorf("it ended with %d, on branch %q of %+v", gone.Exit.Code, text, gone.Folder)
	}
	if _, err := os.Stat(gone.Cwd); err == nil {
		t.Error("its folder is left")
	}
	kept := n.untilAgent(t, dirty.ID, "its worktree is kept", func(a wire.Agent) bool { return a.Folder.State == wire.FolderKept })
	if s, err := os.ReadFile(filepath.Join(repo, "a.txt")); err != nil || string(s) != "one\n" {
		t.Errorf("the repository's own file is %q, %v", s, err)
	}
	c, err := n.ChangesOf(t.Context(), wire.ChangesParams{ID: dirty.ID})
	if err != nil || c.Total != 2 || c.Added != 2 || c.Removed != 0 || !c.Open {
		t.Fatalf("its changes are %+v, %v", c, err)
	}
	if _, err := n.ChangesOf(t.Context(), wire.ChangesParams{ID: clean.ID}); wire.AsError(err).Code != wire.CodePrecondition {
		t.Errorf("the changes of one whose worktree is gone: %v", err)
	}
	res, err := n.Commit(t.Context(), noun.Caller{Actor: "ann"}, wire.CommitParams{ID: dirty.ID, Message: "work", Tree: c.Tree})
	if err != nil || git(t, repo, "log", "-1", "--format=%s", kept.Folder.Branch) != "work" {
		t.Fatalf("%+v, %v", res, err)
	}
	n.close()

	git(t, repo, "merge", "-q", kept.Folder.Branch)
	n = open(t, dir)
	n.untilAgent(t, dirty.ID, "after its branch was merged, its worktree is gone", func(a wire.Agent) bool { return a.Folder.State == wire.FolderRemoved })
	if got := git(t, repo, "worktree", "list") + git(t, repo, "branch", "--list", "skein/*"); strings.Count(got, "\n") > 0 || !strings.HasSuffix(got, "[main]") {
		t.Errorf("git still has %s", got)
	}
}

func TestDiscardingTheWorkOfAnAgentThatHasEnded(t *testing.T) {
	t.Parallel()
	repo := repository(t)
	n := open(t, t.TempDir())
	a := n.inWorktree(t, repo, "echo new >new; git add .; git -c user.name=x -c user.email=x@localhost commit -q -m step; echo more >>new")
	n.untilAgent(t, a.ID, "its worktree is kept", func(a wire.Agent) bool { return a.Folder.State == wire.FolderKept })
	res, err := n.Discard(t.Context(), noun.Caller{Actor: "ann"}, wire.DiscardParams{ID: a.ID})
	if err != nil {
		t.Fatal(err)
	}
	if a, _ := n.Get(a.ID); a.Folder.State != wire.FolderRemoved {
		t.Errorf("its folder is %+v", a.Folder)
	}
	if got := git(t, repo, "show", res.Saved+":new"); got != "new\nmore" {
		t.Errorf("what was saved is %q", got)
	}
}

func TestAnAgentWhoseWorktreeCantBeMade(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir())
	_, err := n.Spawn(t.Context(), noun.Caller{Actor: "ann"}, wire.SpawnParams{Type: "shell", Cwd: t.TempDir(), Folder: wire.FolderWorktree, Argv: []string{"true"}})
	if e := wire.AsError(err); e.Code != wire.CodeSpawnFailed || !strings.Contains(e.Message, "no git repository") {
		t.Fatalf("the error is %v", err)
	}
	all := n.List(wire.Filter{}).Agents
	if len(all) != 1 || all[0].Status != wire.StatusExited || !strings.Contains(all[0].Exit.Message, "no git repository") {
		t.Errorf("the agents are %+v", all)
	}
	for field, p := range map[string]wire.SpawnParams{
		"folder": {Folder: "lane"}, "cwd": {Folder: wire.FolderWorktree}, "base": {Base: "main"},
	} {
		p.Type, p.Argv = "shell", []string{"true"}
		_, err := n.Spawn(t.Context(), noun.Caller{Actor: "ann"}, p)
		if e := wire.AsError(err); e.Code != wire.CodeInvalidParams || e.Data.Field != field {
			t.Errorf("%+v: %v; want an error about %s", p, err, field)
		}
	}
}

func TestOneWriterAFolder(t *testing.T) {
	t.Parallel()
	repo := repository(t)
	below := filepath.Join(repo, "below")
	if err := os.Mkdir(below, 0o700); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(below, link); err != nil {
		t.Fatal(err)
	}
	n := open(t, t.TempDir(), func(o *control.Options) {
		o.Kinds[wire.KindACP] = acp.New(o.Kinds[wire.KindExec].(*process.Kind))
		o.Types = append(o.Types, wire.AgentType{Name: "coder", Kind: wire.KindACP, Argv: []string{"sh", "-c", echoes}, Tasks: wire.TasksPrompt})
	})
	first := n.spawn(t, wire.SpawnParams{Type: "coder", Cwd: repo})
	n.spawn(t, wire.SpawnParams{Type: "shell", Cwd: repo, Argv: []string{"true"}}) // whoever starts a command knows where
	for _, cwd := range []string{repo, below, link, filepath.Dir(repo)} {
		_, err := n.Spawn(t.Context(), noun.Caller{Actor: "ann"}, wire.SpawnParams{Type: "coder", Cwd: cwd})
		if e := wire.AsError(err); e.Code != wire.CodePrecondition || !strings.Contains(e.Message, string(first.ID)) || !strings.Contains(e.Message, "worktree") {
			t.Errorf("a second one in %s: %v", cwd, err)
		}
	}
	if _, err := n.Spawn(t.Context(), noun.Caller{Actor: "ann"}, wire.SpawnParams{Type: "coder", Cwd: t.TempDir(), Count: 2}); wire.AsError(err).Code != wire.CodePrecondition {
		t.Errorf("two at once: %v", err)
	}
	if len(n.List(wire.Filter{Types: []string{"coder"}}).Agents) != 1 {
		t.Error("a spawn that was refused has left a record")
	}
	shares := n.spawn(t, wire.SpawnParams{Type: "coder", Cwd: repo, Share: true})
	apart := n.spawn(t, wire.SpawnParams{Type: "coder", Cwd: repo, Folder: wire.FolderWorktree, Count: 1})
	if apart.Cwd == repo || shares.Cwd != repo {
		t.Errorf("they work in %s and %s", apart.Cwd, shares.Cwd)
	}
	if _, err := n.Stop(t.Context(), noun.Caller{Actor: "test"}, wire.StopParams{IDs: []wire.AgentID{first.ID}}); err != nil {
		t.Fatal(err)
	}
	n.spawn(t, wire.SpawnParams{Type: "coder", Cwd: below})
}

// Sweeping finds a worktree whose agent was forgotten in a crash, and what an agent that is known works in is left alone.
func TestWorktreesThatNobodyKnows(t *testing.T) {
	t.Parallel()
	dir, repo := t.TempDir(), repository(t)
	lost := filepath.Join(dir, "worktrees", "alost", "project")
	git(t, repo, "worktree", "add", "-q", "-b", "skein/lost", lost)
	plan := fmt.Sprintf(`{"mode":"worktree","repo":%q,"top":%q,"branch":"skein/lost","from":"main"}`, repo, lost) // as before it was made
	if err := os.WriteFile(filepath.Join(filepath.Dir(lost), ".plan"), []byte(plan), 0o600); err != nil {
		t.Fatal(err)
	}
	n := open(t, dir)
	kit.Eventually(t, "the lost one is gone", func() bool { _, err := os.Stat(filepath.Dir(lost)); return os.IsNotExist(err) })
	a := n.inWorktree(t, repo, "sleep 1000")
	if _, err := os.Stat(a.Cwd); err != nil {
		t.Error(err)
	}
}

func TestATaskSaysWhereItIsDone(t *testing.T) {
	t.Parallel()
	repo := repository(t)
	looks := []string{"sh", "-c", "pwd; git branch --show-current 2>/dev/null; true"}
	n := open(t, t.TempDir(), func(o *control.Options) {
		alone := false
		o.Types = append(o.Types, wire.AgentType{Name: "alone", Kind: wire.KindExec, Tasks: wire.TasksProcess, Folder: &wire.FolderPolicy{Share: &alone}},
			wire.AgentType{Name: "anew", Kind: wire.KindExec, Tasks: wire.TasksProcess, Capabilities: []string{"look"}, Argv: looks, Folder: &wire.FolderPolicy{Mode: wire.FolderFresh}},
			wire.AgentType{Name: "there", Kind: wire.KindExec, Tasks: wire.TasksProcess, Capabilities: []string{"look"}, Argv: looks})
	}, workers)
	where := func(s wire.TaskSpec) string {
		t.Helper()
		if s.Type != "" {
			s.Argv = looks
		}
		rec := n.over(t, n.submit(t, s)[0].ID)
		if rec.State != wire.TaskCompleted {
			t.Fatalf("it is %s: %s", rec.State, rec.Message)
		}
		return result(rec)
	}
	if got := where(wire.TaskSpec{Type: "command", Cwd: repo}); got != repo+"\nmain\n" {
		t.Errorf("in the folder: %q", got)
	}
	if got := where(wire.TaskSpec{Type: "command", Cwd: repo, Folder: wire.FolderWorktree}); strings.HasPrefix(got, repo+"\n") || !strings.Contains(got, "\nskein/") {
		t.Errorf("in a worktree of it: %q", got)
	}
	if got := where(wire.TaskSpec{Type: "command"}); strings.Contains(got, repo) {
		t.Errorf("without a folder: %q", got)
	}

	// Of the types that can do it, one that can do it there does it.
	if got := where(wire.TaskSpec{Capabilities: []string{"look"}, Cwd: repo}); got != repo+"\nmain\n" {
		t.Errorf("by capability: %q", got)
	}

	// One waits for another one in its folder; one for another folder does not wait for it.
	go1, go2 := filepath.Join(t.TempDir(), "go"), filepath.Join(t.TempDir(), "go")
	untilThere := func(dir, file string) wire.TaskSpec {
		return wire.TaskSpec{Type: "alone", Cwd: dir, Argv: []string{"sh", "-c", "until [ -e " + file + " ]; do sleep 0.05; done; ls " + file}}
	}
	made := n.submit(t, untilThere(repo, go1), untilThere(repo, go2), untilThere(filepath.Dir(go2), go2))
	first, second, other := made[0].ID, made[1].ID, made[2].ID
	waits := n.until(t, second, "it waits", func(rec wire.Task) bool { return strings.Contains(rec.Waiting, "works in "+repo) })
	if waits.State != wire.TaskSubmitted || waits.Attempt != 0 {
		t.Errorf("the second task is %s, attempt %d", waits.State, waits.Attempt)
	}
	if err := os.WriteFile(go2, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if rec := n.over(t, other); rec.State != wire.TaskCompleted {
		t.Errorf("the one elsewhere is %s: %s", rec.State, rec.Message)
	}
	if err := os.WriteFile(go1, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, id := range []wire.TaskID{first, second} {
		if rec := n.over(t, id); rec.State != wire.TaskCompleted || rec.Attempt != 1 {
			t.Errorf("it is %s after %d attempts: %s", rec.State, rec.Attempt, rec.Message)
		}
	}
}

func TestATasksFolderIsChecked(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir(), workers)
	argv := []string{"pwd"}
	agent := n.spawn(t, wire.SpawnParams{Type: "echo"}).ID
	for name, c := range map[string]struct {
		spec  wire.TaskSpec
		field string
	}{
		"a relative one":                       {wire.TaskSpec{Type: "command", Argv: argv, Cwd: "project"}, "cwd"},
		"a relative one, by capability":        {wire.TaskSpec{Capabilities: []string{"count"}, Cwd: "project"}, "cwd"},
		"no such way":                          {wire.TaskSpec{Type: "command", Argv: argv, Cwd: "/", Folder: "moon"}, "folder"},
		"a worktree of nothing":                {wire.TaskSpec{Type: "command", Argv: argv, Folder: wire.FolderWorktree}, "cwd"},
		"a new one that is there":              {wire.TaskSpec{Type: "command", Argv: argv, Cwd: "/", Folder: wire.FolderFresh}, "folder"},
		"agents that run":                      {wire.TaskSpec{Type: "echo", Cwd: "/"}, "cwd"},
		"an agent":                             {wire.TaskSpec{Agent: agent, Cwd: "/"}, "cwd"},
		"capabilities of agents that run only": {wire.TaskSpec{Capabilities: []string{"echo"}, Cwd: "/"}, "capabilities"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := n.Tasks.Submit(t.Context(), noun.Caller{Actor: "test"}, wire.SubmitParams{Tasks: []wire.TaskSpec{c.spec}})
			if e := wire.AsError(err); err == nil || e.Data == nil || !strings.HasSuffix(e.Data.Field, c.field) {
				t.Errorf("the error is %v", err)
			}
		})
	}
	id := n.submit(t, wire.TaskSpec{Type: "command", Argv: argv, Cwd: "/does/not/exist", Retry: wire.Retry{Max: 3}})[0].ID
	if rec := n.over(t, id); rec.State != wire.TaskFailed || rec.Attempt != 1 || !strings.Contains(rec.Message, "/does/not/exist") {
		t.Errorf("a folder that is not there: %s after %d attempts: %s", rec.State, rec.Attempt, rec.Message)
	}
}
