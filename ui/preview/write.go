package preview

import (
	"bufio"
	"context"
	"io"

	"github.com/a-h/templ"

	"skein.dev/skein/server/screen"
	"skein.dev/skein/ui/words"
)

// What follows is no templ, since there every space between the elements would count.

// numbered writes lines, each of which the style sheet gives its number if they are numbered.
func numbered(lines [][]screen.Piece) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, out io.Writer) error {
		w := bufio.NewWriter(out)
		for _, line := range lines {
			w.WriteString(`<span class="txt">`)
			for _, p := range line {
				text := templ.EscapeString(p.Text)
				if p.Class != "" {
					text = `<span class="` + templ.EscapeString(p.Class) + `">` + text + `</span>`
				}
				w.WriteString(text)
			}
			w.WriteString("</span>\n")
		}
		return w.Flush()
	})
}

// tree writes a JSON value, of which the parts can be folded.
func tree(n *Node) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, out io.Writer) error {
		w := bufio.NewWriter(out)
		t := treeWriter{w, n.Count}
		t.value(n, true)
		return w.Flush()
	})
}

type treeWriter struct {
	*bufio.Writer
	all int // values
}

// Values up to this depth are unfolded, and all in a tree of few values.
const (
	openDepth = 2
	openAll   = 300
)

func (w treeWriter) value(n *Node, last bool) {
	comma := `<span class="j-p">,</span>`
	if last {
		comma = ""
	}
	if n.Op != '{' && n.Op != '[' || len(n.Kids) == 0 {
		w.WriteString(`<div class="j-row">` + w.key(n) + scalarHTML(n) + comma + `</div>`)
		return
	}
	closing, of := "}", words.Count(len(n.Kids), "key", "keys")
	if n.Op == '[' {
		closing, of = "]", words.Count(len(n.Kids), "value", "values")
	}
	open := ""
	if n.Depth < openDepth || w.all <= openAll {
		open = " open"
	}
	w.WriteString(`<details class="j-part"` + open + `><summary>` + w.key(n) + `<span class="j-p">` + string(rune(n.Op)) + `</span> <span class="j-of">` + of + `</span></summary><div class="j-in">`)
	for i := range n.Kids {
		w.value(&n.Kids[i], i == len(n.Kids)-1)
	}
	w.WriteString(`</div><div class="j-row"><span class="j-p">` + closing + `</span>` + comma + `</div></details>`)
}

// key is a value's name in its object.
func (w treeWriter) key(n *Node) string {
	if !n.Named {
		return ""
	}
	return `<span class="j-key">` + templ.EscapeString(quoted(n.Key)) + `</span><span class="j-p">: </span>`
}

func scalarHTML(n *Node) string {
	text := n.Text
	switch n.Op {
	case '{':
		text = "{}"
	case '[':
		text = "[]"
	case 's':
		text = quoted(text)
	}
	class := map[byte]string{'s': "j-s", 'n': "j-n", 'b': "j-b"}[n.Op]
	if class == "" {
		class = "j-p"
	}
	return `<span class="` + class + `">` + templ.EscapeString(text) + `</span>`
}

// Summary says in a few words what is shown.
func (p *Preview) Summary() string {
	switch p.As {
	case TableKind:
		return words.Upper(p.Table.Summary())
	case Lines:
		if p.End {
			return "The last " + words.Count(len(p.Text.Lines), "line", "lines")
		}
		if p.Ends { // it is not known how many there are
			return "The first " + words.Count(len(p.Text.Lines), "line", "lines")
		}
		return words.Count(len(p.Text.Lines)+p.Text.More, "line", "lines")
	case Diff:
		return words.Count(len(p.Diff), "file", "files")
	case JSON:
		if p.Tree != nil && p.Tree.Count > 0 {
			return words.Count(p.Tree.Count, "value", "values")
		}
	}
	return ""
}

// linesClass is the class of lines; the end of a text has no numbers, since it is not known how many lines come before.
func (p *Preview) linesClass() string {
	if p.End {
		return "preview-lines"
	}
	return "preview-lines numbered"
}
