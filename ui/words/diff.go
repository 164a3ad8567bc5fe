package words

import (
	"strings"

	"skein.dev/skein/server/linediff"
)

// DiffLine is a line of a comparison.
type DiffLine = linediff.Line

const (
	diffContext  = 3   // lines that both have, around what changed
	MaxDiffLines = 200 // of a comparison that is shown
)

// Diff compares two texts line by line.
func Diff(before, after string) []DiffLine { return linediff.Of(before, after) }

// Shorten leaves out what both have, but for some lines around what changed, and what is too much.
func Shorten(all []DiffLine) []DiffLine {
	near := make([]bool, len(all))
	for i, l := range all {
		if l.Op == " " {
			continue
		}
		for k := max(0, i-diffContext); k <= min(len(all)-1, i+diffContext); k++ {
			near[k] = true
		}
	}
	var out []DiffLine
	for i := 0; i < len(all); {
		if len(out) == MaxDiffLines {
			return append(out, DiffLine{Op: "…", Text: Count(len(all)-i, "more line", "more lines")})
		}
		if near[i] {
			out = append(out, all[i])
			i++
			continue
		}
		from := i
		for i < len(all) && !near[i] {
			i++
		}
		out = append(out, DiffLine{Op: "…", Text: Count(i-from, "line", "lines")})
	}
	return out
}

// Merge puts two versions into one text, for a person to choose from: what both have once, and what differs between
// markers.
func Merge(theirs, yours string) string {
	var out, mine, other []string
	flush := func() {
		if len(other)+len(mine) > 0 {
			out = append(out, mergeTheirs)
			out = append(out, other...)
			out = append(out, mergeBetween)
			out = append(out, mine...)
			out = append(out, mergeYours)
		}
		other, mine = nil, nil
	}
	for _, l := range Diff(theirs, yours) {
		switch l.Op {
		case "-":
			other = append(other, l.Text)
		case "+":
			mine = append(mine, l.Text)
		default:
			flush()
			out = append(out, l.Text)
		}
	}
	flush()
	return strings.Join(out, "\n")
}

const (
	mergeTheirs  = "<<<<<<< theirs"
	mergeBetween = "======="
	mergeYours   = ">>>>>>> yours"
)

// Unmerged reports whether a text still has a marker of Merge.
func Unmerged(text string) bool {
	for _, l := range strings.Split(text, "\n") {
		if l == mergeTheirs || l == mergeYours {
			return true
		}
	}
	return false
}
