package folders

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// sh runs a script in a folder.
func (b *bench) sh(dir, script string) string {
	b.t.Helper()
	return b.git(dir, "-c", "alias.x=!cd \""+dir+"\" && "+"unset GIT_DIR GIT_WORK_TREE GIT_PREFIX GIT_INDEX_FILE; sh -ec '"+strings.ReplaceAll(script, "'", `'\''`)+"'", "x")
}

func exists(path string) bool { _, err := os.Lstat(path); return err == nil }

// An agent whose worktree could not be made has a record with the mode worktree, and the user's repository as its Cwd.
func TestDiscardOfAFailedAgentSparesTheUsersFiles(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := &wire.Agent{ID: "afail", Name: "fail", Cwd: b.repo, Folder: &wire.Folder{Mode: wire.FolderWorktree}}
	if _, _, err := b.Prepare(t.Context(), a, "nosuchbranch", nil); err == nil {
		t.Fatal("it was made")
	}
	b.write("a.txt", "the user's own work\n")
	b.write("mine.txt", "mine\n")
	res, err := b.Discard(t.Context(), a, wire.DiscardParams{ID: a.ID, Paths: []string{"a.txt", "mine.txt"}}, is(false))
	if s, _ := os.ReadFile(filepath.Join(b.repo, "a.txt")); string(s) != "the user's own work\n" || !exists(filepath.Join(b.repo, "mine.txt")) {
		t.Errorf("the user's own files were discarded: a.txt is %q; %+v %v", s, res, err)
	}
	b.write("a.txt", "again\n")
	if c, err := b.Commit(t.Context(), a, wire.CommitParams{ID: a.ID, Message: "x"}); err == nil {
		t.Errorf("the user's own work was committed on %s: %+v", c.Branch, c.Commit)
	}
}

func TestDiscardOfAFailedAgentSparesTheUsersWorktree(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	mine := filepath.Join(filepath.Dir(b.repo), "mine")
	b.git(b.repo, "worktree", "add", "-q", "-b", "feature", mine)
	put(t, filepath.Join(mine, ".env"), "SECRET\n")
	a := &wire.Agent{ID: "afail", Name: "fail", Cwd: mine, Folder: &wire.Folder{Mode: wire.FolderWorktree}}
	if _, _, err := b.Prepare(t.Context(), a, "nosuchbranch", nil); err == nil {
		t.Fatal("it was made")
	}
	res, err := b.Discard(t.Context(), a, wire.DiscardParams{ID: a.ID}, is(false))
	if !exists(mine) {
		t.Errorf("the user's own worktree is removed, with its .env: %+v %v", res, err)
	}
}

// What the snapshot leaves out is not in the commit that Discard says has everything.
func TestDiscardKeepsWhatIsLeftOut(t *testing.T) {
	t.Parallel()
	for name, alive := range map[string]bool{"alive": true, "ended": false} {
		b := newBench(t)
		a := b.worktree("big"+name, b.repo, "")
		put(t, filepath.Join(a.Folder.Top, "big.bin"), strings.Repeat("x", maxNewFile+1))
		res, err := b.Discard(t.Context(), a, wire.DiscardParams{ID: a.ID}, is(alive))
		if err == nil && !exists(filepath.Join(a.Folder.Top, "big.bin")) && !strings.Contains(b.git(b.repo, "ls-tree", "-r", res.Saved), "big.bin") {
			t.Errorf("%s: big.bin is gone, and not in what was saved", name)
		}
	}
	b := newBench(t)
	b.o.MaxNew = 2
	a := b.worktree("many", b.repo, "")
	for _, n := range []string{"1.go", "2.go", "3.go"} {
		put(t, filepath.Join(a.Folder.Top, n), "package x")
	}
	res, err := b.Discard(t.Context(), a, wire.DiscardParams{ID: a.ID}, is(false))
	if err == nil && !strings.Contains(b.git(b.repo, "ls-tree", "-r", res.Saved), "1.go") {
		t.Error("all new files are gone, and not in what was saved")
	}
	b = newBench(t)
	a = b.worktree("nest", b.repo, "")
	b.sh(a.Folder.Top, "git init -q inner && cd inner && echo x>x && git add x && git commit -q -m inner")
	_, err = b.Discard(t.Context(), a, wire.DiscardParams{ID: a.ID}, is(false))
	if err == nil {
		t.Error("a repository in the worktree, with commits, was removed with nothing left of it")
	}
}

