package words

import (
	"fmt"
	"strconv"
	"strings"

	"skein.dev/skein/webtransport/wire"
)

// Tokens says what the model of an agent has used; None before its first turn.
func Tokens(s *wire.Spent) string {
	switch {
	case s == nil || s.Turns == 0:
		return None
	case s.Unknown == s.Turns:
		return "unknown"
	}
	text := fmt.Sprintf("%s in, %s out", Grouped(s.Input), Grouped(s.Output))
	if s.Unknown > 0 {
		text += fmt.Sprintf(", %s unknown", Count(s.Unknown, "turn", "turns"))
	}
	return text
}

// TokensTitle says more of it.
func TokensTitle(s *wire.Spent) string {
	if s == nil {
		return ""
	}
	parts := []string{Count(s.Turns, "turn", "turns")}
	if s.Cached > 0 {
		parts = append(parts, Grouped(s.Cached)+" read from a cache")
	}
	if s.Thought > 0 {
		parts = append(parts, Grouped(s.Thought)+" of thoughts")
	}
	return strings.Join(parts, ", ")
}

// Context says how large the conversation is; "" if the agent does not say.
func Context(s *wire.Spent) string {
	switch {
	case s == nil || s.Context == 0 && s.ContextSize == 0:
		return ""
	case s.ContextSize == 0:
		return Count(int(s.Context), "token", "tokens")
	}
	return fmt.Sprintf("%d %% of %s", 100*s.Context/s.ContextSize, Grouped(s.ContextSize))
}

// Cost says what an agent has cost by its own account; "" if it does not say.
func Cost(s *wire.Spent) string {
	if s == nil || s.Currency == "" {
		return ""
	}
	amount := strconv.FormatFloat(s.Cost, 'f', 2, 64)
	if s.Cost > 0 && s.Cost < 0.1 {
		amount = strconv.FormatFloat(s.Cost, 'g', 2, 64)
	}
	return amount + " " + Clean(s.Currency)
}

// Grouped writes a number with commas.
func Grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
