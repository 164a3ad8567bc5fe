package acp

import (
	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// Agents report what a turn has used in different places: in the answer to the prompt (opencode, codex-acp, the models of Skein), in
// _meta.quota of it (Gemini CLI), or in _meta.usage of chunks of messages (Qwen Code). All are read, and the first that is there counts.
// usage_update tells of the context, and of the cost of the session so far.

// usage counts tokens. Its names are those of PromptResponse.usage in ACP.
type usage struct {
	Input   float64 `json:"inputTokens"`
	Output  float64 `json:"outputTokens"`
	Cached  float64 `json:"cachedReadTokens"`
	Thought float64 `json:"thoughtTokens"`
}

// quota is how Gemini CLI counts.
type quota struct {
	Tokens maybe[struct {
		Input  float64 `json:"input_tokens"`
		Output float64 `json:"output_tokens"`
	}] `json:"token_count"`
}

// count is a number of tokens. An agent may say anything.
func count(n float64) int64 {
	if !(n > 0) {
		return 0
	}
	return int64(min(n, 1e12))
}

// cost is what usage_update says of the session's.
type cost struct {
	Amount   float64 `json:"amount"`
	Currency string  `json:"currency"`
}

// used notes the tokens that a chunk reports.
func (s *session) used(u *usage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.chunks == nil {
		s.chunks = &usage{}
	}
	s.chunks.Input += u.Input
	s.chunks.Output += u.Output
	s.chunks.Cached += u.Cached
	s.chunks.Thought += u.Thought
}

// tellSpent tells what a turn has used.
func (s *session) tellSpent(r *promptResult) {
	s.mu.Lock()
	u := s.chunks
	s.chunks = nil
	s.mu.Unlock()
	switch tokens := r.Meta.v.Quota.v.Tokens; {
	case r.Usage.is:
		u = &r.Usage.v
	case tokens.is:
		u = &usage{Input: tokens.v.Input, Output: tokens.v.Output}
	}
	spent := wire.Spent{Turns: 1}
	if u == nil {
		spent.Unknown = 1
	} else {
		spent.Input, spent.Output, spent.Cached, spent.Thought = count(u.Input), count(u.Output), count(u.Cached), count(u.Thought)
	}
	s.tell(runner.Spent{Spent: spent})
}

// contextChanged handles a usage_update. Its cost is that of the session so far.
func (s *session) contextChanged(used, size float64, c maybe[cost]) {
	spent := wire.Spent{Context: count(used), ContextSize: count(size)}
	if amount, currency := c.v.Amount, c.v.Currency; c.is && amount >= 0 && amount < 1e9 && currency != "" && len(currency) <= 8 {
		s.mu.Lock()
		spent.Cost, spent.Currency = amount, currency
		if currency == s.paid.Currency && amount >= s.paid.Amount {
			spent.Cost -= s.paid.Amount
		}
		s.paid = c.v
		s.mu.Unlock()
	}
	s.tell(runner.Spent{Spent: spent})
}
