package preview

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/a-h/templ"
	"golang.org/x/net/html"
)

func render(t testing.TB, c templ.Component) string {
	t.Helper()
	var b strings.Builder
	if err := c.Render(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// harmless checks that HTML holds no element and no attribute by which a browser runs or fetches something by itself.
func harmless(t testing.TB, page string) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for e := range doc.Descendants() {
		if e.Type != html.ElementNode {
			continue
		}
		if slices.Contains([]string{"script", "style", "iframe", "object", "embed", "form", "input", "base", "meta", "link", "svg", "math", "template"}, e.Data) {
			t.Fatalf("there is a <%s> in %s", e.Data, page)
		}
		for _, a := range e.Attr {
			switch {
			case a.Key == "href" && e.Data == "a" && (a.Val == "" || strings.HasPrefix(a.Val, "/") || strings.HasPrefix(a.Val, "http://") || strings.HasPrefix(a.Val, "https://") || strings.HasPrefix(a.Val, "mailto:")):
			case a.Key == "src" && a.Val == "": // the page's own view
			case strings.HasPrefix(a.Key, "on"), slices.Contains([]string{"src", "srcset", "href", "style", "action", "formaction", "id", "name", "background"}, a.Key):
				t.Fatalf("there is a %s=%q of <%s> in %s", a.Key, a.Val, e.Data, page)
			}
		}
	}
}

func TestMarkdown(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"a heading":            {"# One\n\n###### Six", "<h3>One</h3>\n<h6>Six</h6>\n"},
		"a link":               {"[a](https://x.example/?a=1&b=2)", `<p><a class="link" rel="noopener noreferrer nofollow" target="_blank" href="https://x.example/?a=1&amp;b=2">a</a></p>` + "\n"},
		"javascript:":          {"[a](javascript:alert(1))", `<p><span class="md-dead" title="javascript:alert(1)">a</span></p>` + "\n"},
		"JaVaScript:":          {"[a](JaVa&#x53;cript&colon;alert(1)) <javascript:alert(1)>", `<p><span class="md-dead" title="JaVa&amp;#x53;cript&amp;colon;alert(1)">a</span> <span class="md-dead" title="javascript:alert(1)">javascript:alert(1)</span></p>` + "\n"},
		"data:":                {"[a](data:text/html,<script>)", ``},
		"a path of this site":  {"[a](/stop)", `<p><span class="md-dead" title="/stop">a</span></p>` + "\n"},
		"a path of a host":     {"[a](//evil.example/)", `<p><span class="md-dead" title="//evil.example/">a</span></p>` + "\n"},
		"an address":           {"<ada@example.com>", `href="mailto:ada@example.com"`},
		"a picture":            {"![a *b*](http://evil.example/x.png)", `<p><span class="md-image"><a class="link" rel="noopener noreferrer nofollow" target="_blank" href="http://evil.example/x.png">a <em>b</em></a></span></p>` + "\n"},
		"a picture in a link":  {"[![a](http://evil.example/x.png)](https://x.example/)", `href="https://x.example/"><span class="md-image">a</span></a>`},
		"HTML":                 {"<img src=x onerror=alert(1)>", "<pre class=\"md-html\">&lt;img src=x onerror=alert(1)&gt;</pre>\n"},
		"HTML in a line":       {"a <b onclick=x>b</b><br>c <!-- hidden -->", "<p>a <code class=\"md-html\">&lt;b onclick=x&gt;</code>b<code class=\"md-html\">&lt;/b&gt;</code><br>\nc </p>\n"},
		"a comment":            {"<!-- hidden -->\n\nseen", "<p>seen</p>\n"},
		"a script":             {"<script>\nalert(1)\n</script>\n", "<pre class=\"md-html\">&lt;script&gt;\nalert(1)\n&lt;/script&gt;\n</pre>\n"},
		"code":                 {"```html\"onclick=\n<script>\n```", "<pre><code class=\"language-html&quot;onclick=\">&lt;script&gt;\n</code></pre>\n"},
		"a table":              {"|a|b|\n|-|-:|\n|1|2|", "<td align=\"right\">2</td>"},
		"a table's corner":     {"||b|\n|-|-:|\n|1|2|", "<td></td>\n<th align=\"right\">b</th>"},
		"a task":               {"- [x] a", `<li><span class="md-box" role="img" aria-label="Done">☑</span> a</li>`},
		"a reference":          {"[a][r]\n\n[r]: javascript:alert(1) \"t\"", `<p><span class="md-dead" title="javascript:alert(1)">a</span></p>` + "\n"},
		"a title with a quote": {"[a](https://x.example 'x\" onclick=\"y')", `href="https://x.example">a</a>`},
	} {
		got, err := renderMarkdown([]byte(c.in))
		if err != nil || !strings.Contains(got, c.want) {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, err, got, c.want)
		}
		harmless(t, got)
	}
}

// What takes the parser time that grows with the square of its length is given up, and shown as text.
func TestMarkdownThatTakesLongIsText(t *testing.T) {
	t.Parallel()
	for _, part := range []string{">", "> ", " >", "1. ", "- ", "[a](", "[](", "**a_", "[x]: y\n"} {
		p := of("x.md", "", strings.Repeat(part, maxMarkdown/len(part)), "")
		if p.As != Lines || len(p.Notes) == 0 || !strings.Contains(p.Notes[0], "shown as text") {
			t.Errorf("%q again and again is shown as %s, %q", part, p.As, p.Notes)
		}
	}
	usual := "# Title\n\nSome *text* with [a link](https://x.example) and `code` in a paragraph that has __some__ length, as people write them.\n\n- one [x](y)\n- two **b**\n  > quoted\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```\n[code](x) *y*\n```\n\n"
	if p := of("x.md", "", strings.Repeat(usual, maxMarkdown/len(usual)), ""); p.As != Markdown {
		t.Errorf("a long document of the usual kind is shown as %s, %q", p.As, p.Notes)
	}
	p := of("x.md", "", strings.Repeat(usual, 2*maxMarkdown/len(usual)), "")
	if p.As != Markdown || len(p.Notes) != 1 || !strings.Contains(p.Notes[0], "KiB are shown") {
		t.Errorf("a longer one is shown as %s, %q", p.As, p.Notes)
	}
}

func FuzzMarkdown(f *testing.F) {
	for _, s := range []string{"# x\n[a](javascript:x) ![b](c) <b>", "<javascript:x>", "[a]: data:x\n[a]", "```\"x\ny\n```", "|a|\n|-|\n|<i>|", "- [ ] a\n  > b", "<!-- a", "<?x?>", "<![CDATA[x]]>", "\\<a>", "&lt;a href=x&gt;", "a\x00b", "[a](http://[::1]/\"x)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if out, err := renderMarkdown([]byte(s)); err == nil {
			harmless(t, out)
		}
	})
}
