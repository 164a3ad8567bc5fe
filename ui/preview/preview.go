// Package preview shows bytes that nobody vouches for, such as those of an artifact or of a task's result: as a table, a diff, a
// document, a tree, lines of text, or by the browser's own viewers. What is shown is decided by the bytes, and by the media type and
// the name only as far as the bytes agree. All that is made of the bytes is text and a few known elements: no script, no style, no
// address that a browser loads by itself.
package preview

import (
	"slices"

	"skein.dev/skein/ui/changes"
	"skein.dev/skein/ui/words"
)

// Source is what is to be shown.
type Source struct {
	Name      string // of a file; may be empty
	MediaType string // as whoever made it says; may be empty
	Size      int64  // of all of it, in bytes
	Bytes     []byte // at most MaxBytes of it; none if a browser's viewer shows it
	Offset    int64  // of Bytes
	Form      Form   // of the first bytes, from Sniff
}

// whole reports whether Bytes are all of it.
func (s Source) whole() bool { return s.Offset == 0 && int64(len(s.Bytes)) >= s.Size }

// Preview is what a page shows.
type Preview struct {
	Form
	As    Kind   // how it is shown
	Kinds []Kind // how it may be shown, the first by default
	Notes []string

	Text     Text
	Table    Table
	Tree     *Node
	Diff     []changes.File
	Markdown string // HTML
	Hex      string
	Ends     bool // the beginning and the end may be asked for, which are not both shown
	End      bool // the end is shown
}

// Of returns the preview of a source, in the way that is wanted if that is possible.
func Of(s Source, wanted Kind) Preview {
	p := Preview{Form: s.Form, Kinds: kindsOf(s.Form.Kind)}
	if note := s.Form.Note(s.MediaType); note != "" {
		p.Notes = append(p.Notes, note)
	}
	if p.As = p.Kinds[0]; slices.Contains(p.Kinds, wanted) {
		p.As = wanted
	}
	if s.Offset > 0 { // the other kinds need the beginning
		p.As, p.End = Lines, true
	}
	p.fill(&s, wanted)
	p.leftOut(&s)
	return p
}

// leftOut notes which part of the source is not shown.
func (p *Preview) leftOut(s *Source) {
	if p.Form.Browser() && p.As != Lines || s.Size == 0 {
		return
	}
	read, where := int64(len(s.Bytes)), "first"
	switch {
	case p.As == Hex:
		read = min(read, maxHex)
	case p.As == Lines && s.whole() && p.Form.Kind != JSON:
		p.more(p.Text.More, "more line", "more lines")
	case p.As == Lines && !s.whole():
		p.Ends = !p.Form.Wide
		read = min(read, p.Text.Bytes)
	}
	if p.End {
		where = "last"
	}
	if read < s.Size && (p.As == Hex || !s.whole()) {
		what := "This is made of the "
		if p.As == Hex || p.As == Lines {
			what = "These are the "
		}
		p.Notes = append(p.Notes, what+where+" "+words.Bytes(read)+" of "+words.Bytes(s.Size)+". The download has all of it.")
	}
}
