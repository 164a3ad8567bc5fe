package vt

// escaped carries out an escape sequence: intermediate bytes, and the final one.
func (s *Screen) escaped(inter []byte, final byte) {
	s.text = false
	switch {
	case len(inter) == 0:
		if !s.single(final) {
			return
		}
	case len(inter) == 1 && inter[0] >= '(' && inter[0] <= '+': // SCS
		set := final
		if set != '0' && set != 'A' {
			set, final = 'B', 'B'
		}
		s.sets[inter[0]-'('] = set
	case string(inter) == "#" && final == '8':
		s.align()
		return
	default:
		return
	}
	s.out.Show = append(append(append(s.out.Show, esc), inter...), final)
}

// align is DECALN: the screen is full of E, without colours and attributes. Terminals don't agree on these, nor on the region.
func (s *Screen) align() {
	g := s.g
	g.top, g.bottom, g.x, g.y, g.past = 0, s.rows-1, 0, 0, false
	for y := range g.lines {
		g.lines[y].joins = false
		for x := range g.lines[y].cells {
			g.lines[y].cells[x] = cell{r: 'E', width: 1}
		}
	}
	s.out.Show = append(s.appendRegion(s.out.Show), "\x1b[m\x1b#8"...)
	s.out.Show = s.appendCursor(s.out.Show)
}

// single carries out an escape sequence of one byte, and reports whether viewers get it.
func (s *Screen) single(final byte) bool {
	switch final {
	case '7': // DECSC
		s.save()
		return false
	case '8': // DECRC
		s.restore()
		return false
	case 'D': // IND
		s.g.past = false
		s.index()
	case 'E': // NEL
		s.g.x, s.g.past = 0, false
		s.index()
	case 'H': // HTS
		s.tabs[s.g.x], s.tabbed = true, true
		return false
	case 'M': // RI
		s.reverseIndex()
	case 'Z': // DECID
		s.attributes(0)
		return false
	case 'c': // RIS
		s.reset()
		s.note(Note{Kind: Reset})
		s.out.Show = appendKitty(appendMode(append(s.out.Show, "\x1bc"...), true, 25, true), 0) // in xterm.js, a hidden cursor stays so
		return false
	case 'n', 'o': // LS2, LS3
		s.shift = int(final-'n') + 2
	case '=', '>': // DECKPAM, DECKPNM
		s.modes.keypad = final == '='
	default:
		return false
	}
	return true
}

// sequence carries out a control sequence, given by what stands between CSI and its final byte.
func (s *Screen) sequence(b []byte, final byte) {
	s.text = s.text && final == 'b'
	prefix, ps, inter, ok := parse(b)
	if !ok {
		return
	}
	if show := s.dispatch(prefix, ps, inter, final); show {
		s.out.Show = append(append(append(s.out.Show, "\x1b["...), b...), final)
	}
}

// dispatch carries out a control sequence, and reports whether viewers get it.
func (s *Screen) dispatch(prefix byte, ps params, inter string, final byte) bool {
	switch string(prefix) + inter {
	case "\x00":
		return s.plain(ps, final)
	case "?":
		return s.private(ps, final)
	case "\x00!":
		if final == 'p' { // DECSTR
			s.softReset()
			s.showSoftReset()
			return false
		}
	case "\x00 ":
		if final == 'q' { // DECSCUSR
			s.shape = clamp(ps.at(0, 0), 0, 6)
			return true
		}
	case "\x00$", "?$":
		if final == 'p' { // DECRQM
			s.reportMode(prefix == '?', ps.at(0, 0))
		}
	case ">", "=", "<":
		s.extended(prefix, ps, final)
	}
	return false
}

// showSoftReset tells viewers what DECSTR resets. Terminals don't agree on that.
func (s *Screen) showSoftReset() {
	b := appendMode(s.out.Show, false, 4, false)
	for _, n := range []int{1, 66} {
		b = appendMode(b, true, n, false)
	}
	for _, n := range []int{7, 25} {
		b = appendMode(b, true, n, true)
	}
	s.out.Show = s.appendCursor(b)
}

// plain carries out a control sequence without prefix and intermediate bytes.
func (s *Screen) plain(ps params, final byte) bool {
	if s.moved(ps, final) {
		if s.modes.origin { // which viewers don't have
			s.out.Show = appendPosition(s.out.Show, s.g.x, s.g.y)
		}
		return !s.modes.origin
	}
	g, n := s.g, ps.count(0)
	switch final {
	case '@': // ICH
		g.past = false
		s.showSplit()
		g.insertCells(g.y, g.x, n, blank(s.pen))
	case 'I': // CHT
		s.tab(n)
		return s.showTab()
	case 'J': // ED
		return s.eraseDisplay(ps.at(0, 0))
	case 'K': // EL
		s.eraseLine(ps.at(0, 0))
	case 'L', 'M': // IL, DL
		return s.lines(n, final == 'L')
	case 'P': // DCH
		g.past = false
		g.deleteCells(g.y, g.x, n, s.pen)
	case 'S': // SU
		g.scrollUp(g.top, g.bottom, n, s.pen)
	case 'T': // SD
		g.scrollDown(g.top, g.bottom, n, style{}) // without the background, as in xterm.js
	case 'X': // ECH
		g.past = false
		g.erase(g.y, g.x, g.x+n, s.pen)
	case 'Z': // CBT
		s.backTab(n)
		return s.showTab()
	case 'b': // REP
		return s.repeat(n)
	case 'g': // TBC
		s.clearTabs(ps.at(0, 0))
		return false
	case 'h', 'l': // SM, RM
		return s.setModes(false, ps, final == 'h')
	case 'm': // SGR
		s.pen.apply(ps)
	case 'r': // DECSTBM
		return s.margins(ps)
	case 's': // SCOSC
		s.save()
		return false
	case 'u': // SCORC
		s.restore()
		return false
	default:
		s.query(ps, final)
		return false
	}
	return true
}

