package changes

import (
	"strconv"
	"strings"
)

// Row is a line of a diff: kept (' '), added ('+'), removed ('-'), the head of a hunk ('@'), or a note ('\').
type Row struct {
	Op       byte
	Old, New int // the numbers of the line before and after; 0: it is not there
	Text     string
}

// number is what the line is called by: that of the file as it is now, if it is there.
func (r Row) number() int {
	if r.New > 0 {
		return r.New
	}
	return r.Old
}

// side says which file the number is of.
func (r Row) side() string {
	if r.New > 0 {
		return "new"
	}
	return "old"
}

// parsePatch reads the hunks of a unified diff of one file, as git writes it. What is before the first hunk is left out.
func parsePatch(patch string) (rows []Row) {
	older, newer, in := 0, 0, false
	for line := range strings.Lines(patch) {
		line = strings.TrimSuffix(line, "\n")
		if a, b, head, ok := hunkHead(line); ok {
			older, newer, in = a, b, true
			rows = append(rows, Row{Op: '@', Text: head})
			continue
		}
		if !in || line == "" {
			continue
		}
		r := Row{Op: line[0], Text: line[1:]}
		switch r.Op {
		case ' ':
			r.Old, r.New = older, newer
			older, newer = older+1, newer+1
		case '+':
			r.New = newer
			newer++
		case '-':
			r.Old = older
			older++
		case '\\':
			r.Text = strings.TrimSpace(r.Text)
		default:
			in = false
			continue
		}
		rows = append(rows, r)
	}
	return rows
}

// hunkHead reads "@@ -a,b +c,d @@ text".
func hunkHead(line string) (older, newer int, text string, ok bool) {
	rest, is := strings.CutPrefix(line, "@@ -")
	if !is {
		return 0, 0, "", false
	}
	ranges, text, is := strings.Cut(rest, " @@")
	from, to, both := strings.Cut(ranges, " +")
	if !is || !both {
		return 0, 0, "", false
	}
	older, okOld := begin(from)
	newer, okNew := begin(to)
	return older, newer, strings.TrimSpace(text), okOld && okNew
}

// begin is the first number of a range, of which there may be none: 0.
func begin(s string) (int, bool) {
	s, _, _ = strings.Cut(s, ",")
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 0
}
