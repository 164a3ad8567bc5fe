package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/clipperhouse/displaywidth"
	"golang.org/x/sys/unix"
)

// table prints rows whose cells are safe, in columns. On a terminal it is no wider than that: the widest cells are cut, and before
// they become too short to be read, columns that may go are left out.
type table struct {
	out    io.Writer
	width  int  // of the terminal; 0: any
	colour bool // the words that have one
	heads  []any
	rows   [][]any
}

// absent is the cell of a column that has nothing to show.
const absent = "\x00"

// gap is between two columns.
const gap = 2

// readable is how short cells may be cut before columns go.
const readable = 10

// optional is the head of a column that goes when the terminal is too narrow; of several, that of the greatest rank first.
type optional struct {
	head string
	rank int
}

func (o optional) String() string { return o.head }

// hue is a colour of a word, as SGR has it.
type hue string

const (
	green  hue = "32"
	yellow hue = "33"
	red    hue = "31"
	faint  hue = "2"
)

// tinted is a cell with a colour, where the terminal has some.
type tinted struct {
	text string
	hue  hue
}

func (c tinted) String() string { return c.text }

// newTable makes a table with heads, or with none.
func newTable(out io.Writer, heads ...any) *table {
	t := &table{out: out}
	if f, ok := out.(*os.File); ok && isTerminal(f) {
		t.width, t.colour = columnsOf(f), colours(f)
	}
	if len(heads) > 0 {
		t.heads = slices.DeleteFunc(slices.Clone(heads), func(h any) bool { return h == absent })
		t.row(t.heads...)
	}
	return t
}

// columnsOf is how wide a terminal is; 0: it does not say.
func columnsOf(f *os.File) int {
	ws, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return int(ws.Col)
}

// colours reports whether what is printed to a terminal may be coloured.
func colours(f *os.File) bool {
	return isTerminal(f) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

func (t *table) row(cells ...any) {
	t.rows = append(t.rows, slices.DeleteFunc(slices.Clone(cells), func(c any) bool { return c == absent }))
}

// flush prints the table.
func (t *table) flush() error {
	texts := make([][]string, len(t.rows))
	for i, row := range t.rows {
		for _, c := range row {
			texts[i] = append(texts[i], safe(fmt.Sprint(c)))
		}
	}
	widths := t.fit(texts)
	var b strings.Builder
	for i, row := range texts {
		t.line(&b, i, row, widths)
	}
	_, err := io.WriteString(t.out, b.String())
	return err
}

// line writes a row in columns of these widths; -1: the column is left out.
func (t *table) line(b *strings.Builder, i int, row []string, widths []int) {
	pad := 0
	for j, text := range row {
		if widths[j] < 0 {
			continue
		}
		b.WriteString(strings.Repeat(" ", pad))
		text = cut(text, widths[j])
		pad = widths[j] - displaywidth.String(text) + gap
		switch c, ok := t.rows[i][j].(tinted); {
		case ok && t.colour && c.hue != "":
			b.WriteString("\x1b[" + string(c.hue) + "m" + text + "\x1b[m")
		case i == 0 && t.heads != nil && t.colour && text != "":
			b.WriteString("\x1b[" + string(faint) + "m" + text + "\x1b[m")
		default:
			b.WriteString(text)
		}
	}
	b.WriteString("\n")
}

// fit decides how wide each column is.
func (t *table) fit(texts [][]string) (widths []int) {
	for _, row := range texts {
		for j, text := range row {
			if j == len(widths) {
				widths = append(widths, 0)
			}
			widths[j] = max(widths[j], displaywidth.String(text))
		}
	}
	for t.width > 0 && total(widths) > t.width {
		if limit := t.limit(widths); limit >= readable || !t.leaveOut(widths) {
			t.bound(widths, limit)
			break
		}
	}
	return widths
}

// total is how wide a table with columns of these widths is.
func total(widths []int) (n int) {
	for _, w := range widths {
		if w >= 0 {
			n += w + gap
		}
	}
	return n - gap
}

// limit is how wide columns may be at most, so that the table is not too wide; at least 1.
func (t *table) limit(widths []int) int {
	for limit := slices.Max(widths); limit > 1; limit-- {
		cut := slices.Clone(widths)
		t.bound(cut, limit)
		if total(cut) <= t.width {
			return limit
		}
	}
	return 1
}

// bound cuts columns; the first, which names the row, has up to half of the terminal.
func (t *table) bound(widths []int, limit int) {
	for j := range widths {
		if j == 0 {
			widths[j] = min(widths[j], max(limit, t.width/2))
		} else {
			widths[j] = min(widths[j], limit)
		}
	}
}

// leaveOut leaves out the column that may go first; false: none may.
func (t *table) leaveOut(widths []int) bool {
	goes, rank := -1, 0
	for j, h := range t.heads {
		if o, ok := h.(optional); ok && widths[j] >= 0 && o.rank > rank {
			goes, rank = j, o.rank
		}
	}
	if goes >= 0 {
		widths[goes] = -1
	}
	return goes >= 0
}

// cut cuts a text that is wider than it may be.
func cut(text string, width int) string {
	if displaywidth.String(text) <= width {
		return text
	}
	return displaywidth.TruncateString(text, width, "…")
}
