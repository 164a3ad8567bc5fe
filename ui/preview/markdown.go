package preview

import (
	"bytes"
	"errors"
	"net/url"
	"regexp"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	east "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// renderMarkdown returns HTML that holds nothing that a browser runs or fetches. The HTML in the document becomes text, its pictures
// become links, and only links to the web and to mail addresses stay.
func renderMarkdown(b []byte) (out string, err error) {
	defer func() {
		if r := recover(); r != nil {
			if r != errCostly {
				panic(r)
			}
			err = errCostly
		}
	}()
	if deep(b) {
		return "", errCostly
	}
	budget := &budget{left: markdownBudget}
	md := goldmark.New(
		goldmark.WithExtensions(extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute)), extension.Strikethrough, extension.TaskList),
		goldmark.WithParserOptions(parser.WithInlineParsers(util.Prioritized(budget, 0)), parser.WithParagraphTransformers(util.Prioritized(budget, 0))),
		goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(safe{}, 0))),
	)
	var w bytes.Buffer
	if err := md.Convert(b, &w); err != nil {
		return "", err
	}
	return emptyHead.ReplaceAllString(w.String(), "<td$1></td>"), nil
}

// emptyHead is the head of a column that has none: no head at all, for those who hear the table. HTML in a document is text.
var emptyHead = regexp.MustCompile(`<th( align="[a-z]+")?></th>`)

var errCostly = errors.New("the document takes too long to render")

// The parser takes time that grows with the square of a paragraph's length for some texts, such as "[a](" repeated. It can't be
// interrupted, so the budget estimates what each mark costs, which is in proportion to what follows in its paragraph, and panics with
// errCostly when it is used up, after a fifth of a second at most. A usual document of maxMarkdown takes a small part of it.
const (
	markdownBudget = 8 << 20 // bytes looked at
	maxNesting     = 60      // of quotes and lists that begin in one line
)

// budget is an inline parser and a paragraph transformer that parses nothing.
type budget struct{ left int }

func (c *budget) Trigger() []byte { return []byte("[*_<`!~&") }

func (c *budget) Parse(parent ast.Node, block text.Reader, _ parser.Context) ast.Node {
	if lines := parent.Lines(); lines != nil && lines.Len() > 0 {
		_, here := block.Position()
		c.spend(lines.At(lines.Len()-1).Stop - here.Start)
	}
	return nil
}

// Transform comes before references are looked for at the beginning of a paragraph, each of which costs all lines that follow.
func (c *budget) Transform(p *ast.Paragraph, r text.Reader, _ parser.Context) {
	if n := p.Lines().Len(); n > 0 {
		if first := p.Lines().At(0); bytes.HasPrefix(bytes.TrimSpace(first.Value(r.Source())), []byte("[")) {
			c.spend(n * n / 2)
		}
	}
}

func (c *budget) spend(n int) {
	if c.left -= n; c.left < 0 {
		panic(errCostly)
	}
}

// deep reports whether a line begins with many quotes and lists in each other.
func deep(b []byte) bool {
	for line := range bytes.Lines(b) {
		depth := 0
		for i := 0; i < len(line); i++ {
			c := line[i]
			mark := c == '>' || (c == '-' || c == '+' || c == '*' || c == '.' || c == ')') && i+1 < len(line) && (line[i+1] == ' ' || line[i+1] == '\t')
			if mark {
				depth++
			} else if c != ' ' && c != '\t' && (c < '0' || c > '9') {
				break
			}
		}
		if depth > maxNesting {
			return true
		}
	}
	return false
}

// safe renders what might run or fetch something, and what a page has other elements for.
type safe struct{}

func (safe) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindHTMLBlock, htmlBlock)
	r.Register(ast.KindRawHTML, rawHTML)
	r.Register(ast.KindLink, link)
	r.Register(ast.KindAutoLink, autoLink)
	r.Register(ast.KindImage, image)
	r.Register(ast.KindHeading, heading)
	r.Register(east.KindTaskCheckBox, checkBox)
}

func htmlBlock(w util.BufWriter, src []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	n := node.(*ast.HTMLBlock)
	if !entering || n.HTMLBlockType == ast.HTMLBlockType2 { // a comment
		return ast.WalkContinue, nil
	}
	w.WriteString(`<pre class="md-html">`)
	for i := range n.Lines().Len() {
		at := n.Lines().At(i)
		w.Write(util.EscapeHTML(at.Value(src)))
	}
	if n.HasClosure() {
		w.Write(util.EscapeHTML(n.ClosureLine.Value(src)))
	}
	w.WriteString("</pre>\n")
	return ast.WalkContinue, nil
}

