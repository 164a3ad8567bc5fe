package screen

import (
	"strconv"
	"strings"
)

// Piece is text with one style: the space-separated classes of style.css.
type Piece struct {
	Class string `json:"class"`
	Text  string `json:"text"`
}

// Style is the state of Select Graphic Rendition between two pieces. The zero value is plain.
type Style struct {
	bold, dim, italic, under, inverse, strike bool
	fg, bg                                    int8 // 0: default; otherwise colour + 1
}

// Class returns the style as classes.
func (s Style) Class() string {
	var c []string
	add := func(on bool, name string) {
		if on {
			c = append(c, name)
		}
	}
	add(s.bold, "a-b")
	add(s.dim, "a-d")
	add(s.italic, "a-i")
	add(s.under, "a-u")
	add(s.strike, "a-s")
	add(s.inverse, "a-v")
	if s.fg > 0 {
		c = append(c, "f"+strconv.Itoa(int(s.fg-1)))
	}
	if s.bg > 0 {
		c = append(c, "g"+strconv.Itoa(int(s.bg-1)))
	}
	return strings.Join(c, " ")
}

// Flags are the attributes of a style.
type Flags struct{ Bold, Dim, Italic, Under, Inverse, Strike bool }

// ClassOf returns a style as classes. fg and bg are colours of the sixteen; -1: none.
func ClassOf(f Flags, fg, bg int) string {
	return Style{bold: f.Bold, dim: f.Dim, italic: f.Italic, under: f.Under, inverse: f.Inverse, strike: f.Strike, fg: int8(fg + 1), bg: int8(bg + 1)}.Class()
}

// sgr returns the sequence that sets this style, whatever the style before.
func (s Style) sgr() string {
	b := []byte("\x1b[0")
	for _, f := range []struct {
		on bool
		n  string
	}{{s.bold, ";1"}, {s.dim, ";2"}, {s.italic, ";3"}, {s.under, ";4"}, {s.inverse, ";7"}, {s.strike, ";9"}} {
		if f.on {
			b = append(b, f.n...)
		}
	}
	colour := func(c int8, low, bright int) {
		if n := int(c) - 1; n >= 8 {
			b = strconv.AppendInt(append(b, ';'), int64(bright+n-8), 10)
		} else if n >= 0 {
			b = strconv.AppendInt(append(b, ';'), int64(low+n), 10)
		}
	}
	colour(s.fg, 30, 90)
	colour(s.bg, 40, 100)
	return string(append(b, 'm'))
}

func (s *Style) apply(params string) {
	if params != "" && params[0] >= '<' { // private: not Select Graphic Rendition
		return
	}
	fields := strings.Split(params, ";")
	nums := make([]int, 0, len(fields))
	for _, f := range fields {
		f, _, _ = strings.Cut(f, ":") // sub-parameters, such as the kind of an underline
		n, err := strconv.Atoi(f)
		if err != nil {
			n = 0
		}
		nums = append(nums, n)
	}
	for i := 0; i < len(nums); i++ {
		switch n := nums[i]; {
		case n == 0:
			*s = Style{}
		case n == 1:
			s.bold = true
		case n == 2:
			s.dim = true
		case n == 3:
			s.italic = true
		case n == 4:
			s.under = true
		case n == 7:
			s.inverse = true
		case n == 9:
			s.strike = true
		case n == 22:
			s.bold, s.dim = false, false
		case n == 23:
			s.italic = false
		case n == 24:
			s.under = false
		case n == 27:
			s.inverse = false
		case n == 29:
			s.strike = false
		case n >= 30 && n <= 37:
			s.fg = int8(n - 30 + 1)
		case n >= 90 && n <= 97:
			s.fg = int8(n - 90 + 8 + 1)
		case n == 39:
			s.fg = 0
		case n >= 40 && n <= 47:
			s.bg = int8(n - 40 + 1)
		case n >= 100 && n <= 107:
			s.bg = int8(n - 100 + 8 + 1)
		case n == 49:
			s.bg = 0
		case n == 38 || n == 48:
			colour, used := extended(nums[i+1:])
			i += used
			if colour >= 0 && n == 38 {
				s.fg = int8(colour + 1)
			} else if colour >= 0 {
				s.bg = int8(colour + 1)
			}
		}
	}
}

// extended parses what follows 38 or 48: "5;n" or "2;r;g;b". It returns one of the sixteen colours, or -1, and how many
// numbers it used.
func extended(nums []int) (colour, used int) {
	switch {
	case len(nums) >= 2 && nums[0] == 5:
		return Indexed(nums[1]), 2
	case len(nums) >= 4 && nums[0] == 2:
		return Nearest(nums[1], nums[2], nums[3]), 4
	}
	return -1, len(nums)
}

// Indexed returns the nearest of the sixteen colours to one of a terminal's 256; -1: there is none of this number.
func Indexed(n int) int {
	switch {
	case n < 0 || n > 255:
		return -1
	case n < 16:
		return n
	case n < 232:
		n -= 16
		level := [...]int{0, 95, 135, 175, 215, 255}
		return Nearest(level[n/36], level[n/6%6], level[n%6])
	}
	grey := 8 + (n-232)*10
	return Nearest(grey, grey, grey)
}

// sixteen are xterm's default values of the sixteen colours.
var sixteen = [16][3]int{
	{0, 0, 0}, {205, 0, 0}, {0, 205, 0}, {205, 205, 0}, {0, 0, 238}, {205, 0, 205}, {0, 205, 205}, {229, 229, 229},
	{127, 127, 127}, {255, 0, 0}, {0, 255, 0}, {255, 255, 0}, {92, 92, 255}, {255, 0, 255}, {0, 255, 255}, {255, 255, 255},
}

// Nearest returns the nearest of the sixteen colours to one of 24 bits.
func Nearest(r, g, b int) int {
	r, g, b = min(r, 255), min(g, 255), min(b, 255)
	best, at := 1<<30, 0
	for i, c := range sixteen {
		dr, dg, db := c[0]-r, c[1]-g, c[2]-b
		if d := 2*dr*dr + 4*dg*dg + 3*db*db; d < best {
			best, at = d, i
		}
	}
	return at
}
