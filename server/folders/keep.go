package folders

import (
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
	w, end, err := fs.begin(ctx, a)
	if err != nil {
		return nil, err
	}
	defer end()
	tree, err := w.same(p.Tree)
	if err != nil {
		return nil, err
	}
	switch same, err := w.is("diff-tree", "--quiet", "HEAD", tree); {
	case err != nil:
		return nil, inWords(err, w.dir)
	case same:
		return nil, wire.Errorf(wire.CodePrecondition, "everything is committed already")
	}
	if _, err := w.all("read-tree", tree); err != nil {
		return nil, inWords(err, w.dir)
	}
	w.is("update-index", "-q", "--refresh")
	if _, err := w.run(maxStderr, p.Message, "commit", "-q", "-F", "-"); err != nil {
		return nil, inWords(err, w.dir)
	}
	id, branch, err := w.head()
	if err != nil {
		return nil, err
	}
	made, _, err := w.commits(id+"^", id)
	if err != nil || len(made) == 0 {
		return nil, err
	}
	return &wire.CommitResult{Commit: made[0], Branch: branch}, nil
}

// same returns the tree of the folder, if it is the one that somebody saw, or nobody says which that was.
func (w *work) same(seen string) (tree string, err error) {
	tree, _, err = w.snapshot()
	if err == nil && seen != "" && tree != seen {
		err = wire.Errorf(wire.CodePrecondition, "the folder has changed since it was shown: look at the changes again").WithField("tree")
	}
	return tree, err
}

// Discard undoes what an agent has changed in its worktree. alive says that the agent still works there; otherwise the worktree goes
// with everything in it.
func (fs *Folders) Discard(ctx context.Context, a *wire.Agent, p wire.DiscardParams, alive bool) (*wire.DiscardResult, error) {
	if a.Folder == nil || a.Folder.Mode != wire.FolderWorktree {
		return nil, wire.Errorf(wire.CodePrecondition, "agent %s has no worktree of its own: what is in its folder may be somebody else's work", a.ID)
	}
	w, end, err := fs.begin(ctx, a)
	if err != nil {
		return nil, err
	}
	defer end()
	tree, err := w.same(p.Tree)
	if err != nil {
		return nil, err
	}
	res := &wire.DiscardResult{Folder: w.folder}
	if res.Saved, err = w.save(tree, a); err != nil {
		return nil, err
	}
	switch {
	case len(p.Paths) > 0:
		err = w.undo(p.Paths, tree)
	case alive:
		err = w.reset()
	default:
		if err = fs.dissolve(w); err == nil {
			res.Folder.State = wire.FolderRemoved
		}
	}
	return res, err
}

// save makes a commit of what the folder has, on no branch.
func (w *work) save(tree string, a *wire.Agent) (string, error) {
	who := w.with("GIT_AUTHOR_NAME=Skein", "GIT_AUTHOR_EMAIL=skein@localhost", "GIT_COMMITTER_NAME=Skein", "GIT_COMMITTER_EMAIL=skein@localhost")
	id, err := who.line("commit-tree", tree, "-p", "HEAD", "-m", "What "+a.Name+" had before it was discarded")
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
	if err := w.removeFiles(gone); err != nil {
		return err
	}
	return w.restore(base, back)
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

// dissolve removes a worktree with everything in it, and its branch.
func (fs *Folders) dissolve(w *work) error {
	unlock, err := fs.locks.lock(w.ctx, repository(w.folder))
	if err != nil {
		return err
	}
	defer unlock()
	return fs.remove(w.ctx, w)
}

// repository is what locks of a repository are called by: its folder of git, of which a worktree's is a part.
func repository(f wire.Folder) string {
	if at := strings.LastIndex(f.GitDir, "/worktrees/"); at >= 0 {
		return f.GitDir[:at]
	}
	return f.GitDir
}

// remove removes a worktree and its branch. The caller holds the lock of the repository.
func (fs *Folders) remove(ctx context.Context, w *work) error {
	g := fs.at(ctx, repository(w.folder))
	if _, err := g.all("worktree", "remove", "--force", "--force", w.folder.Top); err != nil {
		return inWords(err, w.folder.Repo)
	}
	g.all("branch", "-q", "-D", "--", w.folder.Branch) // which the agent may have renamed or removed
	if err := os.RemoveAll(fs.home(w.id)); err != nil {
		return wire.Errorf(wire.CodePrecondition, "the worktree's folder could not be removed: %v", err)
	}
	return nil
}
