package client

import (
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// Change is a group of changes of the fleet.
type Change struct {
	Reset   bool           // Agents are the whole fleet
	Agents  []wire.Agent   // new or changed
	Removed []wire.AgentID // forgotten by the server
}

// resyncInterval is the least time between requests for a snapshot.
const resyncInterval = time.Second

// watches are the watches of a Client.
type watches struct {
	mu  sync.Mutex
	all map[*watch]struct{}
}

func (s *watches) add(w *watch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[w] = struct{}{}
}

func (s *watches) remove(w *watch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, w)
}

func (s *watches) list() []*watch {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.all))
}

// statusSource is a session that sends the status of the fleet.
type statusSource interface {
	// resync requests a snapshot. It returns an error if none can be read any more.
	resync() error
}

// watch is one reader of the fleet. What it has not taken yet is bounded by the number of agents.
type watch struct {
	news chan struct{} // holds a token while there is something to take

	mu       sync.Mutex
	agents   map[wire.AgentID]*wire.Agent
	nums     map[uint32]wire.AgentID
	dirty    map[wire.AgentID]struct{}
	removed  []wire.AgentID
	reset    bool
	snapshot []wire.Agent // the parts that arrived so far
	part     int          // number of the next part
	seq      uint64       // of the last datagram
	source   statusSource // of the last snapshot
	asked    time.Time
	err      error // ends the watch
}

func newWatch() *watch {
	return &watch{news: make(chan struct{}, 1), agents: map[wire.AgentID]*wire.Agent{}, nums: map[uint32]wire.AgentID{}, dirty: map[wire.AgentID]struct{}{}}
}

func (w *watch) wake() {
	select {
	case w.news <- struct{}{}:
	default:
	}
}

// fail ends the watch.
func (w *watch) fail(err error) {
	w.mu.Lock()
	w.err = err
	w.mu.Unlock()
	w.wake()
}

func (w *watch) take() (Change, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return Change{}, w.err
	}
	ch := Change{Reset: w.reset, Removed: w.removed}
	if w.reset {
		for _, a := range w.agents {
			ch.Agents = append(ch.Agents, *a)
		}
	} else {
		for id := range w.dirty {
			if a := w.agents[id]; a != nil {
				ch.Agents = append(ch.Agents, *a)
			}
		}
	}
	w.reset, w.removed = false, nil
	clear(w.dirty)
	return ch, nil
}

// message handles a line of the status lane.
func (w *watch) message(from statusSource, line []byte) {
	var m wire.Message
	if json.Unmarshal(line, &m) != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch m.Method {
	case wire.NoteSnapshot:
		var s wire.Snapshot
		if json.Unmarshal(m.Params, &s) == nil {
			w.addPart(from, s)
		}
	case wire.NoteUpdate:
		var u wire.Update
		if json.Unmarshal(m.Params, &u) == nil {
			w.update(u)
		}
	}
}

func (w *watch) addPart(from statusSource, s wire.Snapshot) {
	if s.Part == 0 {
		w.snapshot, w.part = nil, 0
	}
	if s.Part != w.part { // the rest of a snapshot that began before this watch
		return
	}
	w.snapshot, w.part = append(w.snapshot, s.Agents...), w.part+1
	if s.Part+1 < s.Parts {
		return
	}
	clear(w.agents)
	clear(w.nums)
	clear(w.dirty)
	for _, a := range w.snapshot {
		w.agents[a.ID], w.nums[a.Num] = &a, a.ID
	}
	w.snapshot, w.removed, w.reset, w.source = nil, nil, true, from
	w.seq = max(s.Seq, 0)
	w.wake()
}

func (w *watch) update(u wire.Update) {
	for _, a := range u.Agents {
		if old := w.agents[a.ID]; old != nil && a.Rev < old.Rev {
			overtake(&a, old)
		}
		w.agents[a.ID], w.nums[a.Num] = &a, a.ID
		w.dirty[a.ID] = struct{}{}
	}
	for _, id := range u.Removed {
		if a := w.agents[id]; a != nil {
			delete(w.agents, id)
			delete(w.nums, a.Num)
			w.removed = append(w.removed, id)
		}
	}
	w.wake()
}

// overtake updates a record that arrived later than a datagram with newer values. What datagrams do not carry is only in
// records, which arrive in order.
func overtake(a, by *wire.Agent) {
	a.Rev, a.Status, a.Activity, a.Reason, a.LastHeartbeat = by.Rev, by.Status, by.Activity, by.Reason, by.LastHeartbeat
	a.Usage.CPU, a.Usage.RSS, a.Usage.Processes = by.Usage.CPU, by.Usage.RSS, by.Usage.Processes
	a.LastSeq = max(a.LastSeq, by.LastSeq)
	if a.Activity != wire.ActivityRequiresAction {
		a.Question, a.AskedAt = "", nil
	}
}

// datagram merges the values of a status datagram.
func (w *watch) datagram(from statusSource, b []byte) {
	d, err := wire.ParseStatusDatagram(b)
	if err != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.source != from { // no snapshot of this session yet
		return
	}
	lost := d.Seq > w.seq+1
	w.seq = max(w.seq, d.Seq)
	for _, r := range d.Records {
		a := w.agents[w.nums[r.Num]]
		if a == nil { // its record has not arrived yet
			continue
		}
		if int32(r.Rev-a.Rev) <= 0 {
			continue
		}
		a.Rev, a.Status, a.Activity, a.Reason, a.LastSeq = r.Rev, r.Status, r.Activity, r.Reason, r.LastSeq
		a.Usage.CPU, a.Usage.RSS, a.Usage.Processes = r.CPU, r.RSS, r.Processes
		beat := time.Now().Add(-r.Heartbeat)
		a.LastHeartbeat = &beat
		w.dirty[a.ID] = struct{}{}
	}
	w.wake()
	if lost && time.Since(w.asked) > resyncInterval {
		w.asked = time.Now()
		go w.ask(from)
	}
}

// ask requests a snapshot.
func (w *watch) ask(from statusSource) {
	if err := from.resync(); err != nil {
		w.fail(err)
	}
}
