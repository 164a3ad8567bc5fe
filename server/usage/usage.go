// Package usage counts what agents spend, by type and day, and keeps them within their budgets.
//
//	fleet ── Spent: a turn's tokens, cost ──> the day's count of the type ──> Store, at the next beat
//	                                     └──> the budgets of the agent, its type and all ── reached ──> Fleet: Note, Pause, Stop
//
// # Locks
//
// There is one, Usage.mu, which guards the counts. Neither the Store nor the Fleet is called with it held.
package usage

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// Actor is who pauses and stops agents whose budget is spent.
const Actor = "budget"

// warnAt is the share of a budget at which a warning is given.
const warnAt = 0.8

// Store keeps what was spent.
type Store interface {
	// PutUsage stores the count of a day and a type, which is on the disk when it returns.
	PutUsage(ctx context.Context, u *wire.UsageDay) error
	DeleteUsage(ctx context.Context, u *wire.UsageDay) error
	Usage(ctx context.Context) ([]wire.UsageDay, error)
}

// Fleet is what budgets act on. Its methods may wait.
type Fleet interface {
	// Living returns the agents of a type that are alive; "": of all types.
	Living(typ string) []wire.Agent
	// Say adds a line to the log of an agent.
	Say(id wire.AgentID, actor, text string)
	Pause(id wire.AgentID, actor, reason string)
	Resume(id wire.AgentID, actor string)
	Stop(id wire.AgentID, actor string)
}

// Options configure Usage. Store, Fleet and Types are required.
type Options struct {
	Store   Store
	Fleet   Fleet
	Types   map[string]wire.AgentType // by name; never changed
	Budget  *wire.Budget              // of all agents; nil: none
	Zone    *time.Location            // that days are counted in; nil: the server's
	Name    string                    // of Zone; "": its own
	Timeout time.Duration             // how long the store may take; 0: 10 s
}

// Usage is what was spent.
type Usage struct {
	o   Options
	log *slog.Logger
	act sync.WaitGroup // what is done to agents

	mu     sync.Mutex
	days   map[key]*wire.UsageDay
	dirty  map[key]bool
	said   map[string]bool       // the warnings that were given, by what they are about
	paused map[wire.AgentID]bool // for the rest of the day
	today  string
	closed bool
}

type key struct{ day, typ string }

// New returns Usage without counts. Open reads them from the Store.
func New(o Options, log *slog.Logger) *Usage {
	o.Timeout, o.Zone = cmp.Or(o.Timeout, 10*time.Second), cmp.Or(o.Zone, time.Local)
	u := &Usage{o: o, log: log, days: map[key]*wire.UsageDay{}, dirty: map[key]bool{}, said: map[string]bool{}, paused: map[wire.AgentID]bool{}}
	u.today = u.dayOf(time.Now())
	return u
}

func (u *Usage) dayOf(t time.Time) string { return t.In(u.o.Zone).Format(time.DateOnly) }

// Open loads the counts.
func (u *Usage) Open(ctx context.Context) error {
	all, err := u.o.Store.Usage(ctx)
	if err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, d := range all {
		u.days[key{d.Day, d.Type}] = &d
	}
	return nil
}

// Spent counts what an agent has spent in a turn, or what is known anew of its context. a has it already.
func (u *Usage) Spent(a wire.Agent, more wire.Spent) {
	if more.Turns == 0 && more.Input+more.Output == 0 && more.Cost == 0 {
		return
	}
	u.mu.Lock()
	k := key{u.dayOf(time.Now()), a.Type}
	d := u.days[k]
	if d == nil {
		d = &wire.UsageDay{Day: k.day, Type: k.typ}
		u.days[k] = d
	}
	more.Context, more.ContextSize = 0, 0
	d.Spent = d.Plus(more)
	u.dirty[k] = true
	u.mu.Unlock()
	u.check(a)
}

// Started checks an agent that begins on a day whose budget is spent.
func (u *Usage) Started(a wire.Agent) { u.check(a) }

// bound is a budget that applies to an agent.
type bound struct {
	of    string // what it is the budget of, in words
	limit wire.Limit
	then  wire.BudgetThen
	spent wire.Spent
	wall  time.Duration
	day   bool
	typ   string // of a day's: the type, or "" for all
}

