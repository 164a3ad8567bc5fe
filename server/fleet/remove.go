package fleet

import (
	"context"
	"path/filepath"
	"slices"
	"time"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// Remove removes agents that have ended: the record, the log, and the working folder if it has nothing. Tasks and artifacts stay. A removal that
// has begun continues when ctx ends.
func (f *Fleet) Remove(ctx context.Context, by noun.Caller, p wire.RemoveParams) (*wire.RemoveResult, error) {
	if len(p.IDs) == 0 || len(p.IDs) > wire.MaxBatch {
		return nil, noun.Bad("ids", "name 1 to %d agents in ids", wire.MaxBatch)
	}
	ctx = context.WithoutCancel(ctx)
	res := &wire.RemoveResult{Reports: make([]wire.RemoveReport, len(p.IDs))}
	for i, id := range p.IDs {
		r := &res.Reports[i]
		r.ID = id
		a, err := f.agent(id)
		if err == nil {
			r.Folder, err = f.removeEnded(ctx, a)
		}
		if err != nil {
			r.Error = wire.AsError(err)
			continue
		}
		f.log.Info("an agent was removed", "agent", id, "by", by.Actor)
	}
	return res, nil
}

// removeEnded looks whether an agent can be removed, and does it.
func (f *Fleet) removeEnded(ctx context.Context, a *agent) (folder string, err error) {
	if rec := a.record(); rec.Status.Alive() {
		return "", wire.Errorf(wire.CodePrecondition, "agent %s (%s) is alive: stop it first", rec.Name, a.id)
	}
	<-a.ended           // its log is about to be closed
	a.leavesFolder(ctx) // whether its worktree has work is to be known as it is now
	if rec := a.record(); !removable(&rec) {
		return "", whyNot(&rec)
	}
	return f.remove(ctx, a)
}

// removable reports whether nothing is lost with an agent but what it has printed: it has ended, has left no process behind, and no worktree.
func removable(rec *wire.Agent) bool {
	to := rec.Folder
	return !rec.Status.Alive() && !rec.LeftBehind() && (to == nil || to.Mode != wire.FolderWorktree || to.State == wire.FolderRemoved)
}

func whyNot(rec *wire.Agent) error {
	if rec.LeftBehind() {
		return wire.Errorf(wire.CodePrecondition, "processes of agent %s (%s) are still alive: stop it again, which ends them", rec.Name, rec.ID)
	}
	return wire.Errorf(wire.CodePrecondition, "the worktree of agent %s (%s) has work that is nowhere else, or is in use: merge or discard it first (%s)", rec.Name, rec.ID, rec.Folder.Top)
}

// remove removes the agent, and returns its folder if that has files, which stay.
func (f *Fleet) remove(ctx context.Context, a *agent) (folder string, err error) {
	if err := a.erase(ctx); err != nil {
		return "", err
	}
	rec := a.record()
	f.mu.Lock()
	f.agents.remove(a)
	if f.byRequest[rec.Request] == a {
		delete(f.byRequest, rec.Request)
	}
	f.mu.Unlock()
	f.feed.forgot(&a.place)
	own := rec.Folder != nil && rec.Folder.Mode == wire.FolderFresh && rec.Cwd == filepath.Join(f.o.WorkDir, string(a.id))
	if f.o.Folders == nil || !own || f.worksIn(rec.Cwd) || f.o.Folders.Clear(a.id, rec.Cwd) {
		return "", nil
	}
	return rec.Cwd, nil
}

// erase deletes the record and the log. Nothing writes either afterwards.
func (a *agent) erase(ctx context.Context) error {
	a.saveMu.Lock()
	defer a.saveMu.Unlock()
	if a.erased {
		return wire.Errorf(wire.CodeNotFound, "agent %s was removed a moment ago", a.id).WithField("id")
	}
	if err := a.core.o.Store.DeleteAgent(ctx, a.id); err != nil {
		a.core.log.Error("an agent could not be removed", "agent", a.id, "err", err)
		return wire.Errorf(wire.CodeUnavailable, "the store did not remove agent %s; the server's log says why", a.id)
	}
	a.erased = true
	return nil
}

// Forget removes exited agents: the oldest beyond Options.Keep, and those that ended longer than Options.KeepFor ago. It keeps agents that left
// processes behind, as long as these are alive, and those whose worktrees are kept.
// It visits the agents that have ended only if there is one to remove. Of several calls, one at a time must be under way.
func (f *Fleet) Forget(ctx context.Context, now time.Time) {
	if f.tooMany() <= f.kept.over && (f.o.KeepFor == 0 || now.Before(f.kept.until)) {
		return
	}
	next := kept{until: now.Add(f.o.KeepFor)}
	ending := false
	ended := slices.DeleteFunc(f.all(), func(a *agent) bool {
		rec := a.record()
		switch {
		case rec.Status.Alive():
		case !isClosed(a.ended):
			ending = true
		case !removable(&rec):
			next.until = now.Add(min(f.o.KeepFor, keptLook))
		default:
			return false
		}
		return true
	})
	for i, a := range ended {
		if rec := a.record(); len(ended)-i <= f.o.Keep && !f.old(&rec, now) {
			if rec.ExitedAt != nil && rec.ExitedAt.Add(f.o.KeepFor).Before(next.until) {
				next.until = rec.ExitedAt.Add(f.o.KeepFor)
			}
			continue
		}
		if ctx.Err() != nil {
			return
		}
		if _, err := f.remove(context.WithoutCancel(ctx), a); err != nil {
			return
		}
	}
	if !ending {
		next.over = max(0, f.tooMany())
		f.kept = next
	}
}

// keptLook is how soon agents that can't be removed are looked at again.
const keptLook = time.Minute

// tooMany is how many agents that have ended are beyond Options.Keep.
func (f *Fleet) tooMany() int {
	f.mu.RLock()
	defer f.mu.RUnlock()
	_, alive := f.census.count("")
	return len(f.agents.byNum) - alive - f.o.Keep
}

// old reports whether an agent ended longer ago than agents are kept.
func (f *Fleet) old(rec *wire.Agent, now time.Time) bool {
	return f.o.KeepFor > 0 && rec.ExitedAt != nil && now.Sub(*rec.ExitedAt) > f.o.KeepFor
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
