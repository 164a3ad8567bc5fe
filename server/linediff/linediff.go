// Package linediff compares texts line by line.
package linediff

import "strings"

// Line is a line of a comparison. Op is ' ' for both, '-' for the one before only, '+' for the one after only, and
// '…' for lines that both have and that are left out: their number is the text.
type Line struct {
	Op   string
	Text string
}

// maxCells bounds the table of a comparison; beyond, everything between the ends counts as changed.
const maxCells = 1_000_000

// Of compares two texts line by line.
func Of(before, after string) []Line {
	a, b := linesOf(before), linesOf(after)
	var out []Line
	put := func(op string, lines []string) {
		for _, l := range lines {
			out = append(out, Line{op, l})
		}
	}
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	put(" ", a[:head])
	midA, midB := a[head:len(a)-tail], b[head:len(b)-tail]
	if len(midA)*len(midB) > maxCells {
		put("-", midA)
		put("+", midB)
	} else {
		out = append(out, between(midA, midB)...)
	}
	put(" ", a[len(a)-tail:])
	return out
}

// linesOf splits a text; nothing has no line.
func linesOf(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}

// between compares by the longest common subsequence.
func between(a, b []string) []Line {
	common := make([][]int32, len(a)+1) // of a[i:] and b[j:]
	for i := range common {
		common[i] = make([]int32, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var out []Line
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(out, Line{" ", a[i]})
			i, j = i+1, j+1
		case i < len(a) && (j == len(b) || common[i+1][j] >= common[i][j+1]):
			out = append(out, Line{"-", a[i]})
			i++
		default:
			out = append(out, Line{"+", b[j]})
			j++
		}
	}
	return out
}
