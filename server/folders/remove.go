package folders

import (
	"context"
	"os"
	"path/filepath"

	"skein.dev/skein/webtransport/wire"
)

// repository is what locks of a repository are called by: its folder of git, of which a worktree's is a part.
func repository(f wire.Folder) string {
	if f.GitDir == "" {
		return ""
	}
	if _, err := os.Stat(filepath.Join(f.GitDir, "commondir")); err == nil || filepath.Base(filepath.Dir(f.GitDir)) == "worktrees" && filepath.Base(f.GitDir) != ".git" {
		return filepath.Dir(filepath.Dir(f.GitDir))
	}
	return f.GitDir
}

// dissolve removes a worktree with everything in it, and its branch.
func (w *work) dissolve() error {
	unlock, err := w.fs.locks.lock(w.ctx, repository(w.folder))
	if err != nil {
		return err
	}
	defer unlock()
	return w.fs.remove(w.ctx, w.id, w.folder, w.tip())
}

// remove removes a worktree, what git knows of it, and its branch, if that still ends with tip; "": the branch stays. It may be cut short at any
// point, and is done again by Tidy or Sweep. The caller holds the lock of the repository.
func (fs *Folders) remove(ctx context.Context, id wire.AgentID, f wire.Folder, tip string) error {
	gone := filepath.Join(fs.home(id), ".gone")
	os.RemoveAll(gone)
	if err := os.Rename(f.Top, gone); err != nil && !os.IsNotExist(err) { // at once, so that nothing takes a part of it for the agent's work
		return wire.Errorf(wire.CodePrecondition, "the worktree's folder could not be removed: %v", err)
	}
	common := repository(f)
	if f.GitDir != common && filepath.Dir(filepath.Dir(f.GitDir)) == common {
		os.RemoveAll(f.GitDir)
	}
	if tip != "" && f.Branch != "" && common != "" {
		fs.at(ctx, common).all("update-ref", "-d", "refs/heads/"+f.Branch, tip)
	}
	if err := os.RemoveAll(fs.home(id)); err != nil {
		return wire.Errorf(wire.CodePrecondition, "the worktree's folder could not be removed: %v", err)
	}
	return nil
}
