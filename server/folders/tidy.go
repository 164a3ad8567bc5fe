package folders

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"skein.dev/skein/webtransport/wire"
)

// Tidy removes the worktree of an agent that has ended, with its branch, if it has nothing that is not elsewhere, too, and returns what
// became of it. If that can't be known, it is kept.
func (fs *Folders) Tidy(ctx context.Context, a *wire.Agent) (wire.FolderState, error) {
	known := *a
	if a.Folder.GitDir == "" { // the server ended while it was made
		f, ok := fs.planned(a.ID)
		if !ok {
			return wire.FolderRemoved, os.RemoveAll(fs.home(a.ID))
		}
		if f.GitDir == "" {
			return fs.unmade(ctx, a.ID, f)
		}
		known.Folder = &f
	}
	gone := func() bool { _, err := os.Lstat(known.Folder.Top); return os.IsNotExist(err) }
	if gone() {
		return fs.finish(ctx, a.ID, *known.Folder)
	}
	w, end, err := fs.begin(ctx, &known, fs.o.Timeout)
	if err != nil {
		if gone() { // by somebody who had the lock that begin waited for
			return fs.finish(ctx, a.ID, *known.Folder)
		}
		return wire.FolderKept, err
	}
	defer end()
	unlock, err := fs.locks.lock(w.ctx, repository(w.folder)) // until it is removed: another one with the same commits may go, too
	if err != nil {
		return wire.FolderKept, err
	}
	defer unlock()
	tip := w.tip()
	switch has, err := w.hasWork(tip); {
	case err != nil:
		return wire.FolderKept, err
	case has:
		return wire.FolderKept, nil
	}
	if err := fs.remove(w.ctx, w.id, w.folder, tip); err != nil {
		return wire.FolderKept, err
	}
	return wire.FolderRemoved, nil
}

// unmade removes a worktree that was not made whole: its agent has never started.
func (fs *Folders) unmade(ctx context.Context, id wire.AgentID, f wire.Folder) (wire.FolderState, error) {
	ctx, cancel := context.WithTimeout(ctx, fs.o.Timeout)
	defer cancel()
	if found, err := fs.look(ctx, f.Top); err == nil && found.Top == f.Top {
		f.GitDir = found.GitDir
	} else {
		f.GitDir = repositoryOf(fs.at(ctx, f.Repo))
	}
	unlock, err := fs.locks.lock(ctx, repository(f))
	if err != nil {
		return wire.FolderKept, err
	}
	defer unlock()
	if err := fs.remove(ctx, id, f, f.Base); err != nil {
		return wire.FolderKept, err
	}
	return wire.FolderRemoved, nil
}

// finish removes what is left of a worktree that is not there any more: its branch only if it has nothing that is not elsewhere.
func (fs *Folders) finish(ctx context.Context, id wire.AgentID, f wire.Folder) (wire.FolderState, error) {
	ctx, cancel := context.WithTimeout(ctx, fs.o.Timeout)
	defer cancel()
	unlock, err := fs.locks.lock(ctx, repository(f))
	if err != nil {
		return wire.FolderKept, err
	}
	defer unlock()
	g := fs.at(ctx, repository(f))
	tip, _ := g.line("rev-parse", "--verify", "--quiet", "refs/heads/"+f.Branch+"^{commit}")
	if tip != "" {
		if own, err := ahead(g, f.Branch, tip); err != nil || own {
			tip = "" // the branch stays
		}
	}
	if err := fs.remove(ctx, id, f, tip); err != nil {
		return wire.FolderKept, err
	}
	return wire.FolderRemoved, nil
}

// repositoryOf is the folder of git of a repository; "": it is none any more.
func repositoryOf(g git) string {
	dir, _ := g.line("rev-parse", "--path-format=absolute", "--git-common-dir")
	return dir
}

// hasWork reports whether the worktree has changes, commits that no other branch or tag has, or is in the midst of something.
func (w *work) hasWork(tip string) (bool, error) {
	if w.unfinished() != "" {
		return true, nil
	}
	if entries, _ := os.ReadDir(filepath.Join(w.folder.GitDir, "modules")); len(entries) > 0 {
		return true, nil // submodules, whose commits may be nowhere else
	}
	out, err := w.all("status", "--porcelain", "--untracked-files=normal", "--ignore-submodules=none")
	if err != nil || len(out) > 0 {
		return true, inWords(err, w.dir)
	}
	if hidden, err := w.hides(); hidden || err != nil {
		return true, err
	}
	head, _ := w.head()
	var ends []string
	for _, id := range []string{head, tip} {
		if id != "" {
			ends = append(ends, id)
		}
	}
	if len(ends) == 0 {
		return true, nil
	}
	return ahead(w.git, w.folder.Branch, ends...)
}

// hides reports whether git was told to take files for unchanged.
func (w *work) hides() (bool, error) {
	out, err := w.all("ls-files", "-v")
	if err != nil {
		return true, inWords(err, w.dir)
	}
	for line := range strings.Lines(string(out)) {
		if line[0] >= 'a' && line[0] <= 'z' {
			return true, nil
		}
	}
	return false, nil
}

// ahead reports whether commits are on no branch but the given one, and on no tag.
func ahead(g git, branch string, ends ...string) (bool, error) {
	args := slices.Concat([]string{"rev-list", "--count", "-n1"}, ends, []string{"--not", "--exclude=refs/heads/" + branch, "--glob=refs/heads/*", "--remotes", "--tags"})
	n, err := g.line(args...)
	if err != nil {
		return true, inWords(err, g.dir)
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
	f, ok := fs.planned(id)
	if !ok {
		if left, err := filepath.Glob(filepath.Join(fs.home(id), "*")); err != nil || len(left) > 0 {
			return err // nothing that this server knows
		}
		return os.RemoveAll(fs.home(id))
	}
	_, err := fs.Tidy(ctx, &wire.Agent{ID: id, Cwd: f.Top, Folder: &f})
	return err
}
