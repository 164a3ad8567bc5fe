// Package transcript shows the conversation with an agent: what people told it, what it says and thinks, the tools that it calls with
// what they changed, its plans and its questions. All of it is made of the events in its log, whose updates are SessionUpdates of the
// Agent Client Protocol, version 1.
package transcript

import (
	"slices"
	"strings"

	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

const (
	maxText    = 64 << 10 // bytes of a message
	maxEntries = 400
	maxSize    = 4 << 20 // bytes of a log, about
)

// Log is a conversation, made of events in order. The zero value is an empty one. It holds the latest entries, at most 400 of them and
// about 4 MiB. It is not safe for concurrent use.
type Log struct {
	entries []*Entry
	calls   map[string]*Entry
	asks    map[wire.AskID]*Entry
	last    uint64
	dropped bool // entries went for lack of room
	size    int  // of the entries
	touched []*Entry
}

// Begin says of an empty log whether there are events before those that it will get. What they began is left out then.
func (l *Log) Begin(more bool) { l.dropped = more }

// Last is the seq of the newest event.
func (l *Log) Last() uint64 { return l.last }

// Add takes an event that is newer than all before.
func (l *Log) Add(e wire.Event) {
	l.last = e.Seq
	if e.Dropped != nil && e.Type.WithOutput() {
		l.closeAll()
		l.begin(e, Gap).Text = "A part of the conversation is no longer there: the log was full."
	}
	switch e.Type {
	case wire.EventUpdate:
		l.update(e)
	case wire.EventInput:
		l.input(e)
	case wire.EventAsk, wire.EventAnswer:
		l.asked(e)
	case wire.EventActivity:
		if e.Data.Activity == wire.ActivityIdle {
			l.closeAll()
		}
	case wire.EventTask:
		l.task(e)
	case wire.EventLog:
		l.note(e, "input", words.Clean(e.Data.Text), "")
	case wire.EventStopping:
		l.note(e, "stopping", "Stop requested", words.By(e.Actor))
	case wire.EventCrashed:
		l.note(e, "failed", "Crashed", words.Clean(e.Data.Text))
	case wire.EventExited:
		l.ended(e)
	}
	l.trim()
}

// begin adds an entry.
func (l *Log) begin(e wire.Event, kind Kind) *Entry {
	n := &Entry{Seq: e.Seq, Last: e.Seq, Time: e.Time, Kind: kind}
	l.entries = append(l.entries, n)
	l.touched = append(l.touched, n)
	return n
}

// latest is the last entry, or nil.
func (l *Log) latest() *Entry {
	if len(l.entries) == 0 {
		return nil
	}
	return l.entries[len(l.entries)-1]
}

// touch notes that the newest event has changed an entry.
func (l *Log) touch(n *Entry) {
	n.Last, n.html = l.last, ""
	l.touched = append(l.touched, n)
}

// closeAll ends what is being said. Only the last entry can be open.
func (l *Log) closeAll() {
	if n := l.latest(); n != nil && n.Open {
		n.Open = false
		l.touch(n)
	}
}

func (l *Log) note(e wire.Event, state, text, detail string) *Entry {
	l.closeAll()
	n := l.begin(e, Note)
	n.State, n.Text, n.Detail = state, text, detail
	return n
}

func (l *Log) input(e wire.Event) {
	text := strings.TrimRight(e.Data.Text, "\n")
	if text == "" {
		return // the end of input, or bytes
	}
	l.closeAll()
	n := l.begin(e, User)
	n.By = e.Actor
	n.Text, n.Cut = clip(printable(text), maxText)
}

func (l *Log) task(e wire.Event) {
	title := "Task started"
	if e.Data.State != wire.TaskWorking {
		title = "Task " + strings.ToLower(words.TaskWord(e.Data.State))
	}
	l.note(e, words.TaskGlyph(e.Data.State), title, words.Clean(e.Data.Text)).Task = e.Data.Task
}

// asked handles a question, and its answer, which takes its place.
func (l *Log) asked(e wire.Event) {
	if e.Data.Ask == nil {
		return
	}
	n := l.asks[e.Data.Ask.ID]
	if n == nil {
		l.closeAll()
		n = l.begin(e, Ask)
		if l.asks == nil {
			l.asks = map[wire.AskID]*Entry{}
		}
		n.ask = e.Data.Ask.ID
		l.asks[n.ask] = n
	}
	l.touch(n)
	n.State, n.Text, n.Detail = words.AskMoment(e.Data.Ask)
	if e.Data.Ask.State != wire.AskPending { // the question stays, with its answer
		n.Detail = strings.TrimPrefix(words.Clean(e.Data.Ask.Text)+" — "+n.Detail, " — ")
	}
}

func (l *Log) ended(e wire.Event) {
	l.closeAll()
	for _, n := range l.calls { // they end with it
		if !n.Call.Over() {
			l.touch(n)
			n.Call.State, n.Call.Ended = "failed", e.Time
		}
	}
	n := l.begin(e, End)
	n.State = words.State(&wire.Agent{Status: wire.StatusExited, Reason: e.Data.Reason})
	n.Text = words.StateWord(n.State)
	if e.Data.Exit != nil {
		n.Detail = words.ExitText(e.Data.Exit)
	}
}

// trim drops the oldest entries that there is no room for.
func (l *Log) trim() {
	for _, n := range l.touched {
		l.size -= n.bytes
		n.bytes = n.size()
		l.size += n.bytes
	}
	clear(l.touched)
	l.touched = l.touched[:0]
	drop := max(0, len(l.entries)-maxEntries)
	for i := range drop {
		l.forget(l.entries[i])
	}
	for l.size > maxSize && drop < len(l.entries)-1 {
		l.forget(l.entries[drop])
		drop++
	}
	if drop > 0 {
		l.dropped = true
		l.entries = slices.Delete(l.entries, 0, drop)
	}
}

func (l *Log) forget(n *Entry) {
	if n.Call != nil && l.calls[n.Call.ID] == n {
		delete(l.calls, n.Call.ID)
	}
	if n.ask != "" {
		delete(l.asks, n.ask)
	}
	l.size -= n.bytes
}
