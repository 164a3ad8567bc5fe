package wire

// Spent is what the model of an agent has used, as far as the agent reports it. It is of all its turns, also of those before a restart.
type Spent struct {
	Turns    int     `json:"turns,omitempty"`
	Unknown  int     `json:"unknown,omitempty"` // turns of which the agent did not report the tokens
	Input    int64   `json:"input,omitempty"`   // tokens
	Output   int64   `json:"output,omitempty"`
	Cached   int64   `json:"cached,omitempty"`   // of Input; some agents do not count them there
	Thought  int64   `json:"thought,omitempty"`  // of Output; some agents do not count them there
	Cost     float64 `json:"cost,omitempty"`     // by the price list of the agent, whatever the bill says
	Currency string  `json:"currency,omitempty"` // of Cost (ISO 4217)

	Context     int64 `json:"context,omitempty"`      // tokens of the conversation now
	ContextSize int64 `json:"context_size,omitempty"` // and how many it may have
}

// Plus returns what was spent with more, which happened later.
func (s Spent) Plus(more Spent) Spent {
	s.Turns += more.Turns
	s.Unknown += more.Unknown
	s.Input += more.Input
	s.Output += more.Output
	s.Cached += more.Cached
	s.Thought += more.Thought
	if more.Currency != "" && more.Currency != s.Currency { // amounts of two currencies have no sum
		s.Currency, s.Cost = more.Currency, 0
	}
	s.Cost += more.Cost
	if more.ContextSize > 0 || more.Context > 0 {
		s.Context, s.ContextSize = more.Context, more.ContextSize
	}
	return s
}
