package vt

import "slices"

// cell is one column of a line. The zero value is blank.
type cell struct {
	r     rune // 0: a blank; from firstCluster on: in the pool
	style style
	link  uint16 // 0: none; otherwise the link of this number in the pool, from 1
	width uint8  // columns of the character that begins here, 1 or 2; 0: a blank, or the second column of a wide character
	right bool   // it is the second column of a wide character
}

func blank(st style) cell { return cell{style: style{bg: st.bg}} }

func (c *cell) empty() bool { return c.r == 0 && !c.right && c.style == style{} && c.link == 0 }

// line is one row.
type line struct {
	cells []cell
	joins bool // it continues the one above, which was full
}

// used returns how many of its columns are not empty at its end.
func (l *line) used() int {
	n := len(l.cells)
	for n > 0 && l.cells[n-1].empty() {
		n--
	}
	return n
}

// written returns how many of its columns have characters, or come before one.
func (l *line) written() int {
	n := len(l.cells)
	for n > 0 && l.cells[n-1].r == 0 && !l.cells[n-1].right {
		n--
	}
	return n
}

// cursor is what DECSC saves.
type cursor struct {
	x, y   int
	pen    style
	sets   [4]byte
	shift  int
	origin bool
}

// grid is one of the two screens of a terminal.
type grid struct {
	lines       []line
	x, y        int
	past        bool // the last column was written, which x is: the next character goes to the next line
	top, bottom int  // the lines that scroll, both included
	saved       cursor
}

func newGrid(cols, rows int) grid {
	g := grid{lines: make([]line, rows), bottom: rows - 1, saved: cursor{sets: [4]byte{'B', 'B', 'B', 'B'}}}
	for y := range g.lines {
		g.lines[y].cells = make([]cell, cols)
	}
	return g
}

// reset makes it as new.
func (g *grid) reset() {
	for y := range g.lines {
		clear(g.lines[y].cells)
		g.lines[y].joins = false
	}
	*g = grid{lines: g.lines, bottom: len(g.lines) - 1, saved: cursor{sets: [4]byte{'B', 'B', 'B', 'B'}}}
}

func (g *grid) cols() int { return len(g.lines[0].cells) }

// erase blanks columns from x0 to before x1 of a line. A wide character that is cut goes as a whole.
func (g *grid) erase(y, x0, x1 int, st style) {
	cells := g.lines[y].cells
	x0, x1 = clamp(x0, 0, len(cells)), clamp(x1, 0, len(cells))
	if x0 >= x1 {
		return
	}
	g.split(y, x0, blank(st))
	g.split(y, x1, blank(st))
	for x := x0; x < x1; x++ {
		cells[x] = blank(st)
	}
}

// split replaces a wide character that lies over the boundary before column x by blanks.
func (g *grid) split(y, x int, b cell) {
	cells := g.lines[y].cells
	if x > 0 && x < len(cells) && cells[x].right {
		cells[x-1], cells[x] = b, b
	}
}

func (g *grid) eraseLines(y0, y1 int, st style) {
	for y := y0; y < y1; y++ {
		g.erase(y, 0, g.cols(), st)
		g.lines[y].joins = false
	}
}

// scrollUp moves the lines from top to bottom up by n.
func (g *grid) scrollUp(top, bottom, n int, st style) {
	n = min(n, bottom-top+1)
	if n <= 0 {
		return
	}
	rotate(g.lines[top:bottom+1], n)
	g.eraseLines(bottom+1-n, bottom+1, st)
}

// scrollDown moves the lines from top to bottom down by n.
func (g *grid) scrollDown(top, bottom, n int, st style) {
	n = min(n, bottom-top+1)
	if n <= 0 {
		return
	}
	rotate(g.lines[top:bottom+1], bottom-top+1-n)
	g.eraseLines(top, top+n, st)
}

// rotate moves the first n lines to the end.
func rotate(lines []line, n int) {
	slices.Reverse(lines[:n])
	slices.Reverse(lines[n:])
	slices.Reverse(lines)
}

// insertCells moves the cells from x on to the right by n.
func (g *grid) insertCells(y, x, n int, fill cell) {
	cells := g.lines[y].cells
	n = min(n, len(cells)-x)
	if n <= 0 {
		return
	}
	g.split(y, x, fill)
	g.split(y, len(cells)-n, fill)
	copy(cells[x+n:], cells[x:])
	for i := x; i < x+n; i++ {
		cells[i] = fill
	}
}

// deleteCells moves the cells after x and n more to the left by n.
func (g *grid) deleteCells(y, x, n int, st style) {
	cells := g.lines[y].cells
	n = min(n, len(cells)-x)
	if n <= 0 {
		return
	}
	g.split(y, x, blank(st))
	g.split(y, x+n, blank(st))
	copy(cells[x:], cells[x+n:])
	for i := len(cells) - n; i < len(cells); i++ {
		cells[i] = blank(st)
	}
}

// history is what has left the screen at its top, the oldest line first.
type history struct {
	lines []printed
	bytes int // of their texts
}

// printed is a line as it would be printed.
type printed struct {
	text  string
	used  int  // how many columns it takes
	full  bool // these are all that the screen had
	joins bool // see line.joins
}

func (h *history) add(p printed) {
	h.lines = append(h.lines, p)
	h.bytes += len(p.text)
	drop := 0
	for len(h.lines)-drop > maxHistory || h.bytes > maxHistoryBytes {
		h.bytes -= len(h.lines[drop].text)
		drop++
	}
	clear(h.lines[:drop])
	h.lines = h.lines[drop:]
}

func clamp(n, low, high int) int { return max(low, min(n, high)) }
