package folders

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/webtransport/wire"
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "skein-folders")
	if err != nil {
		panic(err)
	}
	conf := filepath.Join(dir, "config")
	if err := os.WriteFile(conf, []byte("[user]\n\tname = Ada\n\temail = ada@localhost\n[init]\n\tdefaultBranch = main\n"), 0o600); err != nil {
		panic(err)
	}
	os.Setenv("GIT_CONFIG_GLOBAL", conf)
	os.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// bench is a repository, and folders of agents beside it.
type bench struct {
	*Folders
	t    *testing.T
	repo string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	dir := realPath(t.TempDir())
	b := &bench{New(Options{Dir: filepath.Join(dir, "worktrees"), Logger: slog.New(slog.DiscardHandler), Look: kit.Patience}), t, filepath.Join(dir, "project")}
	b.write("a.txt", "one\ntwo\nthree\n")
	b.write("sub/b.txt", "b\n")
	b.write(".gitignore", "ignored\n.env\n")
	b.git(b.repo, "init", "-q")
	b.git(b.repo, "add", ".")
	b.git(b.repo, "commit", "-q", "-m", "begin")
	return b
}

func (b *bench) git(dir string, args ...string) string {
	b.t.Helper()
	c := exec.CommandContext(b.t.Context(), "git", args...)
	c.Dir = dir
	out, err := c.CombinedOutput()
	if err != nil {
		b.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (b *bench) write(name, text string) { b.t.Helper(); put(b.t, filepath.Join(b.repo, name), text) }

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func is(v bool) func() bool { return func() bool { return v } }

// program writes one. A shell does, since a process that is forked here meanwhile would hold the file open, and it could not be run.
func program(t *testing.T, path, text string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), "sh", "-c", `cat >"$1" && chmod 700 "$1"`, "sh", path)
	c.Stdin = strings.NewReader(text)
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
}

// worktree prepares an agent's.
func (b *bench) worktree(name, cwd, base string, copies ...string) *wire.Agent {
	b.t.Helper()
	a := &wire.Agent{ID: wire.AgentID("a" + name), Name: name, Cwd: cwd, Folder: &wire.Folder{Mode: wire.FolderWorktree}}
	f, cwd, err := b.Prepare(b.t.Context(), a, base, copies)
	if err != nil {
		b.t.Fatal(err)
	}
	a.Folder, a.Cwd = &f, cwd
	return a
}

