package vt

import (
	"bytes"
	"unicode/utf8"
)

// sink takes what a scanner finds.
type sink interface {
	ascii(p []byte)
	print(r rune)
	execute(b byte)                   // a control character
	escaped(inter []byte, final byte) // an escape sequence
	sequence(b []byte, final byte)    // a control sequence: what is between its introducer and its final byte
	finished(kind byte, text, end string)
}

// scanner splits output into text, control characters, and control sequences and strings (ECMA-48, section 5). It keeps what is unfinished.
type scanner struct {
	state   state
	buf     []byte // of a sequence: what is between its introducer and its final byte; of a string: its beginning
	long    bool   // the sequence is too long: it is ignored. Of a string the rest is
	kind    byte   // of a string: the byte after ESC that began it
	pending []byte // a character whose end has not come
}

type state uint8

const (
	ground state = iota
	escape
	csi
	str       // in an operating system command (OSC), or another string: DCS, SOS, PM, APC
	strEscape // after ESC in it
)

const (
	bel, can, sub, esc, del = 0x07, 0x18, 0x1a, 0x1b, 0x7f
)

// feed takes further output.
func (sc *scanner) feed(p []byte, to sink) {
	if len(sc.pending) > 0 {
		p = append(sc.pending, p...)
		sc.pending = nil
	}
	for len(p) > 0 {
		switch sc.state {
		case ground:
			p = sc.ground(p, to)
		case escape:
			p = sc.escape(p, to)
		case csi:
			p = sc.control(p, to)
		case str, strEscape:
			p = sc.string(p, to)
		}
	}
}

// ground takes text and control characters. It returns what is left.
func (sc *scanner) ground(p []byte, to sink) []byte {
	n := 0
	for n < len(p) && p[n] >= 0x20 && p[n] < del {
		n++
	}
	if n > 0 {
		to.ascii(p[:n])
		return p[n:]
	}
	switch b := p[0]; {
	case b == esc:
		sc.state, sc.buf, sc.long = escape, sc.buf[:0], false
	case b < 0x20:
		to.execute(b)
	case b == del:
	case !utf8.FullRune(p):
		sc.pending = bytes.Clone(p)
		return nil
	default:
		r, size := utf8.DecodeRune(p)
		if r >= 0xa0 { // U+0080 to U+009F are control characters of 8 bits, which nobody sends as UTF-8
			to.print(r)
		}
		return p[size:]
	}
	return p[1:]
}

// escape takes what follows ESC.
func (sc *scanner) escape(p []byte, to sink) []byte {
	switch b := p[0]; {
	case b == esc:
		sc.buf = sc.buf[:0]
	case b == can, b == sub:
		sc.state = ground
	case b < 0x20:
		to.execute(b)
	case b < 0x30:
		sc.add(b)
	case b >= del:
		sc.state = ground
	case len(sc.buf) > 0:
		sc.state = ground
		to.escaped(sc.buf, b)
	case b == '[':
		sc.state = csi
	case b == ']', b == 'P', b == 'X', b == '^', b == '_':
		sc.state, sc.kind = str, b
	default:
		sc.state = ground
		to.escaped(nil, b)
	}
	return p[1:]
}

// control takes what follows ESC [.
func (sc *scanner) control(p []byte, to sink) []byte {
	switch b := p[0]; {
	case b == esc:
		sc.state, sc.buf, sc.long = escape, sc.buf[:0], false
	case b == can, b == sub, b > del:
		sc.state = ground
	case b < 0x20:
		to.execute(b)
	case b == del:
	case b < 0x40:
		sc.add(b)
	default:
		sc.state = ground
		if !sc.long {
			to.sequence(sc.buf, b)
		}
	}
	return p[1:]
}

// string takes a control string. Its end is ESC \, or BEL if it is an OSC.
func (sc *scanner) string(p []byte, to sink) []byte {
	if sc.state == strEscape {
		sc.state = ground
		if p[0] == '\\' {
			sc.finish("\x1b\\", to)
			return p[1:]
		}
		sc.state, sc.buf, sc.long = escape, sc.buf[:0], false // it was broken off
		return p
	}
	n := bytes.IndexFunc(p, func(r rune) bool { return r == bel || r == esc || r == can || r == sub })
	if n < 0 {
		sc.addString(p)
		return nil
	}
	sc.addString(p[:n])
	switch p[n] {
	case esc:
		sc.state = strEscape
	case bel:
		if sc.kind == ']' {
			sc.state = ground
			sc.finish("\a", to)
		}
	default:
		sc.state = ground
	}
	return p[n+1:]
}

func (sc *scanner) add(b byte) {
	if sc.long = sc.long || len(sc.buf) == maxSequence; !sc.long {
		sc.buf = append(sc.buf, b)
	}
}

func (sc *scanner) addString(p []byte) {
	n := min(len(p), maxString-len(sc.buf))
	sc.buf = append(sc.buf, p[:n]...)
	sc.long = sc.long || n < len(p)
}

// finish passes on a string that has ended.
func (sc *scanner) finish(end string, to sink) {
	if !sc.long {
		to.finished(sc.kind, string(sc.buf), end)
	}
}
