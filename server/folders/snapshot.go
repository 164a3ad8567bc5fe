package folders

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"skein.dev/skein/webtransport/wire"
)

const maxNewFile = 10 << 20 // bytes of a file that git does not know

// tries is how often a snapshot is begun again, since git gives up on a file that somebody shortens while it reads.
const tries = 3

// snapshot makes a tree of what the folder has, by an index of its own. What git does not know counts, too, unless it is ignored, large, a
// repository of its own, or far too much; left says what is not in the tree.
func (w *work) snapshot() (tree string, left []wire.LeftOut, err error) {
	for range tries {
		if tree, left, err = w.snapshotOnce(); err == nil || w.ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return "", nil, inWords(err, w.dir)
	}
	more, err := w.submodules()
	return tree, append(left, more...), err
}

func (w *work) snapshotOnce() (tree string, left []wire.LeftOut, err error) {
	if err := w.copyIndex(); err != nil {
		return "", nil, err
	}
	own := w.with("GIT_INDEX_FILE=" + w.index)
	specs, left, err := own.unknown(w.maxNew)
	if err != nil {
		return "", nil, err
	}
	add := []string{"add", "--ignore-errors", "--pathspec-from-file=-", "--pathspec-file-nul", "-A"}
	if specs == nil {
		add[len(add)-1], specs = "-u", []string{"."}
	}
	if _, err := own.run(maxStderr, strings.Join(specs, "\x00"), add...); err != nil {
		f := new(failure)
		if !errors.As(err, &f) || f.code != 1 {
			return "", nil, err
		}
		left = append(left, wire.LeftOut{Why: "git could not read all files: " + f.reason()})
	}
	tree, err = own.line("write-tree")
	return tree, left, err
}

// submodules names those that have changes of their own, which are in no tree of this repository.
func (w *work) submodules() (left []wire.LeftOut, err error) {
	if _, err := os.Lstat(filepath.Join(w.folder.Top, ".gitmodules")); err != nil {
		return nil, nil
	}
	out, err := w.all("status", "--porcelain=v2", "-z", "--ignore-submodules=none", "--untracked-files=no")
	if err != nil {
		return nil, inWords(err, w.dir)
	}
	for entry := range strings.SplitSeq(string(out), "\x00") { // git-status(1), "Porcelain Format Version 2"
		words := strings.SplitN(entry, " ", 9)
		if len(words) == 9 && words[0] == "1" && strings.HasPrefix(words[2], "S") && strings.ContainsAny(words[2][2:], "MU") {
			left = append(left, wire.LeftOut{Path: quote(words[8]), Why: "a submodule with changes of its own"})
		}
	}
	return left, nil
}

// copyIndex begins with the repository's index, which says which files have not been touched since git last looked.
func (w *work) copyIndex() error {
	os.Remove(w.index + ".lock") // of a git that was killed; the caller holds the folder's lock
	from, err := os.Open(filepath.Join(w.folder.GitDir, "index"))
	if errors.Is(err, os.ErrNotExist) {
		err = os.Remove(w.index)
		if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
		return err
	}
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(w.index, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(to, from); err != nil {
		to.Close()
		return err
	}
	if err := to.Close(); err != nil {
		return err
	}
	info, err := from.Stat()
	if err != nil {
		return err
	}
	return os.Chtimes(w.index, info.ModTime(), info.ModTime()) // git reads files again that are as young as the index
}

// unknown returns what to add: everything but what is left out; nil if nothing that git does not know is to be added.
func (g git) unknown(max int) (specs []string, left []wire.LeftOut, err error) {
	out, err := g.all("ls-files", "-z", "--others", "--exclude-standard")
	count := strings.Count(string(out), "\x00")
	if errors.Is(err, errCut) || err == nil && count > max {
		return nil, []wire.LeftOut{{Why: fmt.Sprintf("%d files or more that git does not know: name their folders in .gitignore, or add them", count)}}, nil
	}
	if err != nil {
		return nil, nil, inWords(err, g.dir)
	}
	specs = []string{"."}
	for path := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		if why := g.leaves(path); why != "" {
			specs = append(specs, ":(exclude,literal)"+strings.TrimSuffix(path, "/"))
			left = append(left, wire.LeftOut{Path: quote(path), Why: why})
		}
	}
	return specs, left, nil
}

// leaves says why a file that git does not know is left out; "": it is not.
func (g git) leaves(path string) string {
	if strings.HasSuffix(path, "/") {
		return "a repository of its own"
	}
	info, err := os.Lstat(filepath.Join(g.dir, path))
	switch {
	case path == "" || err != nil:
		return ""
	case info.Mode().IsRegular() && info.Size() > maxNewFile:
		return fmt.Sprintf("a new file of %d MiB", info.Size()>>20)
	}
	return ""
}

// base is the commit that the agent's work is compared with: where it began, or as far as it has taken in what came after on the branch
// that it began at.
func (w *work) base() (string, error) {
	f := w.folder
	if f.Mode == wire.FolderWorktree && f.From != "" {
		if id, err := w.line("merge-base", "refs/heads/"+f.From, "HEAD"); err == nil && id != "" {
			return id, nil
		}
	}
	id, err := w.line("rev-parse", "--verify", "--quiet", f.Base+"^{commit}")
	if err != nil {
		return "", wire.Errorf(wire.CodePrecondition, "the commit %.12s, at which the work began, is not in the repository any more", f.Base)
	}
	return id, nil
}

// head returns the commit that is checked out, "": the branch has none yet, and its branch, "": none.
func (w *work) head() (id, branch string) {
	id, _ = w.line("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
	branch, _ = w.line("symbolic-ref", "--short", "--quiet", "HEAD")
	return id, branch
}

// tip is the commit at the end of the branch that the worktree was made with; "": there is none, as the agent may have renamed or removed it.
func (w *work) tip() string {
	if w.folder.Mode != wire.FolderWorktree || w.folder.Branch == "" {
		return ""
	}
	id, _ := w.line("rev-parse", "--verify", "--quiet", "refs/heads/"+w.folder.Branch+"^{commit}")
	return id
}

// unfinished says what git is in the midst of; "": nothing.
func (w *work) unfinished() string {
	for name, what := range map[string]string{"MERGE_HEAD": "a merge", "rebase-merge": "a rebase", "rebase-apply": "a rebase", "CHERRY_PICK_HEAD": "a cherry-pick", "REVERT_HEAD": "a revert", "BISECT_LOG": "a bisection"} {
		if _, err := os.Lstat(filepath.Join(w.folder.GitDir, name)); err == nil {
			return what
		}
	}
	return ""
}

// stamp is a text that is another one when the folder or its commits have changed. It writes nothing, and reads no file.
func (w *work) stamp() (string, error) {
	out, err := w.all("status", "--porcelain", "-z", "--branch", "--untracked-files=all", "--ignore-submodules=none")
	if err != nil && !errors.Is(err, errCut) {
		return "", inWords(err, w.dir)
	}
	head, _ := w.head()
	sum := sha256.New()
	fmt.Fprintln(sum, head)
	sum.Write(out)
	for entry := range strings.SplitSeq(string(out), "\x00") {
		if len(entry) < 4 {
			continue
		}
		if info, err := os.Lstat(filepath.Join(w.folder.Top, entry[3:])); err == nil {
			fmt.Fprintln(sum, info.Size(), info.ModTime().UnixNano(), info.Mode())
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:16]), nil
}
