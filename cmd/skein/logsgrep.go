package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"skein.dev/skein/server/screen"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// maxContext bounds --context.
const maxContext = 1000

// grep is skein logs --grep.
type grep struct {
	wire.AgentSearchParams
	context int
	times   bool
}

func (o *grep) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.Query, "grep", "", "print the lines that have this text, searched on the server in the whole log")
	f.BoolVar(&o.Regexp, "regexp", false, "with --grep: it is a regular expression (RE2)")
	f.BoolVar(&o.Case, "case", false, "with --grep: upper and lower case differ")
	f.IntVarP(&o.context, "context", "C", 0, "with --grep: print this many lines before and after each")
}

// check refuses flags that mean nothing together.
func (o *grep) check(c *cobra.Command) error {
	changed := c.Flags().Changed
	if !changed("grep") {
		for _, f := range []string{"regexp", "case", "context"} {
			if changed(f) {
				return usageError{fmt.Errorf("--%s goes with --grep", f)}
			}
		}
		return nil
	}
	for _, f := range []string{"follow", "tail", "events"} {
		if changed(f) {
			return usageError{fmt.Errorf("--grep does not go with --%s: it searches the output that is there", f)}
		}
	}
	switch {
	case changed("json") && changed("context"):
		return usageError{errors.New("--context does not go with --json: a match names its event's seq, and --after SEQ prints what follows it")}
	case o.context < 0 || o.context > maxContext:
		return usageError{fmt.Errorf("--context is %d; it may be 0 to %d", o.context, maxContext)}
	}
	return nil
}

// run prints the lines that have a hit, and ends with exitFailed if there are none, as grep does.
func (o *grep) run(cmd *cobra.Command, g *global, c *client.Client, id wire.AgentID) error {
	o.ID = id
	a, err := c.Get(cmd.Context(), id)
	if err != nil {
		return err
	}
	if a.Dropped != nil && o.After < a.Dropped.Last {
		printErrf(cmd, "skein: %s\n", droppedText(*a.Dropped))
	}
	found := false
	p := &surroundings{cmd: cmd, c: c, id: id, n: o.context, times: o.times}
	for m, err := range c.Search(cmd.Context(), o.AgentSearchParams) {
		if err != nil {
			return leftAgent(cmd, err, id)
		}
		found = true
		switch {
		case g.json:
			err = printJSONLine(cmd, m)
		case o.context > 0:
			err = p.match(m)
		default:
			err = printLogLine(cmd, m.Time, o.times, matchText(m))
		}
		if err != nil {
			return err
		}
	}
	if !found {
		return exitCode(exitFailed)
	}
	return nil
}

func printLogLine(cmd *cobra.Command, at time.Time, times bool, text string) error {
	if times {
		text = at.Local().Format("15:04:05.000") + " " + text
	}
	return printf(cmd, "%s\n", text)
}

// matchText is a match's line, with marks where it was cut.
func matchText(m wire.Match) string {
	text := m.Line
	begin, end := m.Cut()
	if begin {
		text = "…" + text
	}
	if end {
		text += "…"
	}
	return text
}

// place is where a line begins.
type place struct {
	seq    uint64 // of an event
	offset int    // in its data
}

func (p place) compare(o place) int {
	return cmp.Or(cmp.Compare(p.seq, o.seq), cmp.Compare(p.offset, o.offset))
}

// logLine is a line of output.
type logLine struct {
	place
	time time.Time
	text string
}

// maxContextReads bounds the pages that are read for the lines around one match.
const maxContextReads = 32

// surroundings prints matches with the lines around them, each line once.
type surroundings struct {
	cmd   *cobra.Command
	c     *client.Client
	id    wire.AgentID
	n     int
	times bool

	window  []wire.Event // of the output, without a gap
	atFirst bool         // nothing precedes the window
	atLast  bool         // nothing follows it
	lines   []logLine    // in the window, in the order in which they begin

	printed map[place]bool
	last    place // that was printed; zero: none
}

