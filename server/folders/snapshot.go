package folders

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"skein.dev/skein/webtransport/wire"
)

const maxNewFile = 10 << 20 // bytes of a file that git does not know

// snapshot makes a tree of what the folder has, by an index of its own. What git does not know counts, too, unless it is ignored, large, a
// repository of its own, or far too much; left says what is not in the tree.
func (w *work) snapshot() (tree string, left []wire.LeftOut, err error) {
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
		if !errors.As(err, &f) || f.code < 0 {
			return "", nil, inWords(err, w.dir)
		}
		left = append(left, wire.LeftOut{Why: "git could not read all files: " + f.reason()})
	}
	if tree, err = own.line("write-tree"); err != nil {
		return "", nil, inWords(err, w.dir)
	}
	return tree, left, nil
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
	return to.Close()
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

// head returns the commit that is checked out, and its branch; "": none.
func (w *work) head() (id, branch string, err error) {
	if id, err = w.line("rev-parse", "--verify", "--quiet", "HEAD^{commit}"); err != nil {
		return "", "", wire.Errorf(wire.CodePrecondition, "%s has no commit checked out", w.dir)
	}
	branch, _ = w.line("symbolic-ref", "--short", "--quiet", "HEAD")
	return id, branch, nil
}
