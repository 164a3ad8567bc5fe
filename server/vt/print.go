package vt

import "unicode/utf8"

// ascii prints printable ASCII.
func (s *Screen) ascii(p []byte) {
	s.out.Show = append(s.out.Show, p...)
	for len(p) > 0 {
		g := s.g
		if s.sets[s.shift] != 'B' || s.modes.insert || g.past {
			s.put(rune(p[0]))
			p = p[1:]
			continue
		}
		n := min(len(p), s.cols-g.x)
		g.split(g.y, g.x, cell{style: s.pen})
		g.split(g.y, g.x+n, cell{style: s.pen})
		cells := g.lines[g.y].cells[g.x : g.x+n]
		for i, b := range p[:n] {
			cells[i] = cell{r: rune(b), style: s.pen, link: s.link, width: 1}
		}
		s.last, s.text = rune(p[n-1]), true
		s.advance(n)
		p = p[n:]
	}
}

// advance moves the cursor to the right after n columns were written.
func (s *Screen) advance(n int) {
	if s.g.x += n; s.g.x >= s.cols {
		s.g.x, s.g.past = s.cols-1, true
	}
}

// print prints one code point.
func (s *Screen) print(r rune) {
	if r >= firstThatMayBelong && !s.text { // viewers may not have got what came before it: it joins nothing
		s.out.Show = appendMode(s.out.Show, true, 7, s.modes.wrap)
	}
	s.out.Show = utf8.AppendRune(s.out.Show, r)
	s.put(r)
}

// put puts one code point on the screen.
func (s *Screen) put(r rune) {
	r = s.mapped(r)
	if s.join(r) {
		return
	}
	width := width(r)
	g := s.g
	if g.past || g.x+width > s.cols {
		switch {
		case s.modes.wrap && width <= s.cols:
			s.wrap()
		case width > 1:
			g.x, g.past = s.cols-1, false
			return
		}
	}
	g.past = false
	if s.modes.insert {
		g.insertCells(g.y, g.x, width, cell{style: s.pen})
	}
	g.split(g.y, g.x, cell{style: s.pen})
	g.split(g.y, g.x+width, cell{style: s.pen})
	cells := g.lines[g.y].cells
	cells[g.x] = cell{r: r, style: s.pen, link: s.link, width: uint8(width)}
	if width == 2 {
		cells[g.x+1] = cell{style: s.pen, link: s.link, right: true}
	}
	s.last, s.text = r, true
	s.advance(width)
}

// wrap goes on in the next line.
func (s *Screen) wrap() {
	g := s.g
	if !g.past && g.x < s.cols {
		g.split(g.y, g.x, cell{style: s.pen})
		g.lines[g.y].cells[g.x] = cell{style: s.pen} // a wide character does not fit
	}
	s.index()
	g.lines[g.y].joins = true
	g.x, g.past = 0, false
}

// join adds a code point to the character before the cursor if it belongs to it, and nothing but text came between.
func (s *Screen) join(r rune) bool {
	g := s.g
	x := g.x
	if !g.past {
		x--
	}
	if r < firstThatMayBelong || !s.text || x < 0 {
		return false
	}
	cells := g.lines[g.y].cells
	if cells[x].right {
		x--
	}
	c := &cells[x]
	before := s.pool.append(nil, c.r)
	if c.r == 0 || !belongs(before, r) {
		return false
	}
	joined, ok := s.pool.cluster(string(before) + string(r))
	if !ok {
		return true
	}
	if joinedWidth(int(c.width), r) > int(c.width) {
		return s.widen(x, joined)
	}
	c.r = joined
	return true
}

// widen gives the character before the cursor, at column x, a second column. In the last column there is no room: it goes to the next line.
func (s *Screen) widen(x int, r rune) bool {
	g := s.g
	c := &g.lines[g.y].cells[x]
	if x+1 == s.cols {
		if !s.modes.wrap || s.cols < 2 {
			return true
		}
		moved := *c
		*c = cell{style: s.pen}
		s.wrap()
		x, c = 0, &g.lines[g.y].cells[0]
		g.split(g.y, 1, cell{style: s.pen})
		*c = moved
		g.x = 1
	}
	c.r, c.width = r, 2
	g.split(g.y, x+2, cell{style: s.pen})
	g.lines[g.y].cells[x+1] = cell{style: c.style, link: c.link, right: true}
	s.advance(1)
	return true
}

// mapped returns what the character set in use makes of a character.
func (s *Screen) mapped(r rune) rune {
	switch set := s.sets[s.shift]; {
	case set == '0' && r >= '`' && r <= '~':
		return lines[r-'`']
	case set == 'A' && r == '#':
		return '£'
	}
	return r
}

// lines are DEC's characters for drawing lines, from '`' to '~'.
var lines = []rune("◆▒␉␌␍␊°±␤␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·")

