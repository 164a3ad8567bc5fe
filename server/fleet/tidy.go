package fleet

import (
	"context"
	"time"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

const (
	tidyEvery   = time.Hour        // how often worktrees that were kept are looked at again: their branches may have been merged
	tidyTimeout = 10 * time.Minute // for all of them
)

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
	a.folderMu.Lock()
	defer a.folderMu.Unlock()
	rec := a.record()
	alive := func() bool { rec := a.record(); return rec.Status.Alive() }
	res, err := f.o.Folders.Discard(ctx, &rec, p, alive)
	if err != nil {
		return nil, err
	}
	f.log.Info("changes of an agent were discarded", "agent", a.id, "by", by.Actor, "saved", res.Saved, "files", len(p.Paths))
	if alive() {
		a.event(wire.EventHealth, by.Actor, wire.EventData{Text: "what it had changed was discarded; git has it at " + res.Saved})
	}
	if res.Folder.State == wire.FolderRemoved {
		a.folderIs(res.Folder.State)
	}
	return res, nil
}