func (b *bench) changes(a *wire.Agent) *wire.Changes {
	b.t.Helper()
	c, err := b.Changes(b.t.Context(), a)
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

func list(c *wire.Changes) (all []string) {
	for _, f := range c.Files {
		s := fmt.Sprintf("%s %s +%d -%d", f.Status, f.Path, f.Added, f.Removed)
		if f.Old != "" {
			s += " was " + f.Old
		}
		if f.Binary {
			s += " binary"
		}
		all = append(all, s)
	}
	return all
}

func TestAWorktreeOfItsOwn(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.write(".env", "SECRET=1\n")
	b.write("ignored/x", "x")
	a := b.worktree("Coder 1", filepath.Join(b.repo, "sub"), "", ".env")
	top := filepath.Join(b.o.Dir, string(a.ID), "project")
	if a.Cwd != filepath.Join(top, "sub") || a.Folder.Branch != "skein/coder-1" || a.Folder.From != "main" || a.Folder.Top != top {
		t.Errorf("%+v, works in %s", a.Folder, a.Cwd)
	}
	if got := b.git(a.Cwd, "branch", "--show-current"); got != "skein/coder-1" {
		t.Errorf("branch %s is checked out", got)
	}
	if s, err := os.ReadFile(filepath.Join(top, ".env")); err != nil || string(s) != "SECRET=1\n" {
		t.Errorf("the copy of .env: %q, %v", s, err)
	}
	if _, err := os.Stat(filepath.Join(top, "ignored")); err == nil {
		t.Error("what nobody asked for was copied")
	}
	if other := b.worktree("coder.1", b.repo, ""); other.Folder.Branch != "skein/coder-1-2" {
		t.Errorf("a second one has the branch %s", other.Folder.Branch)
	}
	if c := b.changes(a); c.Total != 0 || c.Open || c.Count != 0 || len(c.Left) != 0 {
		t.Errorf("a new worktree has changes: %+v", c)
	}
}

func TestWhatWasChanged(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.write("big/moved.txt", strings.Repeat("the same line\n", 50)+"end\n")
	b.write("gone.txt", "gone\n")
	b.git(b.repo, "add", ".")
	b.git(b.repo, "commit", "-q", "-m", "more")
	a := b.worktree("w", b.repo, "")
	top := a.Folder.Top
	put(t, filepath.Join(top, "a.txt"), "one\nTWO\nthree\nfour\n")
	put(t, filepath.Join(top, "new \xff name"), "new\n")
	put(t, filepath.Join(top, "<b>.bin"), "\x00\x01")
	put(t, filepath.Join(top, "ignored"), "i\n")
	b.git(top, "mv", "big/moved.txt", "moved.txt")
	b.git(top, "rm", "-q", "gone.txt")
	b.git(top, "commit", "-q", "-m", "a step <i>of</i> mine")
	c := b.changes(a)
	want := []string{"added \"new \\377 name\" +1 -0", "added <b>.bin +0 -0 binary", "deleted gone.txt +0 -1", "modified a.txt +2 -1", "renamed moved.txt +0 -0 was big/moved.txt"}
	got := list(c)
	slices.Sort(got)
	if !slices.Equal(got, want) || c.Total != 5 || c.Added != 3 || c.Removed != 2 {
		t.Errorf("the changes are %q, %d, +%d -%d", got, c.Total, c.Added, c.Removed)
	}
	if !c.Open || c.Count != 1 || len(c.Commits) != 1 || c.Commits[0].Subject != "a step <i>of</i> mine" || c.Commits[0].Author != "Ada" || c.Branch != "skein/w" {
		t.Errorf("the commits are %+v of %d, open: %v, on %s", c.Commits, c.Count, c.Open, c.Branch)
	}
	if status := b.git(top, "status", "--porcelain"); !strings.Contains(status, "M a.txt") || !strings.Contains(status, "?? ") {
		t.Errorf("looking at the changes has touched the index of the agent: %s", status)
	}
	for path, line := range map[string]string{"a.txt": "\n-two\n+TWO\n", `"new \377 name"`: "\n+new\n", "moved.txt": "rename from big/moved.txt", "<b>.bin": "Binary files"} {
		d, err := b.Diff(t.Context(), a, wire.DiffParams{ID: a.ID, Path: path, Tree: c.Tree, Base: c.Base})
		if err != nil || !strings.Contains(d.Patch, line) || d.Cut || d.File.Path != path {
			t.Errorf("the diff of %s is %+v, %v; want a line %q", path, d, err, line)
		}
	}
	put(t, filepath.Join(top, "a.txt"), "later\n")
	if d, err := b.Diff(t.Context(), a, wire.DiffParams{Path: "a.txt", Tree: c.Tree, Base: c.Base}); err != nil || strings.Contains(d.Patch, "later") {
		t.Errorf("a diff of what was shown has what came later: %v", err)
	}
	if d, err := b.Diff(t.Context(), a, wire.DiffParams{Path: "a.txt"}); err != nil || !strings.Contains(d.Patch, "+later") {
		t.Errorf("a diff of what there is now lacks it: %v", err)
	}
	for _, p := range []wire.DiffParams{{Path: "sub/b.txt"}, {Path: "../a"}, {Path: "a.txt", Tree: "--output=/tmp/x"}, {Path: "a.txt", Base: "HEAD"}, {Path: "a.txt", Context: -1}} {
		if d, err := b.Diff(t.Context(), a, p); err == nil {
			t.Errorf("%+v gives %+v", p, d)
		}
	}
}

// The work is what the agent did: not what came from the branch that it began at.
func TestWhatCameFromTheBranchIsNotTheAgents(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.worktree("w", b.repo, "")
	put(t, filepath.Join(a.Cwd, "mine"), "mine\n")
	b.git(a.Cwd, "add", "mine")
	b.git(a.Cwd, "commit", "-q", "-m", "mine")
	b.write("theirs", "theirs\n")
	b.git(b.repo, "add", "theirs")
	b.git(b.repo, "commit", "-q", "-m", "theirs")
	b.git(a.Cwd, "rebase", "-q", "main")
	if got := list(b.changes(a)); !slices.Equal(got, []string{"added mine +1 -0"}) {
		t.Errorf("after a rebase the changes are %q", got)
	}
	b.git(b.repo, "merge", "-q", a.Folder.Branch)
	if c := b.changes(a); c.Total != 0 || c.Count != 0 {
		t.Errorf("after its branch was merged the changes are %+v", c)
	}
}

func TestACommitHasWhatWasShown(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.worktree("w", b.repo, "")
	put(t, filepath.Join(a.Cwd, "mine"), "mine\n")
	seen := b.changes(a)
	put(t, filepath.Join(a.Cwd, "late"), "late\n")
	_, err := b.Commit(t.Context(), a, wire.CommitParams{Message: "m", Tree: seen.Tree})
	if wire.AsError(err).Code != wire.CodePrecondition {
		t.Fatalf("a commit of what nobody saw: %v", err)
	}
	seen = b.changes(a)
	res, err := b.Commit(t.Context(), a, wire.CommitParams{Message: "both\n\n# not a comment\n", Tree: seen.Tree})
	if err != nil || res.Commit.Subject != "both" || res.Commit.Author != "Ada" || res.Branch != "skein/w" {
		t.Fatalf("%+v, %v", res, err)
	}
	if got := b.git(b.repo, "show", "--name-only", "--format=%T", "skein/w"); got != seen.Tree+"\n\nlate\nmine" {
		t.Errorf("the commit has %s", got)
	}
	if status := b.git(a.Cwd, "status", "--porcelain"); status != "" {
		t.Errorf("after it git says %s", status)
	}
	if _, err := b.Commit(t.Context(), a, wire.CommitParams{Message: "again"}); wire.AsError(err).Code != wire.CodePrecondition {
		t.Errorf("a commit of nothing: %v", err)
	}
	if _, err := b.Commit(t.Context(), a, wire.CommitParams{Message: " \n"}); wire.AsError(err).Code != wire.CodeInvalidParams {
		t.Errorf("a commit without a message: %v", err)
	}
}

func TestAHookThatRefuses(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	hook := filepath.Join(b.repo, ".git", "hooks", "pre-commit")
	program(t, hook, "#!/bin/sh\necho 'no tabs, please' >&2\nexit 1\n")
	a := b.worktree("w", b.repo, "")
	put(t, filepath.Join(a.Cwd, "mine"), "mine\n")
	if _, err := b.Commit(t.Context(), a, wire.CommitParams{Message: "m"}); err == nil || !strings.Contains(err.Error(), "no tabs, please") {
		t.Errorf("the hook's refusal is %v", err)
	}
	if c := b.changes(a); c.Total != 1 || !c.Open {
		t.Errorf("after it the changes are %+v", c)
	}
}

func TestDiscarding(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.worktree("w", b.repo, "")
	put(t, filepath.Join(a.Cwd, "a.txt"), "changed\n")
	put(t, filepath.Join(a.Cwd, "dir/new"), "new\n")
	b.git(a.Cwd, "mv", "sub/b.txt", "c.txt")
	b.git(a.Cwd, "commit", "-q", "-m", "step")
	seen := b.changes(a)
	if _, err := b.Discard(t.Context(), a, wire.DiscardParams{Paths: []string{"dir/new", "c.txt"}, Tree: seen.Tree}, is(true)); err != nil {
		t.Fatal(err)
	}
	if got := list(b.changes(a)); !slices.Equal(got, []string{"modified a.txt +1 -3"}) {
		t.Errorf("after two files were discarded: %q", got)
	}
	if _, err := os.Stat(filepath.Join(a.Cwd, "dir")); err == nil {
		t.Error("the folder of a discarded file is left")
	}
	b.git(a.Cwd, "checkout", "-q", "-b", "other")
	put(t, filepath.Join(a.Cwd, "dir/new"), "new\n")
	res, err := b.Discard(t.Context(), a, wire.DiscardParams{}, is(true))
	if err != nil {
		t.Fatal(err)
	}
	if c := b.changes(a); c.Total != 0 || c.Count != 0 || c.Branch != "skein/w" {
		t.Errorf("after everything was discarded: %+v", c)
	}
	if got := b.git(b.repo, "show", res.Saved+":dir/new"); got != "new" {
		t.Errorf("what was saved has %q", got)
	}
	if got := b.git(b.repo, "log", "--format=%s", "-1", "other"); got != "step" {
		t.Errorf("a branch that the agent left has lost its commit: %q", got)
	}
	put(t, filepath.Join(a.Cwd, "x"), "x\n")
	if res, err = b.Discard(t.Context(), a, wire.DiscardParams{}, is(false)); err != nil || res.Folder.State != wire.FolderRemoved {
		t.Fatalf("%+v, %v", res, err)
	}
	if _, err := os.Stat(b.home(a.ID)); err == nil {
		t.Error("the worktree is left")
	}
	if got := b.git(b.repo, "worktree", "list"); !strings.HasSuffix(got, "[main]") {
		t.Errorf("git still knows it: %s", got)
	}
	if got := b.git(b.repo, "branch", "--list", "skein/*"); got != "" {
		t.Errorf("the branch is left: %s", got)
	}
}

func TestSharedFoldersAreNotDiscarded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := &wire.Agent{ID: "a1", Cwd: filepath.Join(b.repo, "sub"), Folder: &wire.Folder{Mode: wire.FolderShared}}
	f, cwd, err := b.Prepare(t.Context(), a, "", nil)
	if err != nil || cwd != a.Cwd || f.Top != b.repo || f.Base == "" {
		t.Fatalf("%+v in %s, %v", f, cwd, err)
	}
	a.Folder = &f
	b.write("a.txt", "changed\n")
	b.write("sub/new", "new\n")
	c := b.changes(a)
	if got := list(c); !slices.Equal(got, []string{"modified a.txt +1 -3", "added sub/new +1 -0"}) {
		t.Errorf("the changes are %q", got)
	}
	if _, err := b.Discard(t.Context(), a, wire.DiscardParams{}, is(true)); wire.AsError(err).Code != wire.CodePrecondition {
		t.Errorf("discarding what may be others': %v", err)
	}
	if _, err := b.Commit(t.Context(), a, wire.CommitParams{Message: "m", Tree: c.Tree}); err != nil {
		t.Error(err)
	}
}

