package fleet

import "skein.dev/skein/webtransport/wire"

// Change returns the current moment, for Changes.
func (f *Fleet) Change() uint64 { return f.feed.moment() }

// Changed is the result of Changes.
type Changed struct {
	Packed  []wire.Agent   // only values that a status datagram has changed
	Full    []wire.Agent   // other values changed, too
	Removed []wire.AgentID // agents that were forgotten
	Now     uint64         // the moment of this answer

	Admission *wire.Admission // nil if it did not change
}

// Changes returns the agents that changed after a moment.
func (f *Fleet) Changes(since uint64) Changed {
	n := f.feed.since(since)
	c := Changed{Now: n.now, Removed: n.removed}
	c.Full, c.Packed = f.records(n.full), f.records(n.packed)
	if n.admission {
		now := f.Admission()
		c.Admission = &now
	}
	return c
}

// records returns the records of those agents that still exist.
func (f *Fleet) records(ids []wire.AgentID) (all []wire.Agent) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	for _, id := range ids {
		if a := f.agents.byID[id]; a != nil {
			all = append(all, a.record())
		}
	}
	return all
}
