package acp

import "skein.dev/skein/webtransport/wire"

// Agents report what a turn has used in different places: in the answer to the prompt (opencode, codex-acp, the models of Skein), in
// _meta.quota of it (Gemini CLI), or in _meta.usage of chunks of messages (Qwen Code). All are read, and the first that is there counts.
// usage_update tells of the context, and of the cost of the session so far.

// bill is what an agent reports while its session goes on.
type bill struct {
	chunks *usage // of the turn, as its chunks report it
	paid   cost   // of the session so far
}

// chunk notes the tokens that a chunk reports.
func (b *bill) chunk(u *usage) {
	if b.chunks == nil {
		b.chunks = &usage{}
	}
	b.chunks.Input += u.Input
	b.chunks.Output += u.Output
	b.chunks.Cached += u.Cached
	b.chunks.Thought += u.Thought
}

// turn returns what a turn has used.
func (b *bill) turn(r *promptResult) wire.Spent {
	u := b.chunks
	b.chunks = nil
	switch tokens := r.Meta.v.Quota.v.Tokens; {
	case r.Usage.is:
		u = &r.Usage.v
	case tokens.is:
		u = &usage{Input: tokens.v.Input, Output: tokens.v.Output}
	}
	if u == nil {
		return wire.Spent{Turns: 1, Unknown: 1}
	}
	return wire.Spent{Turns: 1, Input: count(u.Input), Output: count(u.Output), Cached: count(u.Cached), Thought: count(u.Thought)}
}

// context returns what a usage_update says, with the cost since the one before.
func (b *bill) context(u *update) wire.Spent {
	spent := wire.Spent{Context: count(u.Used.v), ContextSize: count(u.Size.v)}
	if amount, currency := u.Cost.v.Amount, u.Cost.v.Currency; u.Cost.is && amount >= 0 && amount < 1e9 && currency != "" && len(currency) <= 8 {
		spent.Cost, spent.Currency = amount, currency
		if currency == b.paid.Currency && amount >= b.paid.Amount {
			spent.Cost -= b.paid.Amount
		}
		b.paid = u.Cost.v
	}
	return spent
}

// count is a number of tokens. An agent may say anything.
func count(n float64) int64 {
	if !(n > 0) {
		return 0
	}
	return int64(min(n, 1e12))
}
