package transcript

import (
	"time"

	"skein.dev/skein/ui/changes"
	"skein.dev/skein/webtransport/wire"
)

// Kind is what an entry of a transcript is.
type Kind string

// The kinds of entries.
const (
	User    Kind = "user"    // what somebody told the agent
	Message Kind = "agent"   // what the agent says, in Markdown
	Thought Kind = "thought" // what it thinks, in Markdown
	Tool    Kind = "tool"    // a call of a tool
	Plan    Kind = "plan"
	Ask     Kind = "ask"  // it asks a person something
	Note    Kind = "note" // what happened to it
	End     Kind = "end"  // it ended
	Gap     Kind = "gap"  // the log no longer has what was here
)

// Entry is a part of a conversation. It changes while it is open, and a call of a tool may change later.
type Entry struct {
	Seq, Last uint64 // of the events that began it, and that changed it last
	Time      time.Time
	Kind      Kind
	Open      bool   // more may be said in it
	Text      string // Message and Thought: at most maxText bytes
	Cut       bool   // it had more
	By        string // User: who said it
	Task      wire.TaskID
	Call      *Call
	Plan      []Step
	State     string // Ask, Note and End: gives the shape
	Detail    string // Ask, Note and End: what is said after Text

	message string // the id of a message, if the agent gives one
	ask     wire.AskID
	html    string // as it was rendered last; "" when it has changed since
	bytes   int    // its size when it was counted last
}

// Call is a call of a tool.
type Call struct {
	ID     string
	Title  string
	Kind   string // wire.ToolKinds
	State  string // pending, in_progress, completed, failed
	Input  string // what it was called with: a command, or JSON
	Paths  []string
	Diffs  []Diff
	Texts  []string // in Markdown
	Others []string // what it shows but texts: images, audio, resources, by name
	Cut    bool     // it showed more
	Ended  time.Time
}

// Diff is a change of a file.
type Diff struct {
	Path    string
	New     bool // the file is new
	Added   int
	Removed int
	Rows    []changes.Row // those that have changed, with some around them
	More    int           // rows that are left out
}

// Over reports whether a call has ended.
func (c *Call) Over() bool { return c.State == "completed" || c.State == "failed" }

// Step is one of a plan.
type Step struct {
	Text  string
	State string // completed, in_progress or pending
}

// size is about how many bytes an entry takes, with its HTML.
func (e *Entry) size() int {
	n := len(e.Text) + len(e.Detail)
	for _, s := range e.Plan {
		n += 100 + len(s.Text)
	}
	if c := e.Call; c != nil {
		n += len(c.Input) + len(c.Title)
		for _, list := range [][]string{c.Paths, c.Others, c.Texts} {
			for _, t := range list {
				n += 50 + len(t)
			}
		}
		for _, d := range c.Diffs {
			for _, r := range d.Rows {
				n += 100 + len(r.Text)
			}
		}
	}
	return 500 + 3*n
}
