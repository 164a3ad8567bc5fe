package wire

import (
	"time"
	"unicode/utf8"
)

// Bounds of reading and searching an agent's log.
const (
	MaxLogPage    = 1000 // events, or matches, of one answer
	LogPage       = 200  // events of an answer by default
	SearchPage    = 100  // matches of an answer by default
	MaxQuery      = 1000 // bytes of AgentSearchParams.Query
	MaxMatchLine  = 400  // bytes of Match.Line
	MaxSearchScan = 16 << 20
)

// AgentEventsParams select events from the log of an agent: those of a sort with a seq between After and Before.
type AgentEventsParams struct {
	ID     AgentID `json:"id"`
	Which  Which   `json:"which,omitempty"`
	After  uint64  `json:"after,omitempty"`
	Before uint64  `json:"before,omitempty"` // 0: to the newest
	Newest bool    `json:"newest,omitempty"` // the last Limit events instead of the first
	Limit  int     `json:"limit,omitempty"`  // 1 to MaxLogPage; 0: LogPage
	HTML   bool    `json:"html,omitempty"`   // the events are in AgentEventsResult.HTML, and Event.Data is empty
}

// AgentEventsResult has events ordered by seq: at most Limit of them, and as many as fit into a message.
type AgentEventsResult struct {
	Events []Event `json:"events"`
	First  uint64  `json:"first"` // seq of the agent's oldest event of any sort in the log; 0: there is none
	Last   uint64  `json:"last"`  // seq of the newest one
	More   bool    `json:"more"`  // there are more selected events: after these, or before them with Newest

	// HTML has, by seq, the events that the timeline on the agent's page of this server shows.
	HTML map[uint64]string `json:"html,omitempty"`
}

// Check validates the parameters.
func (p *AgentEventsParams) Check() error {
	switch p.Which {
	case AllEvents, LifecycleEvents, OutputEvents:
	default:
		return Errorf(CodeInvalidParams, "%q is not a sort of events; the sorts are %s and %s, and empty means both", cutText(string(p.Which), 64), OutputEvents, LifecycleEvents).WithField("which")
	}
	return checkLimit(p.Limit)
}

func checkLimit(n int) error {
	if n < 0 || n > MaxLogPage {
		return Errorf(CodeInvalidParams, "limit is %d; it may be 1 to %d", n, MaxLogPage).WithField("limit")
	}
	return nil
}

// AgentSearchParams search the output of an agent line by line, as a terminal shows it.
type AgentSearchParams struct {
	ID     AgentID `json:"id"`
	Query  string  `json:"query"`            // 1 to MaxQuery bytes
	Regexp bool    `json:"regexp,omitempty"` // Query is a regular expression in the syntax of Go (RE2)
	Case   bool    `json:"case,omitempty"`   // the search is case-sensitive
	After  uint64  `json:"after,omitempty"`  // only events with a greater seq
	Offset int     `json:"offset,omitempty"` // if it is not 0: also the data of the event After from this offset on
	Before uint64  `json:"before,omitempty"` // only events with a smaller seq; 0: to the newest
	Limit  int     `json:"limit,omitempty"`  // 1 to MaxLogPage; 0: SearchPage
}

// Check validates the parameters.
func (p *AgentSearchParams) Check() error {
	if n := len(p.Query); n < 1 || n > MaxQuery {
		return Errorf(CodeInvalidParams, "the query has %d bytes; it may have 1 to %d", n, MaxQuery).WithField("query")
	}
	if p.Offset < 0 || p.Offset > 0 && p.After == 0 {
		return Errorf(CodeInvalidParams, "offset is %d after %d; it goes with after, as an answer gave both", p.Offset, p.After).WithField("offset")
	}
	return checkLimit(p.Limit)
}

// AgentSearchResult has one match for each line with a hit, in the order in which the lines ended. The event that reaches
// Limit is searched to its end, so that there may be more matches.
type AgentSearchResult struct {
	Matches []Match  `json:"matches"`
	Cursor  uint64   `json:"cursor"`            // seq of the last event that was searched
	Offset  int      `json:"offset,omitempty"`  // if it is not 0: that event was searched only up to this offset, because the answer was full
	More    bool     `json:"more"`              // there is more to search; the client continues with After: Cursor and Offset
	Scanned int      `json:"scanned"`           // bytes of output
	Dropped *Dropped `json:"dropped,omitempty"` // the events that the log has dropped and that were not searched
}

// Match is a line with a hit. A line of more than 64 KiB counts as several.
type Match struct {
	Seq    uint64    `json:"seq"` // of the event in which the line begins
	Time   time.Time `json:"time"`
	Type   EventType `json:"type"`
	Line   string    `json:"line"`   // the line as a terminal shows it, without control characters; at most MaxMatchLine bytes around the hit
	Offset int       `json:"offset"` // where the line begins in the data of the event, in bytes
	Column int       `json:"column"` // the character of the whole line at which the hit begins, from 1
	Length int       `json:"length"` // of the whole line, in characters
	From   int       `json:"from"`   // where the hit begins in Line, in characters (Unicode code points) from 0
	To     int       `json:"to"`     // where it ends
}

// Cut reports whether Line lacks the beginning of the line, and whether it lacks the end.
func (m *Match) Cut() (begin, end bool) {
	left := m.Column - 1 - m.From
	return left > 0, left+utf8.RuneCountInString(m.Line) < m.Length
}

// EncodedLen returns an upper bound of the length of the match in JSON, which is not much greater.
func (m *Match) EncodedLen() int {
	const rest = 280 // names of fields, numbers, time
	return rest + jsonLen(m.Line)
}
