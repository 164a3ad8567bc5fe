package changes

import (
	"strconv"
	"strings"
)

// File is what a patch changes in one file.
type File struct {
	Old, New string // its names; "" where it is not there
	Notes    []string
	Rows     []Row
	Added    int
	Removed  int
}

// Name is what the file is called: by its name now, if it is still there.
func (f *File) Name() string {
	switch {
	case f.New == "" && f.Old == "":
		return "A file without a name"
	case f.New == "":
		return f.Old
	case f.Old != "" && f.Old != f.New:
		return f.Old + " → " + f.New
	}
	return f.New
}

// Files reads a unified diff of any number of files, as git and diff -u write it. What is between the files, such as the message of a
// commit, is left out. At most a number of rows are kept; more is how many follow.
func Files(patch string, most int) (files []File, more int) {
	r := fileReader{most: most}
	for line := range strings.Lines(patch) {
		r.line(strings.TrimSuffix(line, "\n"))
	}
	return r.files, r.more
}

// fileReader reads a patch line by line.
type fileReader struct {
	files []File
	most  int // rows
	rows  int
	more  int

	old, new         int  // the numbers of the next lines
	oldLeft, newLeft int  // how many lines the hunk still has of each
	named            bool // the latest file began with "diff", so that "---" does not begin another
}

func (r *fileReader) line(line string) {
	if r.oldLeft > 0 || r.newLeft > 0 {
		if r.inHunk(line) {
			return
		}
		r.oldLeft, r.newLeft = 0, 0 // the hunk is broken off
	}
	line = strings.TrimSuffix(line, "\r")
	if h, ok := parseHunk(line); ok {
		r.old, r.new, r.oldLeft, r.newLeft = h.old, h.new, h.oldLines, h.newLines
		r.add(Row{Op: '@', Text: h.text})
		r.named = false
		return
	}
	r.head(line)
}

// inHunk takes a line of a hunk. It returns false if it is none.
func (r *fileReader) inHunk(line string) bool {
	if strings.TrimSuffix(line, "\r") == "" { // a kept line whose only character, a space, was stripped
		line = " "
	}
	row := Row{Op: line[0], Text: line[1:]}
	switch row.Op {
	case ' ':
		row.Old, row.New = r.old, r.new
		r.old, r.new, r.oldLeft, r.newLeft = r.old+1, r.new+1, r.oldLeft-1, r.newLeft-1
	case '+':
		row.New = r.new
		r.new, r.newLeft = r.new+1, r.newLeft-1
	case '-':
		row.Old = r.old
		r.old, r.oldLeft = r.old+1, r.oldLeft-1
	case '\\':
		row.Text = strings.TrimSpace(row.Text)
	default:
		return false
	}
	r.add(row)
	return true
}

func (r *fileReader) add(row Row) {
	f := r.file()
	switch row.Op {
	case '+':
		f.Added++
	case '-':
		f.Removed++
	}
	if r.rows++; r.rows > r.most {
		r.more++
		return
	}
	f.Rows = append(f.Rows, row)
}

// file is the latest one.
func (r *fileReader) file() *File {
	if len(r.files) == 0 {
		r.files = append(r.files, File{})
	}
	return &r.files[len(r.files)-1]
}

// headNotes are lines before the hunks of a file that say what else has changed of it.
var headNotes = []string{"new file mode ", "deleted file mode ", "old mode ", "new mode ", "copy from ", "copy to ", "Binary files ", "GIT binary patch"}

// head takes a line that is in no hunk.
func (r *fileReader) head(line string) {
	if rest, ok := strings.CutPrefix(line, "diff --git "); ok {
		from, to := gitNames(rest)
		r.files, r.named = append(r.files, File{Old: from, New: to}), true
		return
	}
	if rest, ok := strings.CutPrefix(line, "--- "); ok {
		if !r.named {
			r.files, r.named = append(r.files, File{}), true
		}
		r.file().Old = patchName(rest, "a/")
		return
	}
	if !r.named {
		if strings.HasPrefix(line, `\ `) && len(r.files) > 0 {
			r.add(Row{Op: '\\', Text: strings.TrimSpace(line[1:])})
		}
		return
	}
	if rest, ok := strings.CutPrefix(line, "+++ "); ok {
		r.file().New = patchName(rest, "b/")
		return
	}
	for _, note := range headNotes {
		if strings.HasPrefix(line, note) {
			r.file().Notes = append(r.file().Notes, line)
		}
	}
}

// gitNames reads "a/old b/new". Names with spaces are ambiguous there; the lines that follow have them again.
func gitNames(s string) (from, to string) {
	from, to, _ = strings.Cut(s, " ")
	if half := len(s) / 2; len(s)%2 == 1 && s[half] == ' ' && strings.TrimPrefix(s[:half], "a/") == strings.TrimPrefix(s[half+1:], "b/") {
		from, to = s[:half], s[half+1:]
	}
	return patchName(from, "a/"), patchName(to, "b/")
}

// patchName reads the name of a file: quoted as in C if it has unusual characters, and with the time behind a tab.
func patchName(s, prefix string) string {
	if q, err := strconv.Unquote(s); err == nil && strings.HasPrefix(s, `"`) {
		s = q
	} else {
		s, _, _ = strings.Cut(s, "\t")
	}
	if s == "/dev/null" {
		return ""
	}
	return strings.TrimPrefix(s, prefix)
}
