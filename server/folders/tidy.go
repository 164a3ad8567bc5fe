package folders

import (
	"context"
	"os"
	"path/filepath"

	"skein.dev/skein/webtransport/wire"
)

// Tidy removes the worktree of an agent that has ended, with its branch, if it has nothing that is not elsewhere, too, and returns what
// became of it. If that can't be known, it is kept.
func (fs *Folders) Tidy(ctx context.Context, a *wire.Agent) (wire.FolderState, error) {
	w, end, err := fs.begin(ctx, a)
	if err != nil {
		if _, gone := os.Stat(a.Folder.Top); os.IsNotExist(gone) && a.Folder.Top != "" {
			return wire.FolderRemoved, nil // somebody else has removed it
		}
		return wire.FolderKept, err
	}
	defer end()
	switch has, err := w.hasWork(); {
	case err != nil:
		return wire.FolderKept, err
	case has:
		return wire.FolderKept, nil
	}
	if err := fs.dissolve(w); err != nil {
		return wire.FolderKept, err
	}
	return wire.FolderRemoved, nil
}

// hasWork reports whether the worktree has changes, or commits that no other branch or tag has.
func (w *work) hasWork() (bool, error) {
	out, err := w.all("status", "--porcelain", "--untracked-files=normal", "--ignore-submodules=none")
	if err != nil || len(out) > 0 {
		return true, inWords(err, w.dir)
	}
	revs := []string{"HEAD"}
	if is, _ := w.is("show-ref", "--verify", "--quiet", "refs/heads/"+w.folder.Branch); is {
		revs = append(revs, "refs/heads/"+w.folder.Branch)
	}
	args := append([]string{"rev-list", "--count", "-n1"}, revs...)
	args = append(args, "--not", "--exclude=refs/heads/"+w.folder.Branch, "--glob=refs/heads/*", "--remotes", "--tags")
	n, err := w.line(args...)
	if err != nil {
		return true, inWords(err, w.dir)
	}
	return n != "0", nil
}

// Sweep removes what was left of worktrees whose agents nobody knows any more, as far as nothing is lost by that. keep reports whether an
// agent's is to be left alone.
func (fs *Folders) Sweep(ctx context.Context, keep func(wire.AgentID) bool) {
	homes, _ := os.ReadDir(fs.o.Dir)
	for _, home := range homes {
		if keep(wire.AgentID(home.Name())) {
			continue
		}
		if err := fs.sweep(ctx, wire.AgentID(home.Name())); err != nil {
			fs.o.Logger.Warn("a worktree whose agent is not known any more is kept", "folder", filepath.Join(fs.o.Dir, home.Name()), "err", err)
		}
	}
}

func (fs *Folders) sweep(ctx context.Context, id wire.AgentID) error {
	tops, _ := filepath.Glob(filepath.Join(fs.home(id), "*", ".git"))
	for _, top := range tops {
		top = filepath.Dir(top)
		found, err := fs.look(ctx, top)
		if err != nil {
			return err
		}
		if found.Top != top {
			continue
		}
		found.Mode, found.Branch, found.Repo = wire.FolderWorktree, found.From, repository(found)
		found.From = ""
		state, err := fs.Tidy(ctx, &wire.Agent{ID: id, Cwd: top, Folder: &found})
		if err != nil || state == wire.FolderKept {
			return err
		}
	}
	if left, err := filepath.Glob(filepath.Join(fs.home(id), "*", "*")); err != nil || len(left) > 0 {
		return err
	}
	return os.RemoveAll(fs.home(id))
}