// bounds returns the budgets that apply to an agent. The caller holds mu.
func (u *Usage) bounds(a wire.Agent, now time.Time) (all []bound) {
	day := u.dayOf(now)
	spent, wall := wire.Spent{}, time.Duration(0)
	if a.Spent != nil {
		spent = *a.Spent
	}
	if a.StartedAt != nil {
		wall = now.Sub(*a.StartedAt)
	}
	for _, b := range []struct {
		of, typ string
		*wire.Budget
	}{{"of type " + a.Type, a.Type, u.o.Types[a.Type].Budget}, {"of all agents", "", u.o.Budget}} {
		if b.Budget == nil {
			continue
		}
		if b.Agent != nil {
			all = append(all, bound{of: "of the agent", limit: *b.Agent, then: b.Then, spent: spent, wall: wall})
		}
		if b.Day != nil {
			all = append(all, bound{of: b.of + " for the day", limit: *b.Day, then: b.Then, spent: u.sum(day, b.typ), day: true, typ: b.typ})
		}
	}
	return all
}

// sum is what was spent on a day by the agents of a type; "": by all. The caller holds mu.
func (u *Usage) sum(day, typ string) (s wire.Spent) {
	for k, d := range u.days {
		if k.day == day && (typ == "" || typ == k.typ) {
			s = s.Plus(d.Spent)
		}
	}
	return s
}

// reached says which limit is reached to a share, in words; "": none.
func (b *bound) reached(share float64) string {
	var words []string
	add := func(spent, limit float64, format string) {
		if limit > 0 && spent >= share*limit {
			words = append(words, fmt.Sprintf(format, spent, limit))
		}
	}
	add(float64(b.spent.Input+b.spent.Output), float64(b.limit.Tokens), "%.0f of %.0f tokens")
	add(b.spent.Cost, b.limit.Cost, strings.TrimSpace("%.2f of %.2f "+b.spent.Currency))
	add(float64(b.spent.Turns), float64(b.limit.Turns), "%.0f of %.0f turns")
	if limit := time.Duration(b.limit.WallMS) * time.Millisecond; limit > 0 && float64(b.wall) >= share*float64(limit) {
		words = append(words, fmt.Sprintf("%s of %s", b.wall.Round(time.Second), limit))
	}
	return strings.Join(words, ", ")
}

// check acts on the budgets that apply to an agent and are reached. If it is to be paused, it is when check returns, so that it does not
// get the next prompt.
func (u *Usage) check(a wire.Agent) {
	now, pause := time.Now(), ""
	u.mu.Lock()
	for _, b := range u.bounds(a, now) {
		if over := b.reached(1); over != "" {
			why := fmt.Sprintf("the budget %s is spent: %s", b.of, over)
			u.reached(a, b, why)
			if b.then == wire.BudgetPause && a.Paused == nil {
				pause = cmp.Or(pause, why)
				u.paused[a.ID] = u.paused[a.ID] || b.day
			}
		} else if near := b.reached(warnAt); near != "" {
			u.sayOnce(a, b, fmt.Sprintf("the budget %s is nearly spent: %s", b.of, near), "near")
		}
	}
	u.mu.Unlock()
	if pause != "" {
		u.o.Fleet.Pause(a.ID, Actor, pause)
	}
}

// sayOnce tells something about a budget once: of an agent, or of a day. The caller holds mu.
func (u *Usage) sayOnce(a wire.Agent, b bound, text, what string) {
	about := what + " " + string(a.ID) + " " + b.of
	if b.day {
		about = what + " " + u.today + " " + b.of
	}
	if u.said[about] {
		return
	}
	u.said[about] = true
	u.log.Warn("a budget", "agent", a.ID, "type", a.Type, "what", text)
	u.do(func() { u.o.Fleet.Say(a.ID, Actor, text) })
}

// reached does what a budget says for when it is spent. The caller holds mu.
func (u *Usage) reached(a wire.Agent, b bound, why string) {
	switch {
	case b.then == wire.BudgetWarn:
		u.sayOnce(a, b, why, "spent")
	case b.then == wire.BudgetStop && !b.day:
		u.end(a, b, why)
	case b.day:
		u.sayOnce(a, b, why, "spent")
		u.do(func() {
			for _, each := range u.o.Fleet.Living(b.typ) {
				u.mu.Lock()
				if each.ID != a.ID || b.then == wire.BudgetStop { // otherwise check pauses it
					u.end(each, b, why)
				}
				u.mu.Unlock()
			}
		})
	}
}

// end pauses or stops an agent. The caller holds mu.
func (u *Usage) end(a wire.Agent, b bound, why string) {
	if a.Paused != nil && b.then == wire.BudgetPause || a.Desired == wire.DesiredStop {
		return
	}
	if b.then == wire.BudgetStop {
		u.do(func() {
			u.o.Fleet.Say(a.ID, Actor, why+": it is stopped")
			u.o.Fleet.Stop(a.ID, Actor)
		})
		return
	}
	if b.day {
		u.paused[a.ID] = true
	}
	u.do(func() { u.o.Fleet.Pause(a.ID, Actor, why) })
}

