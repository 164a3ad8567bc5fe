package preview

import (
	"bufio"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"skein.dev/skein/ui/words"
)

// Table is rows under one head.
type Table struct {
	Head []string
	Rows [][]string // each as long as Head
	More int        // how many rows follow
	Wide int        // how many columns are left out
}

// Summary says how much of the table is shown.
func (t Table) Summary() string {
	s := words.Count(len(t.Rows)+t.More, "row", "rows")
	if t.More > 0 {
		s = "the first " + strconv.Itoa(len(t.Rows)) + " of " + strconv.Itoa(len(t.Rows)+t.More) + " rows"
	}
	if t.Wide > 0 {
		s += ", " + words.Count(t.Wide, "more column", "more columns")
	}
	return s
}

// csvTable reads comma-separated values (RFC 4180), of which the first row is the head. Rows may have too few or too many cells, and
// quotes may stand anywhere. If the text is not whole, the last row is left out, since it may not be whole either.
func csvTable(text string, sep rune, whole bool) (t Table, ok bool) {
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.LazyQuotes, r.FieldsPerRecord, r.ReuseRecord = sep, true, -1, true
	var b tableBuilder
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Table{}, false
		}
		b.add(row)
	}
	if !whole {
		b.dropLast()
	}
	return b.table()
}

// tableBuilder takes rows, as many as are shown.
type tableBuilder struct {
	rows    [][]string // the first is the head
	more    int
	columns int // of the longest row
}

func (b *tableBuilder) add(row []string) {
	if len(b.rows) > maxRows {
		b.more++
		return
	}
	b.columns = max(b.columns, len(row))
	cells := make([]string, min(len(row), maxColumns))
	for i := range cells {
		cells[i] = cell(row[i])
	}
	b.rows = append(b.rows, cells)
}

func (b *tableBuilder) dropLast() {
	if b.more > 0 {
		b.more--
	} else if n := len(b.rows); n > 1 {
		b.rows = b.rows[:n-1]
	}
}

// table returns the rows, all filled up to the same length. It returns false if there are none.
func (b *tableBuilder) table() (Table, bool) {
	if len(b.rows) == 0 {
		return Table{}, false
	}
	width := min(b.columns, maxColumns)
	for i := range b.rows {
		b.rows[i] = append(b.rows[i], slices.Repeat([]string{""}, width-len(b.rows[i]))...)
	}
	return Table{Head: b.rows[0], Rows: b.rows[1:], More: b.more, Wide: b.columns - width}, true
}

// cell returns what a cell shows of a value.
func cell(s string) string {
	if len(s) > maxCell {
		if runes := []rune(s[:min(len(s), 4*maxCell)]); len(runes) > maxCell {
			s = string(runes[:maxCell]) + "…"
		}
	}
	return strings.TrimSpace(words.Plain(s))
}

// jsonLinesTable reads a JSON object a line. If the text is not whole, the last line is left out.
func jsonLinesTable(text string, whole bool) (Table, bool) {
	var objects []*Node
	in := bufio.NewScanner(strings.NewReader(text))
	in.Buffer(nil, MaxBytes+1)
	for in.Scan() {
		line := strings.TrimSpace(in.Text())
		if line == "" {
			continue
		}
		n, err := parseJSON(line)
		if err != nil || n.Op != '{' {
			if !whole && !in.Scan() {
				break
			}
			return Table{}, false
		}
		objects = append(objects, n)
	}
	return objectTable(objects)
}

// objectTable makes a row of each object. The columns are their keys, in the order in which they come first.
func objectTable(objects []*Node) (t Table, ok bool) {
	at := map[string]int{}
	for _, o := range objects[:min(len(objects), maxRows)] {
		for i := range o.Kids {
			if _, known := at[o.Kids[i].Key]; !known {
				at[o.Kids[i].Key] = len(at)
			}
		}
	}
	if len(at) == 0 {
		return Table{}, false
	}
	b := tableBuilder{rows: [][]string{make([]string, min(len(at), maxColumns))}, columns: len(at)}
	for key, i := range at {
		if i < maxColumns {
			b.rows[0][i] = cell(key)
		}
	}
	for _, o := range objects {
		row := make([]string, len(at))
		for i := range o.Kids {
			if col, known := at[o.Kids[i].Key]; known {
				row[col] = o.Kids[i].brief()
			}
		}
		b.add(row)
	}
	return b.table()
}

// numbers reports whether a column begins with a number, so that its title stands at the right, too.
func (t *Table) numbers(column int) bool {
	return len(t.Rows) > 0 && number(t.Rows[0][column])
}
