package vt

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"skein.dev/skein/e2e/kit"
)

var oracleCases = flag.Int("oracle", kit.Less(400, 200), "how many random sessions are compared with @xterm/headless")

// oracle is @xterm/headless.
type oracle struct {
	t   *testing.T
	in  *json.Encoder
	out *bufio.Scanner
}

type session struct {
	Cols  int    `json:"cols"`
	Rows  int    `json:"rows"`
	Raw   []byte `json:"raw"`
	Show  []byte `json:"show"`
	Paint []byte `json:"paint"`
	Rest  []byte `json:"rest"`
}

type shown struct {
	Text, Styled []string
	Cursor       [2]int
	Alternate    bool
	History      []string
	Modes        string
}

type answer struct{ Raw, Live, Late shown }

func newOracle(t *testing.T) *oracle {
	t.Helper()
	in, out := startNode(t, "testdata/oracle.mjs")
	return &oracle{t: t, in: in, out: out}
}

// ask runs a session whose output comes in pieces. The late viewer comes after the first at of them.
func (o *oracle) ask(cols, rows int, pieces []string, at int) (s *Screen, a answer, c session) {
	o.t.Helper()
	s = New(cols, rows)
	c = session{Cols: cols, Rows: rows}
	for i, p := range pieces {
		if i == at {
			c.Paint = s.Paint()
		}
		c.Raw = append(c.Raw, p...)
		show := s.Write([]byte(p)).Show
		c.Show = append(c.Show, show...)
		if i >= at {
			c.Rest = append(c.Rest, show...)
		}
	}
	if at >= len(pieces) {
		c.Paint = s.Paint()
	}
	if err := o.in.Encode(c); err != nil {
		o.t.Fatal(err)
	}
	if !o.out.Scan() {
		o.t.Fatal("the oracle is silent:", o.out.Err())
	}
	if err := json.Unmarshal(o.out.Bytes(), &a); err != nil {
		o.t.Fatal(err)
	}
	return s, a, c
}

// check compares what the terminals show; whole: also of one that got what the program wrote.
func (o *oracle) check(cols, rows int, pieces []string, at int, whole bool) bool {
	o.t.Helper()
	s, a, c := o.ask(cols, rows, pieces, at)
	text := s.Text()
	for i := range text {
		text[i] = strings.TrimRight(text[i], " ")
	}
	what := ""
	if !whole {
		a.Raw = a.Live
	}
	switch {
	case !slices.Equal(text, a.Raw.Text):
		what = fmt.Sprintf("the screen is\n%s\nwant\n%s", strings.Join(text, "|\n"), strings.Join(a.Raw.Text, "|\n"))
	case [2]int{s.g.x, s.g.y} != [2]int{min(a.Raw.Cursor[0], cols-1), a.Raw.Cursor[1]}:
		what = fmt.Sprintf("the cursor is at %d, %d, want %v", s.g.x, s.g.y, a.Raw.Cursor)
	case !reflect.DeepEqual(a.Live, a.Raw):
		what = "a viewer sees " + different(a.Live, a.Raw)
	case !reflect.DeepEqual(a.Late, a.Raw):
		what = "a late viewer sees " + different(a.Late, a.Raw)
	}
	if what != "" {
		o.t.Errorf("%s\nthe program wrote %q\nthe late viewer came after %d pieces and got %q, then %q", what, pieces, at, c.Paint, c.Rest)
	}
	return what == ""
}

func different(got, want shown) string {
	g, w := reflect.ValueOf(got), reflect.ValueOf(want)
	for i := range g.NumField() {
		if !reflect.DeepEqual(g.Field(i).Interface(), w.Field(i).Interface()) {
			return fmt.Sprintf("%s\n%q\nwant\n%q", g.Type().Field(i).Name, g.Field(i).Interface(), w.Field(i).Interface())
		}
	}
	return "the same"
}

// TestScreenIsThatOfXterm compares random sessions.
func TestScreenIsThatOfXterm(t *testing.T) {
	t.Parallel()
	o := newOracle(t)
	for seed := range uint64(*oracleCases) {
		r := rand.New(rand.NewPCG(seed, 7))
		cols, rows := 4+r.IntN(20), 2+r.IntN(8)
		pieces := make([]string, 3+r.IntN(60))
		for i := range pieces {
			pieces[i] = randomPiece(r, cols, rows)
		}
		if slices.Contains(pieces, "\x1b[?7l") { // what becomes of wide characters in the last column then depends on how the output is cut
			for i, p := range pieces {
				pieces[i] = strings.NewReplacer("🇩🇪", "y", "❤️", "z", "👩\u200d💻", "w", "漢", "k", "字", "j", "👍", "t").Replace(p)
			}
		}
		if slices.Contains(pieces, "\x1b[4h") { // nor do terminals agree on characters that grow while others are moved
			for i, p := range pieces {
				pieces[i] = strings.NewReplacer("🇩🇪", "y", "❤️", "z").Replace(p)
			}
		}
		if !o.check(cols, rows, pieces, r.IntN(len(pieces)+1), agreed(pieces)) {
			t.Fatalf("seed %d", seed)
		}
	}
}