// match prints what is around a line.
func (s *surroundings) match(m wire.Match) error {
	at, err := s.reach(place{m.Seq, m.Offset})
	if err != nil {
		return err
	}
	if s.printed == nil {
		s.printed = map[place]bool{}
	}
	for i := max(0, at-s.n); i <= at+s.n && i < len(s.lines); i++ {
		l := s.lines[i]
		if s.printed[l.place] {
			continue
		}
		if s.last != (place{}) && (i == 0 || s.lines[i-1].place != s.last) {
			if err := printf(s.cmd, "--\n"); err != nil {
				return err
			}
		}
		text := contextText(l.text)
		if i == at {
			text = matchText(m)
		}
		if err := printLogLine(s.cmd, l.time, s.times, text); err != nil {
			return err
		}
		s.printed[l.place], s.last = true, l.place
	}
	return nil
}

// contextText is a line as a match shows it: its beginning.
func contextText(raw string) string {
	text := screen.Text(raw)
	if len(text) <= wire.MaxMatchLine {
		return text
	}
	n := wire.MaxMatchLine
	for !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + "…"
}

// reach reads events until the lines around a match are in the window, and gives the place of its line there.
func (s *surroundings) reach(p place) (at int, err error) {
	if n := len(s.window); n == 0 || p.seq < s.window[0].Seq || p.seq > s.window[n-1].Seq {
		s.window, s.atFirst, s.atLast = nil, false, false
		if err := s.read(wire.AgentEventsParams{Before: p.seq + 1, Newest: true}); err != nil {
			return 0, err
		}
	}
	for range maxContextReads {
		switch at = s.find(p); {
		case !s.atFirst && at <= s.n: // the window's first line may have begun before it
			err = s.read(wire.AgentEventsParams{Before: s.window[0].Seq, Newest: true})
		case !s.atLast && at+s.n+1 >= len(s.lines): // and its last one may go on
			s.trim(at)
			err = s.read(wire.AgentEventsParams{After: s.window[len(s.window)-1].Seq})
		case at < 0:
			return 0, fmt.Errorf("event %d, with a match, is gone from the log", p.seq)
		default:
			return at, nil
		}
		if err != nil {
			return 0, err
		}
		if len(s.window) == 0 {
			return 0, fmt.Errorf("event %d, with a match, is gone from the log", p.seq)
		}
	}
	return max(0, s.find(p)), nil
}

// find gives the line that begins at a place, or has it: a match in a very long line is in its midst.
func (s *surroundings) find(p place) int {
	at, found := slices.BinarySearchFunc(s.lines, p, func(l logLine, p place) int { return l.compare(p) })
	if !found {
		at--
	}
	return at
}

// trim leaves out what precedes the lines around one.
func (s *surroundings) trim(at int) {
	if at <= s.n {
		return
	}
	from := s.lines[at-s.n-1].seq
	s.window = slices.DeleteFunc(s.window, func(e wire.Event) bool { return e.Seq < from })
	s.atFirst = false
}

// read adds a page to the window, on one side of it.
func (s *surroundings) read(p wire.AgentEventsParams) error {
	p.ID, p.Which = s.id, wire.OutputEvents
	page, err := s.c.EventPage(s.cmd.Context(), p)
	if err != nil {
		return err
	}
	if p.Newest {
		s.window, s.atFirst = slices.Concat(page.Events, s.window), !page.More
	} else {
		s.window, s.atLast = append(s.window, page.Events...), !page.More
	}
	s.lines = linesOf(s.window)
	return nil
}

// linesOf makes lines of output. Those of standard output and of standard error are apart, however they alternate.
func linesOf(events []wire.Event) (lines []logLine) {
	open := map[wire.EventType]int{} // index of the line whose newline has not come
	for _, e := range events {
		offset := 0
		for part := range strings.Lines(string(e.Data.Bytes())) {
			text, ended := strings.CutSuffix(part, "\n")
			i, goesOn := open[e.Type]
			if !goesOn {
				i = len(lines)
				lines = append(lines, logLine{place: place{e.Seq, offset}, time: e.Time})
				open[e.Type] = i
			}
			lines[i].text += text
			if ended {
				delete(open, e.Type)
			}
			offset += len(part)
		}
	}
	return lines
}

// droppedText says what the log no longer has.
func droppedText(d wire.Dropped) string {
	format := time.TimeOnly
	if d.From.Local().Format(time.DateOnly) != time.Now().Format(time.DateOnly) {
		format = time.DateTime
	}
	return fmt.Sprintf("the log no longer has %d bytes (%d events) from %s to %s: it was full", d.Bytes, d.Events, d.From.Local().Format(format), d.To.Local().Format(format))
}
