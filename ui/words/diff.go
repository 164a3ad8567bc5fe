package words

import (
	"strings"
)

// DiffLine is a line of a comparison. Op is ' ' for both, '-' for the one before only, '+' for the one after only, and
// '…' for lines that both have and that are left out: their number is the text.
type DiffLine struct {
	Op   string
	Text string
}

const (
	maxDiffCells = 1_000_000 // of the table of a comparison; beyond, everything between the ends counts as changed
	diffContext  = 3         // lines that both have, around what changed
	MaxDiffLines = 200       // of a comparison that is shown
)

// Diff compares two texts line by line.
func Diff(before, after string) []DiffLine {
	a, b := linesOf(before), linesOf(after)
	var out []DiffLine
	put := func(op string, lines []string) {
		for _, l := range lines {
			out = append(out, DiffLine{op, l})
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
	if len(midA)*len(midB) > maxDiffCells {
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
func between(a, b []string) []DiffLine {
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
	var out []DiffLine
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(out, DiffLine{" ", a[i]})
			i, j = i+1, j+1
		case i < len(a) && (j == len(b) || common[i+1][j] >= common[i][j+1]):
			out = append(out, DiffLine{"-", a[i]})
			i++
		default:
			out = append(out, DiffLine{"+", b[j]})
			j++
		}
	}
	return out
}

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
			return append(out, DiffLine{"…", Count(len(all)-i, "more line", "more lines")})
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
		out = append(out, DiffLine{"…", Count(i-from, "line", "lines")})
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
