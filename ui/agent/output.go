package agent

import (
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"skein.dev/skein/server/screen"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// MaxLine bounds one line of output on the page, in bytes; a longer one is broken. static/app/agent/output.js has the same.
const MaxLine = 8 << 10

// Line is one line of output as the page shows it. Events carry pieces of text that begin and end anywhere.
type Line struct {
	Seq   uint64
	Time  time.Time
	Kind  string       // "out", "err", "in" (what was written to it), "bin" (not text), "mark" (its end), "gap" (the log dropped some)
	Text  string       // as it came, escape sequences and all, or what leaves the same on a terminal; for "bin" a label
	Bytes []byte       // kind "bin"
	Start screen.Style // the style that holds at its beginning
	Open  bool         // its newline has not come yet

	Dropped *wire.Dropped // kind "gap"
}

// Pieces is the line's text by style.
func (l Line) Pieces() []screen.Piece {
	if l.Kind == "mark" || l.Kind == "gap" || l.Kind == "bin" {
		return []screen.Piece{{Text: l.Text}}
	}
	s := l.Start
	return screen.Pieces(l.Text, &s)
}

// add takes further output of the line. What is written over, as by a progress bar, is kept as what a terminal leaves
// of it, so that the line stays short however long it goes on. rest is what does not fit into a line any more.
func (l *Line) add(text string) (rest string, full bool) {
	if whole := l.Text + text; screen.Moves(strings.TrimRight(whole, "\r")) {
		s := screen.Line{Start: l.Start}
		s.Write(whole)
		l.Text = s.State()
		return "", s.Columns() > MaxLine
	}
	room := MaxLine - len(l.Text)
	if len(text) <= room {
		l.Text += text
		return "", false
	}
	cut := max(room, 0)
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	l.Text += text[:cut]
	return text[cut:], true
}

// Lines puts the output of events together. It also gives the style that holds after the last line of each kind, for
// those that come next.
func Lines(events []wire.Event) (lines []Line, end map[string]screen.Style) {
	b := lineBuilder{open: map[string]int{}, style: map[string]screen.Style{}}
	for _, e := range events {
		b.event(e)
	}
	return b.lines, b.style
}

type lineBuilder struct {
	lines []Line
	open  map[string]int // by kind: the index of the line that goes on, plus 1
	style map[string]screen.Style
}

func (b *lineBuilder) event(e wire.Event) {
	if e.Dropped != nil && e.Type.IsOutput() {
		for kind := range b.open {
			b.close(kind)
		}
		b.lines = append(b.lines, Line{Seq: e.Seq, Time: e.Time, Kind: "gap", Text: DroppedText(*e.Dropped), Dropped: e.Dropped})
	}
	switch e.Type {
	case wire.EventStdout:
		b.output("out", e)
	case wire.EventStderr:
		b.output("err", e)
	case wire.EventInput:
		text, size := strings.TrimRight(e.Data.Text, "\n"), len(e.Data.Base64)
		if size > 0 {
			text = words.Count(size, "byte", "bytes") + " that are not text"
		}
		if text == "" && e.Data.Text == "" {
			text = "end of input"
		}
		for part := range strings.SplitSeq(text, "\n") {
			b.lines = append(b.lines, Line{Seq: e.Seq, Time: e.Time, Kind: "in", Text: part})
		}
	case wire.EventExited:
		for kind := range b.open {
			b.close(kind)
		}
		b.lines = append(b.lines, Line{Seq: e.Seq, Time: e.Time, Kind: "mark", Text: EndText(e.Data)})
	}
}

func (b *lineBuilder) output(kind string, e wire.Event) {
	if len(e.Data.Base64) > 0 {
		b.close(kind)
		b.lines = append(b.lines, Line{Seq: e.Seq, Time: e.Time, Kind: "bin", Bytes: e.Data.Base64, Text: BinaryText(e.Data.Base64)})
		return
	}
	rest := e.Data.Text
	for rest != "" {
		text, after, ended := strings.Cut(rest, "\n")
		at := b.at(kind, e)
		over, full := b.lines[at].add(text)
		if over != "" {
			rest = rest[len(text)-len(over):]
			b.close(kind)
			continue
		}
		rest = after
		if ended || full {
			b.close(kind)
		}
	}
}

// at is the index of the line that this kind's text goes to.
func (b *lineBuilder) at(kind string, e wire.Event) int {
	if i := b.open[kind]; i > 0 {
		return i - 1
	}
	b.lines = append(b.lines, Line{Seq: e.Seq, Time: e.Time, Kind: kind, Start: b.style[kind], Open: true})
	b.open[kind] = len(b.lines)
	return len(b.lines) - 1
}

func (b *lineBuilder) close(kind string) {
	i := b.open[kind]
	if i == 0 {
		return
	}
	l := &b.lines[i-1]
	l.Open = false
	s := l.Start
	screen.Pieces(l.Text, &s)
	b.style[kind] = s
	delete(b.open, kind)
}

// MaxLines is how many lines an agent's page is rendered with. An event may bring thousands.
const MaxLines = 2000

// shownOutput is what an agent's page is rendered with.
type shownOutput struct {
	lines   []Line
	end     map[string]screen.Style // by kind, the style that holds after the last line
	first   uint64                  // the seq of the earliest event that is shown, maybe in part; 0: none
	earlier bool
	excerpt []Line // shown above the lines instead of them: those around a match, which the script loads
}

func (v AgentView) output() shownOutput {
	out := shownOutput{earlier: v.Earlier}
	out.lines, out.end = Lines(v.Events)
	out.first = firstSeq(v.Events)
	if extra := len(out.lines) - MaxLines; extra > 0 {
		out.lines, out.earlier = out.lines[extra:], true
		out.first = out.lines[0].Seq
	}
	return out
}

// firstSeq is the seq of the earliest event; 0: there is none.
func firstSeq(events []wire.Event) uint64 {
	if len(events) == 0 {
		return 0
	}
	return events[0].Seq
}

// BinaryText labels bytes that are not text.
func BinaryText(b []byte) string {
	head := hex.EncodeToString(b[:min(len(b), 16)])
	var s strings.Builder
	s.WriteString("Binary, " + words.Bytes(int64(len(b))) + " · ")
	for i := 0; i < len(head); i += 2 {
		if i > 0 {
			s.WriteByte(' ')
		}
		s.WriteString(head[i : i+2])
	}
	if len(b) > 16 {
		s.WriteString(" …")
	}
	return s.String()
}

// DroppedText says what the log no longer has.
func DroppedText(d wire.Dropped) string {
	return words.Bytes(int64(d.Bytes)) + " from " + words.Clock(d.From) + " to " + words.Clock(d.To) + " are no longer there: the log was full."
}

// EndText says how an agent ended, for the last line of its output.
func EndText(d wire.EventData) string {
	switch {
	case d.Reason == wire.ReasonCompleted:
		return "Completed"
	case d.Reason == wire.ReasonStopped:
		if d.Exit != nil && d.Exit.Signal != "" {
			return "Stopped by " + d.Exit.Signal
		}
		return "Stopped"
	}
	return "Failed. " + words.ExitText(d.Exit)
}

// Moment is an entry of an agent's timeline.
type Moment struct {
	Seq    uint64
	Time   time.Time
	State  string // gives its shape and colour
	Title  string
	Detail string
	Task   wire.TaskID // that it is about; "" for none
}

// maxMoments bounds the timeline on the page; the oldest go first.
const maxMoments = 200

// Timeline is what happened to an agent, but for its output and for its turns between idle and busy. The newest is first.
func Timeline(events []wire.Event) []Moment {
	var out []Moment
	for i := len(events) - 1; i >= 0 && len(out) < maxMoments; i-- {
		if m, ok := moment(events[i]); ok {
			out = append(out, m)
		}
	}
	return out
}

func moment(e wire.Event) (Moment, bool) {
	m := Moment{Seq: e.Seq, Time: e.Time}
	switch e.Type {
	case wire.EventSpawned:
		m.State, m.Title, m.Detail = "pending", "Spawned", words.By(e.Actor)
	case wire.EventStarted:
		m.State, m.Title = "running", "Started"
		if e.Data.Process != nil {
			m.Detail = "pid " + strconv.Itoa(e.Data.Process.PID)
		}
	case wire.EventActivity:
		if e.Data.Activity != wire.ActivityRequiresAction {
			return m, false
		}
		m.State, m.Title, m.Detail = "requires_action", words.NeedsYou, words.Clean(e.Data.Text)
	case wire.EventInput:
		m.State, m.Title, m.Detail = "input", "Input", inputDetail(e.Data)
	case wire.EventStopping:
		m.State, m.Title, m.Detail = "stopping", "Stop requested", words.By(e.Actor)
	case wire.EventSignal:
		m.State, m.Title = "stopping", "Signal sent"
		m.Detail = words.Clean(e.Data.Text)
	case wire.EventExited:
		m.State = words.State(&wire.Agent{Status: wire.StatusExited, Reason: e.Data.Reason})
		m.Title = words.StateWord(m.State)
		if e.Data.Exit != nil {
			m.Detail = words.ExitText(e.Data.Exit)
		}
	case wire.EventCrashed:
		m.State, m.Title, m.Detail = "failed", "Crashed", joinSentences(words.ExitText(e.Data.Exit), words.Clean(e.Data.Text))
	case wire.EventHealth:
		m.State, m.Title, m.Detail = health(words.Clean(e.Data.Text))
	case wire.EventTask:
		m.State, m.Title, m.Detail, m.Task = words.TaskGlyph(e.Data.State), TaskTurn(e.Data.State), words.Clean(e.Data.Text), e.Data.Task
	case wire.EventAsk, wire.EventAnswer:
		if e.Data.Ask == nil {
			return m, false
		}
		m.State, m.Title, m.Detail = words.AskMoment(e.Data.Ask)
	case wire.EventLog:
		m.State, m.Title, m.Detail = "input", "Log", words.Clean(e.Data.Text)
	default:
		return m, false
	}
	return m, true
}

// health divides "stalled: no output for 4s" into what it is, with its shape, and the rest.
func health(text string) (state, title, detail string) {
	what, rest, _ := strings.Cut(text, ": ")
	switch what {
	case "unknown", "stalled", "suspended":
		state = "unknown"
	case "lost":
		state = "lost"
	default:
		state = "running"
	}
	return state, words.Upper(what), words.Upper(rest)
}

func TaskTurn(s wire.TaskState) string {
	if s == wire.TaskWorking {
		return "Task started"
	}
	return "Task " + strings.ToLower(words.TaskWord(s))
}

// joinSentences puts a dot between two, if there are two.
func joinSentences(a, b string) string {
	if b == "" {
		return a
	}
	return strings.TrimRight(a, ".") + ". " + words.Upper(b)
}

func inputDetail(d wire.EventData) string {
	if len(d.Base64) > 0 {
		return words.Count(len(d.Base64), "byte", "bytes")
	}
	s := words.Clean(d.Text)
	if s == "" {
		return "end of input"
	}
	if r := []rune(s); len(r) > 80 {
		return string(r[:79]) + "…"
	}
	return s
}

func encode64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