func TestWorktreesThatCantBeMade(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	plain, empty, bare := t.TempDir(), t.TempDir(), t.TempDir()
	b.git(empty, "init", "-q")
	b.git(bare, "init", "-q", "--bare")
	for name, c := range map[string]struct{ cwd, base, want string }{
		"no repository": {plain, "", "no git repository"},
		"no commit":     {empty, "", "no commit yet"},
		"bare":          {bare, "", "bare repository"},
		"no such base":  {b.repo, "nowhere", `no branch or commit "nowhere"`},
		"an option":     {b.repo, "--help", `no branch or commit "--help"`},
		"no folder":     {filepath.Join(plain, "none"), "", "no such file"},
	} {
		a := &wire.Agent{ID: "a1", Name: "w", Cwd: c.cwd, Folder: &wire.Folder{Mode: wire.FolderWorktree}}
		_, _, err := b.Prepare(t.Context(), a, c.base, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) || wire.AsError(err).Code != wire.CodeSpawnFailed {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
	}
	none := New(Options{Dir: t.TempDir(), Logger: b.o.Logger, Git: "no-such-git"})
	if _, _, err := none.Prepare(t.Context(), &wire.Agent{ID: "a1", Cwd: b.repo, Folder: &wire.Folder{Mode: wire.FolderWorktree}}, "", nil); err == nil || !strings.Contains(err.Error(), "not installed") {
		t.Errorf("without git: %v", err)
	}
	b.write("large", strings.Repeat("x", 100))
	if err := os.Truncate(filepath.Join(b.repo, "large"), maxCopySize+1); err != nil {
		t.Fatal(err)
	}
	a := &wire.Agent{ID: "a1", Name: "w", Cwd: b.repo, Folder: &wire.Folder{Mode: wire.FolderWorktree}}
	if _, _, err := b.Prepare(t.Context(), a, "", []string{"large"}); err == nil || !strings.Contains(err.Error(), "name fewer") {
		t.Errorf("a copy that is too large: %v", err)
	}
	if got := b.git(b.repo, "worktree", "list", "--porcelain") + b.git(b.repo, "branch", "--list", "skein/*"); strings.Count(got, "worktree ") != 1 || !strings.HasSuffix(got, "refs/heads/main") {
		t.Errorf("what could not be made has left %s", got)
	}
}

func TestTidying(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	clean, dirty, ahead, merged := b.worktree("clean", b.repo, ""), b.worktree("dirty", b.repo, ""), b.worktree("ahead", b.repo, ""), b.worktree("merged", b.repo, "")
	put(t, filepath.Join(clean.Cwd, "ignored"), "i\n")
	put(t, filepath.Join(dirty.Cwd, "new"), "n\n")
	for _, a := range []*wire.Agent{ahead, merged} {
		put(t, filepath.Join(a.Cwd, a.Name), "x\n")
		b.git(a.Cwd, "add", ".")
		b.git(a.Cwd, "commit", "-q", "-m", a.Name)
	}
	b.git(b.repo, "merge", "-q", "skein/merged")
	for a, want := range map[*wire.Agent]wire.FolderState{clean: wire.FolderRemoved, dirty: wire.FolderKept, ahead: wire.FolderKept, merged: wire.FolderRemoved} {
		state, err := b.Tidy(t.Context(), a)
		_, gone := os.Stat(a.Folder.Top)
		if err != nil || state != want || os.IsNotExist(gone) != (want == wire.FolderRemoved) {
			t.Errorf("%s is %s, %v; its folder: %v", a.Name, state, err, gone)
		}
	}
	if got := b.git(b.repo, "branch", "--format=%(refname:short)"); got != "main\nskein/ahead\nskein/dirty" {
		t.Errorf("the branches are %s", got)
	}
	// Its agent's end, its removal and the fleet's round may all tidy up one at the same time.
	again := b.worktree("again", b.repo, "")
	dir := t.TempDir()
	program(t, filepath.Join(dir, "git"), "#!/bin/sh\ncase \"$*\" in *status*) sleep 0.1;; esac\nexec git \"$@\"\n")
	fs := New(Options{Dir: b.o.Dir, Logger: b.o.Logger, Git: filepath.Join(dir, "git")})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if state, err := fs.Tidy(t.Context(), again); state != wire.FolderRemoved || err != nil {
				t.Errorf("tidied up by several, it is %s, %v", state, err)
			}
		})
	}
	all.Wait()
	orphan := b.worktree("orphan", b.repo, "") // of a server that ended before it had stored the record
	b.Sweep(t.Context(), func(id wire.AgentID) bool { return id == ahead.ID })
	if _, err := os.Stat(b.home(orphan.ID)); err == nil {
		t.Error("a worktree that nobody knows is left")
	}
	for _, a := range []*wire.Agent{ahead, dirty} {
		if _, err := os.Stat(a.Folder.Top); err != nil {
			t.Errorf("%s lost its work: %v", a.Name, err)
		}
	}
}

