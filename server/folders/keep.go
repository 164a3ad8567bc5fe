package folders

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"skein.dev/skein/webtransport/wire"
)

const maxMessage = 64 << 10 // bytes of the message of a commit

// Commit commits what an agent has changed: the tree that somebody saw, or nothing. The hooks of the repository run.
func (fs *Folders) Commit(ctx context.Context, a *wire.Agent, p wire.CommitParams) (*wire.CommitResult, error) {
	switch {
	case strings.TrimSpace(p.Message) == "":
		return nil, wire.Errorf(wire.CodeInvalidParams, "a commit needs a message").WithField("message")
	case len(p.Message) > maxMessage || strings.Contains(p.Message, "\x00"):
		return nil, wire.Errorf(wire.CodeInvalidParams, "the message has more than %d KiB, or a NUL", maxMessage>>10).WithField("message")
	}
	w, end, err := fs.begin(ctx, a, fs.o.Make)
	if err != nil {
		return nil, err
	}
	defer end()
	if what := w.unfinished(); what != "" {
		return nil, wire.Errorf(wire.CodePrecondition, "git is in the midst of %s there: it must be ended first, by the agent or in the folder", what)
	}
	tree, err := w.same(p.Tree)
	if err != nil {
		return nil, err
	}
	before, _ := w.head()
	if before != "" {
		switch same, err := w.is("diff-tree", "--quiet", before, tree); {
		case err != nil:
			return nil, inWords(err, w.dir)
		case same:
			return nil, wire.Errorf(wire.CodePrecondition, "everything is committed already")
		}
	}
	if err := w.commit(p.Message); err != nil {
		return nil, err
	}
	id, branch := w.head()
	made, _, err := w.commits("", id)
	if err == nil && len(made) == 0 {
		err = errForm
	}
	if err != nil {
		return nil, err
	}
	return &wire.CommitResult{Commit: made[0], Branch: branch}, nil
}

// commit commits what the index of the last snapshot has. That becomes the index of the folder when it has succeeded; until then, the folder's
// own is locked as git locks it, and stays as it was.
func (w *work) commit(message string) error {
	index := filepath.Join(w.folder.GitDir, "index")
	lock, err := os.OpenFile(index+".lock", os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return wire.Errorf(wire.CodeUnavailable, "git is at work in %s: try again, or, if nothing else is, remove %s", w.dir, index+".lock")
	}
	lock.Close()
	defer os.Remove(index + ".lock")
	if _, err := w.with("GIT_INDEX_FILE="+w.index).run(maxStderr, message, "commit", "-q", "-F", "-"); err != nil {
		return inWords(err, w.dir)
	}
	made, err := os.ReadFile(w.index)
	if err == nil {
		err = os.WriteFile(index+".lock", made, 0o600)
	}
	if err == nil {
		err = os.Rename(index+".lock", index)
	}
	if err != nil { // it is committed all the same
		w.fs.o.Logger.Warn("the index could not be replaced after a commit", "folder", w.dir, "err", err)
	}
	return nil
}

// same returns the tree of the folder, if it is the one that somebody saw, or nobody says which that was.
func (w *work) same(seen string) (tree string, err error) {
	if tree, _, err = w.snapshot(); err == nil {
		err = unchanged(seen, tree)
	}
	return tree, err
}

func unchanged(seen, tree string) error {
	if seen != "" && tree != seen {
		return wire.Errorf(wire.CodePrecondition, "the folder has changed since it was shown: look at the changes again").WithField("tree")
	}
	return nil
}

// Discard undoes what an agent has changed in its worktree. alive reports whether the agent still works there; otherwise the worktree goes
// with everything in it.
func (fs *Folders) Discard(ctx context.Context, a *wire.Agent, p wire.DiscardParams, alive func() bool) (*wire.DiscardResult, error) {
	if a.Folder == nil || a.Folder.Mode != wire.FolderWorktree {
		return nil, wire.Errorf(wire.CodePrecondition, "agent %s has no worktree of its own: what is in its folder may be somebody else's work", a.ID)
	}
	w, end, err := fs.begin(ctx, a, fs.o.Timeout)
	if err != nil {
		if res := fs.dropBroken(a, p, alive); res != nil {
			return res, nil
		}
		return nil, err
	}
	defer end()
	tree, left, err := w.snapshot()
	if err == nil {
		err = unchanged(p.Tree, tree)
	}
	if err != nil {
		return nil, err
	}
	if len(p.Paths) == 0 && len(left) > 0 && !p.Force {
		return nil, wire.Errorf(wire.CodePrecondition, "nothing was discarded, since %s would be lost for good (%s): take it out of the folder, or discard by force", cmp.Or(left[0].Path, "something"), left[0].Why).WithField("force")
	}
	res := &wire.DiscardResult{Folder: w.folder}
	if res.Saved, err = w.save(tree, a); err != nil {
		return nil, err
	}
	switch {
	case len(p.Paths) > 0:
		err = w.undo(p.Paths, tree)
	case alive():
		err = w.reset()
	default:
		if err = w.dissolve(); err == nil {
			res.Folder.State = wire.FolderRemoved
		}
	}
	if err != nil {
		return nil, err
	}
	return res, nil
}

