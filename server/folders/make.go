package folders

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"skein.dev/skein/webtransport/wire"
)

const branches = "skein/" // what the names of branches begin with

// Prepare makes the folder of an agent that is about to start, of which the record says what it is to be: of a worktree, Cwd is in the
// repository that it is made of. It returns the folder, and where the agent works.
func (fs *Folders) Prepare(ctx context.Context, a *wire.Agent, base string, copies []string) (f wire.Folder, cwd string, err error) {
	f = *a.Folder
	if f.Mode != wire.FolderWorktree {
		return fs.known(ctx, f, a.Cwd), a.Cwd, nil
	}
	ctx, cancel := context.WithTimeout(ctx, fs.o.Make)
	defer cancel()
	from, err := fs.look(ctx, a.Cwd)
	if err != nil {
		return f, "", cannot(err)
	}
	below, err := filepath.Rel(from.Top, realPath(a.Cwd))
	if err != nil {
		return f, "", cannot(err)
	}
	f.Repo = from.Top
	f.Top = filepath.Join(fs.home(a.ID), filepath.Base(from.Top))
	unlock, err := fs.locks.lock(ctx, repository(from))
	if err != nil {
		return f, "", err
	}
	defer unlock()
	if err := fs.add(ctx, a, &f, from, base); err != nil {
		os.RemoveAll(fs.home(a.ID))
		return f, "", cannot(err)
	}
	if err := copyFiles(from.Top, f.Top, copies); err != nil {
		return f, "", errors.Join(cannot(err), fs.remove(context.WithoutCancel(ctx), a.ID, f, f.Base))
	}
	cwd = filepath.Join(f.Top, below)
	if _, err := os.Stat(cwd); err != nil {
		cwd = f.Top // the folder is in no commit
	}
	return f, cwd, nil
}

// known adds to a folder that others don't share where its repository is, so that the agent's changes can be told from earlier ones.
func (fs *Folders) known(ctx context.Context, f wire.Folder, cwd string) wire.Folder {
	if f.Share || f.Mode != wire.FolderShared {
		return f
	}
	ctx, cancel := context.WithTimeout(ctx, fs.o.Look)
	defer cancel()
	if found, err := fs.look(ctx, cwd); err == nil {
		f.Top, f.GitDir, f.Base, f.Branch = found.Top, found.GitDir, found.Base, found.From
	}
	return f
}

// cannot says that a worktree can't be made.
func cannot(err error) error {
	err = inWords(err, "the repository")
	why := err.Error()
	if e := new(wire.Error); errors.As(err, &e) {
		why = e.Message
	}
	return wire.Errorf(wire.CodeSpawnFailed, "no git worktree could be made: %s", wire.Cut(why, 500)).WithField("folder")
}

// add makes a worktree and its branch.
func (fs *Folders) add(ctx context.Context, a *wire.Agent, f *wire.Folder, from wire.Folder, base string) (err error) {
	g := fs.at(ctx, from.Top)
	f.Base, f.From = from.Base, from.From
	if base != "" {
		if f.Base, err = g.line("rev-parse", "--verify", "--quiet", "--end-of-options", base+"^{commit}"); err != nil {
			return wire.Errorf(wire.CodeNotFound, "%s has no branch or commit %q", from.Top, base)
		}
		f.From = ""
		if is, _ := g.is("show-ref", "--verify", "--quiet", "refs/heads/"+base); is {
			f.From = base
		}
	}
	if f.Branch, err = freeBranch(g, a); err != nil {
		return err
	}
	if err := fs.plan(a.ID, *f); err != nil {
		return err
	}
	_, err = g.all("worktree", "add", "-q", "--no-track", "-b", f.Branch, f.Top, f.Base)
	if err == nil {
		f.GitDir, err = fs.at(ctx, f.Top).line("rev-parse", "--absolute-git-dir")
	}
	if err == nil {
		err = fs.plan(a.ID, *f)
	}
	if err != nil {
		g.ctx = context.WithoutCancel(ctx)
		g.all("worktree", "remove", "--force", f.Top)
		g.all("update-ref", "-d", "refs/heads/"+f.Branch, f.Base) // it is new, and has no commit of its own
	}
	return err
}

// plan notes what a worktree is, or will be, where it is found again after a crash.
func (fs *Folders) plan(id wire.AgentID, f wire.Folder) error {
	if err := os.MkdirAll(fs.home(id), 0o700); err != nil {
		return err
	}
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	path := filepath.Join(fs.home(id), ".plan")
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// planned returns what was noted of a worktree.
func (fs *Folders) planned(id wire.AgentID) (f wire.Folder, ok bool) {
	b, err := os.ReadFile(filepath.Join(fs.home(id), ".plan"))
	return f, err == nil && json.Unmarshal(b, &f) == nil && f.Mode == wire.FolderWorktree
}

// freeBranch returns the name of a branch that there is not yet: the agent's, or one like it.
func freeBranch(g git, a *wire.Agent) (string, error) {
	name := branches + slug(a.Name)
	for _, b := range []string{name, name + "-2", name + "-3", name + "-" + string(a.ID), "skein-" + string(a.ID)} {
		taken, err := g.is("show-ref", "--verify", "--quiet", "refs/heads/"+b)
		if err != nil {
			return "", err
		}
		below, err := g.line("for-each-ref", "--count=1", "--format=x", "refs/heads/"+b+"/")
		if err != nil {
			return "", err
		}
		above, _ := g.is("show-ref", "--verify", "--quiet", "refs/heads/skein")
		if !taken && below == "" && !(above && strings.HasPrefix(b, branches)) {
			return b, nil
		}
	}
	return "", fmt.Errorf("the branches %s and those like it are all taken", name)
}

// slug is a name as it may be in that of a branch.
func slug(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '_':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() >= 60 {
			break
		}
	}
	return cmp.Or(strings.Trim(b.String(), "-"), "agent")
}

// realPath is a path without links, if it exists.
func realPath(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}
