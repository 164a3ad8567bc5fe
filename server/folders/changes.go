package folders

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// Changes returns what an agent has changed in its folder.
func (fs *Folders) Changes(ctx context.Context, a *wire.Agent) (*wire.Changes, error) {
	w, end, err := fs.begin(ctx, a, fs.o.Timeout)
	if err != nil {
		return nil, err
	}
	defer end()
	return w.changes()
}

// Stamp returns a text that is another one when the folder of an agent has changed. It is cheaper than Changes, and writes nothing.
func (fs *Folders) Stamp(ctx context.Context, a *wire.Agent) (string, error) {
	w, end, err := fs.begin(ctx, a, fs.o.Timeout)
	if err != nil {
		return "", err
	}
	defer end()
	return w.stamp()
}

func (w *work) changes() (*wire.Changes, error) {
	c := &wire.Changes{Agent: w.id, Folder: w.folder}
	var err error
	c.Head, c.Branch = w.head()
	if c.Base, err = w.base(); err != nil {
		return nil, err
	}
	if c.Stamp, err = w.stamp(); err != nil {
		return nil, err
	}
	if c.Tree, c.Left, err = w.snapshot(); err != nil {
		return nil, err
	}
	c.Left = c.Left[:min(len(c.Left), wire.MaxLeftOut)]
	all, err := w.compare(c.Base, c.Tree)
	if err != nil {
		return nil, err
	}
	for _, f := range all {
		c.Added += f.Added
		c.Removed += f.Removed
	}
	c.Total, c.Files = len(all), all[:min(len(all), wire.MaxChangedFiles)]
	c.Open = true
	if c.Head != "" {
		tree, err := w.line("rev-parse", "--verify", c.Head+"^{tree}")
		if err != nil {
			return nil, inWords(err, w.dir)
		}
		c.Open = tree != c.Tree
		if c.Commits, c.Count, err = w.commits(c.Base, c.Head); err != nil {
			return nil, err
		}
	}
	c.Shorten()
	return c, nil
}

// comparison is the list of what differs between two trees.
type comparison struct {
	repository, base, tree string
	files                  []wire.FileChange
}

// maxCompared is how many comparisons are remembered, for the diffs of their files.
const maxCompared = 4

// compare lists the files that differ between a commit and a tree.
func (w *work) compare(base, tree string) ([]wire.FileChange, error) {
	c := comparison{repository: w.folder.GitDir, base: base, tree: tree}
	same := func(o comparison) bool { return o.repository == c.repository && o.base == base && o.tree == tree }
	w.fs.mu.Lock()
	i := slices.IndexFunc(w.fs.compared, same)
	if i >= 0 {
		c.files = w.fs.compared[i].files
	}
	w.fs.mu.Unlock()
	if i >= 0 {
		return slices.Clone(c.files), nil
	}
	out, err := w.all("diff-tree", "-r", "-M", "-l500", "--raw", "--numstat", "-z", "--no-abbrev", "--no-ext-diff", "--no-textconv", base, tree)
	if errors.Is(err, errCut) {
		return nil, wire.Errorf(wire.CodeTooLarge, "too many files have changed to list them: their names alone have more than %d MiB", maxOut>>20)
	}
	if err != nil {
		return nil, inWords(err, w.dir)
	}
	if c.files, err = parseChanges(out); err != nil {
		return nil, err
	}
	w.fs.mu.Lock()
	defer w.fs.mu.Unlock()
	w.fs.compared = append(w.fs.compared, c)
	w.fs.compared = w.fs.compared[max(0, len(w.fs.compared)-maxCompared):]
	return slices.Clone(c.files), nil
}

var statuses = map[byte]wire.FileStatus{'A': wire.FileAdded, 'M': wire.FileModified, 'D': wire.FileDeleted, 'R': wire.FileRenamed, 'T': wire.FileRetyped}

var errForm = errors.New("git prints changes in a form that Skein does not know")

