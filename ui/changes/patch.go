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
	files, _ := Files(patch, len(patch))
	for _, f := range files {
		rows = append(rows, f.Rows...)
	}
	return rows
}

// hunk is the head of one: the first line and the number of lines, before and after.
type hunk struct {
	old, oldLines int
	new, newLines int
	text          string
}

// parseHunk reads "@@ -a,b +c,d @@ text".
func parseHunk(line string) (h hunk, ok bool) {
	rest, is := strings.CutPrefix(line, "@@ -")
	if !is {
		return h, false
	}
	ranges, text, is := strings.Cut(rest, " @@")
	from, to, both := strings.Cut(ranges, " +")
	if !is || !both {
		return h, false
	}
	var okOld, okNew bool
	h.old, h.oldLines, okOld = lineRange(from)
	h.new, h.newLines, okNew = lineRange(to)
	h.text = strings.TrimSpace(text)
	return h, okOld && okNew
}

// lineRange reads "a,b": the first line, of which there may be none (0), and how many; without b it is one.
func lineRange(s string) (first, lines int, ok bool) {
	from, count, has := strings.Cut(s, ",")
	first, err := strconv.Atoi(from)
	if err != nil || first < 0 || !has {
		return first, 1, err == nil && first >= 0
	}
	lines, err = strconv.Atoi(count)
	return first, lines, err == nil && lines >= 0
}
