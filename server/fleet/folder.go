package fleet

import (
	"cmp"
	"context"
	"path/filepath"
	"strings"
	"time"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// Folders makes the worktrees of agents, and looks after them.
type Folders interface {
	// Prepare makes the folder that the record of an agent says, before the agent starts. A worktree begins at base, "": what is checked
	// out, and gets copies of files. It returns the folder, and where the agent works.
	Prepare(ctx context.Context, a *wire.Agent, base string, copies []string) (f wire.Folder, cwd string, err error)
	// Tidy removes the worktree of an agent that has ended, unless it has work that is nowhere else.
	Tidy(ctx context.Context, a *wire.Agent) (wire.FolderState, error)
	// Sweep removes worktrees without work whose agents nobody knows.
	Sweep(ctx context.Context, keep func(wire.AgentID) bool)
	// Discard undoes what an agent has changed in its worktree; alive: it still works there.
	Discard(ctx context.Context, a *wire.Agent, p wire.DiscardParams, alive bool) (*wire.DiscardResult, error)
}

const (
	tidyEvery   = time.Hour        // how often worktrees that were kept are looked at again: their branches may have been merged
	tidyTimeout = 10 * time.Minute // for all of them
)

// folderOf is where an agent is to work; nil: in no folder.
func (f *Fleet) folderOf(t wire.AgentType, s *wire.SpawnParams) *wire.Folder {
	can := f.can(t)
	if !can.Folder {
		return nil
	}
	p := policyOf(t)
	to := &wire.Folder{Mode: cmp.Or(s.Folder, p.Mode), Share: s.Share || !can.Permissions}
	if p.Share != nil {
		to.Share = s.Share || *p.Share
	}
	if to.Mode == "" {
		to.Mode = wire.FolderFresh
		if cmp.Or(s.Cwd, t.Cwd) != "" {
			to.Mode = wire.FolderShared
		}
	}
	return to
}

func policyOf(t wire.AgentType) wire.FolderPolicy {
	if t.Folder == nil {
		return wire.FolderPolicy{}
	}
	return *t.Folder
}

// checkFolder checks what a request says of the folder.
func (f *Fleet) checkFolder(t wire.AgentType, s *wire.SpawnParams) error {
	to := f.folderOf(t, s)
	switch {
	case to == nil && (s.Folder != "" || s.Base != "" || s.Share):
		return noun.Bad("folder", "agents of type %q work in no folder of this server", t.Name)
	case to == nil:
		return nil
	}
	switch to.Mode {
	case wire.FolderFresh:
		if s.Cwd != "" {
			return noun.Bad("folder", "a fresh folder is a new one: leave cwd out, or ask for a shared folder")
		}
	case wire.FolderShared:
		if cmp.Or(s.Cwd, t.Cwd) == "" {
			return noun.Bad("cwd", "say which folder is shared")
		}
	case wire.FolderWorktree:
		if cmp.Or(s.Cwd, t.Cwd) == "" {
			return noun.Bad("cwd", "say which git repository the worktree is made of: a folder in it")
		}
	default:
		return noun.Bad("folder", "%q is no way to give an agent a folder; allowed are %v", s.Folder, wire.FolderModes)
	}
	if s.Base != "" && to.Mode != wire.FolderWorktree {
		return noun.Bad("base", "a base is where a worktree begins: ask for folder worktree")
	}
	if len(s.Base) > 200 {
		return noun.Bad("base", "the name of the branch or commit is longer than 200 bytes")
	}
	return nil
}

// cwdOf is where an agent works, or, of a worktree that is yet to be made, the repository.
func (f *Fleet) cwdOf(id wire.AgentID, to *wire.Folder, t wire.AgentType, s *wire.SpawnParams) string {
	if to != nil && to.Mode == wire.FolderFresh {
		return filepath.Join(f.o.WorkDir, string(id))
	}
	return cmp.Or(s.Cwd, t.Cwd)
}

// writes is the folder that an agent wants for itself, without links; "": it has one of its own, or shares it.
func writes(to *wire.Folder, cwd string) string {
	if to == nil || to.Share || to.Mode != wire.FolderShared {
		return ""
	}
	if real, err := filepath.EvalSymlinks(cwd); err == nil {
		return real
	}
	return filepath.Clean(cwd)
}

// oneWriterLocked refuses an agent that would work in a folder in which another one does, or in one within it, or around it. The caller
// holds Fleet.mu.
func (f *Fleet) oneWriterLocked(dir string, count int) error {
	if dir == "" {
		return nil
	}
	const instead = "give each a git worktree (folder: worktree), or let them share it (share: true)"
	if count > 1 {
		return wire.Errorf(wire.CodePrecondition, "%d agents would work in %s at once: %s", count, dir, instead).WithField("folder")
	}
	for _, id := range f.census.ids() {
		if a := f.agents[id]; a != nil && a.writes != "" && (within(a.writes, dir) || within(dir, a.writes)) {
			return wire.Errorf(wire.CodePrecondition, "agent %s (%s) works in %s already: stop it, %s", a.record().Name, a.id, a.writes, instead).WithField("folder")
		}
	}
	return nil
}

func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

// prepare makes the agent's folder.
func (a *agent) prepare(ctx context.Context, w wanted, rec wire.Agent) (wire.Agent, error) {
	if rec.Folder == nil || a.core.o.Folders == nil || rec.Folder.Mode == wire.FolderFresh {
		return rec, nil
	}
	p := policyOf(w.typ)
	to, cwd, err := a.core.o.Folders.Prepare(ctx, &rec, cmp.Or(w.params.Base, p.Base), p.Copy)
	if err != nil {
		return rec, err
	}
	return a.update(true, func(rec *wire.Agent) { rec.Folder, rec.Cwd = &to, cwd }), nil
}

// leavesFolder tidies up the worktree of an agent that has ended. It may take a while.
func (a *agent) leavesFolder(ctx context.Context) {
	rec := a.record()
	if a.core.o.Folders == nil || rec.Folder == nil || rec.Folder.Mode != wire.FolderWorktree || rec.Folder.GitDir == "" || rec.Folder.State == wire.FolderRemoved {
		return
	}
	state, err := a.core.o.Folders.Tidy(ctx, &rec)
	if err != nil {
		a.core.log.Warn("a worktree is kept, because it could not be looked at", "agent", a.id, "folder", rec.Folder.Top, "err", err)
	}
	a.folderIs(state)
}

func (a *agent) folderIs(state wire.FolderState) {
	if a.record().Folder.State == state {
		return
	}
	a.update(true, func(rec *wire.Agent) {
		to := *rec.Folder
		to.State = state
		rec.Folder = &to
	})
	a.core.saves.later(a)
}

// tidyFolders looks at the worktrees of agents that have ended, now and from time to time, until the fleet closes.
func (f *Fleet) tidyFolders() {
	ctx := f.o.Closing
	f.o.Folders.Sweep(ctx, func(id wire.AgentID) bool { _, err := f.agent(id); return err == nil })
	for t := time.NewTicker(tidyEvery); ; {
		f.tidyOnce(ctx)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
	}
}

func (f *Fleet) tidyOnce(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, tidyTimeout)
	defer cancel()
	for _, a := range f.all() {
		if ctx.Err() == nil && !a.record().Status.Alive() {
			a.leavesFolder(ctx)
		}
	}
}

// Discard undoes what an agent has changed in its worktree; that of one that has ended is removed.
func (f *Fleet) Discard(ctx context.Context, by noun.Caller, p wire.DiscardParams) (*wire.DiscardResult, error) {
	a, err := f.agent(p.ID)
	if err != nil {
		return nil, err
	}
	rec := a.record()
	alive := rec.Status.Alive()
	res, err := f.o.Folders.Discard(ctx, &rec, p, alive)
	if err != nil {
		return nil, err
	}
	f.log.Info("changes of an agent were discarded", "agent", a.id, "by", by.Actor, "saved", res.Saved, "files", len(p.Paths))
	if alive {
		f.Say(p.ID, by.Actor, "what it had changed was discarded; git has it at "+res.Saved)
	}
	a.folderIs(res.Folder.State)
	return res, nil
}