// moved moves the cursor, if that is all that a control sequence does.
func (s *Screen) moved(ps params, final byte) bool {
	g, n := s.g, ps.count(0)
	switch final {
	case 'A': // CUU
		s.move(-n)
	case 'B': // CUD
		s.move(n)
	case 'C', 'a': // CUF, HPR
		s.right(n)
	case 'D': // CUB
		s.right(-n)
	case 'E': // CNL
		s.move(n)
		g.x = 0
	case 'F': // CPL
		s.move(-n)
		g.x = 0
	case 'G', '`': // CHA, HPA
		g.x, g.past = min(n, s.cols)-1, false
	case 'H', 'f': // CUP, HVP
		s.to(ps.count(1)-1, n-1)
	case 'd': // VPA
		s.to(g.x, n-1)
	case 'e': // VPR
		g.y, g.past = clamp(g.y+n, 0, s.rows-1), false
	default:
		return false
	}
	return true
}

// private carries out a control sequence that begins with '?'.
func (s *Screen) private(ps params, final byte) bool {
	switch final {
	case 'h', 'l':
		return s.setModes(true, ps, final == 'h')
	case 'J': // DECSED; nothing here is protected
		if s.eraseDisplay(ps.at(0, 0)) {
			s.out.Show = appendErase(s.out.Show, ps.at(0, 0), 'J')
		}
		return false
	case 'K': // DECSEL
		s.eraseLine(ps.at(0, 0))
		return true
	}
	s.privateQuery(ps, final)
	return false
}

// eraseDisplay reports whether viewers get it as it is. xterm.js fails where the cursor is in the last column of the last line and what
// is before it is erased: its viewers get that line by line.
func (s *Screen) eraseDisplay(what int) bool {
	g := s.g
	switch what {
	case 0:
		s.eraseLine(0)
		g.eraseLines(g.y+1, s.rows, s.pen)
	case 1:
		s.eraseLine(1)
		g.lines[g.y].joins = false
		if g.x == s.cols-1 && g.y < s.rows-1 {
			g.lines[g.y+1].joins = false
		}
		g.eraseLines(0, g.y, s.pen)
		if g.x == s.cols-1 && g.y == s.rows-1 {
			s.showErased()
			return false
		}
	case 2:
		g.eraseLines(0, s.rows, s.pen)
	case 3:
		if g == &s.primary {
			s.history = history{}
		}
	default:
		return false
	}
	return true
}

// showErased erases the lines above the cursor, and its own up to it.
func (s *Screen) showErased() {
	b := appendErase(s.out.Show, 1, 'K')
	for y := range s.g.y {
		b = appendErase(appendPosition(b, 0, y), 2, 'K')
	}
	s.out.Show = appendPosition(b, s.g.x, s.g.y)
}

func (s *Screen) eraseLine(what int) {
	g := s.g
	from, to := g.x, s.cols
	switch what {
	case 0:
		if g.past {
			from = s.cols
		}
	case 1:
		from, to = 0, g.x+1
	case 2:
		from = 0
	default:
		return
	}
	g.erase(g.y, from, to, s.pen)
	if what == 2 || what == 0 && from == 0 {
		g.lines[g.y].joins = false
	}
}

// showSplit erases a wide character if the cursor is on its second column, which xterm.js would move by itself.
func (s *Screen) showSplit() {
	g := s.g
	if g.lines[g.y].cells[g.x].right {
		b := append(appendPosition(s.out.Show, g.x-1, g.y), "\x1b[2X"...)
		s.out.Show = appendPosition(b, g.x, g.y)
	}
}

// lines inserts or deletes lines. Where there are none to move, viewers get the cursor's place: terminals don't agree on whether it is
// still past the last column.
func (s *Screen) lines(n int, insert bool) (show bool) {
	g := s.g
	if g.y < g.top || g.y > g.bottom {
		g.past = false
		s.out.Show = appendPosition(s.out.Show, g.x, g.y)
		return false
	}
	if insert {
		g.scrollDown(g.y, g.bottom, n, s.pen)
	} else {
		g.scrollUp(g.y, g.bottom, n, s.pen)
	}
	g.x, g.past = 0, false
	return true
}

// repeat prints the last character again. Viewers get the characters, since theirs may be another one.
func (s *Screen) repeat(n int) bool {
	if s.last == 0 {
		return false
	}
	n = min(n, s.repeats)
	s.repeats -= n
	for range n {
		r := s.last
		s.out.Show = s.pool.append(s.out.Show, r)
		s.put(r)
	}
	return false
}

func (s *Screen) clearTabs(what int) {
	s.tabbed = true
	switch what {
	case 0:
		s.tabs[s.g.x] = false
	case 3:
		clear(s.tabs)
	}
}

// margins is DECSTBM. Viewers are told where the cursor goes, for theirs goes to the first line.
func (s *Screen) margins(ps params) bool {
	top, bottom := ps.count(0)-1, ps.at(1, 0)-1
	if bottom < 0 || bottom >= s.rows {
		bottom = s.rows - 1
	}
	if top >= bottom {
		return false
	}
	s.g.top, s.g.bottom = top, bottom
	s.to(0, 0)
	s.out.Show = appendPosition(s.appendRegion(s.out.Show), s.g.x, s.g.y)
	return false
}
