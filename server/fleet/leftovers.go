package fleet

import (
	"context"
	"slices"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// A leftover is a process that a stop could not end, such as one of another user, or one that waits for a disk that does not
// answer. It is in the record of its agent, and each later stop of the agent and each start of Skein checks for it again.

// keepLeftovers adds the processes that survived a stop to the record, so that everybody sees them.
func (a *agent) keepLeftovers(left []wire.Leftover) {
	a.update(true, func(rec *wire.Agent) {
		var exit wire.Exit
		if rec.Exit != nil {
			exit = *rec.Exit
		}
		exit.Leftovers = left
		rec.Exit = &exit
	})
	a.core.saves.later(a)
}

// clearLeftovers ends the leftovers of an agent that has ended, and reports on them.
func (a *agent) clearLeftovers(ctx context.Context, grace time.Duration) wire.StopReport {
	a.clearing.Lock()
	defer a.clearing.Unlock()
	rep := wire.StopReport{Already: true}
	rec := a.record()
	if rec.Exit == nil || len(rec.Exit.Leftovers) == 0 || a.core.o.Leftovers == nil {
		return rep
	}
	before := rec.Exit.Leftovers
	rep.Leftovers = a.core.o.Leftovers(ctx, a.id, before, grace)
	rep.Cleared = gone(before, rep.Leftovers)
	a.core.log.Info("looked again for what an agent left behind", "agent", a.id, "gone", rep.Cleared, "left", rep.Leftovers)
	a.keepLeftovers(rep.Leftovers)
	return rep
}

// withEarlier adds the leftovers of the processes that ran before the agent was started again.
func (a *agent) withEarlier(exit wire.Exit) wire.Exit {
	a.mu.Lock()
	left := a.left
	a.mu.Unlock()
	if len(left) > 0 && a.core.o.Leftovers != nil {
		left = a.core.o.Leftovers(a.core.o.Closing, a.id, left, 0)
	}
	exit.Leftovers = slices.Concat(exit.Leftovers, left)
	return exit
}

// gone counts the leftovers that are no longer alive.
func gone(before, now []wire.Leftover) (n int) {
	there := map[wire.Process]bool{}
	for _, l := range now {
		there[l.Process] = true
	}
	for _, l := range before {
		if !there[l.Process] {
			n++
		}
	}
	return n
}
