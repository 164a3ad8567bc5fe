package server

import (
	"cmp"
	"fmt"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// fileBudget is a budget in the configuration.
type fileBudget struct {
	Agent *fileLimit `yaml:"agent"`
	Day   *fileLimit `yaml:"day"`
	Then  string     `yaml:"then"`
}

type fileLimit struct {
	Tokens int64         `yaml:"tokens"`
	Cost   float64       `yaml:"cost"`
	Turns  int           `yaml:"turns"`
	Wall   time.Duration `yaml:"wall"`
}

const budgetForm = "a mapping such as {agent: {tokens: 2000000, cost: 5, turns: 50, wall: 8h}, day: {cost: 50}, then: pause}"

// onlyTime reports whether the budget bounds nothing that agents have to report.
func (b *fileBudget) onlyTime() bool {
	return b.Day == nil && (b.Agent == nil || b.Agent.Tokens == 0 && b.Agent.Cost == 0 && b.Agent.Turns == 0)
}

// budget reads a budget; problem says what is wrong with it.
func budget(f *fileBudget) (b *wire.Budget, problem string) {
	b = &wire.Budget{Then: wire.BudgetThen(cmp.Or(f.Then, string(wire.BudgetPause)))}
	switch b.Then {
	case wire.BudgetWarn, wire.BudgetPause, wire.BudgetStop:
	default:
		return nil, fmt.Sprintf("then: %s; allowed are warn, pause, stop", f.Then)
	}
	if f.Agent == nil && f.Day == nil {
		return nil, "it bounds nothing: it must be " + budgetForm
	}
	for _, each := range []struct {
		name string
		from *fileLimit
		to   **wire.Limit
	}{{"agent", f.Agent, &b.Agent}, {"day", f.Day, &b.Day}} {
		l := each.from
		switch {
		case l == nil:
			continue
		case l.Tokens < 0 || l.Cost < 0 || l.Turns < 0 || l.Wall < 0:
			return nil, each.name + ": a limit must be 0 (none) or more"
		case l.Wall != 0 && each.name == "day":
			return nil, "day: wall is of an agent"
		case *l == fileLimit{}:
			return nil, each.name + " bounds nothing: give tokens, cost, turns or wall"
		}
		*each.to = &wire.Limit{Tokens: l.Tokens, Cost: l.Cost, Turns: l.Turns, WallMS: l.Wall.Milliseconds()}
	}
	return b, ""
}
