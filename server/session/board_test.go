package session

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/fleet"
	"skein.dev/skein/webtransport/wire"
)

// paperFleet is a fleet on paper: records, and when each changed.
type paperFleet struct {
	now     uint64
	agents  map[wire.AgentID]wire.Agent
	any     map[wire.AgentID]uint64
	full    map[wire.AgentID]uint64
	removed map[wire.AgentID]uint64
}

func newPaperFleet() *paperFleet {
	return &paperFleet{agents: map[wire.AgentID]wire.Agent{}, any: map[wire.AgentID]uint64{}, full: map[wire.AgentID]uint64{}, removed: map[wire.AgentID]uint64{}}
}

func (f *paperFleet) Change() uint64 { return f.now }
func (f *paperFleet) Epoch() string  { return "e5xk3" }

func (f *paperFleet) Changes(since uint64) fleet.Changed {
	ch := fleet.Changed{Now: f.now}
	for id, at := range f.any {
		switch {
		case at <= since:
		case f.full[id] > since:
			ch.Full = append(ch.Full, f.agents[id])
		default:
			ch.Packed = append(ch.Packed, f.agents[id])
		}
	}
	for id, at := range f.removed {
		if at > since {
			ch.Removed = append(ch.Removed, id)
		}
	}
	return ch
}

// change changes an agent: its CPU, which a datagram has, or, with a line, what only its whole record has.
func (f *paperFleet) change(num int, line string, do func(*wire.Agent)) {
	id := wire.AgentID(fmt.Sprintf("a%d", num))
	if f.removed[id] > 0 {
		return // no number is given twice
	}
	a, ok := f.agents[id]
	if !ok {
		a = wire.Agent{ID: id, Num: uint32(num), Status: wire.StatusRunning}
	}
	f.now++
	f.any[id] = f.now
	if line != "" || !ok {
		a.LastLine, f.full[id] = line, f.now
	}
	if do != nil {
		do(&a)
	}
	a.Rev++
	a.LastSeq++
	f.agents[id] = a
}

func (f *paperFleet) remove(num int) {
	id := wire.AgentID(fmt.Sprintf("a%d", num))
	if _, ok := f.agents[id]; !ok {
		return
	}
	f.now++
	delete(f.agents, id)
	delete(f.any, id)
	delete(f.full, id)
	f.removed[id] = f.now
}

// reader is a client without loss: what it knows is what the rounds said.
type reader struct {
	last, floor uint64
	lines       map[wire.AgentID]string
	seqs        map[uint32]uint64 // by number, as datagrams say
	whole       int               // records
}

func (r *reader) snapshot(b *board, f *paperFleet) {
	r.last, r.floor = b.newest(), f.Change()
	r.lines, r.seqs = map[wire.AgentID]string{}, map[uint32]uint64{}
	for id, a := range f.agents {
		r.lines[id], r.seqs[a.Num] = a.LastLine, a.LastSeq
	}
}

func (r *reader) read(t *testing.T, b *board, f *paperFleet) (behind bool) {
	t.Helper()
	rounds, ok, _ := b.after(r.last)
	if !ok {
		r.last = b.newest()
		r.take(t, b.round(f.Changes(r.floor), time.Now()))
		return true
	}
	r.last += uint64(len(rounds))
	r.take(t, rounds...)
	return false
}

func (r *reader) take(t *testing.T, rounds ...round) {
	t.Helper()
	for _, round := range rounds {
		r.floor = max(r.floor, round.floor)
		for _, line := range round.lines {
			var m wire.Message
			var u wire.Update
			if err := json.Unmarshal(line, &m); err != nil || m.Method != wire.NoteUpdate || !bytes.HasSuffix(line, []byte("\n")) {
				t.Fatalf("%s: %v", line, err)
			}
			if err := json.Unmarshal(m.Params, &u); err != nil {
				t.Fatal(err)
			}
			for _, a := range u.Agents {
				r.lines[a.ID] = a.LastLine
				r.whole++
			}
			for _, id := range u.Removed {
				delete(r.lines, id)
			}
		}
		for _, d := range round.datagrams {
			parsed, err := wire.ParseStatusDatagram(wire.StampStatus(bytes.Clone(d), 7))
			if err != nil || parsed.Seq != 7 {
				t.Fatalf("%+v, %v", parsed, err)
			}
			for _, rec := range parsed.Records {
				r.seqs[rec.Num] = max(r.seqs[rec.Num], rec.LastSeq)
			}
		}
	}
}