// git add fails as a whole: the snapshot is the tree as it was before, and Discard "saves" that.
func TestASnapshotThatFailedIsNotTakenForOne(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.write(".gitattributes", "*.psd filter=lfs\n")
	b.git(b.repo, "add", ".")
	b.git(b.repo, "commit", "-q", "-m", "attributes")
	b.git(b.repo, "config", "filter.lfs.clean", "git-lfs-that-is-not-there clean -- %f")
	b.git(b.repo, "config", "filter.lfs.required", "true")
	a := b.worktree("lfs", b.repo, "")
	put(t, filepath.Join(a.Folder.Top, "a.txt"), "a day's work\n")
	put(t, filepath.Join(a.Folder.Top, "x.psd"), "picture\n")
	if c, err := b.Changes(t.Context(), a); err == nil || !strings.Contains(err.Error(), "git-lfs-that-is-not-there") && !strings.Contains(err.Error(), "filter") {
		t.Errorf("what git can't read is said to be %+v, %v", c, err)
	}
	if _, err := b.Commit(t.Context(), a, wire.CommitParams{ID: a.ID, Message: "x"}); err != nil {
		t.Log("commit says:", err)
	}
	res, err := b.Discard(t.Context(), a, wire.DiscardParams{ID: a.ID}, is(false))
	if err == nil && b.git(b.repo, "show", res.Saved+":a.txt") != "a day's work" {
		t.Errorf("the worktree is gone (%v), and what was saved has not the work", res.Folder.State)
	}
}

// The agent's branch has commits, HEAD is elsewhere.
func TestDiscardSavesTheAgentsBranch(t *testing.T) {
	t.Parallel()
	for name, alive := range map[string]bool{"alive": true, "ended": false} {
		b := newBench(t)
		a := b.worktree("other"+name, b.repo, "")
		b.sh(a.Folder.Top, "echo work >w && git add w && git commit -q -m work && git switch -q -c second main && echo y >y")
		tip := b.git(b.repo, "rev-parse", a.Folder.Branch)
		t.Log(list(b.changes(a)))
		res, err := b.Discard(t.Context(), a, wire.DiscardParams{ID: a.ID}, is(alive))
		if err != nil {
			t.Fatal(err)
		}
		if got := b.git(b.repo, "rev-list", "--all", res.Saved); !strings.Contains(got, tip) {
			t.Errorf("%s: the commit %.8s of %s, which was not shown, is on no branch and not in what was saved", name, tip, a.Folder.Branch)
		}
	}
}

// Two worktrees have the same commit, and end at once: each is elsewhere, in the other.
func TestTwoThatEndAtOnceLoseNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	one := b.worktree("one", b.repo, "")
	b.sh(one.Folder.Top, "echo work >w && git add w && git commit -q -m work")
	tip := b.git(b.repo, "rev-parse", one.Folder.Branch)
	two := b.worktree("two", b.repo, one.Folder.Branch)
	dir := t.TempDir()
	program(t, filepath.Join(dir, "git"), `#!/bin/sh
case "$*" in *"rev-list --count"*) touch "`+dir+`/$$.at"; i=0; while [ $(ls "`+dir+`"/*.at | wc -l) -lt 2 ] && [ $i -lt 100 ]; do sleep 0.1; i=$((i+1)); done; git "$@"; r=$?; touch "`+dir+`/$$.done"; while [ $(ls "`+dir+`"/*.done | wc -l) -lt 2 ] && [ $i -lt 100 ]; do sleep 0.1; i=$((i+1)); done; exit $r;; esac
exec git "$@"
`)
	fs := New(Options{Dir: b.o.Dir, Logger: b.o.Logger, Git: filepath.Join(dir, "git")})
	var all sync.WaitGroup
	for _, a := range []*wire.Agent{one, two} {
		all.Go(func() { s, err := fs.Tidy(t.Context(), a); t.Log(a.ID, s, err) })
	}
	all.Wait()
	if got := b.git(b.repo, "rev-list", "--all"); !strings.Contains(got, tip) {
		t.Error("the commit is on no branch any more")
	}
}

