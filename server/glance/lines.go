// Package glance makes pictures of what agents print: the last lines of their output. What a picture costs is bounded by its size,
// whatever an agent prints.
package glance

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"skein.dev/skein/server/screen"
	"skein.dev/skein/webtransport/wire"
)

// maxLine bounds a line, in bytes: what comes after it is not shown.
const maxLine = 2 << 10

// Lines are the last lines of an agent's output. They are for use by one goroutine.
type Lines struct {
	rows, cols int

	all   []*line         // at most rows
	open  [2]*line        // the unfinished line of standard output, and of standard error; nil: there is none
	style [2]screen.Style // the style that holds at its beginning
}

// line is one of them.
type line struct {
	kind  wire.RowKind
	text  string // as it came, or what leaves the same on a terminal
	start screen.Style
	row   *wire.PictureRow // nil: it has changed since it was rendered
}

// New returns Lines of pictures with at most so many rows, of so many characters.
func New(rows, cols int) *Lines { return &Lines{rows: rows, cols: cols} }

// Add takes an event.
func (l *Lines) Add(e *wire.Event) {
	switch e.Type {
	case wire.EventStdout, wire.EventStderr:
		if e.Data.Base64 != nil {
			l.put(&line{kind: wire.RowBytes, text: "Binary, " + strconv.Itoa(len(e.Data.Base64)) + " bytes"})
			return
		}
		l.output(e)
	case wire.EventInput:
		text := strings.TrimRight(e.Data.Text, "\n")
		if n := len(e.Data.Base64); n > 0 {
			text = strconv.Itoa(n) + " bytes that are not text"
		}
		for part := range strings.SplitSeq(lastLines(text, l.rows), "\n") {
			l.put(&line{kind: wire.RowInput, text: strings.Clone(cut(part))})
		}
	}
}

// Gap says that some of the output is left out between what came and what comes.
func (l *Lines) Gap() { l.open, l.style = [2]*line{}, [2]screen.Style{} }

// output takes further output of a stream.
func (l *Lines) output(e *wire.Event) {
	stream, kind := 0, wire.RowOut
	if e.Type == wire.EventStderr {
		stream, kind = 1, wire.RowErr
	}
	rest := lastLines(e.Data.Text, l.rows+1)
	if len(rest) < len(e.Data.Text) { // the line that is open is far above
		l.open[stream], l.style[stream] = nil, screen.Style{}
	}
	for rest != "" {
		text, after, ended := strings.Cut(rest, "\n")
		rest = after
		at := l.open[stream]
		if at == nil {
			at = &line{kind: kind, start: l.style[stream]}
			l.open[stream] = at
			l.put(at)
		}
		at.add(text, l.cols)
		if ended {
			l.style[stream] = at.after()
			l.open[stream] = nil
		}
	}
}

// put adds a line at the end.
func (l *Lines) put(at *line) {
	l.all = append(l.all, at)
	if extra := len(l.all) - l.rows; extra > 0 {
		clear(l.all[:extra])
		l.all = l.all[extra:]
	}
}

// Picture returns the lines as they are now.
func (l *Lines) Picture() wire.Picture {
	p := wire.Picture{Kind: wire.PictureLines, Rows: make([]*wire.PictureRow, len(l.all))}
	for i, at := range l.all {
		if at.row == nil {
			at.row = at.render(l.cols)
		}
		p.Rows[i] = at.row
	}
	return p
}

// add takes further output of the line. What is written over, as by a progress bar, is kept as what a terminal leaves of it.
func (at *line) add(text string, cols int) {
	at.row = nil
	if whole := at.text + text; screen.Moves(strings.TrimRight(whole, "\r")) {
		s := screen.Line{Start: at.start, Max: cols}
		s.Write(whole)
		at.text = cut(s.State())
		return
	}
	if room := maxLine - len(at.text); room > 0 {
		at.text = strings.Clone(cut(at.text + text)) // an event is not kept for one line of it
	}
}

// after is the style at its end.
func (at *line) after() screen.Style {
	s := at.start
	if strings.IndexByte(at.text, 0x1b) >= 0 {
		screen.Pieces(at.text, &s)
	}
	return s
}

// render divides the line by style, and cuts it.
func (at *line) render(cols int) *wire.PictureRow {
	s := at.start
	row := &wire.PictureRow{Kind: at.kind}
	for _, p := range screen.Pieces(at.text, &s) {
		n := utf8.RuneCountInString(p.Text)
		if n > cols {
			p.Text, n = string([]rune(p.Text)[:cols]), cols
		}
		if cols -= n; n > 0 {
			row.Pieces = append(row.Pieces, wire.Piece(p))
		}
	}
	return row
}

// lastLines is the end of a text: so many lines, or less.
func lastLines(text string, lines int) string {
	at := len(text)
	for range lines {
		if at = strings.LastIndexByte(text[:at], '\n'); at < 0 {
			return text
		}
	}
	return text[at+1:]
}

// cut bounds a line.
func cut(text string) string {
	if len(text) <= maxLine {
		return text
	}
	n := maxLine
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}
