// Package changes is the page of what an agent has changed in its folder: its commits, its files, and each file's diff, on which a person
// can comment.
package changes

import (
	"cmp"
	"fmt"
	"net/url"
	"strconv"

	"skein.dev/skein/ui/frame"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// Bounds of the diffs that are on the page from the beginning. The others are loaded when somebody opens them.
const (
	MaxOpenFiles = 20
	MaxOpenLines = 1500
)

// View is the page.
type View struct {
	frame.Frame
	Agent   wire.Agent
	Changes *wire.Changes         // nil: they can't be had
	Diffs   map[string]*wire.Diff // those that are shown, by path
	Why     string                // they can't be had
	Refused string                // why the form that was just sent was not carried out
	Message string                // of a commit that was refused
	Saved   string                // the commit that has what was just discarded
}

func (v View) page() frame.Page {
	return v.Frame.Page(v.Agent.Name+" changes", "changes.js", "/", false)
}

// URL is the address of the page of an agent's changes.
func URL(id wire.AgentID) string { return "/agents/" + string(id) + "/changes" }

// fileURL is the address of the page with the diff of a file.
func fileURL(c *wire.Changes, path string) string {
	return URL(c.Agent) + "?" + url.Values{"file": {path}, "tree": {c.Tree}, "base": {c.Base}}.Encode()
}

// anchor is the id of a file's section.
func anchor(i int) string { return "file-" + strconv.Itoa(i+1) }

func short(id string) string { return wire.Cut(id, 10) }

// summary says how much has changed, compared with what, and whether it is committed.
func summary(c *wire.Changes) string {
	if !something(c) {
		return "No changes since " + since(c)
	}
	what := words.Count(c.Total, "file", "files")
	if c.Count > 0 {
		what += " and " + words.Count(c.Count, "commit", "commits")
	}
	what += " since " + since(c)
	switch {
	case c.Open && c.Count > 0:
		what += ", not all committed"
	case c.Open:
		what += ", not committed"
	}
	return what
}

// something reports whether there is anything to commit or to discard. Commits may undo each other.
func something(c *wire.Changes) bool { return c.Total > 0 || c.Count > 0 || c.Open || len(c.Left) > 0 }

func since(c *wire.Changes) string { return cmp.Or(c.Folder.From, short(c.Base)) }

// statusMark is the letter that git writes for a file, and what it means.
func statusMark(f *wire.FileChange) (letter, word string) {
	switch f.Status {
	case wire.FileAdded:
		return "A", "Added"
	case wire.FileDeleted:
		return "D", "Deleted"
	case wire.FileRenamed:
		return "R", "Renamed"
	case wire.FileRetyped:
		return "T", "Another type of file"
	}
	return "M", "Modified"
}

// mode says what changed of a file besides its lines.
func mode(f *wire.FileChange) string {
	switch f.Mode {
	case "100755":
		return "made executable"
	case "100644":
		return "no longer executable"
	case "120000":
		return "now a link"
	case "160000":
		return "now a repository"
	}
	return ""
}

// emptyText says why there is no diff to see.
func emptyText(d *wire.Diff) string {
	switch {
	case d.File.Binary:
		return "A binary file."
	case d.File.Status == wire.FileRenamed:
		return "Renamed without other changes."
	case d.File.Mode != "":
		return "Only its mode has changed."
	}
	return "An empty file."
}

// commentRefusal says why nothing can be told to the agent; "": it can.
func commentRefusal(a *wire.Agent) string {
	switch {
	case a.Status != wire.StatusRunning:
		return "The agent does not run, so that it can't be told."
	case a.NoInput:
		return "The agent has no input, so that it can't be told."
	}
	return ""
}

// discardText says what would be lost.
func discardText(a *wire.Agent, c *wire.Changes) string {
	what := words.Count(c.Total, "changed file", "changed files")
	if c.Count > 0 {
		what += " and " + words.Count(c.Count, "commit", "commits")
	}
	if a.Status.Alive() {
		return fmt.Sprintf("%s: the worktree goes back to where it began. The agent is not told.", what)
	}
	return fmt.Sprintf("%s: the worktree is removed, and its branch %s with it.", what, words.Clean(c.Folder.Branch))
}
