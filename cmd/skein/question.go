package main

import (
	"sync"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/wire"
)

// asked is what an agent asks a person; "": nothing.
func asked(a *wire.Agent) string {
	if a.Activity == wire.ActivityRequiresAction {
		return a.Question
	}
	return ""
}

// questions says on standard error what an agent asks, behind the output that came before. What was asked and answered
// long ago is not said.
type questions struct {
	// static
	cmd   *cobra.Command
	hint  string        // how to answer
	shown chan struct{} // closed when what was there at the start is printed, and the question with it; nil: nobody waits

	// of the goroutine that reads the events
	cursor, last uint64 // last is where the log stood when the reader attached
	name, said   string
	isShown      bool

	mu   sync.Mutex
	open string
}

// now is the question that is open.
func (q *questions) now() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.open
}

func (q *questions) set(text string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open = text
}

func (q *questions) attached(a wire.Attached) {
	q.name, q.last = a.Agent.Name, a.Last
	q.set(asked(&a.Agent))
	if q.cursor >= q.last {
		q.say()
		q.show()
	}
}

func (q *questions) show() {
	if q.shown != nil && !q.isShown {
		q.isShown = true
		close(q.shown)
	}
}

func (q *questions) event(e wire.Event) {
	q.cursor = e.Seq
	if e.Seq > q.last && e.Type == wire.EventActivity || e.Type == wire.EventExited {
		q.said = ""
		q.set("")
		if e.Data.Activity == wire.ActivityRequiresAction {
			q.set(e.Data.Text)
		}
	}
	if e.Seq >= q.last {
		q.say()
		q.show()
	}
}

// say says what is open, once.
func (q *questions) say() {
	if open := q.now(); open != "" && open != q.said {
		q.said = open
		printErrf(q.cmd, "skein: %s asks: %s\nskein: %s\n", q.name, open, q.hint)
	}
}
