package fleet

import (
	"container/list"
	"slices"
	"sync"

	"skein.dev/skein/webtransport/wire"
)

// feed is what changed, agent by agent in the order of their latest changes, so that whoever asks what changed since a moment is
// told that, and nothing is looked at that did not.
type feed struct {
	keep int // of removed

	mu        sync.Mutex // guards what follows, and the places of all agents
	now       uint64     // counts changes
	latest    list.List  // of *agent
	removed   []removal
	admission uint64 // now at its last change
}

// place is where an agent stands in the feed.
type place struct {
	at   *list.Element
	any  uint64 // feed.now at the last change of anything
	full uint64 // at the last change of what no status datagram carries
}

// removal is an agent that was forgotten, for those who show a list.
type removal struct {
	id     wire.AgentID
	change uint64
}

// moved counts a change of an agent.
func (f *feed) moved(a *agent, full bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now++
	a.place.any = f.now
	if full {
		a.place.full = f.now
	}
	if a.place.at == nil {
		a.place.at = f.latest.PushBack(a)
	} else {
		f.latest.MoveToBack(a.place.at)
	}
}

// forgot counts the removal of an agent.
func (f *feed) forgot(a *agent) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now++
	f.latest.Remove(a.place.at)
	f.removed = append(f.removed, removal{a.id, f.now})
	if len(f.removed) > f.keep {
		f.removed = slices.Clone(f.removed[1:])
	}
}

// admitted counts a change of admission.
func (f *feed) admitted() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now++
	f.admission = f.now
}

func (f *feed) moment() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

// news is what changed since a moment.
type news struct {
	now          uint64
	packed, full []*agent
	removed      []wire.AgentID
	admission    bool
}

func (f *feed) since(moment uint64) (n news) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n.now, n.admission = f.now, f.admission > moment
	for e := f.latest.Back(); e != nil; e = e.Prev() {
		a := e.Value.(*agent)
		if a.place.any <= moment { // and the rest is older
			break
		}
		if a.place.full > moment {
			n.full = append(n.full, a)
		} else {
			n.packed = append(n.packed, a)
		}
	}
	for _, r := range slices.Backward(f.removed) {
		if r.change <= moment {
			break
		}
		n.removed = append(n.removed, r.id)
	}
	return n
}

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
	for _, a := range n.full {
		c.Full = append(c.Full, a.record())
	}
	for _, a := range n.packed {
		c.Packed = append(c.Packed, a.record())
	}
	if n.admission {
		now := f.Admission()
		c.Admission = &now
	}
	return c
}
