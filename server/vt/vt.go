// Package vt is a terminal without a display. A [Screen] takes what a program writes to its terminal. It keeps the screen that
// results, answers the program's queries, notes what the program says about itself, and passes on to the terminals of viewers
// what these can show.
//
//	what the program wrote ── scan ──┬── text, control functions that Screen knows ──> grid, and [Result.Show] for viewers
//	                                 ├── queries ──> [Result.Reply] for the program
//	                                 └── titles, progress, notifications, status ──> [Result.Notes]
//
// A viewer that comes late gets [Screen.Paint], which makes a terminal that was just reset show the same screen with the same
// modes, and from then on the same bytes as everybody. So what Screen does not know, no viewer gets: all of them
// show the same. Nothing that makes a terminal answer, write to a clipboard or open anything is passed on.
//
// The control functions are those of ECMA-48 and of DEC's VT220, as far as today's programs use them, and of xterm (ctlseqs). Tests
// compare the screen, and what was painted of it, with that of the npm package @xterm/headless.
//
// A Screen is for use by one goroutine at a time.
package vt

import "fmt"

func (s *Screen) kitty() *kitty {
	if s.g == &s.alternate {
		return &s.modes.kitty[1]
	}
	return &s.modes.kitty[0]
}

func (s *Screen) note(n Note) {
	const most = 256 // of one Write; a program that says more says nothing
	if len(s.out.Notes) < most {
		s.out.Notes = append(s.out.Notes, n)
	}
}

func (s *Screen) answer(format string, args ...any) {
	if len(s.out.Reply) < maxReply {
		s.out.Reply = fmt.Appendf(s.out.Reply, format, args...)
	}
}

// maxReply bounds the answers to one Write, in bytes. A program that asks more often than it reads gets no more of them.
const maxReply = 4 << 10

func defaultTabs(cols int) []bool {
	tabs := make([]bool, cols)
	for x := 8; x < cols; x += 8 {
		tabs[x] = true
	}
	return tabs
}

// Bounds.
const (
	MaxCols, MaxRows = 1000, 500 // of a screen

	maxHistory      = 2000      // lines that have left the screen at its top: at most this many,
	maxHistoryBytes = 256 << 10 // and at most this many bytes of them
	maxSequence     = 256       // bytes of one control sequence; a longer one is ignored
	maxString       = 8 << 10   // bytes of one control string, such as a title; the rest of a longer one is ignored
	maxClusters     = 4096      // different characters of several code points on one screen; of others the first code point is kept
	maxLinks        = 1024      // different hyperlinks on one screen; further ones are text
	maxCluster      = 32        // bytes of one character
	maxTitle        = 120       // characters of a title
	maxNote         = 1000      // characters of a notification
	maxShow         = 64 << 10  // bytes for viewers of one Write, beyond four times what was written
	maxKitty        = 16        // entries of the stack of keyboard modes
)

// Screen is the state of a terminal.
type Screen struct {
	cols, rows int

	primary, alternate grid
	g                  *grid // the one of them that shows
	history            history
	pool               pool

	pen     style
	link    uint16
	sets    [4]byte // the character sets G0 to G3: 'B' is ASCII, '0' line drawing, 'A' British
	shift   int     // which of them is in use
	modes   modes
	tabs    []bool
	tabbed  bool // they were changed
	last    rune // the last character that was printed, for REP
	text    bool // nothing but text came since
	repeats int  // how many more REP may print in this Write
	shape   int  // of the cursor: the parameter of DECSCUSR
	palette Palette

	unlinked bool   // links are left out of what is painted
	version  uint64 // counts what may have changed what it shows

	scan scanner
	out  Result
}

// Result is what becomes of what a program wrote.
type Result struct {
	Show  []byte // for viewers
	Reply []byte // for the program: the answers to its queries
	Notes []Note // what it says about itself

	// Repaint says that the program has made so much of little that viewers are to be painted in place of getting Show, which is empty.
	Repaint bool
}

// Palette is what a program learns of a terminal's colours: rgb values of 8 bits each.
type Palette struct{ Foreground, Background [3]uint8 }

// Dark is the palette of a Screen.
var Dark = Palette{Foreground: [3]uint8{0xe6, 0xe6, 0xe6}, Background: [3]uint8{0x12, 0x14, 0x18}}

// New returns an empty screen.
func New(cols, rows int) *Screen {
	s := &Screen{cols: clamp(cols, 1, MaxCols), rows: clamp(rows, 1, MaxRows), palette: Dark}
	s.reset()
	return s
}

// reset is RIS.
func (s *Screen) reset() {
	for _, g := range []*grid{&s.primary, &s.alternate} {
		if len(g.lines) != s.rows || g.cols() != s.cols {
			*g = newGrid(s.cols, s.rows)
		} else {
			g.reset()
		}
	}
	s.g = &s.primary
	s.history = history{}
	s.pool = pool{}
	s.softReset()
	s.modes = defaultModes
	s.tabs, s.tabbed = defaultTabs(s.cols), false
	s.last, s.shape = 0, 0
}

// softReset is DECSTR.
func (s *Screen) softReset() {
	s.pen, s.link = style{}, 0
	s.sets, s.shift = [4]byte{'B', 'B', 'B', 'B'}, 0
	s.modes.insert, s.modes.origin, s.modes.cursorKeys, s.modes.keypad, s.modes.hidden = false, false, false, false, false
	s.modes.wrap = true
	s.g.top, s.g.bottom = 0, s.rows-1
	s.g.saved = cursor{sets: s.sets}
}

// Size returns the number of columns and rows.
func (s *Screen) Size() (cols, rows int) { return s.cols, s.rows }

// Write takes further output of the program. It may begin and end anywhere. The result is valid until the next call.
func (s *Screen) Write(p []byte) *Result {
	s.out.Show, s.out.Reply, s.out.Notes, s.out.Repaint = s.out.Show[:0], s.out.Reply[:0], s.out.Notes[:0], false
	s.version++
	s.repeats = s.cols * s.rows
	s.scan.feed(p, s)
	if len(s.out.Show) > maxShow+4*len(p) {
		s.out.Show, s.out.Repaint = nil, true
	}
	return &s.out
}

// Text returns the lines of the screen without colours and without blanks at their ends.
func (s *Screen) Text() []string {
	lines := make([]string, s.rows)
	for y := range s.rows {
		lines[y] = s.textOf(&s.g.lines[y])
	}
	return lines
}

func (s *Screen) textOf(l *line) string {
	var b []byte
	for x := range l.used() {
		c := &l.cells[x]
		if c.right {
			continue
		}
		b = s.pool.append(b, c.r)
	}
	return string(b)
}
