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

// prepare makes the agent's folder. It ends when the agent is to stop, or the server does.
func (a *agent) prepare(ctx context.Context, t wire.AgentType, base string, rec wire.Agent) (wire.Agent, error) {
	if rec.Folder == nil || a.core.o.Folders == nil || rec.Folder.Mode == wire.FolderFresh {
		return rec, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(a.core.o.Closing, cancel)()
	go func() {
		select {
		case <-a.halted:
			cancel()
		case <-ctx.Done():
		}
	}()
	p := policyOf(t)
	to, cwd, err := a.core.o.Folders.Prepare(ctx, &rec, cmp.Or(base, p.Base), p.Copy)
	if err != nil {
		a.folderIs(wire.FolderRemoved) // Cwd is still the repository, which is not the agent's
		return rec, err
	}
	rec = a.update(true, func(rec *wire.Agent) { rec.Folder, rec.Cwd = &to, cwd })
	if to.Mode != wire.FolderWorktree {
		return rec, nil
	}
	return rec, a.save(ctx) // before anything is done in it
}

// leavesFolder tidies up the worktree of an agent that has ended. It may take a while.
func (a *agent) leavesFolder(ctx context.Context) {
	a.folderMu.Lock()
	defer a.folderMu.Unlock()
	rec := a.record()
	to := rec.Folder
	if a.core.o.Folders == nil || to == nil || to.Mode != wire.FolderWorktree || to.State == wire.FolderRemoved || to.GitDir != "" && a.core.worksIn(to.Top) {
		return
	}
	state, err := a.core.o.Folders.Tidy(ctx, &rec)
	if ctx.Err() != nil {
		return // the next server does it
	}
	if err != nil {
		a.core.log.Warn("a worktree is kept, because it could not be looked at", "agent", a.id, "folder", to.Top, "err", err)
	}
	a.folderIs(state)
}

func (a *agent) folderIs(state wire.FolderState) {
	if to := a.record().Folder; to.State == state || to.Mode != wire.FolderWorktree {
		return
	}
	a.update(true, func(rec *wire.Agent) {
		to := *rec.Folder
		to.State = state
		rec.Folder = &to
	})
	a.core.saves.later(a)
}
