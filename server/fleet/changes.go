package fleet

import "skein.dev/skein/webtransport/wire"

// Change is the present moment for Changes.
func (f *Fleet) Change() uint64 { return f.feed.moment() }

// Changed is what Changes gives.
type Changed struct {
	Packed  []wire.Agent   // only what a status datagram carries changed
	Full    []wire.Agent   // more changed
	Removed []wire.AgentID // forgotten
	Now     uint64         // the moment of this answer

	Admission *wire.Admission // nil: it did not change
}

// Changes gives the agents that changed after a moment.
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

// records are the records of agents, of those that are still remembered.
func (f *Fleet) records(ids []wire.AgentID) (all []wire.Agent) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	for _, id := range ids {
		if a := f.agents[id]; a != nil {
			all = append(all, a.record())
		}
	}
	return all
}
