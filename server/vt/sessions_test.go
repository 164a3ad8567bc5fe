package vt

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"skein.dev/skein/e2e/kit"
)

var sessionCuts = flag.Int("cuts", kit.Less(16, 8), "at how many places of each recorded session terminals are compared")

// display is what a terminal shows, as testdata/sessions.mjs has it.
type display struct {
	Lines     []string `json:"lines"`
	Primary   []string `json:"primary"` // the lines of the primary screen, also while the alternate one shows
	History   int      `json:"history"` // how many lines have left it at its top
	Cursor    [2]int   `json:"cursor"`
	Past      bool     `json:"past"` // see grid.past
	Hidden    bool     `json:"hidden"`
	Shape     string   `json:"shape"`
	Alternate bool     `json:"alternate"`
	Modes     xmodes   `json:"modes"`
	Title     string   `json:"title"`
}

// xmodes are the modes as xterm.js names them.
type xmodes struct {
	CursorKeys bool   `json:"applicationCursorKeysMode"`
	Keypad     bool   `json:"applicationKeypadMode"`
	Paste      bool   `json:"bracketedPasteMode"`
	Insert     bool   `json:"insertMode"`
	Mouse      string `json:"mouseTrackingMode"`
	Origin     bool   `json:"originMode"`
	Focus      bool   `json:"sendFocusMode"`
	Sync       bool   `json:"synchronizedOutputMode"`
	Wrap       bool   `json:"wraparoundMode"`
	Encoding   string `json:"encoding"`
}

// display returns what the screen shows. What lines have left it is compared as it is painted.
func (s *Screen) display() (d display) {
	for y := range s.rows {
		d.Lines = append(d.Lines, s.row(&s.g.lines[y]))
		d.Primary = append(d.Primary, s.row(&s.primary.lines[y]))
	}
	m := &s.modes
	d.History = len(s.history.lines)
	d.Cursor, d.Past, d.Hidden, d.Alternate = [2]int{s.g.x, s.g.y}, s.g.past, m.hidden, s.g == &s.alternate
	d.Shape = [...]string{" ", "block true", "block false", "underline true", "underline false", "bar true", "bar false"}[s.shape]
	d.Modes = xmodes{CursorKeys: m.cursorKeys, Keypad: m.keypad, Paste: m.paste, Insert: m.insert, Origin: m.origin, Focus: m.focus, Sync: m.sync, Wrap: m.wrap}
	d.Modes.Mouse = map[int]string{0: "none", 9: "x10", 1000: "vt200", 1002: "drag", 1003: "any"}[m.mouse]
	d.Modes.Encoding = map[int]string{0: "DEFAULT", 1006: "SGR", 1016: "SGR_PIXELS"}[m.encoding]
	return d
}

// row is a line as sessions.mjs writes it.
func (s *Screen) row(l *line) string {
	var b []byte
	if l.joins {
		b = append(b, "↪"...)
	}
	last := "0"
	for x := range l.cells {
		c := &l.cells[x]
		if c.right {
			continue
		}
		if is := s.styled(c); is != last {
			last = is
			b = fmt.Appendf(b, "<%s>", is)
		}
		if c.r == 0 {
			b = append(b, "·"...)
		} else {
			b = s.pool.append(b, c.r)
		}
		if c.width > 1 {
			b = append(b, "‖"...)
		}
	}
	return string(b)
}

func (s *Screen) styled(c *cell) string {
	var b strings.Builder
	colour := func(name string, c color) {
		switch {
		case c >= rgbColor:
			fmt.Fprintf(&b, "%s#%d", name, c-rgbColor)
		case c != 0:
			fmt.Fprintf(&b, "%s%d", name, c-paletteColor)
		}
	}
	colour("f", c.style.fg)
	colour("b", c.style.bg)
	if u := c.style.attrs & underline; u != 0 {
		fmt.Fprintf(&b, "u%d", u)
		colour("c", c.style.under)
	}
	for i, a := range []attr{bold, dim, italic, blink, inverse, invisible, strike, overline} {
		if c.style.attrs&a != 0 {
			b.WriteByte("BDIKRHSO"[i])
		}
	}
	if c.link != 0 {
		b.WriteByte('L')
	}
	if b.Len() == 0 {
		return "0"
	}
	return b.String()
}

// player plays recordings into a Screen, and into terminals of @xterm/headless.
type player struct {
	t     *testing.T
	in    *json.Encoder
	out   *bufio.Scanner
	s     *Screen
	title string
	sized bool // the size has changed: history is wrapped anew by what paints it
	like  bool // what the other terminal shows was painted: whether blanks were written is not to be seen
}

func newPlayer(t *testing.T) *player {
	t.Helper()
	in, out := startNode(t, "testdata/sessions.mjs")
	return &player{t: t, in: in, out: out}
}

