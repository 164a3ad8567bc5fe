// Package usage is the page of what agents have spent, by day and type, and of the budgets for today.
package usage

import (
	"fmt"
	"strings"

	"skein.dev/skein/ui/frame"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// Days is how many days the page shows.
const Days = 30

// View is the page.
type View struct {
	frame.Frame
	Usage wire.UsageResult
}

func (v View) page() frame.Page { return v.Frame.Page("Usage", "usage.js", "/usage", true) }

// tokens are the tokens of turns of which some or all may have reported none.
func tokens(s wire.Spent, n int64) string {
	switch {
	case s.Unknown >= s.Turns && s.Input+s.Output == 0:
		return "unknown"
	case s.Unknown > 0:
		return words.Grouped(n) + " at least"
	}
	return words.Grouped(n)
}

// tokensTitle says why tokens are not all known; "" if they are.
func tokensTitle(s wire.Spent) string {
	if s.Unknown == 0 {
		return ""
	}
	return fmt.Sprintf("Of %s, the agents did not report the tokens", words.Count(s.Unknown, "turn", "turns"))
}

func cost(s wire.Spent) string {
	if text := words.Cost(&s); text != "" {
		return text
	}
	return "unknown"
}

func budgetOf(b *wire.BudgetState) string {
	if b.Type == "" {
		return "All agents"
	}
	return b.Type
}

// limits are what a budget allows, and how much of it is spent, a line each.
func limits(b *wire.BudgetState) (lines []string) {
	if n := b.Limit.Tokens; n > 0 {
		lines = append(lines, fmt.Sprintf("%s of %s tokens", words.Grouped(b.Spent.Input+b.Spent.Output), words.Grouped(n)))
	}
	if n := b.Limit.Cost; n > 0 {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%.2f of %.2f %s", b.Spent.Cost, n, words.Clean(b.Spent.Currency))))
	}
	if n := b.Limit.Turns; n > 0 {
		lines = append(lines, fmt.Sprintf("%d of %s", b.Spent.Turns, words.Count(n, "turn", "turns")))
	}
	return lines
}

// then says what happens when a budget is spent, or has happened.
func then(b *wire.BudgetState) string {
	over := b.Over != ""
	switch {
	case b.Then == wire.BudgetStop && over:
		return "Spent: its agents are stopped"
	case b.Then == wire.BudgetStop:
		return "Then its agents are stopped"
	case b.Then == wire.BudgetWarn && over:
		return "Spent"
	case b.Then == wire.BudgetWarn:
		return "Then its agents’ logs say so"
	case over:
		return "Spent: its agents are paused until midnight"
	}
	return "Then its agents are paused"
}
