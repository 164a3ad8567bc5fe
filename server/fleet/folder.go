package fleet

import (
	"cmp"
	"path/filepath"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
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

// checkFolder checks what a request says of the folder.
func (f *Fleet) checkFolder(t wire.AgentType, s *wire.SpawnParams) error {
	to := f.folderOf(t, s)
	switch {
	case to == nil && (s.Folder != "" || s.Base != "" || s.Share):
		return noun.Bad("folder", "agents of type %q work in no folder of this server", t.Name)
	case s.Cwd != "" && !filepath.IsAbs(s.Cwd):
		return noun.Bad("cwd", "the working folder %q is not an absolute path", s.Cwd)
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
		a := f.agents.byID[id]
		if a == nil {
			continue
		}
		if theirs := a.own(); theirs != "" && (within(theirs, dir) || within(dir, theirs)) {
			return wire.Errorf(wire.CodePrecondition, "agent %s (%s) works in %s already: stop it, %s", a.record().Name, a.id, theirs, instead).WithField("folder")
		}
	}
	return nil
}

// own is the folder that the agent has for itself; "": none.
func (a *agent) own() string {
	rec := a.record()
	switch to := rec.Folder; {
	case a.writes != "" || to == nil || to.Mode == wire.FolderShared:
		return a.writes
	case to.Mode == wire.FolderWorktree:
		return to.Top
	}
	return rec.Cwd
}
