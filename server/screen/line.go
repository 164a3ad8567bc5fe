// Package screen computes what a terminal shows of one line of output: text in up to sixteen colours, overwritten and
// erased by carriage returns, backspaces and the control sequences that move the cursor within its line, as progress bars
// do. Sequences that move the cursor to another line, and all others, are dropped.
//
// The sixteen colours are the palette of the pages, as classes, because the content security policy forbids inline styles
// and an arbitrary colour is not readable on both a light and a dark page. 256 and true colours map to the nearest of the
// sixteen. static/app/agent/ansi.js has the same rules; tests check both against ui/testdata/ansi.json.
package screen

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds of what a control sequence may do to a line.
const (
	tabStop    = 8
	maxMove    = 512 // columns that the cursor can be moved to; text may continue beyond them
	maxPending = 256 // bytes that are kept of an unfinished control sequence
	maxMarks   = 8   // combining characters in one cell
)

// escapes matches the control sequences of ECMA-48: CSI, OSC and the other strings, which any escape ends, and two-byte
// ones. It also matches an unfinished one at the end.
var escapes = regexp.MustCompile("\x1b(?:\\[[0-?]*[ -/]*(?:[@-~]|$)|[\\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\\\|\x1b?$)?|[ -/]*(?:[0-Z\\\\^-~]|$))")

// moves matches the characters and sequences that move the cursor, so that a line shows something other than its text.
var moves = regexp.MustCompile("[\r\b]|\x1b\\[[0-9;]*[CDGK`]")

// Line is one line of a terminal that is as wide as need be. The zero value is an empty line.
type Line struct {
	// Start is the style that holds at its beginning.
	Start Style
	// Max is how many columns are kept; 0: all.
	Max int

	cells   []cell // a wide character's second column is a cell without text
	col     int    // of the cursor
	style   Style  // less Start, which it begins with
	begun   bool
	pending string // a control sequence, or a character, whose end has not come
}

// cell is one column.
type cell struct {
	text  string
	style Style
}

// Write takes further output of the line; it holds no newline. It may begin and end anywhere.
func (l *Line) Write(s string) {
	if !l.begun {
		l.begun, l.style = true, l.Start
	}
	s, l.pending = l.pending+s, ""
	s = s[:len(s)-l.hold(s)]
	for s != "" {
		loc := escapes.FindStringIndex(s)
		if loc == nil {
			l.print(s)
			return
		}
		l.print(s[:loc[0]])
		seq := s[loc[0]:loc[1]]
		s = s[loc[1]:]
		if s == "" && !finished(seq) {
			l.pending = bounded(seq) + l.pending
			return
		}
		l.sequence(seq)
	}
}

// hold keeps the beginning of a character at the end of s for later, and gives its length.
func (l *Line) hold(s string) int {
	for n := 1; n < utf8.UTFMax && n <= len(s); n++ {
		if tail := s[len(s)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRuneInString(tail) {
				return 0
			}
			l.pending = tail
			return n
		}
	}
	return 0
}

// finished reports whether a sequence at the end of what came is whole.
func finished(seq string) bool {
	last := seq[len(seq)-1]
	switch {
	case len(seq) == 1:
		return false
	case seq[1] == '[':
		return len(seq) > 2 && last >= '@'
	case strings.IndexByte("]PX^_", seq[1]) >= 0:
		return last == '\a' || len(seq) > 3 && strings.HasSuffix(seq, "\x1b\\")
	}
	return last >= '0'
}

// bounded keeps of an unfinished sequence what tells how it goes on. Of a string, whose content nobody wants, that is
// its beginning, and the escape that may end it.
func bounded(seq string) string {
	if len(seq) <= maxPending {
		return seq
	}
	if strings.IndexByte("]PX^_", seq[1]) < 0 {
		return seq[:maxPending]
	}
	if strings.HasSuffix(seq, "\x1b") {
		return seq[:2] + "\x1b"
	}
	return seq[:2]
}

// sequence carries out a control sequence.
func (l *Line) sequence(seq string) {
	if len(seq) < 3 || seq[1] != '[' {
		return
	}
	params, final := seq[2:len(seq)-1], seq[len(seq)-1]
	if final == 'm' {
		l.style.apply(params)
		return
	}
	if strings.Trim(params, "0123456789;") != "" { // private, or with intermediate bytes
		return
	}
	first, _, _ := strings.Cut(params, ";")
	n, _ := strconv.Atoi(first)
	if len(first) > 6 {
		n = 1 << 20
	}
	switch final {
	case 'G', '`':
		l.move(max(n, 1) - 1)
	case 'C':
		l.move(l.col + max(n, 1))
	case 'D':
		l.move(l.col - max(n, 1))
	case 'K':
		l.erase(n)
	}
}

// move sets the cursor. The column is limited to maxMove or the length of the text.
func (l *Line) move(col int) {
	l.col = max(0, min(col, max(maxMove, len(l.cells))))
}

// erase carries out EL: to the end of the line, from its beginning, or all of it.
func (l *Line) erase(what int) {
	switch what {
	case 0:
		l.split(l.col)
		l.cells = l.cells[:min(l.col, len(l.cells))]
	case 1:
		to := min(l.col+1, len(l.cells))
		l.split(to)
		for i := range to {
			l.cells[i] = cell{text: " "}
		}
	case 2:
		l.cells = l.cells[:0]
	}
}

// split replaces a wide character or a tab that spans a column with spaces.
func (l *Line) split(col int) {
	if col <= 0 || col >= len(l.cells) || l.cells[col].text != "" {
		return
	}
	from, to := col, col
	for from > 0 && l.cells[from].text == "" {
		from--
	}
	for to < len(l.cells) && l.cells[to].text == "" {
		to++
	}
	for i := from; i < to; i++ {
		l.cells[i].text = " "
	}
}

