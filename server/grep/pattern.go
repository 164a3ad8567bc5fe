// Package grep finds the lines of an agent's output that have a hit. What a person sees is searched: a line as a terminal
// shows it (package screen). Output comes in pieces that begin and end anywhere, of two streams that alternate.
package grep

import (
	"bytes"
	"regexp"
	"strings"
)

// Pattern is what a Scanner searches for.
type Pattern struct {
	re     *regexp.Regexp
	text   string // what re finds, if it is a plain text; "": it is none
	folded []byte // text in small letters, if it is ASCII and case does not matter

	line []byte // folded, to be used again
}

// Compile makes a pattern of a text, or of a regular expression. It is for one goroutine.
func Compile(query string, isRegexp, sameCase bool) (*Pattern, error) {
	expr := query
	if !isRegexp {
		expr = regexp.QuoteMeta(query)
	}
	re, err := regexp.Compile(expr) // by itself first, so that its error names what was asked for
	if err == nil && !sameCase {
		re, err = regexp.Compile("(?i)" + expr)
	}
	if err != nil {
		return nil, err
	}
	p := &Pattern{re: re}
	switch {
	case isRegexp:
	case sameCase:
		p.text = query
	case ascii(query):
		p.folded = bytes.ToLower([]byte(query))
	}
	return p, nil
}

// Find returns the first hit in a line; from is -1 if there is none.
func (p *Pattern) Find(line string) (from, to int) {
	switch {
	case p.text != "":
		from = strings.Index(line, p.text)
		return from, from + len(p.text)
	case p.folded != nil && ascii(line): // many times faster than the expression
		p.line = fold(p.line[:0], line)
		from = bytes.Index(p.line, p.folded)
		return from, from + len(p.folded)
	}
	if loc := p.re.FindStringIndex(line); loc != nil {
		return loc[0], loc[1]
	}
	return -1, -1
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// fold appends s, which is ASCII, in small letters.
func fold(b []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return b
}
