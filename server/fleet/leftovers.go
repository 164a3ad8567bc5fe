package fleet

import (
	"context"
	"slices"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// A leftover is a process that a stop could not end: of another user, say, or one that waits for a disk that does not answer.
// It stands in its agent's record, and each later stop of the agent, and each start of Skein, looks for it again.

// keepLeftovers writes into the record what outlived a stop, so that everybody sees it.
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

// clearLeftovers ends what is left of an agent that ended, and reports on it.
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

// withEarlier adds what is left of the processes that ran before the agent was started again.
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

// gone counts those that are not there any more.
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
