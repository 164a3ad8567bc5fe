package fleet

import (
	"cmp"
	"context"

	"skein.dev/skein/webtransport/wire"
)

// policyOf says where the agents of a type work.
func policyOf(t wire.AgentType) wire.FolderPolicy {
	if t.Folder == nil {
		return wire.FolderPolicy{}
	}
	return *t.Folder
}

// prepare makes the agent's folder.
func (a *agent) prepare(ctx context.Context, t wire.AgentType, base string, rec wire.Agent) (wire.Agent, error) {
	if rec.Folder == nil || a.core.o.Folders == nil || rec.Folder.Mode == wire.FolderFresh {
		return rec, nil
	}
	p := policyOf(t)
	to, cwd, err := a.core.o.Folders.Prepare(ctx, &rec, cmp.Or(base, p.Base), p.Copy)
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
