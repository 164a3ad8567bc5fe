package words

import (
	"testing"

	"skein.dev/skein/webtransport/wire"
)

func TestSpent(t *testing.T) {
	for _, c := range []struct {
		s                     *wire.Spent
		tokens, context, cost string
	}{
		{nil, None, "", ""},
		{&wire.Spent{Turns: 2, Unknown: 2}, "unknown", "", ""},
		{&wire.Spent{Turns: 3, Unknown: 1, Input: 1234567, Output: 100, Cost: 0.012, Currency: "USD", Context: 50, ContextSize: 200_000}, "1,234,567 in, 100 out, 1 turn unknown", "0 % of 200,000", "0.012 USD"},
		{&wire.Spent{Turns: 1, Input: 999, Cost: 12, Currency: "EUR", Context: 1}, "999 in, 0 out", "1 token", "12.00 EUR"},
	} {
		if tokens, context, cost := Tokens(c.s), Context(c.s), Cost(c.s); tokens != c.tokens || context != c.context || cost != c.cost {
			t.Errorf("%+v is %q, %q, %q", c.s, tokens, context, cost)
		}
	}
}
