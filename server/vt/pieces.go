package vt

import (
	"skein.dev/skein/server/screen"
)

// Version is another number whenever the screen may show something else.
func (s *Screen) Version() uint64 { return s.version }

// Pieces returns what the screen shows, in the sixteen colours of the pages: at most so many rows, the last ones that are written, and
// so many columns.
func (s *Screen) Pieces(rows, cols int) [][]screen.Piece {
	first := s.firstShown(rows)
	out := make([][]screen.Piece, min(rows, s.rows))
	for y := range out {
		out[y] = s.piecesOf(s.g.lines[first+y].cells, cols)
	}
	return out
}

// firstShown is the first line of a window of so many rows over the screen, which has the last written line and the cursor.
func (s *Screen) firstShown(rows int) int {
	last := s.rows - 1
	for last > s.g.y && s.g.lines[last].used() == 0 {
		last--
	}
	return max(0, last+1-rows)
}

// piecesOf divides a line by style. What is invisible is blank.
func (s *Screen) piecesOf(cells []cell, cols int) (out []screen.Piece) {
	n := min(len(cells), cols)
	for n > 0 && cells[n-1].empty() {
		n--
	}
	var text []byte
	var st style
	class := ""
	flush := func() {
		if len(text) > 0 {
			out = append(out, screen.Piece{Class: class, Text: string(text)})
			text = text[:0]
		}
	}
	for x := range n {
		c := &cells[x]
		if c.right {
			continue
		}
		if x == 0 || c.style != st {
			st = c.style
			if next := st.class(); next != class {
				flush()
				class = next
			}
		}
		if st.attrs&invisible != 0 {
			text = append(text, "  "[:max(1, c.width)]...)
			continue
		}
		text = s.pool.append(text, c.r)
	}
	flush()
	return out
}

// class is the style as classes of the pages.
func (st style) class() string {
	if st == (style{}) {
		return ""
	}
	is := func(a attr) bool { return st.attrs&a != 0 }
	return screen.ClassOf(screen.Flags{Bold: is(bold), Dim: is(dim), Italic: is(italic), Under: is(underline), Inverse: is(inverse), Strike: is(strike)},
		st.fg.ofSixteen(), st.bg.ofSixteen())
}

// ofSixteen is the nearest of the pages' colours; -1: the terminal's own.
func (c color) ofSixteen() int {
	switch {
	case c == 0:
		return -1
	case c < rgbColor:
		return screen.Indexed(int(c & 0xff))
	}
	return screen.Nearest(int(c>>16&0xff), int(c>>8&0xff), int(c&0xff))
}
