package main

import (
	"fmt"
	"slices"
	"strings"

	"skein.dev/skein/webtransport/wire"
)

const (
	diffContext = 3       // lines around a change
	maxDiff     = 1 << 20 // pairs of lines to compare; what differs in more is shown as replaced
)

// edit is a line of a diff: kept (' '), removed ('-') or added ('+'). The line has its newline, if there is one.
type edit struct {
	op   byte
	line string
}

// unified returns the lines of a change in the form of diff -u.
func unified(d wire.AskDiff) []string {
	from, old := "/dev/null", ""
	if d.Old != nil {
		from, old = d.Path, *d.Old
	}
	lines := []string{"--- " + from, "+++ " + d.Path}
	edits := diff(splitLines(old), splitLines(d.New))
	end, oldLine, newLine := 0, 1, 1 // of edits[end]
	for _, h := range hunks(edits) {
		kept := h[0] - end
		oldLine, newLine = oldLine+kept, newLine+kept
		var body []string
		olds, news := 0, 0
		for _, e := range edits[h[0]:h[1]] {
			line, whole := strings.CutSuffix(e.line, "\n")
			body = append(body, string(e.op)+line)
			if !whole {
				body = append(body, `\ No newline at end of file`)
			}
			if e.op != '+' {
				olds++
			}
			if e.op != '-' {
				news++
			}
		}
		lines = append(lines, fmt.Sprintf("@@ -%s +%s @@", lineRange(oldLine, olds), lineRange(newLine, news)))
		lines = append(lines, body...)
		end, oldLine, newLine = h[1], oldLine+olds, newLine+news
	}
	return lines
}

// lineRange names n lines from one on; none are named by the line before, as diff does.
func lineRange(line, n int) string {
	if n == 0 {
		line--
	}
	return fmt.Sprintf("%d,%d", line, n)
}

// hunks returns where changes begin and end, with their context.
func hunks(edits []edit) (all [][2]int) {
	for i, e := range edits {
		if e.op == ' ' {
			continue
		}
		begin, end := max(0, i-diffContext), min(i+1+diffContext, len(edits))
		if n := len(all); n > 0 && begin <= all[n-1][1] {
			all[n-1][1] = end
		} else {
			all = append(all, [2]int{begin, end})
		}
	}
	return all
}

func splitLines(s string) []string { return slices.Collect(strings.Lines(s)) }

// diff returns how one text becomes another: what a longest common subsequence does not have is removed and added.
func diff(from, to []string) (edits []edit) {
	head := 0
	for head < min(len(from), len(to)) && from[head] == to[head] {
		head++
	}
	tail := 0
	for tail < min(len(from), len(to))-head && from[len(from)-1-tail] == to[len(to)-1-tail] {
		tail++
	}
	add := func(op byte, lines []string) {
		for _, l := range lines {
			edits = append(edits, edit{op, l})
		}
	}
	add(' ', from[:head])
	a, b := from[head:len(from)-tail], to[head:len(to)-tail]
	i, j := 0, 0
	if len(a) > 0 && len(b) <= maxDiff/len(a) {
		common := longest(a, b)
		for i < len(a) && j < len(b) {
			switch {
			case a[i] == b[j]:
				add(' ', a[i:i+1])
				i, j = i+1, j+1
			case common[i+1][j] >= common[i][j+1]:
				add('-', a[i:i+1])
				i++
			default:
				add('+', b[j:j+1])
				j++
			}
		}
	}
	add('-', a[i:])
	add('+', b[j:])
	add(' ', from[len(from)-tail:])
	return edits
}

// longest returns the length of the longest common subsequence of a[i:] and b[j:], for each i and j.
func longest(a, b []string) [][]uint16 {
	all := make([][]uint16, len(a)+1)
	cells := make([]uint16, (len(a)+1)*(len(b)+1))
	for i := range all {
		all[i] = cells[i*(len(b)+1):][:len(b)+1]
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				all[i][j] = all[i+1][j+1] + 1
			} else {
				all[i][j] = max(all[i+1][j], all[i][j+1])
			}
		}
	}
	return all
}
