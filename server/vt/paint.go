package vt

import (
	"slices"
	"strconv"
)

// Paint returns what makes a terminal of the same size that was just reset show this screen and what has left it at the top, with the same
// modes and the same cursor. After that, it takes the same output as the terminals that were there before.
func (s *Screen) Paint() []byte {
	b := s.paint()
	if len(b) > maxPaint { // a link costs its address wherever it begins
		s.unlinked = true
		b = s.paint()
		s.unlinked = false
	}
	return b
}

// maxPaint is how many bytes a screen with links may take.
const maxPaint = 1 << 20

func (s *Screen) paint() []byte {
	b := make([]byte, 0, s.history.bytes+s.cols*s.rows)
	b = s.appendPrimary(b)
	if s.g == &s.alternate {
		b = appendMode(b, true, 1049, true)
		b = s.appendAlternate(b)
	}
	b = s.appendCursor(b)
	b = s.appendModes(b)
	return b
}

// appendPrimary appends the history and the primary screen.
func (s *Screen) appendPrimary(b []byte) []byte {
	all := slices.Clone(s.history.lines)
	for y := range s.primary.lines {
		all = append(all, s.printed(&s.primary.lines[y]))
	}
	return appendPrinted(b, all, s.cols)
}

func (s *Screen) appendAlternate(b []byte) []byte {
	for y := range s.alternate.lines {
		if l := &s.alternate.lines[y]; l.used() > 0 {
			b = appendPosition(b, 0, y)
			b = s.appendLine(b, l)
		}
	}
	return b
}

// onOff are the modes that are restored by their numbers alone.
var onOff = []int{1, 5, 7, 12, 66, 1004, 2004, 2026}

func (s *Screen) appendModes(b []byte) []byte {
	m := &s.modes
	if s.shape > 0 {
		b = strconv.AppendInt(append(b, "\x1b["...), int64(s.shape), 10)
		b = append(b, " q"...)
	}
	if m.insert {
		b = appendMode(b, false, 4, true)
	}
	for _, n := range []int{m.mouse, m.encoding} {
		if n != 0 {
			b = appendMode(b, true, n, true)
		}
	}
	b = appendMode(b, true, 25, !m.hidden)
	b = appendKitty(b, s.kitty().flags)
	for _, n := range onOff {
		if on := *m.flag(n); on != initial(n) {
			b = appendMode(b, true, n, on)
		}
	}
	return b
}

// Leave is what returns the terminal of a viewer to its owner, whatever the program has done to it.
func (s *Screen) Leave() []byte {
	var b []byte
	b = appendMode(b, true, 2026, false)
	b = appendKitty(b, 0) // of this screen, and below of the primary one
	if s.g == &s.alternate {
		b = appendMode(b, true, 1049, false)
	} else {
		b = append(appendPosition(append(b, "\x1b[r"...), 0, s.g.y), "\r\n"...)
	}
	for _, n := range []int{1003, 1002, 1000, 9, 1006, 1016, 1004, 2004, 1, 5, 66} {
		b = appendMode(b, true, n, false)
	}
	b = appendKitty(b, 0)
	b = appendMode(b, true, 7, true)
	b = appendMode(b, true, 25, true)
	b = appendMode(b, false, 4, false)
	b = s.appendLink(b, 0)
	b = appendSets(b, [4]byte{'B', 'B', 'B', 'B'}, 0)
	return append(b, "\x1b[0 q\x1b[m"...)
}
