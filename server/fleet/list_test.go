package fleet

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"skein.dev/skein/webtransport/wire"
)

// TestListIsThatOfAScan compares pages of random filters with a scan of all agents.
func TestListIsThatOfAScan(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	f, _ := someAgents(0, 1000)
	var all []*agent
	for i := range 60 {
		status := wire.Statuses[r.IntN(len(wire.Statuses))]
		a := newAgent(&f.core, wire.Agent{
			ID: wire.AgentID(fmt.Sprintf("a%d", i)), Num: uint32(2*i + 1), Type: fmt.Sprint("t", i%3), Status: status,
			Labels: map[string]string{"l": fmt.Sprint(i % 2)}, Name: fmt.Sprint("name-", i%5),
		})
		f.agents.add(a)
		if status.Alive() {
			f.census.born(a.id, a.typ)
		}
		all = append(all, a)
	}
	for range 20 {
		i := r.IntN(len(all))
		f.agents.remove(all[i])
		f.agents.remove(all[i])
		f.census.died(all[i].id)
		all = slices.Delete(all, i, i+1)
	}
	slices.Reverse(all)
	pick := func(n int) bool { return r.IntN(n) == 0 }
	for range 5000 {
		w := wire.Filter{After: uint32(r.IntN(130)), Limit: r.IntN(12)}
		if pick(3) {
			for range 1 + r.IntN(5) {
				w.Status = append(w.Status, wire.Statuses[r.IntN(len(wire.Statuses))])
			}
		}
		if pick(4) {
			w.Types = []string{fmt.Sprint("t", r.IntN(4))}
		}
		if pick(4) {
			w.Labels = map[string]string{"l": fmt.Sprint(r.IntN(3))}
		}
		if pick(4) {
			w.Query = fmt.Sprint("NAME-", r.IntN(6))
		}
		if pick(6) {
			for range 1 + r.IntN(8) {
				w.IDs = append(w.IDs, wire.AgentID(fmt.Sprintf("a%d", r.IntN(70))))
			}
		}
		want := wire.ListResult{Agents: []wire.Agent{}}
		for _, a := range all {
			rec := a.record()
			if len(w.IDs) > 0 && !slices.Contains(w.IDs, rec.ID) || len(w.Types) > 0 && !slices.Contains(w.Types, rec.Type) || !match(&w, &rec) {
				continue
			}
			want.Total++
			if w.After > 0 && rec.Num >= w.After {
				continue
			}
			if w.Limit > 0 && len(want.Agents) == w.Limit {
				want.Next = want.Agents[w.Limit-1].Num
				continue
			}
			want.Agents = append(want.Agents, rec)
		}
		got := f.List(w)
		same := slices.EqualFunc(got.Agents, want.Agents, func(a, b wire.Agent) bool { return a.ID == b.ID })
		if !same || got.Total != want.Total || got.Next != want.Next {
			t.Fatalf("%+v: %d of %d, next %d; want %d of %d, next %d", w, len(got.Agents), got.Total, got.Next, len(want.Agents), want.Total, want.Next)
		}
	}
	if !slices.IsSortedFunc(f.all(), func(a, b *agent) int { return cmp.Compare(a.num, b.num) }) || len(f.all()) != 40 {
		t.Error("the agents are not in the order of their numbers")
	}
}

// BenchmarkListOf measures a page of 50 of many agents that have ended, one alive.
func BenchmarkListOf(b *testing.B) {
	for _, n := range []int{1000, 50_000} {
		f, all := someAgents(n, n)
		for _, a := range all {
			a.rec.Status = wire.StatusExited
		}
		all[n/2].rec.Status = wire.StatusRunning
		f.census.born(all[n/2].id, "")
		for name, w := range map[string]wire.Filter{
			"all": {Limit: 50}, "alive": {Status: []wire.Status{wire.StatusRunning}, Limit: 50}, "ended": {Status: []wire.Status{wire.StatusExited}, Limit: 50},
		} {
			b.Run(fmt.Sprintf("%d/%s", n, name), func(b *testing.B) {
				for b.Loop() {
					f.List(w)
				}
			})
		}
	}
}
