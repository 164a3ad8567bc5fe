package wire

import "time"

// Bounds of searching the output of all agents.
const (
	FoundPage    = 20  // matches of an answer by default
	MaxFoundPage = 100 // the most that may be asked for
)

// LogSearchParams search the output of all agents line by line, as a terminal shows it, from the newest back.
type LogSearchParams struct {
	Query  string `json:"query"`            // 1 to MaxQuery bytes
	Regexp bool   `json:"regexp,omitempty"` // Query is a regular expression in the syntax of Go (RE2)
	Case   bool   `json:"case,omitempty"`   // the search is case-sensitive
	Before uint64 `json:"before,omitempty"` // LogSearchResult.Before of the previous answer; 0: from the newest
	Limit  int    `json:"limit,omitempty"`  // 1 to MaxFoundPage; 0: FoundPage
}

// Check validates the parameters.
func (p *LogSearchParams) Check() error {
	if n := len(p.Query); n < 1 || n > MaxQuery {
		return Errorf(CodeInvalidParams, "the query has %d bytes; it may have 1 to %d", n, MaxQuery).WithField("query")
	}
	if p.Limit < 0 || p.Limit > MaxFoundPage {
		return Errorf(CodeInvalidParams, "limit is %d; it may be 1 to %d", p.Limit, MaxFoundPage).WithField("limit")
	}
	return nil
}

// LogSearchResult has one match for each line with a hit, those that begin last first. An answer ends after the event that
// reaches the limit; of one event it has the last Limit matches.
type LogSearchResult struct {
	Matches []LogMatch `json:"matches"`
	Before  uint64     `json:"before"`            // what has this seq or a greater one was searched
	Since   *time.Time `json:"since,omitempty"`   // when the oldest output that was searched was printed; nil: there was none
	More    bool       `json:"more"`              // there is more to search; the client continues with Before
	Scanned int        `json:"scanned"`           // bytes of output
	Dropped *Amount    `json:"dropped,omitempty"` // what the log no longer has of the agents, so that it is not searched; nil: it has everything
}

// LogMatch is a line with a hit, and whose it is.
type LogMatch struct {
	Agent AgentID `json:"agent"`
	Name  string  `json:"name"`           // of the agent
	Back  int     `json:"back,omitempty"` // how many matches that begin in the same event come after this one
	Match
}