// A server that is killed while git makes a worktree, or before it has noted that it is made.
func TestAWorktreeThatWasNotMadeWhole(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for name, whole := range map[string]bool{"half": false, "whole": true} {
		a := b.worktree(name, b.repo, "")
		planned := *a.Folder
		planned.GitDir = ""
		if err := b.plan(a.ID, planned); err != nil {
			t.Fatal(err)
		}
		if !whole {
			for _, f := range []string{".git", "a.txt"} {
				if err := os.Remove(filepath.Join(a.Folder.Top, f)); err != nil {
					t.Fatal(err)
				}
			}
		}
		rec := &wire.Agent{ID: a.ID, Name: a.Name, Cwd: b.repo, Folder: &wire.Folder{Mode: wire.FolderWorktree}} // as it was stored
		state, err := b.Tidy(t.Context(), rec)
		if err != nil || state != wire.FolderRemoved || exists(b.home(a.ID)) {
			t.Errorf("%s: %s, %v", name, state, err)
		}
	}
	if got := b.git(b.repo, "branch", "--list", "skein/*"); got != "" {
		t.Errorf("left: %s", got)
	}
	if got := b.git(b.repo, "status", "--porcelain"); got != "" {
		t.Errorf("the repository has %s", got)
	}
}

func TestWhatIsLeftOut(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.worktree("w", b.repo, "")
	put(t, filepath.Join(a.Cwd, "large"), "")
	if err := os.Truncate(filepath.Join(a.Cwd, "large"), maxNewFile+1); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(a.Cwd, "nested/x"), "x\n")
	b.git(filepath.Join(a.Cwd, "nested"), "init", "-q")
	put(t, filepath.Join(a.Cwd, "small"), "s\n")
	c := b.changes(a)
	if got := list(c); !slices.Equal(got, []string{"added small +1 -0"}) || len(c.Left) != 2 || c.Left[0].Path != "large" || c.Left[1].Path != "nested/" {
		t.Errorf("the changes are %q, left out is %+v", got, c.Left)
	}
	b.o.MaxNew = 20
	for i := range 20 {
		put(t, filepath.Join(a.Cwd, "modules", fmt.Sprint(i)), "")
	}
	put(t, filepath.Join(a.Cwd, "a.txt"), "changed\n")
	if c = b.changes(a); !slices.Equal(list(c), []string{"modified a.txt +1 -3"}) || len(c.Left) != 1 || !strings.Contains(c.Left[0].Why, ".gitignore") {
		t.Errorf("the changes are %q, left out is %+v", list(c), c.Left)
	}
}

