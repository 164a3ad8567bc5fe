package agent

import (
	"slices"
	"strings"
	"testing"
	"time"

	"skein.dev/skein/webtransport/wire"
)

func TestSharesOfABudget(t *testing.T) {
	now := time.Date(2026, 3, 4, 14, 30, 0, 0, time.UTC)
	started, ended := now.Add(-30*time.Minute), now.Add(-20*time.Minute)
	limit := func(l wire.Limit) wire.AgentType { return wire.AgentType{Budget: &wire.Budget{Agent: &l}} }
	spent := &wire.Spent{Turns: 3, Input: 11_000, Output: 1_000, Cost: 2.5, Currency: "USD"}
	for name, c := range map[string]struct {
		agent wire.Agent
		typ   wire.AgentType
		want  []Share
	}{
		"no budget":         {wire.Agent{Spent: spent}, wire.AgentType{}, nil},
		"a day's alone":     {wire.Agent{Spent: spent}, wire.AgentType{Budget: &wire.Budget{Day: &wire.Limit{Turns: 3}}}, nil},
		"tokens":            {wire.Agent{Spent: spent}, limit(wire.Limit{Tokens: 48_000}), []Share{{"tokens", "12,000 of 48,000 tokens", .25}}},
		"more than allowed": {wire.Agent{Spent: spent}, limit(wire.Limit{Cost: 2}), []Share{{"cost", "2.50 of 2.00 USD", 1}}},
		"nothing spent":     {wire.Agent{}, limit(wire.Limit{Turns: 1, Cost: 2}), []Share{{"cost", "0.00 of 2.00", 0}, {"turns", "0 of 1 turn", 0}}},
		"time":              {wire.Agent{StartedAt: &started}, limit(wire.Limit{WallMS: 3_600_000}), []Share{{"time", "30m 0s of 1h 0m", .5}}},
		"time of one ended": {wire.Agent{StartedAt: &started, ExitedAt: &ended}, limit(wire.Limit{WallMS: 600_000}), []Share{{"time", "10m 0s of 10m 0s", 1}}},
		"not started":       {wire.Agent{}, limit(wire.Limit{WallMS: 600_000}), nil},
	} {
		if got := Shares(&c.agent, c.typ, now); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, not %v", name, got, c.want)
		}
	}
}

func TestRulesSayWhatTheServerDoesByItself(t *testing.T) {
	typ := wire.AgentType{IdleStopMS: 600_000, HeartbeatMS: 30_000, StallMS: 120_000, Restart: &wire.RestartPolicy{Mode: wire.RestartDelay, Attempts: 3, IntervalMS: 60_000}}
	for name, c := range map[string]struct {
		agent wire.Agent
		want  string
	}{
		"a person's":    {wire.Agent{}, "started again 3 times in 1m 0s, then more slowly; unknown after 30s of silence; stalled after 2m 0s of silence at work"},
		"the scheduler": {wire.Agent{OnDemand: true}, "stopped after 10m 0s without a task; started again 3 times in 1m 0s, then more slowly; unknown after 30s of silence; stalled after 2m 0s of silence at work"},
		"for a task":    {wire.Agent{ForTask: "t1"}, "unknown after 30s of silence; stalled after 2m 0s of silence at work"},
	} {
		if got := strings.Join(rules(&c.agent, typ), "; "); got != c.want {
			t.Errorf("%s: %q, not %q", name, got, c.want)
		}
	}
	if got := rules(&wire.Agent{OnDemand: true}, wire.AgentType{}); got != nil {
		t.Errorf("a type without rules has %q", got)
	}
}
