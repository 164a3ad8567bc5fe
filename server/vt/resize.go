package vt

import "slices"

// Resize changes the size. On the primary screen, lines that went on in the next one are wrapped anew, what no longer fits at the
// top becomes history, and history comes back where there is room, as in xterm.
func (s *Screen) Resize(cols, rows int) {
	cols, rows = clamp(cols, 1, MaxCols), clamp(rows, 1, MaxRows)
	if cols == s.cols && rows == s.rows {
		return
	}
	s.version++
	s.primary = s.rewrap(cols, rows)
	s.alternate = crop(&s.alternate, cols, rows)
	for x := len(s.tabs); x < cols; x++ {
		s.tabs = append(s.tabs, x%8 == 0)
	}
	s.tabs = s.tabs[:cols]
	s.cols, s.rows = cols, rows
}

// crop returns a grid of another size with the same lines.
func crop(g *grid, cols, rows int) grid {
	n := newGrid(cols, rows)
	drop := max(0, g.y-rows+1) // the line of the cursor stays
	for y := range min(rows, len(g.lines)-drop) {
		copy(n.lines[y].cells, g.lines[y+drop].cells)
		n.lines[y].joins = g.lines[y+drop].joins
		if last := &n.lines[y].cells[cols-1]; last.width == 2 {
			*last = cell{style: last.style}
		}
	}
	n.x, n.y = min(g.x, cols-1), g.y-drop
	n.saved = g.saved
	n.saved.x, n.saved.y = min(g.saved.x, cols-1), min(g.saved.y, rows-1)
	return n
}

// rewrap returns the primary screen in another size.
func (s *Screen) rewrap(cols, rows int) grid {
	g := &s.primary
	end := g.y
	for y := range g.lines {
		if g.lines[y].used() > 0 {
			end = max(end, y)
		}
	}
	w := wrapper{cols: cols}
	for y := 0; y <= end; y++ {
		x := g.x
		if g.past {
			x++
		}
		w.add(&g.lines[y], y < end && g.lines[y+1].joins, y == g.y, x)
	}
	lines, at := w.lines, w.y
	if over := len(lines) - rows; over > 0 {
		lines = lines[:len(lines)-min(over, len(lines)-1-at)]
	}
	for len(lines) > rows {
		s.remember(&lines[0])
		lines, at = lines[1:], at-1
	}
	fills := g.y == len(g.lines)-1 && at == len(lines)-1 // else what is above the cursor was left there, as by clear(1)
	for fills && len(lines) < rows && len(s.history.lines) > 0 {
		back := s.recall(rows-len(lines), cols) // they may take fewer lines now
		lines, at = append(back, lines...), at+len(back)
	}
	n := newGrid(cols, rows)
	copy(n.lines, lines)
	n.x, n.y, n.past = min(w.x, cols-1), at, w.past
	n.saved = g.saved
	n.saved.x, n.saved.y = min(g.saved.x, cols-1), min(g.saved.y, rows-1)
	return n
}

// wrapper wraps lines anew.
type wrapper struct {
	cols  int
	lines []line
	fill  int  // columns in use of the last line
	open  bool // the last line goes on
	x, y  int  // of the cursor
	past  bool // see grid.past
}

// add adds a line; more: the next one continues it. Colours behind its text are gone if they don't fit, or if the text wraps.
func (w *wrapper) add(l *line, more, cursor bool, x int) {
	if !w.open {
		w.next(false)
	}
	used, written, begun := l.used(), l.written(), len(w.lines)
	for i := range max(used, when(cursor, x)) {
		c := cell{}
		if i < len(l.cells) {
			c = l.cells[i]
		}
		if cursor && i == x {
			w.x, w.y = w.fill, len(w.lines)-1
		}
		if c.right || int(c.width) > w.cols || i >= written && !more && !(cursor && i <= x) && (w.fill == w.cols || len(w.lines) > begun) {
			continue
		}
		if w.fill+max(1, int(c.width)) > w.cols {
			w.next(true)
			if cursor && i == x {
				w.x, w.y = w.fill, len(w.lines)-1
			}
		}
		w.put(c)
	}
	if cursor && x >= used {
		w.x, w.y = w.fill, len(w.lines)-1
		if w.fill == w.cols {
			w.x, w.past = w.cols-1, true
		}
	}
	w.open = more && used == len(l.cells)
}

func (w *wrapper) next(joins bool) {
	w.lines, w.fill = append(w.lines, line{cells: make([]cell, w.cols), joins: joins}), 0
}

func (w *wrapper) put(c cell) {
	cells := w.lines[len(w.lines)-1].cells
	cells[w.fill] = c
	w.fill++
	if c.width == 2 {
		cells[w.fill] = cell{style: c.style, link: c.link, right: true}
		w.fill++
	}
}

// recall takes up to n lines back from the history.
func (s *Screen) recall(n, cols int) []line {
	h := &s.history
	n = min(n, len(h.lines))
	if n <= 0 {
		return nil
	}
	from := len(h.lines) - n
	past := slices.Clone(h.lines[from:])
	for _, p := range past {
		h.bytes -= len(p.text)
	}
	clear(h.lines[from:])
	h.lines = h.lines[:from]
	// A screen of its own prints them. It shares the pool, so that its cells mean the same.
	again := New(cols, n+1)
	again.pool = s.pool
	again.Write(append(appendPrinted(nil, past, cols), "\r\n"...))
	s.pool = again.pool
	lines := again.primary.lines[:again.primary.y]
	for _, p := range again.history.lines { // they take more lines now
		h.add(p)
	}
	return lines
}