func rawHTML(w util.BufWriter, src []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkSkipChildren, nil
	}
	var raw []byte
	segments := node.(*ast.RawHTML).Segments
	for i := range segments.Len() {
		at := segments.At(i)
		raw = append(raw, at.Value(src)...)
	}
	switch tag := strings.ToLower(strings.ReplaceAll(string(raw), " ", "")); {
	case tag == "<br>" || tag == "<br/>":
		w.WriteString("<br>\n")
	case !strings.HasPrefix(tag, "<!--"):
		w.WriteString(`<code class="md-html">`)
		w.Write(util.EscapeHTML(raw))
		w.WriteString(`</code>`)
	}
	return ast.WalkSkipChildren, nil
}

// webAddress returns the address of a link to the web or to a mail address; "" for others.
func webAddress(to []byte) string {
	u, err := url.Parse(string(to))
	if err != nil || u.Scheme != "https" && u.Scheme != "http" && u.Scheme != "mailto" || u.Scheme != "mailto" && u.Host == "" {
		return ""
	}
	return u.String()
}

// openLink begins a link if its address is one that may be followed. Others are text with the address as a hint.
func openLink(w util.BufWriter, to []byte) {
	if address := webAddress(to); address != "" {
		w.WriteString(`<a class="link" rel="noopener noreferrer nofollow" target="_blank" href="`)
		w.Write(util.EscapeHTML([]byte(address)))
		w.WriteString(`">`)
		return
	}
	w.WriteString(`<span class="md-dead" title="`)
	w.Write(util.EscapeHTML(to))
	w.WriteString(`">`)
}

func closeLink(w util.BufWriter, to []byte) {
	if webAddress(to) != "" {
		w.WriteString("</a>")
		return
	}
	w.WriteString("</span>")
}

func link(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if n := node.(*ast.Link); entering {
		openLink(w, n.Destination)
	} else {
		closeLink(w, n.Destination)
	}
	return ast.WalkContinue, nil
}

func autoLink(w util.BufWriter, src []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if n := node.(*ast.AutoLink); entering {
		to := n.URL(src)
		if n.AutoLinkType == ast.AutoLinkEmail {
			to = append([]byte("mailto:"), to...)
		}
		openLink(w, to)
		w.Write(util.EscapeHTML(n.Label(src)))
		closeLink(w, to)
	}
	return ast.WalkContinue, nil
}

// image is a link to a picture, since the page fetches nothing from elsewhere.
func image(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	n := node.(*ast.Image)
	inLink := false
	for up := n.Parent(); up != nil; up = up.Parent() {
		inLink = inLink || up.Kind() == ast.KindLink
	}
	switch {
	case entering && inLink:
		w.WriteString(`<span class="md-image">`)
	case entering:
		w.WriteString(`<span class="md-image">`)
		openLink(w, n.Destination)
	case inLink:
		w.WriteString("</span>")
	default:
		closeLink(w, n.Destination)
		w.WriteString("</span>")
	}
	return ast.WalkContinue, nil
}

// heading is two levels lower than in the document, since it stands below those of the page.
func heading(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	tag := "h" + string(rune('0'+min(node.(*ast.Heading).Level+2, 6)))
	if entering {
		w.WriteString("<" + tag + ">")
	} else {
		w.WriteString("</" + tag + ">\n")
	}
	return ast.WalkContinue, nil
}

func checkBox(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	if node.(*east.TaskCheckBox).IsChecked {
		w.WriteString(`<span class="md-box" role="img" aria-label="Done">☑</span> `)
	} else {
		w.WriteString(`<span class="md-box" role="img" aria-label="Open">☐</span> `)
	}
	return ast.WalkContinue, nil
}

// MarkdownOf returns the HTML of a short document, as Shown has it. ok is false if it is too long or nested too deeply, and should be shown
// as text.
func MarkdownOf(text string) (html string, ok bool) {
	if len(text) > maxMarkdown {
		return "", false
	}
	html, err := renderMarkdown([]byte(text))
	return html, err == nil
}
