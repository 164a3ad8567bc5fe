package usage

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// shelf keeps counts.
type shelf struct {
	mu   sync.Mutex
	all  map[string]wire.UsageDay
	fail bool
}

func (s *shelf) PutUsage(_ context.Context, u *wire.UsageDay) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail {
		return fmt.Errorf("the disk is full")
	}
	if s.all == nil {
		s.all = map[string]wire.UsageDay{}
	}
	s.all[u.Day+u.Type] = *u
	return nil
}

func (s *shelf) DeleteUsage(_ context.Context, u *wire.UsageDay) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, u.Day+u.Type)
	return nil
}

func (s *shelf) Usage(context.Context) (all []wire.UsageDay, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.all {
		all = append(all, u)
	}
	return all, nil
}

// crew are agents; what is done to them is written down.
type crew struct {
	mu     sync.Mutex
	agents map[wire.AgentID]*wire.Agent
	did    []string
}

func (c *crew) Living(typ string) (all []wire.Agent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range c.agents {
		if typ == "" || a.Type == typ {
			all = append(all, *a)
		}
	}
	slices.SortFunc(all, func(a, b wire.Agent) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return all
}

func (c *crew) note(id wire.AgentID, what string, do func(a *wire.Agent)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.did = append(c.did, string(id)+" "+what)
	do(c.agents[id])
}

func (c *crew) Say(id wire.AgentID, _, text string) { c.note(id, "told: "+text, func(*wire.Agent) {}) }
func (c *crew) Pause(id wire.AgentID, by, why string) {
	c.note(id, "paused: "+why, func(a *wire.Agent) { a.Paused = &wire.Pause{By: by} })
}
func (c *crew) Resume(id wire.AgentID, _ string) {
	c.note(id, "resumed", func(a *wire.Agent) { a.Paused = nil })
}
func (c *crew) Stop(id wire.AgentID, _ string) {
	c.note(id, "stopped", func(a *wire.Agent) { a.Desired = wire.DesiredStop })
}

// took returns what was done since the last call, in the order of the texts.
func (c *crew) took() []string {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	did := slices.Sorted(slices.Values(slices.Compact(c.did)))
	c.did = nil
	return did
}

// spends lets an agent use something.
func (c *crew) spends(u *Usage, id wire.AgentID, s wire.Spent) {
	c.mu.Lock()
	a := c.agents[id]
	total := s
	if a.Spent != nil {
		total = a.Spent.Plus(s)
	}
	a.Spent = &total
	rec := *a
	c.mu.Unlock()
	u.Spent(rec, s)
}

func staff(now time.Time, types ...string) *crew {
	c := &crew{agents: map[wire.AgentID]*wire.Agent{}}
	for i, typ := range types {
		id := wire.AgentID(fmt.Sprintf("a%d", i+1))
		c.agents[id] = &wire.Agent{ID: id, Type: typ, StartedAt: &now}
	}
	return c
}

func wantDone(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("done was\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestBudgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := staff(time.Now(), "coder", "coder", "free")
		types := map[string]wire.AgentType{"free": {Name: "free"}, "coder": {Name: "coder", Budget: &wire.Budget{Then: wire.BudgetPause,
			Agent: &wire.Limit{Tokens: 1000, WallMS: 48 * time.Hour.Milliseconds()}, Day: &wire.Limit{Cost: 2}}}}
		u := New(Options{Store: &shelf{}, Fleet: c, Types: types, Zone: time.UTC}, slog.New(slog.DiscardHandler))
		one := wire.Spent{Turns: 1, Input: 300, Output: 100, Cost: 0.5, Currency: "USD"}
		c.spends(u, "a1", one)
		wantDone(t, c.took())
		c.spends(u, "a1", one)
		wantDone(t, c.took(), "a1 told: the budget of the agent is nearly spent: 800 of 1000 tokens")
		c.spends(u, "a1", one)
		wantDone(t, c.took(), "a1 paused: the budget of the agent is spent: 1200 of 1000 tokens")
		c.spends(u, "a3", one) // of another type
		wantDone(t, c.took())
		c.spends(u, "a2", one) // the fourth half of two dollars
		wantDone(t, c.took(), "a2 paused: the budget of type coder for the day is spent: 2.00 of 2.00 USD", "a2 told: the budget of type coder for the day is spent: 2.00 of 2.00 USD")
		time.Sleep(24 * time.Hour)
		u.Beat(t.Context(), time.Now())
		synctest.Wait()
		u.Beat(t.Context(), time.Now())
		wantDone(t, c.took(), "a2 resumed") // a1 stays: its own budget is spent, for good
		res, err := u.List(wire.UsageParams{})
		if err != nil || len(res.Days) != 2 || res.Days[0].Type != "coder" || res.Days[0].Turns != 4 || res.Days[0].Cost != 2 || res.Today == res.Days[0].Day {
			t.Errorf("the list is %+v, %v", res, err)
		}
		if b := res.Budgets; len(b) != 1 || b[0].Type != "coder" || b[0].Over != "" || b[0].Spent.Turns != 0 {
			t.Errorf("the budgets of the new day are %+v", b)
		}
		time.Sleep(24 * time.Hour)
		u.Beat(t.Context(), time.Now())
		wantDone(t, c.took(), "a2 paused: the budget of the agent is spent: 48h0m0s of 48h0m0s")
		u.Close()
	})
}

func TestABudgetOfAllStopsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := staff(time.Now(), "coder", "free")
		s := &shelf{}
		o := Options{Store: s, Fleet: c, Types: map[string]wire.AgentType{"coder": {Name: "coder"}, "free": {Name: "free"}}, Zone: time.UTC,
			Budget: &wire.Budget{Then: wire.BudgetStop, Day: &wire.Limit{Turns: 2}}}
		u := New(o, slog.New(slog.DiscardHandler))
		c.spends(u, "a1", wire.Spent{Turns: 1, Unknown: 1})
		c.took()
		c.spends(u, "a2", wire.Spent{Turns: 1, Unknown: 1})
		why := "the budget of all agents for the day is spent: 2 of 2 turns"
		wantDone(t, c.took(), "a1 stopped", "a1 told: "+why+": it is stopped", "a2 stopped", "a2 told: "+why, "a2 told: "+why+": it is stopped")
		// What was counted is there after a restart: who begins is stopped, too.
		u.Close()
		again := New(o, slog.New(slog.DiscardHandler))
		if err := again.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		c.agents["a9"] = &wire.Agent{ID: "a9", Type: "free", StartedAt: &now}
		again.Started(*c.agents["a9"])
		if got := c.took(); !slices.Contains(got, "a9 stopped") {
			t.Errorf("after a restart: %q", got)
		}
		again.Close()
	})
}

func TestWarningsAreGivenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := staff(time.Now(), "coder")
		u := New(Options{Store: &shelf{}, Fleet: c, Zone: time.UTC, Types: map[string]wire.AgentType{"coder": {Name: "coder", Budget: &wire.Budget{Then: wire.BudgetWarn, Day: &wire.Limit{Turns: 2}}}}},
			slog.New(slog.DiscardHandler))
		for range 5 {
			c.spends(u, "a1", wire.Spent{Turns: 1})
		}
		wantDone(t, c.took(), "a1 told: the budget of type coder for the day is spent: 2 of 2 turns")
		u.Close()
	})
}

func TestCountsThatCannotBeStoredAreTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := staff(time.Now(), "coder"), &shelf{fail: true}
		u := New(Options{Store: s, Fleet: c, Zone: time.UTC, Types: map[string]wire.AgentType{"coder": {Name: "coder"}}}, slog.New(slog.DiscardHandler))
		c.spends(u, "a1", wire.Spent{Turns: 1, Input: 5})
		u.Beat(t.Context(), time.Now())
		s.fail = false
		u.Beat(t.Context(), time.Now())
		if all, _ := s.Usage(t.Context()); len(all) != 1 || all[0].Input != 5 {
			t.Errorf("stored is %+v", all)
		}
		time.Sleep(2 * 365 * 24 * time.Hour)
		u.Beat(t.Context(), time.Now())
		if all, _ := s.Usage(t.Context()); len(all) != 0 {
			t.Errorf("after two years, %+v is kept", all)
		}
		u.Close()
	})
}
