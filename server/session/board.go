package session

import (
	"context"
	"slices"
	"sync"
	"time"

	"skein.dev/skein/server/fleet"
	"skein.dev/skein/webtransport/wire"
)

const (
	// updateInterval is the shortest time between two whole records of an agent whose status and activity stay. Its status datagrams
	// have wire.StatusInterval.
	updateInterval = 200 * time.Millisecond
	// roundInterval is the time between two rounds, and so what a change waits at most if its agent was quiet before.
	roundInterval = 50 * time.Millisecond
	// keptRounds is how many rounds a session may be behind before it is told the sum of what it missed.
	keptRounds = 16
)

// board has the news of the fleet, in rounds that are encoded once for all sessions that show it.
type board struct {
	fleet changes
	part  int // agents in one message at most

	mu       sync.Mutex
	watchers int
	rounds   []round       // the last ones, at most keptRounds
	last     uint64        // the number of the newest; they count from 1
	fresh    chan struct{} // closed and replaced when there is a further round, or none is known any more

	// owned by run
	since  uint64                    // the last change that was looked at
	due    map[wire.AgentID]*due     // what is held back; bounded by the number of agents
	recent map[wire.AgentID]occasion // of those that were sent within the last updateInterval
}

// changes is what a board reads of the fleet.
type changes interface {
	Change() uint64
	Changes(since uint64) fleet.Changed
	Epoch() string
}

// round is what changed, ready to be sent.
type round struct {
	lines     [][]byte // messages of the status lane
	datagrams [][]byte // whose seq is still to be set
	floor     uint64   // whoever has had the round knows all changes until this one
}

// due is a change that waits until its agent may be sent again.
type due struct {
	agent wire.Agent
	whole bool   // other fields changed than those of a datagram
	floor uint64 // the change before it
}

// occasion is when an agent was sent last, and what was said of it.
type occasion struct {
	packed, whole time.Time
	status        wire.Status
	activity      wire.Activity
}

func newBoard(fleet changes, part int) *board {
	return &board{fleet: fleet, part: part, fresh: make(chan struct{}), due: map[wire.AgentID]*due{}, recent: map[wire.AgentID]occasion{}}
}

// run writes rounds until ctx ends, while somebody watches.
func (b *board) run(ctx context.Context) {
	t := time.NewTicker(roundInterval)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-t.C:
			b.look(now)
		}
	}
}

// watch counts a session among those that rounds are made for. What changes after watch returns is in a round after the one that it
// returns.
func (b *board) watch() (last uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watchers++
	return b.last
}

func (b *board) unwatch() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.watchers--; b.watchers == 0 {
		b.rounds = nil
	}
}

// newest returns the number of the newest round, before a session reads the fleet itself.
func (b *board) newest() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last
}

// after returns the rounds after one. If some of them are kept no longer, ok is false. Without any, it returns a channel that is closed
// when there may be one.
func (b *board) after(last uint64) (rounds []round, ok bool, wait <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := int(b.last - last)
	if n > len(b.rounds) {
		return nil, false, nil
	}
	return slices.Clone(b.rounds[len(b.rounds)-n:]), true, b.fresh
}

// look makes a round of what has changed and may be sent now.
func (b *board) look(now time.Time) {
	at := b.fleet.Change() // before who watches is asked: whoever comes after that reads the fleet later
	b.mu.Lock()
	watched := b.watchers > 0
	b.mu.Unlock()
	if !watched {
		b.since = at
		clear(b.due)
		clear(b.recent)
		return
	}
	if at == b.since && len(b.due)+len(b.recent) == 0 {
		return
	}
	ch := b.fleet.Changes(b.since)
	ch.Full, ch.Packed = b.ready(ch, now)
	if len(ch.Full)+len(ch.Packed)+len(ch.Removed) == 0 && ch.Admission == nil {
		return
	}
	r := b.round(ch, now)
	for _, d := range b.due {
		r.floor = min(r.floor, d.floor)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rounds = append(b.rounds, r); len(b.rounds) > keptRounds {
		b.rounds = slices.Delete(b.rounds, 0, 1)
	}
	b.last++
	close(b.fresh)
	b.fresh = make(chan struct{})
}

// ready holds back what was sent too recently, and returns what was not: the records to send whole, and those for a datagram alone.
// A change of status or activity, which may ask for somebody, waits for nothing.
func (b *board) ready(ch fleet.Changed, now time.Time) (whole, packed []wire.Agent) {
	for _, agents := range [][]wire.Agent{ch.Full, ch.Packed} {
		for _, a := range agents {
			d := b.due[a.ID]
			if d == nil {
				d = &due{floor: b.since}
				b.due[a.ID] = d
			}
			d.agent = a
		}
	}
	for _, a := range ch.Full {
		b.due[a.ID].whole = true
	}
	for _, id := range ch.Removed {
		delete(b.due, id)
		delete(b.recent, id)
	}
	b.since = ch.Now

	const early = roundInterval / 2 // so that rounds that come a little early still count
	for id, r := range b.recent {
		if b.due[id] == nil && now.Sub(r.whole) >= updateInterval && now.Sub(r.packed) >= updateInterval {
			delete(b.recent, id)
		}
	}
	for id, d := range b.due {
		r := b.recent[id]
		news := r.status != d.agent.Status || r.activity != d.agent.Activity
		switch {
		case d.whole && (news || now.Sub(r.whole) >= updateInterval-early):
			whole = append(whole, d.agent)
			r.whole = now
			delete(b.due, id)
		case news || now.Sub(r.packed) >= wire.StatusInterval-early:
			packed = append(packed, d.agent)
			if !d.whole {
				delete(b.due, id)
			}
		default:
			continue
		}
		r.packed, r.status, r.activity = now, d.agent.Status, d.agent.Activity
		b.recent[id] = r
	}
	return whole, packed
}

// round encodes changes.
func (b *board) round(ch fleet.Changed, now time.Time) round {
	r := round{floor: ch.Now}
	say := func(u wire.Update) {
		m, err := wire.NewNotification(wire.NoteUpdate, u)
		if err != nil {
			return // a record is always JSON
		}
		line, _ := wire.AppendLine(nil, m)
		r.lines = append(r.lines, line)
	}
	if ch.Admission != nil {
		say(wire.Update{Admission: ch.Admission})
	}
	for _, part := range wire.Pages(ch.Full, b.part) {
		say(wire.Update{Agents: part})
	}
	for part := range slices.Chunk(ch.Removed, removedPart) {
		say(wire.Update{Removed: part})
	}
	records := make([]wire.StatusRecord, 0, len(ch.Full)+len(ch.Packed))
	for _, agents := range [][]wire.Agent{ch.Full, ch.Packed} {
		for i := range agents {
			records = append(records, agents[i].StatusRecord(now))
		}
	}
	epoch := wire.EpochHash(b.fleet.Epoch())
	for part := range slices.Chunk(records, wire.MaxStatusRecords) {
		r.datagrams = append(r.datagrams, (&wire.StatusDatagram{Epoch: epoch, Records: part}).Append(nil))
	}
	return r
}