// dropBroken removes by force what is left of a worktree whose repository is not there any more; nil: it does not.
func (fs *Folders) dropBroken(a *wire.Agent, p wire.DiscardParams, alive func() bool) *wire.DiscardResult {
	if _, err := os.Stat(a.Folder.GitDir); !os.IsNotExist(err) || !p.Force || len(p.Paths) > 0 || alive() || fs.usable(a) != nil {
		return nil
	}
	if os.RemoveAll(fs.home(a.ID)) != nil {
		return nil
	}
	to := *a.Folder
	to.State = wire.FolderRemoved
	return &wire.DiscardResult{Folder: to}
}

// save makes a commit of what the folder has, on no branch. What is checked out and the agent's branch are its parents.
func (w *work) save(tree string, a *wire.Agent) (string, error) {
	who := w.with("GIT_AUTHOR_NAME=Skein", "GIT_AUTHOR_EMAIL=skein@localhost", "GIT_COMMITTER_NAME=Skein", "GIT_COMMITTER_EMAIL=skein@localhost")
	args := []string{"commit-tree", tree, "-m", "What " + a.Name + " had before it was discarded"}
	head, _ := w.head()
	tip := w.tip()
	if head != "" {
		args = append(args, "-p", head)
	}
	if tip != "" && tip != head {
		args = append(args, "-p", tip)
	}
	id, err := who.line(args...)
	if err != nil {
		return "", inWords(err, w.dir)
	}
	return id, nil
}

// undo gives files the contents that they had where the work began, and removes those that were not there.
func (w *work) undo(paths []string, tree string) error {
	base, err := w.base()
	if err != nil {
		return err
	}
	all, err := w.compare(base, tree)
	if err != nil {
		return err
	}
	var back, gone []string
	for _, p := range paths {
		i := slices.IndexFunc(all, func(f wire.FileChange) bool { return f.Path == p })
		if i < 0 {
			return wire.Errorf(wire.CodeNotFound, "%.200s has not changed", p).WithField("paths")
		}
		switch f := all[i]; f.Status {
		case wire.FileAdded:
			gone = append(gone, f.Path)
		case wire.FileRenamed:
			gone, back = append(gone, f.Path), append(back, f.Old)
		default:
			back = append(back, f.Path)
		}
	}
	if err := w.inTheWay(gone, back); err != nil {
		return err
	}
	if err := w.removeFiles(gone); err != nil {
		return err
	}
	return w.restore(base, back)
}

// inTheWay refuses to undo what would remove more than the files that are named: a folder has the place of one, or a file that of its folder.
func (w *work) inTheWay(gone, back []string) error {
	for _, p := range slices.Concat(gone, back) {
		plain, err := unquote(p)
		if err != nil {
			return err
		}
		if info, err := os.Lstat(filepath.Join(w.folder.Top, plain)); err == nil && info.IsDir() {
			return wire.Errorf(wire.CodePrecondition, "%.200s is a folder now: discard what is in it first, or everything", p).WithField("paths")
		}
		for dir := filepath.Dir(plain); dir != "."; dir = filepath.Dir(dir) {
			if info, err := os.Lstat(filepath.Join(w.folder.Top, dir)); err == nil && !info.IsDir() {
				return wire.Errorf(wire.CodePrecondition, "%.200s is no folder now: discard that first, or everything", quote(dir)).WithField("paths")
			}
		}
	}
	return nil
}

// removeFiles removes files, within the folder, and from the index.
func (w *work) removeFiles(paths []string) error {
	root, err := os.OpenRoot(w.folder.Top)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, p := range paths {
		plain, err := unquote(p)
		if err != nil {
			return err
		}
		if _, err := w.with("GIT_LITERAL_PATHSPECS=1").all("rm", "-q", "-f", "--cached", "--ignore-unmatch", "--", plain); err != nil {
			return inWords(err, w.dir)
		}
		if err := root.Remove(plain); err != nil && !os.IsNotExist(err) {
			return wire.Errorf(wire.CodePrecondition, "%.200s could not be removed: %v", p, err)
		}
		for dir := filepath.Dir(plain); dir != "." && root.Remove(dir) == nil; dir = filepath.Dir(dir) { // what is empty now
		}
	}
	return nil
}

func (w *work) restore(base string, paths []string) error {
	if len(paths) == 0 {
		return nil
	}
	for i, p := range paths {
		plain, err := unquote(p)
		if err != nil {
			return err
		}
		paths[i] = plain
	}
	_, err := w.with("GIT_LITERAL_PATHSPECS=1").run(maxStderr, strings.Join(paths, "\x00"), "checkout", "-q", base, "--pathspec-from-file=-", "--pathspec-file-nul")
	if err != nil {
		return inWords(err, w.dir)
	}
	return nil
}

// reset brings the worktree back to where it began, on its own branch.
func (w *work) reset() error {
	base, err := w.base()
	if err != nil {
		return err
	}
	steps := [][]string{{"checkout", "-q", "-f", "-B", w.folder.Branch, base}, {"clean", "-q", "-f", "-d"}}
	for _, step := range steps {
		if _, err := w.all(step...); err != nil {
			return inWords(err, w.dir)
		}
	}
	return nil
}