// A branch of the user's that an orphaned worktree has checked out.
func TestSweepSparesTheUsersBranches(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.git(b.repo, "branch", "release")
	a := b.worktree("orphan", b.repo, "")
	b.git(a.Folder.Top, "checkout", "-q", "release")
	b.Sweep(t.Context(), func(wire.AgentID) bool { return false })
	if got := b.git(b.repo, "branch", "--list", "release"); got == "" {
		t.Error("the user's branch release was deleted")
	}
	if got := b.git(b.repo, "branch", "--list", "skein/*"); got != "" {
		t.Errorf("left: %s", got)
	}
}

// The agent has renamed the folder in which it was started.
func TestTheFolderItStartedInMayGo(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.worktree("mover", filepath.Join(b.repo, "sub"), "")
	b.sh(a.Folder.Top, "git mv sub lib && git commit -q -m move && echo x >lib/new")
	if _, err := b.Changes(t.Context(), a); err != nil {
		t.Errorf("changes: %v", err)
	}
	if _, err := b.Commit(t.Context(), a, wire.CommitParams{ID: a.ID, Message: "x"}); err != nil {
		t.Errorf("commit: %v", err)
	}
	if _, err := b.Discard(t.Context(), a, wire.DiscardParams{ID: a.ID}, is(false)); err != nil {
		t.Errorf("discard: %v", err)
	}
}

func TestAWorktreeWithoutItsGitFile(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.worktree("nogit", b.repo, "")
	if err := os.Remove(filepath.Join(a.Folder.Top, ".git")); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(a.Folder.Top, "n"), "x")
	if s, err := b.Tidy(t.Context(), a); s != wire.FolderKept || err != nil {
		t.Errorf("%s, %v", s, err)
	}
	if _, err := b.Discard(t.Context(), a, wire.DiscardParams{ID: a.ID}, is(false)); err != nil {
		t.Errorf("it can't be discarded: %v", err)
	}
}

func TestAWorktreeThatTheAgentRemoved(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.worktree("gone", b.repo, "")
	os.RemoveAll(a.Folder.Top)
	s, err := b.Tidy(t.Context(), a)
	if got := b.git(b.repo, "branch", "--list", "skein/*"); got != "" {
		t.Errorf("state %q, %v, but the branch is left: %s", s, err, got)
	}
	if got := b.git(b.repo, "worktree", "list"); strings.Contains(got, "prunable") {
		t.Errorf("git's record is left: %s", got)
	}
	if exists(b.home(a.ID)) {
		t.Error("its home is left")
	}
}

// A server that is killed between the removal of the worktree and that of the branch.
func TestARemovalThatWasCutShort(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.worktree("cut", b.repo, "")
	b.git(b.repo, "worktree", "remove", "--force", a.Folder.Top) // what remove() does first
	s, err := b.Tidy(t.Context(), a)
	b.Sweep(t.Context(), func(wire.AgentID) bool { return false })
	if got := b.git(b.repo, "branch", "--list", "skein/*"); got != "" {
		t.Errorf("state %q, %v, but the branch is left: %s", s, err, got)
	}
	// and in the midst of it
	a = b.worktree("cut2", b.repo, "")
	os.Remove(filepath.Join(a.Folder.Top, "a.txt"))
	s, err = b.Tidy(t.Context(), a)
	if s != wire.FolderRemoved {
		t.Logf("half removed (not distinguishable): %v %v", s, err)
	}
}

func TestARepositoryNamedIndex(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	to := filepath.Join(filepath.Dir(b.repo), "index")
	if err := os.Rename(b.repo, to); err != nil {
		t.Fatal(err)
	}
	a := b.worktree("ix", to, "")
	if _, err := b.Changes(t.Context(), a); err != nil {
		t.Error(err)
	}
}

