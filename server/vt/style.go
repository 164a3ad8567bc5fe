package vt

import "strconv"

// color is none (the terminal's default), one of a palette of 256, or an RGB value.
type color uint32

const (
	paletteColor color = 1 << 24
	rgbColor     color = 2 << 24
)

// attr is a set of attributes of text. The lowest three bits are the style of underlining, from 0 (none) to 5 (dashed).
type attr uint16

const (
	underline attr = 7
	bold      attr = 1 << (iota + 2)
	dim
	italic
	blink
	inverse
	invisible
	strike
	overline
)

// style is the state of Select Graphic Rendition (ECMA-48, section 8.3.117, and xterm's ctlseqs).
type style struct {
	fg, bg, under color
	attrs         attr
}

// simple are the parameters that set attributes, and those that reset them.
var simple = map[int]struct{ set, reset attr }{
	1: {bold, 0}, 2: {dim, 0}, 3: {italic, 0}, 5: {blink, 0}, 6: {blink, 0}, 7: {inverse, 0}, 8: {invisible, 0}, 9: {strike, 0},
	22: {0, bold | dim}, 23: {0, italic}, 24: {0, underline}, 25: {0, blink}, 27: {0, inverse}, 28: {0, invisible}, 29: {0, strike},
	53: {overline, 0}, 55: {0, overline},
}

// apply takes the parameters of an SGR sequence. None mean 0.
func (st *style) apply(ps params) {
	if len(ps) == 0 {
		*st = style{}
	}
	for i := 0; i < len(ps); i++ {
		p := ps[i]
		n := p.or(0)
		switch {
		case n == 0:
			*st = style{}
		case n == 4:
			kind := attr(1)
			if len(p.sub) > 0 {
				kind = attr(clamp(p.sub[0], 0, 5))
			}
			st.attrs = st.attrs&^underline | kind
		case n == 21:
			st.attrs = st.attrs&^underline | 2
		case n >= 30 && n <= 37:
			st.fg = paletteColor | color(n-30)
		case n >= 40 && n <= 47:
			st.bg = paletteColor | color(n-40)
		case n >= 90 && n <= 97:
			st.fg = paletteColor | color(n-90+8)
		case n >= 100 && n <= 107:
			st.bg = paletteColor | color(n-100+8)
		case n == 39:
			st.fg = 0
		case n == 49:
			st.bg = 0
		case n == 59:
			st.under = 0
		case n == 38, n == 48, n == 58:
			c, used, ok := extended(ps[i:])
			i += used
			if !ok {
				continue
			}
			switch n {
			case 38:
				st.fg = c
			case 48:
				st.bg = c
			default:
				st.under = c
			}
		default:
			st.attrs = st.attrs&^simple[n].reset | simple[n].set
		}
	}
}

// extended reads a colour after 38, 48 or 58, in parameters of its own or, with colons, in one (ITU-T T.416). used is how many
// further parameters it took.
func extended(ps params) (c color, used int, ok bool) {
	v := ps[0].sub
	if len(v) == 0 {
		for _, p := range ps[1:min(len(ps), 5)] {
			v = append(v, p.or(0))
		}
		used = 4
		if len(v) > 0 && v[0] == 5 {
			used = 2
		}
		used = min(used, len(ps)-1)
		if len(v) > 0 && v[0] != 2 && v[0] != 5 {
			return 0, 1, false
		}
	} else if len(v) >= 5 && v[0] == 2 { // 2, the colour space, and the values
		v = append([]int{2}, v[2:5]...)
	}
	switch {
	case len(v) >= 2 && v[0] == 5 && v[1] >= 0 && v[1] < 256:
		return paletteColor | color(v[1]), used, true
	case len(v) >= 4 && v[0] == 2:
		rgb := rgbColor
		for i, n := range v[1:4] {
			rgb |= color(clamp(n, 0, 255)) << (16 - 8*i)
		}
		return rgb, used, true
	}
	return 0, used, false
}

// appendTo appends the SGR sequence that makes this style, whatever held before.
func (st style) appendTo(b []byte) []byte {
	b = append(b, "\x1b[0"...)
	for _, a := range [...]struct {
		is   attr
		code string
	}{{bold, "1"}, {dim, "2"}, {italic, "3"}, {blink, "5"}, {inverse, "7"}, {invisible, "8"}, {strike, "9"}, {overline, "53"}} {
		if st.attrs&a.is != 0 {
			b = append(append(b, ';'), a.code...)
		}
	}
	if u := st.attrs & underline; u == 1 {
		b = append(b, ";4"...)
	} else if u > 1 {
		b = strconv.AppendInt(append(b, ";4:"...), int64(u), 10)
	}
	b = st.fg.appendTo(b, 38)
	b = st.bg.appendTo(b, 48)
	b = st.under.appendTo(b, 58)
	return append(b, 'm')
}

func (c color) appendTo(b []byte, code int) []byte {
	switch n := int64(c & 0xff); {
	case c == 0:
	case c < rgbColor && code < 58 && n < 8:
		b = strconv.AppendInt(append(b, ';'), int64(code)-8+n, 10)
	case c < rgbColor && code < 58 && n < 16:
		b = strconv.AppendInt(append(b, ';'), int64(code)+52+n-8, 10)
	case c < rgbColor:
		b = strconv.AppendInt(append(b, ';'), int64(code), 10)
		b = strconv.AppendInt(append(b, ":5:"...), n, 10)
	default:
		b = strconv.AppendInt(append(b, ';'), int64(code), 10)
		b = append(b, ":2:"...)
		for shift := 16; shift >= 0; shift -= 8 {
			b = strconv.AppendInt(append(b, ':'), int64(c>>shift&0xff), 10)
		}
	}
	return b
}