// do does something to an agent, which may wait. The caller holds mu.
func (u *Usage) do(f func()) {
	if !u.closed {
		u.act.Go(f)
	}
}

// Beat stores new counts, checks how long agents have run, and, on a new day, lets those go on that were paused for the last one.
func (u *Usage) Beat(ctx context.Context, now time.Time) {
	u.save(ctx)
	u.mu.Lock()
	if day := u.dayOf(now); day != u.today {
		u.today = day
		u.do(u.newDay)
		clear(u.said)
	}
	u.mu.Unlock()
	for _, t := range u.o.Types {
		if t.Budget != nil && t.Budget.Agent != nil && t.Budget.Agent.WallMS > 0 || u.o.Budget != nil && u.o.Budget.Agent != nil && u.o.Budget.Agent.WallMS > 0 {
			for _, a := range u.o.Fleet.Living(t.Name) {
				u.check(a)
			}
		}
	}
}

// newDay lets those agents go on that were paused for the last day, unless another budget is spent.
func (u *Usage) newDay() {
	for _, a := range u.o.Fleet.Living("") {
		u.mu.Lock()
		goesOn := u.paused[a.ID] && !slices.ContainsFunc(u.bounds(a, time.Now()), func(b bound) bool { return b.then == wire.BudgetPause && b.reached(1) != "" })
		delete(u.paused, a.ID)
		u.mu.Unlock()
		if goesOn {
			u.o.Fleet.Resume(a.ID, Actor)
		}
	}
}

// save stores the counts that have changed, and drops the oldest.
func (u *Usage) save(ctx context.Context) {
	u.mu.Lock()
	var news, old []wire.UsageDay
	for k := range u.dirty {
		news = append(news, *u.days[k])
	}
	clear(u.dirty)
	first := u.dayOf(time.Now().AddDate(0, 0, -wire.MaxUsageDays))
	for k, d := range u.days {
		if k.day < first {
			old = append(old, *d)
			delete(u.days, k)
		}
	}
	u.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, u.o.Timeout)
	defer cancel()
	for _, d := range news {
		if err := u.o.Store.PutUsage(ctx, &d); err != nil {
			u.log.Error("what agents have spent could not be stored; trying again", "type", d.Type, "err", err)
			u.mu.Lock()
			u.dirty[key{d.Day, d.Type}] = true
			u.mu.Unlock()
		}
	}
	for _, d := range old {
		if err := u.o.Store.DeleteUsage(ctx, &d); err != nil {
			u.log.Error("what agents had spent on an old day could not be dropped", "day", d.Day, "err", err)
		}
	}
}

// Close waits for what is done to agents, and stores the counts.
func (u *Usage) Close() {
	u.mu.Lock()
	u.closed = true
	u.mu.Unlock()
	u.act.Wait()
	u.save(context.Background())
}

// List returns what was spent on the last days, and how much of the budgets for a day.
func (u *Usage) List(p wire.UsageParams) (wire.UsageResult, error) {
	days := cmp.Or(p.Days, 7)
	if days < 0 || days > wire.MaxUsageDays {
		return wire.UsageResult{}, wire.Errorf(wire.CodeInvalidParams, "days must be between 1 and %d", wire.MaxUsageDays).WithField("days")
	}
	now := time.Now()
	first := u.dayOf(now.AddDate(0, 0, 1-days))
	r := wire.UsageResult{Today: u.dayOf(now), Zone: cmp.Or(u.o.Name, u.o.Zone.String()), Days: []wire.UsageDay{}}
	u.mu.Lock()
	defer u.mu.Unlock()
	for k, d := range u.days {
		if k.day >= first {
			r.Days = append(r.Days, *d)
		}
	}
	slices.SortFunc(r.Days, func(a, b wire.UsageDay) int {
		return cmp.Or(strings.Compare(b.Day, a.Day), strings.Compare(a.Type, b.Type))
	})
	add := func(typ string, budget *wire.Budget) {
		if budget != nil && budget.Day != nil {
			b := bound{limit: *budget.Day, spent: u.sum(r.Today, typ)}
			r.Budgets = append(r.Budgets, wire.BudgetState{Type: typ, Limit: b.limit, Then: budget.Then, Spent: b.spent, Over: b.reached(1)})
		}
	}
	add("", u.o.Budget)
	for _, t := range u.o.Types {
		add(t.Name, t.Budget)
	}
	slices.SortFunc(r.Budgets, func(a, b wire.BudgetState) int { return strings.Compare(a.Type, b.Type) })
	return r, nil
}