// say sends a command, and reads the answer if there is one.
func (p *player) say(command map[string]any, answer any) {
	p.t.Helper()
	if err := p.in.Encode(command); err != nil {
		p.t.Fatal(err)
	}
	if answer == nil {
		return
	}
	if !p.out.Scan() {
		p.t.Fatal("the oracle is silent:", p.out.Err())
	}
	if err := json.Unmarshal(p.out.Bytes(), answer); err != nil {
		p.t.Fatal(err)
	}
}

func (p *player) open(cols, rows int) {
	p.s, p.title, p.like = New(cols, rows), "", false
	p.sized = false
	p.say(map[string]any{"open": map[string]int{"cols": cols, "rows": rows}}, &struct{}{})
}

func (p *player) write(b []byte) {
	r := p.s.Write(b)
	for _, n := range r.Notes {
		switch n.Kind {
		case Title:
			p.title = n.Text
		}
	}
	p.say(map[string]any{"raw": b, "show": r.Show}, nil)
}

func (p *player) resize(cols, rows int) {
	p.s.Resize(cols, rows)
	p.sized = true
	p.say(map[string]any{"cols": cols, "rows": rows, "paint": p.s.Paint()}, &struct{}{})
}

func (p *player) do(s step) {
	if s.cols > 0 {
		p.resize(s.cols, s.rows)
	} else {
		p.write(s.write)
	}
}

// sync makes the terminal that gets what the program wrote show this screen. Of the primary one, it then has no saved cursor.
func (p *player) sync() {
	p.like = true
	if p.s.g == &p.s.alternate {
		p.say(map[string]any{"raw": p.s.appendCursor(p.s.appendAlternate([]byte("\x1b[m\x1b[r\x1b[2J")))}, nil)
		return
	}
	p.say(map[string]any{"sync": p.s.Paint()}, &struct{}{})
}

// compare returns how the terminals differ; "": they don't. keep: the viewer that comes now goes on.
func (p *player) compare(keep bool) string {
	var answer struct {
		Raw     display `json:"raw"`
		Differs string  `json:"differs"`
	}
	p.say(map[string]any{"cut": true, "paint": p.s.Paint(), "keep": keep}, &answer)
	s := p.s.display()
	s.Title = p.title
	if p.sized {
		s.History = answer.Raw.History
	}
	answer.Raw.Title = oneLine(answer.Raw.Title, maxTitle)
	if p.like {
		s, answer.Raw = painted(s), painted(answer.Raw)
	}
	if diff := differs(s, answer.Raw); diff != "" {
		return "the screen: " + diff
	}
	return answer.Differs
}

// painted is what can be seen of a display: a blank that was never written is one, and blanks at the end are none.
func painted(d display) display {
	for _, lines := range []*[]string{&d.Lines, &d.Primary} {
		*lines = slices.Clone(*lines)
		for i, l := range *lines {
			(*lines)[i] = strings.TrimRight(strings.NewReplacer("·", " ", "↪", "").Replace(l), " ")
		}
	}
	return d
}

func differs(got, want display) string {
	g, w := reflect.ValueOf(got), reflect.ValueOf(want)
	for i := range g.NumField() {
		a, b := g.Field(i).Interface(), w.Field(i).Interface()
		if reflect.DeepEqual(a, b) {
			continue
		}
		name := g.Type().Field(i).Name
		if a, ok := a.([]string); ok {
			return name + differentLines(a, b.([]string))
		}
		return fmt.Sprintf("%s is %+v, want %+v", name, a, b)
	}
	return ""
}

func differentLines(got, want []string) string {
	if len(got) != len(want) {
		return fmt.Sprintf(": %d, want %d", len(got), len(want))
	}
	out := ""
	for i := range got {
		if got[i] != want[i] {
			out += fmt.Sprintf("\nline %d is\n  %s\nwant\n  %s", i, got[i], want[i])
		}
	}
	return out
}

// places returns some places of a recording, the same ones each time, in order.
func (r *recording) places(n int) (at []int) {
	rnd := rand.New(rand.NewPCG(uint64(len(r.raw)), 1))
	for range n {
		at = append(at, rnd.IntN(len(r.raw)+1))
	}
	slices.Sort(at)
	return slices.Compact(at)
}

// Where the size changes, we decide otherwise than xterm.js:
const (
	cutOff    = "on the alternate screen, what was cut off when the terminal became narrower is gone; xterm.js shows it again when it becomes wider, until the program draws"
	noHistory = "the alternate screen has no history; in xterm.js it has some lines if the terminal has become shorter before, while the primary screen showed, and they come back"
	rowsFirst = "lines are wrapped before it is decided which of them still fit, so that the line of the cursor is wrapped, too, and stays; xterm.js takes the lines below the cursor away first, and cuts the cursor's own line off"
)

