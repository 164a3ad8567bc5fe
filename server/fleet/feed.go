package fleet

import (
	"container/list"
	"slices"
	"sync"

	"skein.dev/skein/webtransport/wire"
)

// keepRemoved is how many removals are remembered at least for those who show a list: more than one request can ask for.
const keepRemoved = 4 * wire.MaxBatch

// feed lists the agents in the order of their latest changes, so that the agents that have changed since a moment are found
// without visiting the others.
type feed struct {
	keep int // of removed

	mu        sync.Mutex // guards what follows, and all places
	now       uint64     // counts changes
	latest    list.List  // of *place
	removed   []removal
	admission uint64 // now at its last change
}

// place is the position of an agent in the feed.
type place struct {
	id   wire.AgentID
	at   *list.Element
	any  uint64 // feed.now at the last change of anything
	full uint64 // feed.now at the last change of a field that is not in status datagrams
}

// removal is an agent that was forgotten, for those who show a list.
type removal struct {
	id     wire.AgentID
	change uint64
}

// moved counts a change of an agent.
func (f *feed) moved(p *place, full bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now++
	p.any = f.now
	if full {
		p.full = f.now
	}
	if p.at == nil {
		p.at = f.latest.PushBack(p)
	} else {
		f.latest.MoveToBack(p.at)
	}
}

// forgot counts the removal of an agent.
func (f *feed) forgot(p *place) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now++
	f.latest.Remove(p.at)
	f.removed = append(f.removed, removal{p.id, f.now})
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
	packed, full []wire.AgentID
	removed      []wire.AgentID
	admission    bool
}

func (f *feed) since(moment uint64) (n news) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n.now, n.admission = f.now, f.admission > moment
	for e := f.latest.Back(); e != nil; e = e.Prev() {
		p := e.Value.(*place)
		if p.any <= moment { // the others are older
			break
		}
		if p.full > moment {
			n.full = append(n.full, p.id)
		} else {
			n.packed = append(n.packed, p.id)
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
