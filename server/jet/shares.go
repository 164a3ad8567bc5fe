package jet

import (
	"sync"

	"skein.dev/skein/webtransport/wire"
)

// The log has one bound for all agents. Were it the stream's own, one agent that prints without end would take
// everybody's events with it. So the store counts what each agent has in the log, and makes room itself: from the agent
// that has most, its oldest output first. An agent may fill what the others leave free, and loses nothing as long as
// others have more. What happened to an agent is counted apart from what it printed: output never drops it, and it has
// lifecycleShare of the bound for itself.

const (
	// MinEventBytes is the least bound of the log.
	MinEventBytes = 1 << 20
	// lifecycleShare is the part of the bound, one in so many, up to which events that are not output are kept.
	lifecycleShare = 4
	// maxDrop bounds what is dropped at once, in bytes: appends wait meanwhile.
	maxDrop = 4 << 20
)

// share is what an agent has in the log of one class.
type share struct {
	first, last uint64 // seqs of what is there; 0: nothing
	begin, end  totals // before the first, and after the last that was appended
	dropped     wire.Dropped
}

func (s *share) size() uint64 { return s.end.stored - s.begin.stored }
func (s *share) count() uint64 {
	return s.end.Events - s.begin.Events
}

// shares is who has how much of the log.
type shares struct {
	bound uint64
	look  chan struct{} // room is short; capacity 1

	mu     sync.Mutex
	of     map[wire.AgentID]*[classes]share
	stored [classes]uint64
	room   chan struct{} // closed and replaced when something was dropped
	told   func(wire.AgentID, wire.Dropped)
}

func newShares(bound int64) *shares {
	return &shares{bound: uint64(bound), look: make(chan struct{}, 1), of: map[wire.AgentID]*[classes]share{}, room: make(chan struct{})}
}

// agent needs mu.
func (s *shares) agent(id wire.AgentID) *[classes]share {
	a := s.of[id]
	if a == nil {
		a = new([classes]share)
		s.of[id] = a
	}
	return a
}

// add counts an event, and gives what was before it; size tells then how large it is. It waits while there is no room,
// until drain is closed.
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

// fits needs mu. What happens to agents may fill the last bit, so that it seldom waits.
func (s *shares) fits(c class) bool {
	bound := s.bound
	if c == output {
		bound -= s.bound / 32
	}
	return s.stored[lifecycle]+s.stored[output] < bound
}

// tight needs mu. It reports whether something must be dropped.
func (s *shares) tight() bool {
	return s.stored[lifecycle]+s.stored[output] > s.bound-s.bound/8 || s.stored[lifecycle] > s.bound/lifecycleShare
}

func (s *shares) wake() {
	select {
	case s.look <- struct{}{}:
	default:
	}
}

// placed notes where an event stands.
func (s *shares) placed(id wire.AgentID, c class, seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.of[id]; a != nil {
		if a[c].first == 0 {
			a[c].first = seq
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

// freed needs mu.
func (s *shares) freed() {
	close(s.room)
	s.room = make(chan struct{})
}

// most gives the agent that must make room, and how much. An agent's newest event is left to it as long as another has
// more than one.
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
	// When all that it has is still on its way, its first event to arrive wakes this again.
	return id, c, sh, min(max(sh.size()/8, 1), s.bound/32, maxDrop), ok && sh.first != 0
}

func less(a, b share) bool {
	if several := b.count() > 1; several != (a.count() > 1) {
		return several
	}
	return a.size() < b.size()
}

// tell says what goes, before it goes: a cursor that comes meanwhile is refused rather than trusted.
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

func (s *shares) dropped(id wire.AgentID, c class, cut uint64, kept found) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.of[id]
	if a == nil {
		return
	}
	sh := &a[c]
	s.stored[c] -= kept.before.stored - sh.begin.stored
	sh.begin, sh.first = kept.before, kept.seq
	if kept.seq == 0 && sh.last > cut { // one came meanwhile
		sh.first = sh.last
	}
	s.freed()
}

// droppedOf puts together what an agent lost of each class.
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