// print writes text at the cursor.
func (l *Line) print(s string) {
	for _, r := range s {
		switch {
		case r == '\r':
			l.col = 0
		case r == '\b':
			l.move(l.col - 1)
		case r == '\t':
			l.tab()
		case unprintable(r):
		default:
			l.put(r)
		}
	}
}

// tab moves to the next tab stop. After the end of the text the tab itself is kept, so that a copy has what was printed.
func (l *Line) tab() {
	next := (l.col/tabStop + 1) * tabStop
	if l.col < len(l.cells) {
		l.move(next)
		return
	}
	l.set("\t", next-l.col)
}

func (l *Line) put(r rune) {
	switch w := width(r); {
	case w > 0:
		l.set(string(r), w)
	case l.col > 0 && l.col <= len(l.cells):
		at := l.col - 1
		for at > 0 && l.cells[at].text == "" {
			at--
		}
		if c := &l.cells[at]; len(c.text) < maxMarks*utf8.UTFMax {
			c.text += string(r)
		}
	}
}

// set writes one character at the cursor.
func (l *Line) set(text string, width int) {
	if l.Max > 0 && l.col+width > l.Max {
		l.col = l.Max
		return
	}
	for len(l.cells) < l.col {
		l.cells = append(l.cells, cell{text: " "})
	}
	l.split(l.col)
	l.split(l.col + width)
	for i := range width {
		c := cell{text, l.style}
		if i > 0 {
			c.text = ""
		}
		if l.col < len(l.cells) {
			l.cells[l.col] = c
		} else {
			l.cells = append(l.cells, c)
		}
		l.col++
	}
}

// Columns returns the width of the text, in columns.
func (l *Line) Columns() int { return len(l.cells) }

// Text returns the text of the line.
func (l *Line) Text() string {
	var b strings.Builder
	for _, c := range l.cells {
		b.WriteString(c.text)
	}
	return b.String()
}

// Brief returns the text for places with room for one short line: valid UTF-8 without blanks around it, at most the given
// number of bytes.
func (l *Line) Brief(most int) string {
	text := strings.TrimSpace(strings.ReplaceAll(strings.ReplaceAll(l.Text(), "\ufffd", ""), "\t", " "))
	for len(text) > most {
		_, n := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-n]
	}
	return strings.TrimSpace(text)
}

// Pieces returns the text of the line, by style.
func (l *Line) Pieces() (out []Piece) {
	var last Style
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			out = append(out, Piece{last.Class(), text.String()})
			text.Reset()
		}
	}
	for _, c := range l.cells {
		if c.style != last {
			flush()
			last = c.style
		}
		text.WriteString(c.text)
	}
	flush()
	return out
}

// State returns output that turns an empty line with the same Start into this one. It may be kept instead of the original,
// and more output may follow it.
func (l *Line) State() string {
	var b strings.Builder
	style := l.Start
	set := func(s Style) {
		if s != style {
			b.WriteString(s.sgr())
			style = s
		}
	}
	for _, c := range l.cells {
		if c.text != "" {
			set(c.style)
			b.WriteString(c.text)
		}
	}
	if l.begun {
		set(l.style)
	}
	if l.col != len(l.cells) {
		b.WriteString("\x1b[" + strconv.Itoa(l.col+1) + "G")
	}
	b.WriteString(l.pending)
	return b.String()
}

// Moves reports whether output moves the cursor, so that it shows something other than its text.
func Moves(s string) bool { return moves.MatchString(s) }

// Text returns what a terminal shows of a line, without styles.
func Text(line string) string {
	if plain(line) {
		return line
	}
	line = strings.ToValidUTF8(line, "\ufffd")
	if Moves(strings.TrimRight(line, "\r")) {
		var l Line
		l.Write(line)
		return l.Text()
	}
	return printable(Strip(line))
}

// plain reports whether a line has printable ASCII only, as most have.
func plain(line string) bool {
	for i := range len(line) {
		if c := line[i]; c < 0x20 && c != '\t' || c >= 0x7f {
			return false
		}
	}
	return true
}

// Pieces splits a line by style. *s is the style at its beginning, and is set to that at its end.
func Pieces(text string, s *Style) []Piece {
	if Moves(strings.TrimRight(text, "\r")) {
		l := Line{Start: *s}
		l.Write(text)
		*s = l.style
		return l.Pieces()
	}
	return styled(text, s)
}

// styled is Pieces for a line in which nothing moves the cursor, as in most.
func styled(line string, s *Style) []Piece {
	var out []Piece
	add := func(text string) {
		text = printable(text)
		if text == "" {
			return
		}
		c := s.Class()
		if n := len(out); n > 0 && out[n-1].Class == c {
			out[n-1].Text += text
			return
		}
		out = append(out, Piece{c, text})
	}
	for {
		loc := escapes.FindStringIndex(line)
		if loc == nil {
			add(line)
			return out
		}
		add(line[:loc[0]])
		if seq := line[loc[0]:loc[1]]; strings.HasPrefix(seq, "\x1b[") && strings.HasSuffix(seq, "m") {
			s.apply(seq[2 : len(seq)-1])
		}
		line = line[loc[1]:]
	}
}

// Strip removes control sequences from a text.
func Strip(s string) string { return escapes.ReplaceAllString(s, "") }

// Unprintable reports whether a character is invisible or reverses the direction of text: C0, C1, and the bidirectional
// overrides.
func Unprintable(r rune) bool { return unprintable(r) }

func unprintable(r rune) bool {
	return r < 0x20 || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// printable drops control characters but the tab, and the bidirectional overrides.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && unprintable(r) {
			return -1
		}
		return r
	}, s)
}