// execute carries out a control character.
func (s *Screen) execute(b byte) {
	g := s.g
	s.text = false
	switch b {
	case bel:
		s.note(Note{Kind: Bell})
	case '\b':
		g.x, g.past = max(0, g.x-1), false
	case '\t':
		s.tab(1)
		if !s.showTab() {
			return
		}
	case '\n', '\v', '\f':
		if s.modes.newline {
			g.x = 0
			s.out.Show = append(s.out.Show, '\r')
		}
		g.past = false
		y := g.y
		if s.index(); g.y != y { // a line that is gone to continues none
			g.lines[g.y].joins = false
		}
	case '\r':
		g.x, g.past = 0, false
	case 0x0e:
		s.shift = 1
	case 0x0f:
		s.shift = 0
	default:
		return
	}
	s.out.Show = append(s.out.Show, b)
}

// tab moves the cursor to the nth tab stop.
func (s *Screen) tab(n int) {
	for g := s.g; n > 0 && g.x < s.cols-1; n-- {
		for g.x++; g.x < s.cols-1 && !s.tabs[g.x]; g.x++ {
		}
	}
}

// showTab reports whether viewers get a move to a tab stop as it is. They have the default stops: terminals don't agree on what
// becomes of others when the screen changes.
func (s *Screen) showTab() bool {
	if s.tabbed && !s.g.past {
		s.out.Show = appendPosition(s.out.Show, s.g.x, s.g.y)
	}
	return !s.tabbed
}

func (s *Screen) backTab(n int) {
	for g := s.g; n > 0 && g.x > 0 && !g.past; n-- {
		for g.x--; g.x > 0 && !s.tabs[g.x]; g.x-- {
		}
	}
}

// index moves the cursor down, and scrolls at the bottom of the region.
func (s *Screen) index() {
	g := s.g
	switch {
	case g.y == g.bottom:
		s.scrollUp()
	case g.y < s.rows-1:
		g.y++
	}
}

// scrollUp scrolls the region by a line. What leaves the screen at its top becomes history.
func (s *Screen) scrollUp() {
	g := s.g
	if g.top == 0 && g == &s.primary {
		s.remember(&g.lines[0])
	}
	g.scrollUp(g.top, g.bottom, 1, s.pen)
}

// remember puts a line into the history.
func (s *Screen) remember(l *line) {
	s.history.add(s.printed(l))
}

// reverseIndex moves the cursor up, and scrolls at the top of the region.
func (s *Screen) reverseIndex() {
	g := s.g
	g.past = false
	switch {
	case g.y == g.top:
		g.scrollDown(g.top, g.bottom, 1, s.pen)
	case g.y > 0:
		g.y--
	}
}

// to moves the cursor. With the origin mode, y counts from the top of the region.
func (s *Screen) to(x, y int) {
	g := s.g
	low, high := 0, s.rows-1
	if s.modes.origin {
		low, high = g.top, g.bottom
		y += low
	}
	g.x, g.y, g.past = clamp(x, 0, s.cols-1), clamp(y, low, high), false
}

// move moves the cursor up or down, within the region if it is there.
func (s *Screen) move(dy int) {
	g := s.g
	low, high := 0, s.rows-1
	if dy < 0 && g.y >= g.top {
		low = g.top
	}
	if dy > 0 && g.y <= g.bottom {
		high = g.bottom
	}
	g.y, g.past = clamp(g.y+dy, low, high), false
}

func (s *Screen) right(dx int) {
	s.g.x, s.g.past = clamp(s.g.x+dx, 0, s.cols-1), false
}

func (s *Screen) save() {
	g := s.g
	g.saved = cursor{x: g.x, y: g.y, pen: s.pen, sets: s.sets, shift: s.shift, origin: s.modes.origin}
}

// restore is DECRC. Viewers are told what it restores, since not all terminals agree on it.
func (s *Screen) restore() {
	g := s.g
	c := g.saved
	g.x, g.y, g.past = min(c.x, s.cols-1), min(c.y, s.rows-1), false
	s.pen, s.sets, s.shift, s.modes.origin = c.pen, c.sets, c.shift, c.origin
	if c.origin {
		g.y = clamp(g.y, g.top, g.bottom)
	}
	s.out.Show = appendPosition(s.out.Show, g.x, g.y)
	s.out.Show = s.pen.appendTo(s.out.Show)
	s.out.Show = appendSets(s.out.Show, s.sets, s.shift)
}

// switchTo shows one of the two grids. The cursor stays where it is.
func (s *Screen) switchTo(g *grid) {
	if s.g == g {
		return
	}
	g.x, g.y, g.past = s.g.x, s.g.y, s.g.past
	s.g = g
	if g == &s.alternate {
		g.eraseLines(0, s.rows, s.pen)
		g.top, g.bottom = 0, s.rows-1
	}
}
