package fleet

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/terminal"
	"skein.dev/skein/server/vt"
	"skein.dev/skein/webtransport/wire"
)

const (
	// DefaultQuiet is how long a terminal must be silent so that its program counts as idle, if it does not say what it does.
	DefaultQuiet = 2 * time.Second

	titleEvery = time.Second     // a title or a progress may change with each frame of an animation; the record gets one of them
	bellAfter  = 3 * time.Second // a bell so soon after a key answers the key
	maxReports = 256             // parts of a program that report their status
)

// consoleOf is what a console needs of its agent.
type consoleOf struct {
	input   func(ctx context.Context, b []byte) error // writes to the program
	resized func(size wire.Size) error
	acts    func(act wire.Activity, question string)
	titled  func(title string, progress *wire.Progressing)
	line    func(last string) // the last line of its screen
	quiet   time.Duration
}

// console is the terminal of an agent while it runs, and what its program says of itself there.
type console struct {
	of   consoleOf
	term *terminal.Terminal
	end  context.CancelFunc // of writing input

	showing sync.Mutex // held around show, so that the last one shows what is; taken before mu

	mu      sync.Mutex
	reports map[string]vt.Status // by OSC 7501, the program's own under ""
	order   []string             // their ids, the one that was reported first in front
	notice  string               // what it wants a person to see
	noticed time.Time            // since when
	busy    bool                 // it has written something a moment ago
	typed   time.Time            // when a person has typed something
	quiet   *time.Timer
	title   string
	ahead   *wire.Progressing // how far it is, as it says; nil: it does not
	titles  *time.Timer       // runs while the record's title and progress are not to change again
}

// newConsole makes the terminal of an agent that is about to start. It writes input until ctx ends, or over is called.
func newConsole(ctx context.Context, size wire.Size, of consoleOf) *console {
	ctx, end := context.WithCancel(ctx)
	c := &console{of: of, end: end, reports: map[string]vt.Status{}}
	c.term = terminal.New(ctx, size, terminal.Options{Input: of.input, Resize: of.resized, Noted: c.noted, Typed: c.answered})
	return c
}

// endOfFile is Ctrl-D.
const endOfFile = 4

// wrote takes what the program has written.
func (c *console) wrote(b []byte) {
	c.term.Output(b)
	c.works()
}

// works notes a sign of work.
func (c *console) works() {
	c.mu.Lock()
	news := !c.busy
	c.busy = true
	if c.quiet == nil {
		c.quiet = time.AfterFunc(c.of.quiet, c.silent)
	} else {
		c.quiet.Reset(c.of.quiet)
	}
	c.mu.Unlock()
	if news {
		c.show()
	}
}

// silent is called when the program has written nothing for a while.
func (c *console) silent() {
	c.mu.Lock()
	c.busy = false
	c.mu.Unlock()
	c.show()
	c.lastLine()
}

// lastLine shows the last line of the screen as that of the agent.
func (c *console) lastLine() {
	for _, line := range slices.Backward(c.term.Text()) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if len(line) > wire.MaxLastLine {
			line = strings.ToValidUTF8(line[:wire.MaxLastLine-3], "") + "…"
		}
		c.of.line(line)
		return
	}
}

// answered is called when a person has typed something: what the program wanted to be seen until then was seen.
func (c *console) answered(at time.Time) {
	c.mu.Lock()
	news := c.notice != "" && c.noticed.Before(at)
	if news {
		c.notice = ""
	}
	c.typed = at
	c.mu.Unlock()
	if news {
		c.show()
	}
}

// noted takes what the program says of itself.
func (c *console) noted(notes []vt.Note) {
	c.mu.Lock()
	before := c.doing()
	for _, n := range notes {
		c.note(n)
	}
	news := c.doing() != before
	c.mu.Unlock()
	if news {
		c.show()
	}
}

