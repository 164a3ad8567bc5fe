package acp

import (
	"cmp"
	"fmt"
	"strings"
	"unicode"

	"skein.dev/skein/server/linediff"
	"skein.dev/skein/webtransport/wire"
)

// A tool call is a line: "●" while it goes on, "✓" or "✗" at its end, with what it has changed under it. As long as nothing else is
// written, the line becomes the next one. What is left out is in the update, which is kept as it came.

const (
	maxShownChanges = 40  // lines of a diff
	changeContext   = 2   // lines around a change
	maxChangeLine   = 200 // bytes of such a line
)

// toolNote is what is written of a tool call: its line, and those under it at its end.
type toolNote struct {
	head, under string
	over        bool
}

// note returns what is to be written of a tool call, which a message has changed. The caller holds session.mu.
func (t *tool) note() (n toolNote) {
	switch name := oneLine(t.name()); t.status {
	case "completed":
		n = toolNote{"✓ " + name, t.under(), true}
	case "failed":
		n = toolNote{"✗ " + name + t.reason(), "", true}
	default:
		n.head = "● " + name
	}
	return n
}

// reason is the first text that a tool call shows.
func (t *tool) reason() string {
	for _, c := range t.content {
		if text := oneLine(c.Content.Text); text != "" {
			return ": " + text
		}
	}
	return ""
}

// under has the diffs of a tool call, and names what else it shows but texts.
func (t *tool) under() string {
	var b strings.Builder
	left := maxShownChanges
	for _, c := range t.content {
		switch {
		case c.Type == "diff":
			diff(&b, c, &left)
		case c.Content.Type != "" && c.Content.Type != "text":
			b.WriteString(dimmed(blockNote, "  "+c.Content.label()+"\n"))
		}
	}
	return b.String()
}

// diff writes the lines that a tool call has changed, as far as there is room.
func diff(b *strings.Builder, c toolContent, left *int) {
	old := ""
	if c.OldText != nil {
		old = *c.OldText
	}
	all := linediff.Of(strings.TrimSuffix(old, "\n"), strings.TrimSuffix(c.NewText, "\n"))
	added, removed := 0, 0
	for _, l := range all {
		switch l.Op {
		case "+":
			added++
		case "-":
			removed++
		}
	}
	what := fmt.Sprintf("+%d −%d", added, removed)
	if c.OldText == nil {
		what = fmt.Sprintf("new, %d lines", added)
	}
	b.WriteString(dimmed(blockNote, fmt.Sprintf("  %s (%s)\n", oneLine(c.Path), what)))
	lines := shownChanges(all)
	for i, l := range lines {
		if *left == 0 {
			b.WriteString(dimmed(blockNote, fmt.Sprintf("    … %d more lines\n", len(lines)-i)))
			return
		}
		b.WriteString(coloured(l))
		*left--
	}
}

// shownChanges are the lines that have changed, with some around them; an empty line of no kind stands for others.
func shownChanges(all []linediff.Line) (shown []linediff.Line) {
	last := -1
	for i, l := range all {
		if l.Op == " " {
			continue
		}
		from := max(last+1, i-changeContext)
		if from > last+1 && len(shown) > 0 {
			shown = append(shown, linediff.Line{Op: "…"})
		}
		for k := from; k <= i; k++ {
			shown = append(shown, all[k])
		}
		last = i
		for k := i + 1; k < len(all) && k <= i+changeContext && all[k].Op == " "; k++ {
			shown = append(shown, all[k])
			last = k
		}
	}
	return shown
}

// coloured is a line of a diff: red without it, green with it, dim the rest.
func coloured(l linediff.Line) string {
	text := "    " + l.Op + " " + short(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\t' {
			return ' '
		}
		return r
	}, short(l.Text, 2*maxChangeLine)), maxChangeLine)
	switch l.Op {
	case "+":
		return "\x1b[32m" + text + "\x1b[39m\n"
	case "-":
		return "\x1b[31m" + text + "\x1b[39m\n"
	}
	return dimmed(blockNote, text+"\n")
}

// label names content that is no text, by its type and size.
func (c *content) label() string {
	size := int64(c.Data)*3/4 + count(c.Size.v)
	name := cmp.Or(c.Title, c.Name, c.URI, c.Resource.v.URI)
	kind := cmp.Or(c.MIME, c.Resource.v.MIME)
	if c.Resource.is {
		size = int64(c.Resource.v.Text) + int64(c.Resource.v.Blob)*3/4
	}
	words := []string{}
	for _, w := range []string{name, cmp.Or(kind, c.Type)} {
		if w != "" {
			words = append(words, oneLine(w))
		}
	}
	if size > 0 {
		words = append(words, sizeText(size))
	}
	return strings.Join(words, ", ")
}

// sizeText is a number of bytes for people.
func sizeText(n int64) string {
	for _, unit := range []string{"bytes", "kB", "MB"} {
		if n < 1000 || unit == "MB" {
			return fmt.Sprintf("%d %s", n, unit)
		}
		n /= 1000
	}
	return ""
}

// textOf is the text of a block of content; of what is no text, what it is.
func textOf(c *content) string {
	if c.Type == "" || c.Type == "text" {
		return c.Text
	}
	return "[" + wire.Cut(c.label(), 300) + "]"
}
