package preview

import (
	"bytes"
	"errors"
	"mime"
	"slices"
	"strings"

	"skein.dev/skein/ui/changes"
	"skein.dev/skein/ui/words"
)

// fill reads the bytes as the kind. If they are not of that kind, it falls back to lines of text, and says why.
func (p *Preview) fill(s *Source, wanted Kind) {
	if p.Form.Kind == JSON && !p.End {
		p.json(s, wanted)
		return
	}
	switch p.As {
	case TableKind:
		p.table(s)
	case Diff:
		p.diff(s)
	case Markdown:
		p.markdown(s)
	case Hex:
		p.Hex = hexDump(s.Bytes)
	case Lines:
		p.lines(s)
	}
}

// asLines shows text instead of what it can't be shown as.
func (p *Preview) asLines(s *Source, why string) {
	p.As, p.Kinds = Lines, []Kind{Lines}
	if why != "" {
		p.Notes = append(p.Notes, why)
	}
	p.lines(s)
}

func (p *Preview) lines(s *Source) {
	text := decode(s.Bytes)
	if p.End {
		p.Text = lastLines(text, p.Form.Log)
		return
	}
	p.Text = linesOf(text, p.Form.Log)
}

// more notes that something follows what is shown, in a source that was read as a whole.
func (p *Preview) more(n int, one, many string) {
	if n > 0 {
		p.Notes = append(p.Notes, words.Count(n, one, many)+": the download has all of it.")
	}
}

// table shows the text of a CSV or TSV file, or JSON, as a table.
func (p *Preview) table(s *Source) {
	var ok bool
	if p.Form.Kind == jsonLines {
		p.Table, ok = jsonLinesTable(decode(s.Bytes), s.whole())
	} else {
		p.Table, ok = csvTable(decode(s.Bytes), separator(s), s.whole())
	}
	if !ok {
		p.asLines(s, "It could not be read as a table, so it is shown as text.")
	}
}

// separator returns what is between the cells: a tab, a semicolon or a comma.
func separator(s *Source) rune {
	typ, _, _ := mime.ParseMediaType(s.MediaType)
	if typ == "text/tab-separated-values" || strings.HasSuffix(strings.ToLower(s.Name), ".tsv") {
		return '\t'
	}
	return separatorOf(decode(s.Bytes[:min(len(s.Bytes), HeadBytes)]))
}

// json shows a JSON text: as a table if it is a list of objects, or as a tree. wanted is what somebody asked for.
func (p *Preview) json(s *Source, wanted Kind) {
	text := decode(s.Bytes)
	if !s.whole() {
		p.asLines(s, "")
		return
	}
	n, err := parseJSON(text)
	if err != nil && !errors.Is(err, errTooMuch) {
		p.asLines(s, "It is no JSON: "+jsonFault(text, err)+". It is shown as text.")
		return
	}
	table, is := listTable(n)
	p.As, p.Kinds = JSON, []Kind{JSON, Lines}
	if is {
		p.As, p.Kinds = TableKind, []Kind{TableKind, JSON, Lines}
	}
	if slices.Contains(p.Kinds, wanted) {
		p.As = wanted
	}
	switch {
	case p.As == TableKind:
		p.Table = table
	case p.As == Lines:
		p.Text = linesOf(text, false)
		p.more(p.Text.More, "more line", "more lines")
	case n != nil && n.Count <= treeNodes:
		p.Tree = n
	default:
		p.indented(text)
	}
}

// indented shows a JSON text that has too many values for a tree.
func (p *Preview) indented(text string) {
	pretty, _ := words.Pretty(text)
	p.Text = linesOf(pretty, false)
	p.more(p.Text.More, "more line", "more lines")
}

// diff shows the hunks of a patch, file by file.
func (p *Preview) diff(s *Source) {
	files, more := changes.Files(decode(s.Bytes), maxLines)
	if len(files) == 0 {
		p.asLines(s, "It has no hunks of a diff, so it is shown as text.")
		return
	}
	p.Diff = files
	p.more(more, "more line", "more lines")
}

// markdown renders a document (CommonMark with the tables, the struck text and the task lists of GitHub).
func (p *Preview) markdown(s *Source) {
	b := []byte(decode(s.Bytes))
	if len(b) > maxMarkdown {
		b = b[:bytes.LastIndexByte(b[:maxMarkdown], '\n')+1]
		p.Notes = append(p.Notes, "The first "+words.Bytes(int64(len(b)))+" are shown. As text there is more.")
	}
	out, err := renderMarkdown(b)
	if err != nil {
		p.asLines(s, "It is nested too deeply, or has too many marks in one paragraph, to be rendered. It is shown as text.")
		return
	}
	p.Markdown = out
}
