package fleet

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"

	"skein.dev/skein/webtransport/wire"
)

// someAgents makes a fleet of agents that no store knows.
func someAgents(n, keep int) (*Fleet, []*agent) {
	f := New(Options{Keep: keep, Work: nobodys{}, Closing: context.Background(), Logger: slog.New(slog.DiscardHandler)})
	var all []*agent
	for i := range n {
		a := newAgent(&f.core, wire.Agent{ID: wire.AgentID(fmt.Sprintf("a%05d", i)), Num: uint32(i + 1), Status: wire.StatusRunning})
		f.agents.add(a)
		all = append(all, a)
	}
	return f, all
}

// TestChangesAreThoseOfAScan compares the changes since a moment with a scan of all agents, over random changes and removals.
func TestChangesAreThoseOfAScan(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	f, all := someAgents(40, 1000)
	var gone []removal
	for step := range 3000 {
		a := all[r.IntN(len(all))]
		switch r.IntN(12) {
		case 0:
			if len(all) > 5 {
				f.agents.remove(a)
				f.feed.forgot(&a.place)
				gone = append(gone, removal{a.id, f.Change()})
				all = slices.DeleteFunc(all, func(x *agent) bool { return x == a })
				a.update(true, func(*wire.Agent) {}) // a removed agent that a caller still has
			}
		case 1:
			a = newAgent(&f.core, wire.Agent{ID: wire.AgentID(fmt.Sprintf("b%05d", step)), Num: uint32(1000 + step), Status: wire.StatusRunning})
			f.agents.add(a)
			all = append(all, a)
		default:
			a.update(r.IntN(3) == 0, func(rec *wire.Agent) { rec.Done++ })
		}
		since := r.Uint64N(f.Change() + 1)
		got := f.Changes(since)
		var want, have [3][]wire.AgentID
		for _, x := range all {
			if x.place.full > since {
				want[0] = append(want[0], x.id)
			} else if x.place.any > since {
				want[1] = append(want[1], x.id)
			}
		}
		for _, x := range gone {
			if x.change > since {
				want[2] = append(want[2], x.id)
			}
		}
		for _, x := range got.Full {
			have[0] = append(have[0], x.ID)
		}
		for _, x := range got.Packed {
			have[1] = append(have[1], x.ID)
		}
		have[2] = got.Removed
		for i := range want {
			slices.Sort(want[i])
			slices.Sort(have[i])
			if !slices.Equal(have[i], want[i]) || got.Now != f.Change() {
				t.Fatalf("step %d, since %d of %d, kind %d: %v, want %v", step, since, f.Change(), i, have[i], want[i])
			}
		}
	}
}

// BenchmarkChangesOfTenThousandAgents measures the cost of a watcher's tick when one agent of ten thousand changed.
func BenchmarkChangesOfTenThousandAgents(b *testing.B) {
	f, all := someAgents(10_000, 10_000)
	for b.Loop() {
		now := f.Change()
		all[5000].update(false, func(*wire.Agent) {})
		if c := f.Changes(now); len(c.Packed) != 1 {
			b.Fatal(len(c.Packed))
		}
	}
}
