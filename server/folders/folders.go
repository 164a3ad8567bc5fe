// Package folders makes the git worktrees that agents work in, and shows, commits and discards what they have changed. It runs git, which
// must be installed for that.
//
//	Prepare   an agent is about to start: a worktree on a branch of its own, or a look at the repository that its folder is in
//	Changes   a tree of git of what the folder has, without touching the index of the repository, compared with where the agent began
//	Commit    that tree, and nothing that came after it
//	Tidy      the agent has ended: a worktree that has nothing that is not elsewhere, too, is removed with its branch
//
// A worktree has a folder of its own below Options.Dir, by the id of its agent:
//
//	<id>/<name of the repository>   what git has checked out
//	<id>/.index                     the index by which its contents are read
//	<id>/.plan                      the wire.Folder, before it is made, so that it is found again after a crash
//	<id>/.gone                      a worktree that is being removed
//
// Git is always told which repository it is to use, as an agent may write anything into its folder.
//
// # Locks
//
// locks.mu guards the table of locks, and nothing is called with it held; so does Folders.mu with the comparisons that are remembered. Of the
// locks themselves, one is held for each folder while git works in it, and one for each repository while a worktree is made or removed, in
// this order.
package folders

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// Options configure Folders. Dir and Logger are required.
type Options struct {
	Dir     string // of the worktrees
	Logger  *slog.Logger
	Git     string        // the program; "": git
	Make    time.Duration // how long making a worktree may take; 0: 5 m
	Look    time.Duration // how long an agent without a worktree waits for git before it starts; if that takes longer, its changes are told from where git is later; 0: 3 s
	Timeout time.Duration // how long anything else may take; 0: 1 m
	MaxNew  int           // files of a folder that git does not know; if there are more, they are taken for something to be ignored; 0: 5000
}

// Folders are the worktrees of the agents of a node.
type Folders struct {
	o     Options
	locks locks

	mu       sync.Mutex
	compared []comparison // the latest ones
}

// New returns Folders. It does nothing yet.
func New(o Options) *Folders {
	if o.Git == "" {
		o.Git = "git"
	}
	if o.Make == 0 {
		o.Make = 5 * time.Minute
	}
	if o.Look == 0 {
		o.Look = 3 * time.Second
	}
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	if o.MaxNew == 0 {
		o.MaxNew = 5000
	}
	return &Folders{o: o, locks: locks{all: map[string]*lock{}}}
}

// home is the folder of what belongs to an agent.
func (fs *Folders) home(id wire.AgentID) string { return filepath.Join(fs.o.Dir, string(id)) }

// work is the folder of an agent, while something is done in it.
type work struct {
	git
	id     wire.AgentID
	folder wire.Folder
	index  string // of its own, which is not that of the repository
	maxNew int
	fs     *Folders
}

// begin locks the folder of an agent, and finds the repository that it is in. limit is how long all of it may take. The caller calls end.
func (fs *Folders) begin(ctx context.Context, a *wire.Agent, limit time.Duration) (w *work, end func(), err error) {
	if err := fs.usable(a); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	unlock, err := fs.locks.lock(ctx, string(a.ID))
	if err != nil {
		cancel()
		return nil, nil, err
	}
	end = func() { unlock(); cancel() }
	w = &work{id: a.ID, folder: *a.Folder, index: filepath.Join(fs.home(a.ID), ".index"), maxNew: fs.o.MaxNew, fs: fs}
	if err = fs.find(ctx, a, w); err == nil {
		err = os.MkdirAll(fs.home(a.ID), 0o700)
	}
	if err != nil {
		end()
		return nil, nil, err
	}
	w.git.ctx = ctx
	return w, end, nil
}

// usable returns an error for an agent whose folder there is not, or whose worktree was never made: its Cwd is the repository then, which is
// somebody else's.
func (fs *Folders) usable(a *wire.Agent) error {
	switch f := a.Folder; {
	case a.Cwd == "" || f == nil:
		return wire.Errorf(wire.CodePrecondition, "agent %s works in no folder of this server", a.ID)
	case f.State == wire.FolderRemoved:
		return wire.Errorf(wire.CodePrecondition, "the worktree of agent %s is gone: it had no work, it was discarded, or somebody has removed it", a.ID)
	case f.Mode == wire.FolderWorktree && (f.GitDir == "" || filepath.Dir(f.Top) != fs.home(a.ID)):
		return wire.Errorf(wire.CodePrecondition, "the worktree of agent %s is not there yet, or could not be made", a.ID)
	}
	return nil
}

// find completes a folder of which git has not been asked yet.
func (fs *Folders) find(ctx context.Context, a *wire.Agent, w *work) error {
	dir := a.Cwd
	if w.folder.Base != "" {
		dir = w.folder.Top
	}
	if _, err := os.Stat(dir); err != nil {
		return wire.Errorf(wire.CodePrecondition, "the folder of agent %s is not there: %v", a.ID, err)
	}
	if w.folder.Base == "" {
		found, err := fs.look(ctx, a.Cwd)
		if err != nil {
			return err
		}
		w.folder.Top, w.folder.GitDir, w.folder.Base = found.Top, found.GitDir, found.Base
	}
	if _, err := os.Stat(w.folder.GitDir); err != nil {
		return wire.Errorf(wire.CodePrecondition, "the repository of agent %s is not there any more: %v", a.ID, err)
	}
	w.git = fs.in(w.folder.Top, w.folder.GitDir)
	return nil
}

// locks are locks by name.
type locks struct {
	mu  sync.Mutex
	all map[string]*lock
}

type lock struct {
	held  chan struct{} // has room for one
	users int           // guarded by locks.mu
}

// lock waits for a lock until ctx ends.
func (ls *locks) lock(ctx context.Context, name string) (unlock func(), err error) {
	ls.mu.Lock()
	l := ls.all[name]
	if l == nil {
		l = &lock{held: make(chan struct{}, 1)}
		ls.all[name] = l
	}
	l.users++
	ls.mu.Unlock()
	leave := func() {
		ls.mu.Lock()
		defer ls.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(ls.all, name)
		}
	}
	select {
	case l.held <- struct{}{}:
		return func() { <-l.held; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, wire.Errorf(wire.CodeTimeout, "git was still at work in this folder; try again")
	}
}