// parseChanges reads the output of diff-tree --raw --numstat -z: first the files, then their lines, in the same order
// (git-diff-tree(1), "Raw output format").
func parseChanges(out []byte) ([]wire.FileChange, error) {
	all := []wire.FileChange{}
	in := &fields{out}
	for bytes.HasPrefix(in.rest, []byte(":")) {
		f, err := rawChange(in)
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	for i := range all {
		if err := countLines(in, &all[i]); err != nil {
			return nil, err
		}
	}
	if len(in.rest) > 0 {
		return nil, errForm
	}
	return all, nil
}

// fields are separated by NUL.
type fields struct{ rest []byte }

func (f *fields) next() (string, bool) {
	field, rest, ok := bytes.Cut(f.rest, []byte{0})
	f.rest = rest
	return string(field), ok
}

// rawChange reads one file: its modes, ids and status, and its path, or both of its paths.
func rawChange(in *fields) (f wire.FileChange, err error) {
	head, _ := in.next()
	words := strings.Fields(strings.TrimPrefix(head, ":"))
	if len(words) != 5 || words[4] == "" {
		return f, errForm
	}
	f.Status = statuses[words[4][0]]
	path, ok := in.next()
	if f.Status == wire.FileRenamed {
		f.Old = quote(path)
		path, ok = in.next()
	}
	if f.Status == "" || !ok || path == "" {
		return f, errForm
	}
	if f.Path = quote(path); words[0] != words[1] && f.Status != wire.FileAdded && f.Status != wire.FileDeleted {
		f.Mode = words[1]
	}
	return f, nil
}

// countLines reads how many lines of a file were added and removed: "-" for a binary one.
func countLines(in *fields, f *wire.FileChange) error {
	line, ok := in.next()
	added, rest, _ := strings.Cut(line, "\t")
	removed, path, two := strings.Cut(rest, "\t")
	if !ok || !two {
		return errForm
	}
	if path == "" { // of a renamed one both follow
		in.next()
		path, _ = in.next()
	}
	if quote(path) != f.Path {
		return errForm
	}
	if added == "-" {
		f.Binary = true
		return nil
	}
	var wrong [2]error
	f.Added, wrong[0] = strconv.Atoi(added)
	f.Removed, wrong[1] = strconv.Atoi(removed)
	if wrong[0] != nil || wrong[1] != nil || f.Added < 0 || f.Removed < 0 {
		return errForm
	}
	return nil
}

// commits returns the newest commits after base, and how many there are; without a base, the newest one.
func (w *work) commits(base, head string) ([]wire.Commit, int, error) {
	most, revs, count := 1, head, 1
	if base != "" {
		most, revs = wire.MaxCommits, base+".."+head
		n, err := w.line("rev-list", "--count", revs)
		if err != nil {
			return nil, 0, inWords(err, w.dir)
		}
		if count, err = strconv.Atoi(n); err != nil {
			return nil, 0, errForm
		}
	}
	out, err := w.all("log", "-z", "-n"+strconv.Itoa(most), "--format=%H%n%cI%n%an%n%s", revs)
	if err != nil {
		return nil, 0, inWords(err, w.dir)
	}
	all := []wire.Commit{}
	for part := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		if c, ok := parseCommit(part); ok {
			all = append(all, c)
		}
	}
	return all, count, nil
}

func parseCommit(s string) (c wire.Commit, ok bool) {
	lines := strings.SplitN(s, "\n", 4)
	if len(lines) != 4 {
		return c, false
	}
	at, err := time.Parse(time.RFC3339, lines[1])
	return wire.Commit{ID: lines[0], Time: at.UTC(), Author: words(lines[2]), Subject: words(lines[3])}, err == nil
}

func words(s string) string { return wire.Cut(strings.ToValidUTF8(s, "\uFFFD"), 300) }

// quote writes a path that is no text, or that begins as a quoted one does, in quotation marks, with octal escapes. unquote reads it back.
func quote(path string) string {
	if strings.ToValidUTF8(path, "") == path && !strings.HasPrefix(path, `"`) && strings.IndexFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f }) < 0 {
		return path
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(path) {
		switch c := path[i]; {
		case c == '"', c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ', c >= 0x7f:
			fmt.Fprintf(&b, "\\%03o", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String() + `"`
}

func unquote(path string) (string, error) {
	if !strings.HasPrefix(path, `"`) {
		return path, nil
	}
	s, err := strconv.Unquote(path)
	if err != nil {
		return "", wire.Errorf(wire.CodeInvalidParams, "the path %.80s is quoted wrongly", path).WithField("path")
	}
	return s, nil
}
