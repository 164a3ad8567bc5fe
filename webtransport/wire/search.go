package wire

import (
	"time"
	"unicode/utf8"
)

// Bounds of reading and searching an agent's log.
const (
	MaxLogPage    = 1000 // events, or matches, of one answer
	LogPage       = 200  // events of an answer, unless another limit is asked for
	SearchPage    = 100  // likewise matches
	MaxQuery      = 1000 // bytes of AgentSearchParams.Query
	MaxMatchLine  = 400  // bytes of Match.Line
	MaxSearchScan = 16 << 20
)

// AgentEventsParams choose events of an agent's log: those of a sort with a seq between After and Before.
type AgentEventsParams struct {
	ID     AgentID `json:"id"`
	Which  Which   `json:"which,omitempty"`
	After  uint64  `json:"after,omitempty"`
	Before uint64  `json:"before,omitempty"` // 0: to the newest
	Newest bool    `json:"newest,omitempty"` // the last Limit of them, not the first
	Limit  int     `json:"limit,omitempty"`  // 1 to MaxLogPage; 0: LogPage
	HTML   bool    `json:"html,omitempty"`   // AgentEventsResult.HTML has them, and Event.Data nothing
}

// AgentEventsResult has events in order of their seq: Limit, or fewer so that they fit a message.
type AgentEventsResult struct {
	Events []Event `json:"events"`
	First  uint64  `json:"first"` // seq of the oldest event of any sort that the log has of the agent; 0: it has none
	Last   uint64  `json:"last"`  // and of the newest
	More   bool    `json:"more"`  // there are more of those asked for: behind these, or before them with Newest

	// HTML has those events that an agent's page of this server tells of, by seq, as its timeline shows them.
	HTML map[uint64]string `json:"html,omitempty"`
}

// Check refuses what can't be asked for.
func (p *AgentEventsParams) Check() error {
	switch p.Which {
	case AllEvents, LifecycleEvents, OutputEvents:
	default:
		return Errorf(CodeInvalidParams, "%q is no sort of events; there are %s and %s, and none means both", cutText(string(p.Which), 64), OutputEvents, LifecycleEvents).WithField("which")
	}
	return checkLimit(p.Limit)
}

func checkLimit(n int) error {
	if n < 0 || n > MaxLogPage {
		return Errorf(CodeInvalidParams, "limit is %d; it may be 1 to %d", n, MaxLogPage).WithField("limit")
	}
	return nil
}

// AgentSearchParams search an agent's output, as a terminal shows it, line by line.
type AgentSearchParams struct {
	ID     AgentID `json:"id"`
	Query  string  `json:"query"`            // 1 to MaxQuery bytes
	Regexp bool    `json:"regexp,omitempty"` // Query is a regular expression of Go's syntax (RE2)
	Case   bool    `json:"case,omitempty"`   // capital and small letters differ
	After  uint64  `json:"after,omitempty"`  // only events with a greater seq
	Offset int     `json:"offset,omitempty"` // with After: of that very event, the data from here on too
	Before uint64  `json:"before,omitempty"` // only events with a smaller seq; 0: to the newest
	Limit  int     `json:"limit,omitempty"`  // 1 to MaxLogPage; 0: SearchPage
}

// Check refuses what can't be asked for.
func (p *AgentSearchParams) Check() error {
	if n := len(p.Query); n < 1 || n > MaxQuery {
		return Errorf(CodeInvalidParams, "the query has %d bytes; it may have 1 to %d", n, MaxQuery).WithField("query")
	}
	if p.Offset < 0 || p.Offset > 0 && p.After == 0 {
		return Errorf(CodeInvalidParams, "offset is %d after %d; it goes with after, as an answer gave both", p.Offset, p.After).WithField("offset")
	}
	return checkLimit(p.Limit)
}

// AgentSearchResult has one match for each line with a hit, in the order in which the lines ended. The events with
// which Limit matches are reached are searched to their end, so that there may be more.
type AgentSearchResult struct {
	Matches []Match  `json:"matches"`
	Cursor  uint64   `json:"cursor"`            // seq of the event up to which was searched
	Offset  int      `json:"offset,omitempty"`  // of that event, only what is before this: its matches filled the answer
	More    bool     `json:"more"`              // there is more to search: ask again, with After: Cursor and Offset
	Scanned int      `json:"scanned"`           // bytes of output
	Dropped *Dropped `json:"dropped,omitempty"` // what the log no longer has, so that it was not searched
}

// Match is a line with a hit. A line of more than 64 KiB counts as several.
type Match struct {
	Seq    uint64    `json:"seq"` // of the event in which the line begins
	Time   time.Time `json:"time"`
	Type   EventType `json:"type"`
	Line   string    `json:"line"`   // what a terminal shows of it, without control characters; at most MaxMatchLine bytes around the hit
	Offset int       `json:"offset"` // where the line begins in the event's data, in bytes
	Column int       `json:"column"` // where the hit begins in the whole line: which character, from 1
	Length int       `json:"length"` // of the whole line, in characters
	From   int       `json:"from"`   // the hit within Line, in characters (Unicode code points) from 0: where it begins
	To     int       `json:"to"`     // and where it ends
}

// Cut reports whether Line leaves out the line's beginning, and its end.
func (m *Match) Cut() (begin, end bool) {
	left := m.Column - 1 - m.From
	return left > 0, left+utf8.RuneCountInString(m.Line) < m.Length
}

// EncodedLen is about how long the match becomes in JSON, and not less.
func (m *Match) EncodedLen() int {
	const rest = 280 // names of fields, numbers, time
	return rest + jsonLen(m.Line)
}