// An agent that writes into the .git of its worktree does not lead Skein to another repository.
func TestAnAgentCantPointElsewhere(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.worktree("w", b.repo, "")
	put(t, filepath.Join(a.Cwd, "mine"), "mine\n")
	b.write("precious", "p\n")
	if err := os.WriteFile(filepath.Join(a.Cwd, ".git"), []byte("gitdir: "+filepath.Join(b.repo, ".git")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c := b.changes(a); c.Branch != "skein/w" || !slices.Equal(list(c), []string{"added mine +1 -0"}) {
		t.Errorf("the changes are %q on %s", list(c), c.Branch)
	}
	if _, err := b.Discard(t.Context(), a, wire.DiscardParams{}, is(true)); err != nil {
		t.Error(err)
	}
	if got := b.git(b.repo, "branch", "--show-current"); got != "main" {
		t.Errorf("the repository has %s checked out", got)
	}
}

func TestGitThatHangsIsEnded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	pid := filepath.Join(t.TempDir(), "pid")
	hang := filepath.Join(t.TempDir(), "git")
	program(t, hang, "#!/bin/sh\nsleep 1000 &\necho $! >"+pid+"\nwait\n")
	ctx, cancel := context.WithCancel(t.Context())
	answer := make(chan error, 1)
	go func() {
		_, err := New(Options{Dir: t.TempDir(), Git: hang}).look(ctx, b.repo)
		answer <- err
	}()
	var s []byte
	kit.Eventually(t, "it hangs", func() bool { s, _ = os.ReadFile(pid); return len(s) > 0 })
	cancel()
	if err := <-answer; err == nil || !strings.Contains(err.Error(), "took too long") {
		t.Fatalf("the answer is %v", err)
	}
	kit.Eventually(t, "the processes of git are gone", func() bool {
		stat, _ := os.ReadFile("/proc/" + strings.TrimSpace(string(s)) + "/stat")
		return len(stat) == 0 || strings.Contains(string(stat), ") Z ")
	})
}

func FuzzParseChanges(f *testing.F) {
	f.Add([]byte(":100644 100644 a b M\x00a.txt\x001\t2\ta.txt\x00"))
	f.Add([]byte(":100644 100644 a b R100\x00a\x00b\x000\t0\t\x00a\x00b\x00"))
	f.Add([]byte(":000000 100755 a b A\x00\"x\x00-\t-\t\"x\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := parseChanges(b)
		if err != nil {
			return
		}
		for _, c := range all {
			plain, err := unquote(c.Path)
			if err != nil || quote(plain) != c.Path || c.Status == "" || !strings.Contains(string(b), plain) {
				t.Fatalf("%q: %+v, %v", b, c, err)
			}
		}
	})
}