// Commits in a submodule are in the worktree's part of the repository only.
func TestSubmoduleCommits(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	lib := filepath.Join(filepath.Dir(b.repo), "lib")
	b.sh(filepath.Dir(b.repo), "git init -q lib && cd lib && echo l>l && git add . && git commit -q -m lib")
	b.git(b.repo, "-c", "protocol.file.allow=always", "submodule", "-q", "add", lib, "lib")
	b.git(b.repo, "commit", "-q", "-m", "sub")
	a := b.worktree("subm", b.repo, "")
	b.git(a.Folder.Top, "-c", "protocol.file.allow=always", "submodule", "-q", "update", "--init")
	b.sh(a.Folder.Top, "cd lib && echo work>w && git add w && git commit -q -m work && cd .. && git commit -q -a -m pointer")
	tip := b.git(filepath.Join(a.Folder.Top, "lib"), "rev-parse", "HEAD")
	b.git(b.repo, "merge", "-q", a.Folder.Branch)
	s, err := b.Tidy(t.Context(), a)
	out := b.sh(b.repo, "find . -path '*objects/"+tip[:2]+"/"+tip[2:]+"' | wc -l")
	if out == "0" {
		t.Errorf("state %s %v: the commit of the submodule, to which main points now, is nowhere any more", s, err)
	}
}

func TestDirtySubmoduleDiscard(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	lib := filepath.Join(filepath.Dir(b.repo), "lib")
	b.sh(filepath.Dir(b.repo), "git init -q lib && cd lib && echo l>l && git add . && git commit -q -m lib")
	b.git(b.repo, "-c", "protocol.file.allow=always", "submodule", "-q", "add", lib, "lib")
	b.git(b.repo, "commit", "-q", "-m", "sub")
	a := b.worktree("subd", b.repo, "")
	b.git(a.Folder.Top, "-c", "protocol.file.allow=always", "submodule", "-q", "update", "--init")
	put(t, filepath.Join(a.Folder.Top, "lib", "l"), "work\n")
	c := b.changes(a)
	if c.Total == 0 && len(c.Left) == 0 {
		t.Errorf("a submodule with changes is neither shown nor named as left out: %+v", c)
	}
}

func TestAssumeUnchanged(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.worktree("assume", b.repo, "")
	b.git(a.Folder.Top, "update-index", "--assume-unchanged", "a.txt")
	put(t, filepath.Join(a.Folder.Top, "a.txt"), "work\n")
	if s, err := b.Tidy(t.Context(), a); s != wire.FolderKept {
		t.Errorf("%v %v: the worktree was removed with a changed file", s, err)
	}
}

func TestSparseCheckout(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.write("huge/h.txt", "h\n")
	b.git(b.repo, "add", ".")
	b.git(b.repo, "commit", "-q", "-m", "huge")
	a := b.worktree("sparse", b.repo, "")
	b.git(a.Folder.Top, "sparse-checkout", "set", "sub")
	put(t, filepath.Join(a.Folder.Top, "a.txt"), "work\n")
	if got := list(b.changes(a)); len(got) != 1 {
		t.Errorf("changes: %v", got)
	}
	if _, err := b.Commit(t.Context(), a, wire.CommitParams{ID: a.ID, Message: "x"}); err != nil {
		t.Error(err)
	}
	if got := b.git(a.Folder.Top, "status", "--porcelain"); got != "" {
		t.Errorf("after the commit, status is %q", got)
	}
	if got := list(b.changes(a)); len(got) != 1 {
		t.Errorf("changes after the commit: %v", got)
	}
}

