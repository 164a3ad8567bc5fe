package vt

import "strconv"

func appendErase(b []byte, what int, final byte) []byte {
	return append(strconv.AppendInt(append(b, "\x1b["...), int64(what), 10), final)
}

func appendMode(b []byte, private bool, n int, on bool) []byte {
	b = append(b, "\x1b["...)
	if private {
		b = append(b, '?')
	}
	b = strconv.AppendInt(b, int64(n), 10)
	if on {
		return append(b, 'h')
	}
	return append(b, 'l')
}

// showKitty tells viewers the present flags. They need no stack.
func (s *Screen) showKitty() {
	s.out.Show = appendKitty(s.out.Show, s.kitty().flags)
}

func appendKitty(b []byte, flags int) []byte {
	b = strconv.AppendInt(append(b, "\x1b[="...), int64(flags), 10)
	return append(b, ";1u"...)
}

func (s *Screen) appendLink(b []byte, link uint16) []byte {
	if link == 0 || s.unlinked {
		return append(b, "\x1b]8;;\x1b\\"...)
	}
	b = strconv.AppendInt(append(b, "\x1b]8;id="...), int64(link), 10)
	return append(append(append(b, ';'), s.pool.links[link-1]...), "\x1b\\"...)
}

// appendPrinted appends lines, for a terminal with a number of columns. It wraps where a line fills all columns of the screen on which it
// was, and the next one continues it.
func appendPrinted(b []byte, all []printed, cols int) []byte {
	fill := 0 // columns since the terminal last began a line for us
	for i, p := range all {
		b = append(b, p.text...)
		if fill += p.used; fill > cols && fill%cols > 0 {
			b = append(b, "\x1b[K"...) // where wrapping scrolls, the new line has the background of the text
		}
		if i == len(all)-1 {
			break
		}
		if next := all[i+1]; !p.full || !next.joins || next.used == 0 {
			b = append(b, "\r\n"...)
			fill = 0
		}
	}
	return b
}

func (s *Screen) printed(l *line) printed {
	used := l.used()
	return printed{text: string(s.appendLine(nil, l)), used: used, full: used == len(l.cells), joins: l.joins}
}

// appendLine appends a line as it would be printed.
func (s *Screen) appendLine(b []byte, l *line) []byte {
	used := l.used()
	var st style
	var link uint16
	for x := range used {
		c := &l.cells[x]
		if c.right {
			continue
		}
		if c.style != st {
			st = c.style
			b = st.appendTo(b)
		}
		if c.link != link {
			link = c.link
			b = s.appendLink(b, link)
		}
		b = s.pool.append(b, c.r)
	}
	if link != 0 {
		b = s.appendLink(b, 0)
	}
	if st != (style{}) {
		b = append(b, "\x1b[m"...)
	}
	return b
}

func appendPosition(b []byte, x, y int) []byte {
	b = strconv.AppendInt(append(b, "\x1b["...), int64(y+1), 10)
	b = strconv.AppendInt(append(b, ';'), int64(x+1), 10)
	return append(b, 'H')
}

// appendSets selects character sets.
func appendSets(b []byte, sets [4]byte, shift int) []byte {
	for i, set := range sets {
		b = append(b, esc, byte('('+i), set)
	}
	switch shift {
	case 0:
		return append(b, 0x0f)
	case 1:
		return append(b, 0x0e)
	}
	return append(b, esc, byte('n'+shift-2))
}

// appendCursor sets the region and moves the cursor to where it is, past the last column too.
func (s *Screen) appendCursor(b []byte) []byte {
	g := s.g
	b = s.appendRegion(b)
	if g.past {
		x := g.x
		c := &g.lines[g.y].cells[x]
		if c.right {
			x--
			c = &g.lines[g.y].cells[x]
		}
		b = appendPosition(b, x, g.y)
		b = c.style.appendTo(b)
		b = s.appendLink(b, c.link)
		b = s.pool.append(b, c.r)
	} else {
		b = appendPosition(b, g.x, g.y)
	}
	b = s.pen.appendTo(b)
	b = s.appendLink(b, s.link)
	return appendSets(b, s.sets, s.shift)
}

func (s *Screen) appendRegion(b []byte) []byte {
	b = strconv.AppendInt(append(b, "\x1b["...), int64(s.g.top+1), 10)
	b = strconv.AppendInt(append(b, ';'), int64(s.g.bottom+1), 10)
	return append(b, 'r')
}