// note takes one of them. The caller holds mu.
func (c *console) note(n vt.Note) {
	switch n.Kind {
	case vt.Title:
		c.title = n.Text
		c.retitle()
	case vt.Progress:
		c.ahead = nil
		if n.Percent != -1 {
			c.ahead = &wire.Progressing{Percent: max(n.Percent, -1), Failed: n.Failed}
		}
		c.retitle()
	case vt.Notification:
		c.notice, c.noticed = n.Text, time.Now()
	case vt.Bell:
		if c.notice == "" && time.Since(c.typed) > bellAfter {
			c.notice, c.noticed = "rang the bell", time.Now()
		}
	case vt.Reset:
		clear(c.reports)
		c.order = nil
	case vt.Prompt: // what ran before it is over
		maps.DeleteFunc(c.reports, func(_ string, st vt.Status) bool { return st.State == "working" || st.State == "blocked" })
	case vt.Report:
		c.report(n.Status)
	}
}

func (c *console) report(st vt.Status) {
	if st.State == "clear" {
		maps.DeleteFunc(c.reports, func(id string, _ vt.Status) bool {
			return st.ID == "" || id == st.ID || strings.HasPrefix(id, st.ID+"/")
		})
		return
	}
	c.order = slices.DeleteFunc(c.order, func(id string) bool { _, in := c.reports[id]; return !in || id == st.ID })
	if len(c.order) >= maxReports {
		delete(c.reports, c.order[0])
		c.order = c.order[1:]
	}
	c.reports[st.ID], c.order = st, append(c.order, st.ID)
}

// doing is what the program does, and what it waits for. What it reports counts; of a program that reports nothing, whether it writes.
type doing struct {
	act      wire.Activity
	question string
}

// doing is called with mu held.
func (c *console) doing() doing {
	working := false
	for _, id := range c.order {
		switch st := c.reports[id]; st.State {
		case "blocked":
			return doing{wire.ActivityRequiresAction, noun.Clip(question(st))}
		case "working":
			working = true
		}
	}
	switch {
	case c.notice != "":
		return doing{wire.ActivityRequiresAction, noun.Clip(c.notice)}
	case working, len(c.reports) == 0 && c.busy:
		return doing{act: wire.ActivityRunning}
	}
	return doing{act: wire.ActivityIdle}
}

// question is what a program waits for.
func question(st vt.Status) string {
	if st.Message != "" {
		return st.Message
	}
	switch st.Kind {
	case "permission":
		return "waits for a permission"
	case "auth":
		return "waits for a login"
	}
	return "waits for an answer"
}

// show makes what the program does that of the agent.
func (c *console) show() {
	c.showing.Lock()
	defer c.showing.Unlock()
	c.mu.Lock()
	d := c.doing()
	c.mu.Unlock()
	c.of.acts(d.act, d.question)
}

// retitle gives the record the terminal's title and progress, but not too often. The caller holds mu.
func (c *console) retitle() {
	if c.titles == nil {
		go c.keepTitle()
		c.titles = time.AfterFunc(titleEvery, c.mayRetitle)
	}
}

func (c *console) keepTitle() {
	c.mu.Lock()
	title, ahead := c.title, c.ahead
	c.mu.Unlock()
	c.of.titled(title, ahead)
}

func (c *console) mayRetitle() {
	c.mu.Lock()
	c.titles = nil
	c.mu.Unlock()
	c.keepTitle()
}

// restarted makes the terminal that of another process of the agent.
func (c *console) restarted() {
	c.mu.Lock()
	clear(c.reports)
	c.order, c.notice, c.ahead = nil, "", nil
	c.retitle()
	c.mu.Unlock()
	c.term.Restart()
}

// over ends the terminal: the agent has ended.
func (c *console) over() {
	c.end()
	c.mu.Lock()
	for _, timer := range []*time.Timer{c.quiet, c.titles} {
		if timer != nil {
			timer.Stop()
		}
	}
	c.mu.Unlock()
	c.term.End()
	c.lastLine()
}