func TestAFailedCommitLeavesTheIndex(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	program(t, filepath.Join(b.repo, ".git", "hooks", "pre-commit"), "#!/bin/sh\necho no >&2; exit 1\n")
	b.write("a.txt", "staged\n")
	b.git(b.repo, "add", "a.txt")
	b.write("a.txt", "staged\nnot staged\n")
	b.write("new", "x")
	a := &wire.Agent{ID: "ashared", Name: "shared", Cwd: b.repo, Folder: &wire.Folder{Mode: wire.FolderShared}}
	f, cwd, err := b.Prepare(t.Context(), a, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	a.Folder, a.Cwd = &f, cwd
	before := b.git(b.repo, "status", "--porcelain")
	_, err = b.Commit(t.Context(), a, wire.CommitParams{ID: a.ID, Message: "x"})
	t.Log(err)
	if after := b.git(b.repo, "status", "--porcelain"); after != before {
		t.Errorf("the index of the user was %q, and is %q", before, after)
	}
}

func TestSuppressBlankEmpty(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.write("a.txt", "1\n\n3\n4\n5\n")
	b.git(b.repo, "commit", "-q", "-a", "-m", "blank")
	b.git(b.repo, "config", "diff.suppressBlankEmpty", "true")
	a := b.worktree("blank", b.repo, "")
	put(t, filepath.Join(a.Folder.Top, "a.txt"), "1\n\n3\nfour\n5\n")
	d, err := b.Diff(t.Context(), a, wire.DiffParams{ID: a.ID, Path: "a.txt"})
	if err != nil || !strings.Contains(d.Patch, "\n \n") {
		t.Errorf("%q %v: the empty line of the context is not ' '", d.Patch, err)
	}
}

func TestAFileThatBecameAFolder(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.worktree("todir", b.repo, "")
	b.sh(a.Folder.Top, "rm a.txt && mkdir a.txt && echo hello >a.txt/x")
	t.Log(list(b.changes(a)))
	d, err := b.Diff(t.Context(), a, wire.DiffParams{ID: a.ID, Path: "a.txt"})
	if err != nil || strings.Contains(d.Patch, "hello") {
		t.Errorf("the diff of a.txt has that of a.txt/x: %q %v", d.Patch, err)
	}
}

func TestLogConfig(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.worktree("latin", b.repo, "")
	b.git(b.repo, "config", "i18n.logOutputEncoding", "ISO-8859-1")
	put(t, filepath.Join(a.Folder.Top, "n"), "x")
	res, err := b.Commit(t.Context(), a, wire.CommitParams{ID: a.ID, Message: "Größe"})
	if err != nil || res.Commit.Subject != "Größe" {
		t.Errorf("%+v %v", res, err)
	}
}

func TestSignedCommit(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	key := filepath.Join(t.TempDir(), "key")
	b.sh(b.repo, "ssh-keygen -q -t ed25519 -N '' -f "+key)
	for k, v := range map[string]string{"gpg.format": "ssh", "user.signingkey": key, "commit.gpgsign": "true", "log.showSignature": "true"} {
		b.git(b.repo, "config", k, v)
	}
	a := b.worktree("signed", b.repo, "")
	put(t, filepath.Join(a.Folder.Top, "n"), "x")
	res, err := b.Commit(t.Context(), a, wire.CommitParams{ID: a.ID, Message: "signed"})
	if res == nil && err == nil {
		t.Fatal("no result and no error: control.Plane.Commit dereferences nil")
	}
	if err != nil {
		t.Error(err)
	}
}

func TestAHookThatLeavesAProcess(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	program(t, filepath.Join(b.repo, ".git", "hooks", "post-commit"), "#!/bin/sh\nsleep 300 &\n")
	a := b.worktree("hook", b.repo, "")
	put(t, filepath.Join(a.Folder.Top, "n"), "x")
	res, err := b.Commit(t.Context(), a, wire.CommitParams{ID: a.ID, Message: "work"})
	if err != nil {
		t.Errorf("%+v: it failed: %v; but git has %q", res, err, b.git(a.Folder.Top, "log", "-1", "--format=%s"))
	}
	program(t, filepath.Join(b.repo, ".git", "hooks", "post-checkout"), "#!/bin/sh\nsleep 300 &\n")
	if _, _, err := b.Prepare(t.Context(), &wire.Agent{ID: "ahook2", Name: "hook2", Cwd: b.repo, Folder: &wire.Folder{Mode: wire.FolderWorktree}}, "", nil); err != nil {
		t.Error(err)
	}
}

func TestUnfinishedMerge(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.worktree("merge", b.repo, "")
	b.sh(a.Folder.Top, "echo ours >a.txt && git commit -q -a -m ours")
	b.write("a.txt", "theirs\n")
	b.git(b.repo, "commit", "-q", "-a", "-m", "theirs")
	b.sh(a.Folder.Top, "git merge -q main || true")
	res, err := b.Commit(t.Context(), a, wire.CommitParams{ID: a.ID, Message: "x"})
	if err == nil && strings.Contains(b.git(b.repo, "show", res.Commit.ID+":a.txt"), "<<<<<<<") {
		t.Errorf("a merge with conflicts was concluded with their marks, as %s", b.git(b.repo, "log", "-1", "--format=%p", res.Commit.ID))
	}
}

func TestOrphanBranch(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.worktree("orph", b.repo, "")
	b.git(a.Folder.Top, "checkout", "-q", "--orphan", "pages")
	if _, err := b.Changes(t.Context(), a); err != nil {
		t.Errorf("changes: %v", err)
	}
	if _, err := b.Discard(t.Context(), a, wire.DiscardParams{ID: a.ID}, is(false)); err != nil {
		t.Errorf("discard: %v", err)
	}
}

func TestRacyIndex(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.git(b.repo, "config", "core.trustctime", "false")
	a := b.worktree("racy", b.repo, "")
	path := filepath.Join(a.Folder.Top, "a.txt")
	then := time.Now().Add(-time.Hour).Truncate(time.Second)
	put(t, path, "AAA\n")
	os.Chtimes(path, then, then)
	b.git(a.Folder.Top, "add", "a.txt")
	put(t, path, "BBB\n")
	os.Chtimes(path, then, then)
	os.Chtimes(filepath.Join(a.Folder.GitDir, "index"), then, then)
	c := b.changes(a)
	if got := b.git(a.Folder.Top, "show", c.Tree+":a.txt"); got != "BBB" {
		t.Errorf("a.txt has BBB, git status says %q, but the snapshot has %s", b.git(a.Folder.Top, "status", "--porcelain"), got)
	}
}

func TestCopyOfALink(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	outside := filepath.Join(filepath.Dir(b.repo), "env")
	put(t, outside, "SECRET=1\n")
	if err := os.Symlink(outside, filepath.Join(b.repo, ".env")); err != nil {
		t.Fatal(err)
	}
	a := &wire.Agent{ID: "alink", Name: "link", Cwd: b.repo, Folder: &wire.Folder{Mode: wire.FolderWorktree}}
	f, _, err := b.Prepare(t.Context(), a, "", []string{".env"})
	if err != nil || !exists(filepath.Join(f.Top, ".env")) {
		t.Errorf("a .env that is a link is not copied: %v", err)
	}
}

func TestTheRepositoryIsGone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.worktree("norepo", b.repo, "")
	put(t, filepath.Join(a.Folder.Top, "n"), "x")
	os.RemoveAll(b.repo)
	s, err := b.Tidy(t.Context(), a)
	t.Log(s, err)
	if _, err := b.Discard(t.Context(), a, wire.DiscardParams{ID: a.ID}, is(false)); err == nil {
		t.Error("what can't be saved was discarded without force")
	}
	if _, err := b.Discard(t.Context(), a, wire.DiscardParams{ID: a.ID, Force: true}, is(false)); err != nil || exists(b.home(a.ID)) {
		t.Errorf("discard: %v", err)
	}
}

