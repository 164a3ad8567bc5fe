package jet

import (
	"sync"

	"skein.dev/skein/webtransport/wire"
)

// The log has one bound for all agents. If the stream itself enforced it, one agent that prints without end would push
// everybody's events out. So the store counts what each agent has in the log and makes room itself: it drops the oldest
// output of the agent that has most. An agent may use what the others leave free, and loses nothing as long as others
// have more. Lifecycle events are counted apart from output: output never pushes them out, and they have lifecycleShare
// of the bound to themselves.

const (
	// MinEventBytes is the least bound of the log.
	MinEventBytes = 1 << 20
	// The events that are not output may use one part in lifecycleShare of the bound.
	lifecycleShare = 4
	// maxDrop bounds what is dropped at once, in bytes, because appends wait in the meantime.
	maxDrop = 4 << 20
)

// share describes what an agent has in the log of one class.
type share struct {
	first, last uint64 // seqs of the events in the log; 0: there are none
	fresh       uint64 // the seq of the first event that was placed since most chose the share; 0: there was none
	begin, end  totals // before the first event in the log, and after the last one appended
	dropped     wire.Dropped
}

func (s *share) size() uint64 { return s.end.stored - s.begin.stored }
func (s *share) count() uint64 {
	return s.end.Events - s.begin.Events
}

// shares counts how much of the log each agent has.
type shares struct {
	bound uint64
	short chan struct{} // receives a value when room is short; capacity 1

	mu     sync.Mutex
	of     map[wire.AgentID]*[classes]share
	stored [classes]uint64
	room   chan struct{} // closed and replaced when something was dropped
	told   func(wire.AgentID, wire.Dropped)
}

func newShares(bound int64) *shares {
	return &shares{bound: uint64(bound), short: make(chan struct{}, 1), of: map[wire.AgentID]*[classes]share{}, room: make(chan struct{})}
}

// agent returns the shares of an agent, which it adds if need be. The caller holds mu.
func (s *shares) agent(id wire.AgentID) *[classes]share {
	a := s.of[id]
	if a == nil {
		a = new([classes]share)
		s.of[id] = a
	}
	return a
}

// add counts an event and returns the totals before it. size is called with these and returns the size of the message.
// add waits while there is no room, until drain is closed.
func (s *shares) add(id wire.AgentID, c class, bytes int, size func(before totals) int, drain <-chan struct{}) totals {
	s.mu.Lock()
	defer s.mu.Unlock()
	for draining := false; !draining && !s.fits(c); {
		room := s.room
		s.wake()
		s.mu.Unlock()
		select {
		case <-room:
		case <-drain:
			draining = true
		}
		s.mu.Lock()
	}
	sh := &s.agent(id)[c]
	before := sh.end
	stored := uint64(size(before))
	sh.end.Events++
	sh.end.Bytes += uint64(bytes)
	sh.end.stored += stored
	s.stored[c] += stored
	if s.tight() {
		s.wake()
	}
	return before
}

// fits reports whether there is room for another event. Lifecycle events may use the last 32nd of the bound, so that they
// seldom wait. The caller holds mu.
func (s *shares) fits(c class) bool {
	bound := s.bound
	if c == output {
		bound -= s.bound / 32
	}
	return s.stored[lifecycle]+s.stored[output] < bound
}

// tight reports whether something must be dropped. The caller holds mu.
func (s *shares) tight() bool {
	return s.stored[lifecycle]+s.stored[output] > s.bound-s.bound/8 || s.stored[lifecycle] > s.bound/lifecycleShare
}

func (s *shares) wake() {
	select {
	case s.short <- struct{}{}:
	default:
	}
}

// placed records the seq of an event that was appended.
func (s *shares) placed(id wire.AgentID, c class, seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.of[id]; a != nil {
		if a[c].first == 0 {
			a[c].first = seq
		}
		if a[c].fresh == 0 {
			a[c].fresh = seq
		}
		a[c].last = seq
	}
	if s.tight() {
		s.wake()
	}
}

func (s *shares) get(id wire.AgentID, c class) share {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.of[id]; a != nil {
		return a[c]
	}
	return share{}
}

func (s *shares) forget(id wire.AgentID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.of[id]
	if a == nil {
		return
	}
	for c := range a {
		s.stored[c] -= a[c].size()
	}
	delete(s.of, id)
	s.freed()
}

// freed wakes those who wait for room. The caller holds mu.
func (s *shares) freed() {
	close(s.room)
	s.room = make(chan struct{})
}

// most returns the agent whose events must be dropped, and how many bytes of them. An agent keeps its newest event as
// long as another agent has more than one.
func (s *shares) most() (id wire.AgentID, c class, sh share, bytes uint64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.tight() {
		return
	}
	c = output
	if s.stored[lifecycle] > s.bound/lifecycleShare {
		c = lifecycle
	}
	for agent, a := range s.of {
		if x := a[c]; !ok || less(sh, x) {
			id, sh, ok = agent, x, true
		}
	}
	if ok {
		s.of[id][c].fresh = 0
	}
	// If all of its events are still on their way, placed wakes makeRoom again.
	return id, c, sh, min(max(sh.size()/8, 1), s.bound/32, maxDrop), ok && sh.first != 0
}

func less(a, b share) bool {
	if several := b.count() > 1; several != (a.count() > 1) {
		return several
	}
	return a.size() < b.size()
}

// tell announces what will be dropped. It is called before the drop, so that a cursor that arrives in between is refused
// instead of trusted.
func (s *shares) tell(id wire.AgentID, c class, d wire.Dropped) {
	s.mu.Lock()
	a := s.of[id]
	if a == nil {
		s.mu.Unlock()
		return
	}
	a[c].dropped = d
	all, told := droppedOf(a), s.told
	s.mu.Unlock()
	if told != nil {
		told(id, all)
	}
}

// dropped records that the events of an agent before one are gone. kept has the seq 0 if the log had no other when it was looked at.
func (s *shares) dropped(id wire.AgentID, c class, kept found) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.of[id]
	if a == nil {
		return
	}
	sh := &a[c]
	s.stored[c] -= kept.before.stored - sh.begin.stored
	sh.begin, sh.first = kept.before, kept.seq
	if kept.seq == 0 { // all that were known are gone
		sh.first = sh.fresh
	}
	s.freed()
}

// droppedOf sums up what an agent lost of all classes.
func droppedOf(a *[classes]share) (all wire.Dropped) {
	for _, sh := range a {
		d := sh.dropped
		if d.Events == 0 {
			continue
		}
		all.Events += d.Events
		all.Bytes += d.Bytes
		all.Last = max(all.Last, d.Last)
		if all.From.IsZero() || d.From.Before(all.From) {
			all.From = d.From
		}
		if d.To.After(all.To) {
			all.To = d.To
		}
	}
	return all
}