// resizesDiffer has the changes of the size at which recordings show that, by their number, from 1.
var resizesDiffer = map[string]map[int]string{
	"dialog": {2: rowsFirst},
	"qwen":   {3: noHistory},
	"tmux":   {3: cutOff},
}

// TestRecordedSessionsAreThoseOfXterm compares what real programs made of a screen.
func TestRecordedSessionsAreThoseOfXterm(t *testing.T) {
	t.Parallel()
	p := newPlayer(t)
	for _, r := range allRecordings(t) {
		t.Run(r.name, func(t *testing.T) { p.t = t; p.play(r) })
	}
}

// play compares the terminals at places of a recording, and around each change of the size.
func (p *player) play(r *recording) {
	p.open(r.Cols, r.Rows)
	at, cuts, sizes := 0, 0, 0
	for _, s := range r.steps(r.places(*sessionCuts)) {
		p.do(s)
		at += len(s.write)
		if s.cols > 0 {
			sizes++
			if p.resized(resizesDiffer[r.name][sizes], fmt.Sprintf("size %d, after %d bytes", sizes, at)) {
				continue
			}
		}
		cuts++
		if diff := p.compare(s.cols == 0 && cuts%6 == 1); diff != "" {
			p.t.Errorf("after %d bytes: %s", at, diff)
			return
		}
	}
}

// resized compares the terminals after a change of the size at which they are to differ, for a reason, and makes them the same.
func (p *player) resized(reason, where string) (differed bool) {
	if reason == "" {
		return false
	}
	if p.compare(false) == "" {
		p.t.Errorf("%s: nothing differs, but it is said that %s", where, reason)
	}
	p.sync()
	return true
}

func startNode(t *testing.T, script string) (*json.Encoder, *bufio.Scanner) {
	t.Helper()
	static, err := filepath.Abs("../../static")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(static, "node_modules/@xterm/headless")); err != nil {
		if os.Getenv("SKEIN_REQUIRE_INTEROP") != "" {
			t.Fatal(err)
		}
		t.Skip("static/node_modules is not there: run make deps")
	}
	cmd := exec.Command("node", script, static)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 64<<20)
	return json.NewEncoder(in), lines
}

// TestSmallCasesAreThoseOfXterm has what recorded sessions showed to be wrong, each as little as shows it.
func TestSmallCasesAreThoseOfXterm(t *testing.T) {
	t.Parallel()
	p := newPlayer(t)
	wider, narrower := step{cols: 30, rows: 5}, step{cols: 14, rows: 5}
	long := strings.Repeat("0123456789", 3)
	for name, steps := range map[string][]step{
		"SGR without a parameter":                     {output("\x1b[1;31mred\x1b[mplain")},
		"DECALN":                                      {output("\x1b[2;3rab\x1b#8c")},
		"a line that is gone to continues none":       {output(long + "\x1b[1A\r\nback"), wider},
		"erasing up to the cursor leaves it a part":   {output(long + "\x1b[1D\x1b[1Kx\r\n"), wider},
		"deleting lines outside of the region":        {output("\x1b[4;5r\x1b[2;1H01234567890123456789\x1b[Mx")},
		"erasing characters, too":                     {output(long + "\r\x1b[2Xx\r\n"), wider},
		"erasing all of it does not":                  {output(long + "\x1b[2Kx\r\n"), wider},
		"nor erasing the screen up to it":             {output(long + "\x1b[1Jx\r\n"), wider},
		"coloured blanks don't wrap":                  {output("\x1b[44mtext\x1b[K\x1b[m\r\nplain\r\n"), narrower},
		"nor behind text that does":                   {output("\x1b[44m0123456789012345\x1b[K\x1b[m\r\nplain\r\n"), narrower},
		"what was cleared does not come back":         {output(strings.Repeat("line\r\n", 9) + "\x1b[H\x1b[2J$ "), {cols: 20, rows: 8}},
		"what has left at the top does":               {output(strings.Repeat("line\r\n", 9) + "$ "), {cols: 20, rows: 8}},
		"also where it takes fewer lines now":         {output("one\r\ntwo\r\n" + long + "\r\n" + strings.Repeat("line\r\n", 4) + "$ "), {cols: 30, rows: 8}},
		"colours of lines that have left don't bleed": {output("\x1b[44m" + strings.Repeat("x", 20) + "\x1b[m\r\n" + strings.Repeat("line\r\n", 9) + "$ "), narrower},
	} {
		t.Run(name, func(t *testing.T) {
			p.t = t
			p.open(20, 5)
			for _, s := range steps {
				p.do(s)
				if diff := p.compare(false); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func output(text string) step { return step{write: []byte(text)} }