// agreed reports whether xterm.js makes of something what xterm does. Where it does not, viewers get something else.
func agreed(pieces []string) bool {
	all := strings.Join(pieces, "")
	has := func(what ...string) bool {
		return slices.ContainsFunc(what, func(w string) bool { return strings.Contains(all, w) })
	}
	return !(has(restores...) || // a saved cursor scrolls away with its line
		has("\x1b#8") || // it keeps the region, and has the colours of the pen
		has("\x1b[!p") || // a soft reset resets too much
		has(stops...) && has("47h", "49h") || // each screen has its own tab stops
		has("\x1b[?25l", "\x1b[20h") && has("\x1bc") || // a reset does not show a hidden cursor, nor end the mode in which a line feed is a new line
		has("\x1b[?6h")) // all relative moves move the cursor down
}

var stops = []string{"\x1bH", "\x1b[g", "\x1b[3g"}

var restores = []string{"\x1b8", "\x1b[u", "\x1b[?1049l", "\x1b[?1048l"}

// randomPiece is something that a program may write.
func randomPiece(r *rand.Rand, cols, rows int) string {
	n := func(most int) int { return r.IntN(most + 1) }
	pick := func(all ...string) string { return all[r.IntN(len(all))] }
	words := []string{"a", "hello", "the quick brown fox jumps", "ü", "漢字", "✳", "👍", "👩\u200d💻", "é", "🇩🇪", "❤️", "│─┐", strings.Repeat("x", n(40)), "-"}
	switch r.IntN(30) {
	default:
		return pick(words...)
	case 0, 1:
		return pick("\r\n", "\n", "\r", "\b", "\t")
	case 2, 3:
		return fmt.Sprintf("\x1b[%d;%dH", n(rows+1), n(cols+1))
	case 4:
		return fmt.Sprintf("\x1b[%d%s", n(5), pick("A", "B", "C", "D", "E", "F", "G", "d", "`", "a", "I", "Z"))
	case 5, 6:
		return pick("\x1b[J", "\x1b[0J", "\r\x1b[1J", "\x1b[2J", "\x1b[K", "\x1b[1K", "\x1b[2K") // 1J in the last cell makes xterm.js fail
	case 7:
		return fmt.Sprintf("\x1b[%d%s", n(4), pick("L", "M", "@", "P", "X", "S", "T"))
	case 8, 9, 10:
		return "\x1b[" + pick("", "0", "1", "2", "3", "4", "7", "9", "22", "23", "24", "27", "29", "31", "42", "39", "49", "97", "104", "38;5;200", "48;5;17", "38;2;10;20;30", "48:2::1:2:3", "1;31;44", "53", "4:3", "58:5:3", "21") + "m"
	case 11:
		return fmt.Sprintf("\x1b[%d;%dr", n(rows), n(rows+1))
	case 12:
		if r.IntN(8) == 0 {
			return pick(restores...)
		}
		return pick("\x1bM", "\x1bD", "\x1bE", "\x1b7", "\x1b[s")
	case 13:
		return pick("\x1b(0", "\x1b(B", "\x1b)0", "\x0e", "\x0f")
	case 14:
		return pick("\x1b[?1049h", "\x1b[?1047l", "\x1b[?47h", "\x1b[?47l", "\x1b[?1048h")
	case 15:
		return pick("\x1b[?7l", "\x1b[?7h", "\x1b[?6h", "\x1b[?6l", "\x1b[4h", "\x1b[4l", "\x1b[20h", "\x1b[20l")
	case 16:
		return pick("\x1b[?1h", "\x1b[?1l", "\x1b[?1000h", "\x1b[?1003h", "\x1b[?1002l", "\x1b[?1006h", "\x1b[?1004h", "\x1b[?2004h", "\x1b[?2004l", "\x1b=", "\x1b>", "\x1b[?25l", "\x1b[?25h")
	case 17:
		return pick(append(stops, "\t", "\t\t")...)
	case 18:
		return fmt.Sprintf("%s\x1b[%db", pick("a", "漢"), n(6))
	case 19:
		return pick("\x1b[!p", "\x1bc", "\x1b[3J", "\x1b#8")
	case 20:
		return pick("\x1b[c", "\x1b[6n", "\x1b[?u", "\x1b]11;?\a", "\x1b[?2026$p", "\x1bP$qm\x1b\\", "\x1b_Ga=q;x\x1b\\", "\x1b]0;a title ✳\a", "\x1b]52;c;aGk=\a", "\x1b]7501;?\x1b\\")
	}
}

// TestViewersSeeTheSameWhereXtermErrs has what xterm.js makes something else of than other terminals.
func TestViewersSeeTheSameWhereXtermErrs(t *testing.T) {
	t.Parallel()
	o := newOracle(t)
	for _, pieces := range [][]string{
		{"漢字漢", "\x1b[2G", "\x1b[3@", "x"}, // it moves the second column of a wide character by itself
		{"ab\x1b[1;31m", "\x1b#8", "x"},    // it fills the screen with the pen
	} {
		o.check(7, 3, pieces, len(pieces)-1, false)
	}
}
