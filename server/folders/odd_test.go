package folders

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"skein.dev/skein/webtransport/wire"
)

// Discarding one file must not remove others.
func TestDiscardOfAFileThatBecameAFolder(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.worktree("filedir", b.repo, "")
	b.sh(a.Folder.Top, "rm a.txt && mkdir a.txt && echo hello >a.txt/x && echo secret >a.txt/.env && echo i >a.txt/ignored")
	_, err := b.Discard(t.Context(), a, wire.DiscardParams{ID: a.ID, Paths: []string{"a.txt"}}, is(true))
	t.Log(err)
	if !exists(filepath.Join(a.Folder.Top, "a.txt", "x")) || !exists(filepath.Join(a.Folder.Top, "a.txt", ".env")) {
		t.Errorf("what was not named was removed, ignored files too, which are in no commit: %v", err)
	}
}

func TestDiscardOfAnAddedRepository(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.worktree("gitlink", b.repo, "")
	b.sh(a.Folder.Top, "git init -q in && cd in && echo x>x && git add . && git commit -q -m in && cd .. && git -c advice.addEmbeddedRepo=false add in && echo y >y")
	got := list(b.changes(a))
	_, err := b.Discard(t.Context(), a, wire.DiscardParams{ID: a.ID, Paths: []string{"in", "y"}}, is(true))
	if wire.AsError(err).Code != wire.CodePrecondition || !exists(filepath.Join(a.Folder.Top, "y")) || !exists(filepath.Join(a.Folder.Top, "in", "x")) {
		t.Errorf("%v: %v; in the index: %s", got, err, b.git(a.Folder.Top, "status", "--porcelain"))
	}
}

// An agent that is in the midst of a rebase, and its changes are in the autostash only.
func TestAutostash(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.worktree("stash", b.repo, "")
	b.write("other", "o")
	b.git(b.repo, "add", "other")
	b.git(b.repo, "commit", "-q", "-m", "other")
	b.sh(a.Folder.Top, "echo work >>a.txt && GIT_SEQUENCE_EDITOR=\"echo break >\" git rebase -q -i --autostash main >/dev/null 2>&1; git status --porcelain")
	stash, err := os.ReadFile(filepath.Join(a.Folder.GitDir, "rebase-merge", "autostash"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := b.Tidy(t.Context(), a)
	if s == wire.FolderRemoved {
		t.Errorf("%v: removed in the midst of a rebase; the change was in its autostash %.10s only", err, stash)
	}
}

func TestNamesOfFiles(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.worktree("names", b.repo, "")
	names := []string{"-rf", ":(top)x", "new\nline", `qu"ote`, `"q`, "\xff\xfe", "*", `back\slash`, " lead", "\u202egnp.exe", "[a]", "tab\t", ":!x"}
	for _, n := range names {
		put(t, filepath.Join(a.Folder.Top, n), "x\n")
	}
	c := b.changes(a)
	if c.Total != len(names) {
		t.Fatalf("%v", list(c))
	}
	var paths []string
	for _, f := range c.Files {
		d, err := b.Diff(t.Context(), a, wire.DiffParams{ID: a.ID, Path: f.Path, Tree: c.Tree, Base: c.Base})
		if err != nil || strings.Count(d.Patch, "diff --git") != 1 {
			t.Errorf("%q: %+v %v", f.Path, d, err)
		}
		paths = append(paths, f.Path)
	}
	if _, err := b.Discard(t.Context(), a, wire.DiscardParams{ID: a.ID, Paths: paths}, is(true)); err != nil {
		t.Error(err)
	}
	if c := b.changes(a); c.Total != 0 {
		t.Error(list(c))
	}
}

func TestCRLF(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.git(b.repo, "config", "core.autocrlf", "input")
	b.git(b.repo, "config", "core.safecrlf", "true")
	a := b.worktree("crlf", b.repo, "")
	put(t, filepath.Join(a.Folder.Top, "w.txt"), "x\r\n")
	put(t, filepath.Join(a.Folder.Top, "a.txt"), "work\n")
	c := b.changes(a)
	if c.Total == 0 {
		t.Errorf("nothing has changed: left %v", c.Left)
	}
}
