package wire

// Budget bounds what agents may spend, as far as they report it.
type Budget struct {
	Agent *Limit     `json:"agent,omitempty"` // each agent, in all its life
	Day   *Limit     `json:"day,omitempty"`   // all together, from midnight to midnight in the server's time zone
	Then  BudgetThen `json:"then"`
}

// Limit is how much may be spent. Zeros do not limit.
type Limit struct {
	Tokens int64   `json:"tokens,omitempty"` // in and out
	Cost   float64 `json:"cost,omitempty"`   // in the currency in which the agents report it
	Turns  int     `json:"turns,omitempty"`
	WallMS int64   `json:"wall,omitempty"` // of an agent: milliseconds since its start
}

// BudgetThen is what happens to agents when a budget is spent.
type BudgetThen string

const (
	BudgetWarn  BudgetThen = "warn"  // it is said, and they go on
	BudgetPause BudgetThen = "pause" // they get no more prompts and tasks; it is the default
	BudgetStop  BudgetThen = "stop"
)

// UsageDay is what the agents of a type have spent on a day.
type UsageDay struct {
	Day  string `json:"day"` // such as 2026-11-30, in the server's time zone
	Type string `json:"type"`
	Spent
}

// UsageParams ask for what was spent.
type UsageParams struct {
	Days int `json:"days,omitempty"` // including today; 0: 7, at most MaxUsageDays
}

// MaxUsageDays is how many days are remembered.
const MaxUsageDays = 400

// UsageResult is what was spent, the newest day first, by type.
type UsageResult struct {
	Today   string        `json:"today"`
	Zone    string        `json:"zone"` // that days are counted in
	Days    []UsageDay    `json:"days"`
	Budgets []BudgetState `json:"budgets,omitempty"` // those for a day
}

// BudgetState is how much of a budget for a day is spent today.
type BudgetState struct {
	Type  string     `json:"type,omitempty"` // "": of all agents
	Limit Limit      `json:"limit"`
	Then  BudgetThen `json:"then"`
	Spent Spent      `json:"spent"`
	Over  string     `json:"over,omitempty"` // which limit is reached, in words; "": none
}
