package vt

import (
	"encoding/hex"
	"strconv"
	"strings"
)

// modeOf returns what DECRQM answers for a mode: 0 unknown, 1 set, 2 reset, 3 always set, 4 always reset.
func (s *Screen) modeOf(private bool, n int) int {
	m := &s.modes
	is := func(on bool) int {
		if on {
			return 1
		}
		return 2
	}
	if !private {
		switch n {
		case 4:
			return is(m.insert)
		case 20:
			return is(m.newline)
		}
		return 0
	}
	if flag := m.flag(n); flag != nil {
		return is(*flag)
	}
	switch n {
	case 6:
		return is(m.origin)
	case 25:
		return is(!m.hidden)
	case 9, 1000, 1002, 1003:
		return is(m.mouse == n)
	case 1006, 1016:
		return is(m.encoding == n)
	case 47, 1047, 1049:
		return is(s.g == &s.alternate)
	case 2027: // characters of several code points are one
		return 3
	}
	return 0
}

// Nominal size of a cell in pixels, for programs that ask.
const cellWidth, cellHeight = 8, 16

// name is what XTVERSION answers.
const name = "skein"

// attributes answers device attributes: primary (0), secondary ('>'), tertiary ('=').
func (s *Screen) attributes(which byte) {
	switch which {
	case 0:
		s.answer("\x1b[?62;22c") // a VT220 with colours
	case '>':
		s.answer("\x1b[>1;10;0c")
	case '=':
		s.answer("\x1bP!|00000000\x1b\\")
	}
}

// query answers a query without prefix.
func (s *Screen) query(ps params, final byte) {
	switch n := ps.at(0, 0); {
	case final == 'c' && n == 0:
		s.attributes(0)
	case final == 'n' && n == 5: // DSR
		s.answer("\x1b[0n")
	case final == 'n' && n == 6: // CPR
		x, y := s.reported()
		s.answer("\x1b[%d;%dR", y, x)
	case final == 't' && n == 14:
		s.answer("\x1b[4;%d;%dt", s.rows*cellHeight, s.cols*cellWidth)
	case final == 't' && n == 16:
		s.answer("\x1b[6;%d;%dt", cellHeight, cellWidth)
	case final == 't' && n == 18:
		s.answer("\x1b[8;%d;%dt", s.rows, s.cols)
	}
}

// privateQuery answers a query that begins with '?'.
func (s *Screen) privateQuery(ps params, final byte) {
	switch n := ps.at(0, 0); {
	case final == 'n' && n == 6: // DECXCPR
		x, y := s.reported()
		s.answer("\x1b[?%d;%dR", y, x)
	case final == 'n' && n == 996: // dark or light
		s.answer("\x1b[?997;%dn", s.palette.scheme())
	case final == 'u':
		s.answer("\x1b[?%du", s.kitty().flags)
	case final == 'm' && n == 4: // XTQMODKEYS
		s.answer("\x1b[>4;0m")
	}
}

// extended carries out and answers sequences that begin with '>', '<' or '='.
func (s *Screen) extended(prefix byte, ps params, final byte) {
	switch {
	case final == 'u':
		s.keyboard(prefix, ps)
	case final == 'c' && ps.at(0, 0) == 0:
		s.attributes(prefix)
	case final == 'q' && prefix == '>' && ps.at(0, 0) == 0: // XTVERSION
		s.answer("\x1bP>|%s\x1b\\", name)
	}
}

// reported is the cursor's position as CPR gives it.
func (s *Screen) reported() (x, y int) {
	x, y = s.g.x+1, s.g.y+1
	if s.modes.origin {
		y -= s.g.top
	}
	return x, y
}

func (s *Screen) reportMode(private bool, n int) {
	mark := ""
	if private {
		mark = "?"
	}
	s.answer("\x1b[%s%d;%d$y", mark, n, s.modeOf(private, n))
}

// device answers a device control string: DECRQSS and XTGETTCAP. Others, such as images, are ignored.
func (s *Screen) device(text string) {
	if what, ok := strings.CutPrefix(text, "$q"); ok {
		switch what {
		case "m":
			sgr := s.pen.appendTo(nil)
			s.answer("\x1bP1$r%s\x1b\\", sgr[2:])
		case "r":
			s.answer("\x1bP1$r%d;%dr\x1b\\", s.g.top+1, s.g.bottom+1)
		case " q":
			s.answer("\x1bP1$r%d q\x1b\\", max(1, s.shape))
		default:
			s.answer("\x1bP0$r\x1b\\")
		}
	}
	if names, ok := strings.CutPrefix(text, "+q"); ok {
		for name := range strings.SplitSeq(names, ";") {
			s.capability(name)
		}
	}
}

// capability answers what terminfo's capability of a name, in hexadecimal, is.
func (s *Screen) capability(name string) {
	raw, err := hex.DecodeString(name)
	value, known := map[string]string{"Co": "256", "colors": "256", "RGB": "8", "TN": "xterm-256color", "name": "xterm-256color"}[string(raw)]
	if err != nil || !known {
		s.answer("\x1bP0+r\x1b\\")
		return
	}
	s.answer("\x1bP1+r%s=%X\x1b\\", name, value)
}

// colour answers a query for a colour: of OSC 10, 11 and 12, or of the palette.
func (s *Screen) colour(osc string, rgb [3]uint8, end string) {
	s.answer("\x1b]%s;rgb:%02x%02x/%02x%02x/%02x%02x%s", osc, rgb[0], rgb[0], rgb[1], rgb[1], rgb[2], rgb[2], end)
}

// scheme is 1 for a dark terminal and 2 for a light one.
func (p Palette) scheme() int {
	light := func(c [3]uint8) int { return 299*int(c[0]) + 587*int(c[1]) + 114*int(c[2]) }
	if light(p.Background) > light(p.Foreground) {
		return 2
	}
	return 1
}

// indexed returns a colour of xterm's palette of 256.
func indexed(n int) (rgb [3]uint8) {
	levels := [6]uint8{0, 95, 135, 175, 215, 255}
	switch {
	case n < 16:
		v, _ := strconv.ParseUint(basic[n], 16, 32)
		return [3]uint8{uint8(v >> 16), uint8(v >> 8), uint8(v)}
	case n < 232:
		n -= 16
		return [3]uint8{levels[n/36], levels[n/6%6], levels[n%6]}
	}
	grey := uint8(8 + 10*(n-232))
	return [3]uint8{grey, grey, grey}
}

var basic = [16]string{"2e3436", "cc0000", "4e9a06", "c4a000", "3465a4", "75507b", "06989a", "d3d7cf",
	"555753", "ef2929", "8ae234", "fce94f", "729fcf", "ad7fa8", "34e2e2", "eeeeec"}