// Whoever reads all rounds, and whoever at times is so far behind that rounds are gone, knows the fleet as it is once nothing is held back.
func TestEveryReaderOfTheBoardKnowsTheFleet(t *testing.T) {
	t.Parallel()
	behind := 0
	for seed := range uint64(kit.Less(400, 60)) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		f := newPaperFleet()
		b := newBoard(f, 7)
		now := time.Unix(1_700_000_000, 0)
		i := 0 // moves on, so that agents come and go
		step := func(changes int) {
			for range changes {
				switch num := 1 + rnd.IntN(40) + i; rnd.IntN(12) {
				case 0:
					f.remove(num)
				case 1:
					f.change(num, "", func(a *wire.Agent) { a.Activity = wire.Activities[rnd.IntN(len(wire.Activities))] })
				case 2, 3, 4:
					f.change(num, fmt.Sprint("line ", f.now), nil)
				default:
					f.change(num, "", nil)
				}
			}
			now = now.Add(roundInterval)
			b.look(now)
			i++
		}
		step(50)
		readers := make([]reader, 3)
		for range readers {
			b.watch()
		}
		for i := range readers {
			readers[i].snapshot(b, f)
		}
		for range 100 {
			step(rnd.IntN(30))
			for i := range readers { // the first reads at once, the others at times
				if i == 0 || rnd.IntN(keptRounds*i) == 0 {
					if readers[i].read(t, b, f) {
						behind++
					}
				}
			}
		}
		for range 10 {
			step(0)
		}
		for i := range readers {
			r := &readers[i]
			r.read(t, b, f)
			for id, a := range f.agents {
				if r.lines[id] != a.LastLine || r.seqs[a.Num] != a.LastSeq {
					t.Fatalf("seed %d, reader %d has %q and %d of %s, which has %q and %d", seed, i, r.lines[id], r.seqs[a.Num], id, a.LastLine, a.LastSeq)
				}
			}
			for id := range r.lines {
				if _, ok := f.agents[id]; !ok {
					t.Fatalf("seed %d, reader %d has %s, which was removed", seed, i, id)
				}
			}
		}
		if len(b.due) > 0 || len(b.recent) > 0 {
			t.Fatalf("%d are held back, %d remembered", len(b.due), len(b.recent))
		}
	}
	if behind == 0 {
		t.Error("no reader was behind")
	}
}

// An agent that was quiet, or whose activity changes, is told of in the next round; one that prints all the time five times a second.
func TestTheBoardHoldsBackWhoWasSentJustNow(t *testing.T) {
	t.Parallel()
	f := newPaperFleet()
	b := newBoard(f, 100)
	b.watch()
	var r reader
	r.snapshot(b, f)
	now := time.Unix(1_700_000_000, 0)
	round := func() { now = now.Add(roundInterval); b.look(now); r.read(t, b, f) }
	round()
	f.change(1, "first", nil)
	round()
	if r.lines["a1"] != "first" {
		t.Fatalf("after one round it has %q", r.lines["a1"])
	}
	f.change(1, "second", nil)
	round()
	if r.lines["a1"] != "first" {
		t.Errorf("%v later it has %q", roundInterval, r.lines["a1"])
	}
	f.change(1, "asks", func(a *wire.Agent) { a.Activity = wire.ActivityRequiresAction })
	round()
	if r.lines["a1"] != "asks" {
		t.Errorf("an agent that asks is not told of at once: %q", r.lines["a1"])
	}
	r.whole = 0
	seqs := []uint64{}
	for i := range 60 { // three seconds
		f.change(1, fmt.Sprint(i), nil)
		round()
		seqs = append(seqs, r.seqs[1])
	}
	seqs = slices.Compact(seqs)
	if r.whole < 14 || r.whole > 15 {
		t.Errorf("%d whole records in 3 s", r.whole)
	}
	if len(seqs) < 29 || len(seqs) > 31 {
		t.Errorf("%d datagrams in 3 s", len(seqs))
	}
}

// Without anybody who watches, nothing is encoded or kept.
func TestNobodyWatchesTheBoard(t *testing.T) {
	t.Parallel()
	f := newPaperFleet()
	b := newBoard(f, 100)
	b.watch()
	for i := range 30 {
		f.change(i, "x", nil)
		b.look(time.Unix(int64(i), 0))
	}
	if len(b.rounds) != keptRounds || b.last != 30 {
		t.Fatalf("%d rounds of %d are kept", len(b.rounds), b.last)
	}
	b.unwatch()
	f.change(1, "y", nil)
	b.look(time.Unix(31, 0))
	if len(b.rounds) > 0 || b.last != 30 || b.since != f.now {
		t.Errorf("%d rounds are kept, of %d, until %d of %d", len(b.rounds), b.last, b.since, f.now)
	}
}