func TestTrackedFifo(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.worktree("fifo", b.repo, "")
	b.sh(a.Folder.Top, "rm a.txt && mkfifo a.txt && echo x >n")
	c := b.changes(a)
	if got := list(c); !slices.Contains(got, "added n +1 -0") || len(got)+len(c.Left) != 2 {
		t.Errorf("%v left %v", got, c.Left)
	}
}

func TestBareRepository(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	dir := filepath.Dir(b.repo)
	b.git(dir, "clone", "-q", "--bare", b.repo, "bare.git")
	b.git(filepath.Join(dir, "bare.git"), "worktree", "add", "-q", "-b", "dev", filepath.Join(dir, "dev"))
	a := b.worktree("bare", filepath.Join(dir, "dev"), "")
	put(t, filepath.Join(a.Folder.Top, "n"), "x")
	if got := list(b.changes(a)); len(got) != 1 {
		t.Error(got)
	}
	if _, err := b.Discard(t.Context(), a, wire.DiscardParams{ID: a.ID}, is(false)); err != nil {
		t.Error(err)
	}
}

func TestLongHook(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	fs := New(Options{Dir: b.o.Dir, Logger: b.o.Logger, Make: 3 * time.Second})
	program(t, filepath.Join(b.repo, ".git", "hooks", "pre-commit"), "#!/bin/sh\nsleep 321\n")
	a := b.worktree("long", b.repo, "")
	put(t, filepath.Join(a.Folder.Top, "n"), "x")
	_, err := fs.Commit(t.Context(), a, wire.CommitParams{ID: a.ID, Message: "work"})
	t.Log(err)
	if exists(filepath.Join(a.Folder.GitDir, "index.lock")) {
		t.Error("index.lock is left")
	}
	if got := b.git(a.Folder.Top, "status", "--porcelain"); got != "?? n" {
		t.Errorf("status %q", got)
	}
}
