package preview

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"skein.dev/skein/ui/changes"
)

// of returns the preview of a whole source.
func of(name, mediaType, text string, wanted Kind) Preview {
	head := text[:min(len(text), HeadBytes)]
	s := Source{Name: name, MediaType: mediaType, Size: int64(len(text)), Form: Sniff(name, mediaType, []byte(head)), Bytes: []byte(head)}
	if s.Form.Text() {
		s.Bytes = []byte(text[:min(len(text), MaxBytes)])
	}
	return Of(s, wanted)
}

const (
	png  = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
	diff = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"
)

func TestSniff(t *testing.T) {
	t.Parallel()
	wide := "\xff\xfe" + "h\x00i\x00"
	for name, c := range map[string]struct {
		file, mediaType, head string
		kind                  Kind
		typ                   string
	}{
		"a picture":                      {"x", "", png, Picture, "image/png"},
		"a picture called text":          {"x.txt", "text/plain", png, Picture, "image/png"},
		"a script called a picture":      {"x.png", "image/png", "<script>alert(1)</script>", Lines, ""},
		"HTML":                           {"x.html", "text/html", "<!doctype html><script>alert(1)</script>", Lines, ""},
		"HTML that is called PDF":        {"x.pdf", "application/pdf", "<html>", Lines, ""},
		"a PDF":                          {"x", "application/octet-stream", "%PDF-1.4\n", PDF, "application/pdf"},
		"SVG":                            {"x.svg", "image/svg+xml", `<?xml version="1.0"?><svg/>`, svg, SVGType},
		"SVG without a name":             {"", "", `<svg xmlns="x"/>`, svg, SVGType},
		"what is called SVG":             {"x.svg", "image/svg+xml", "<html></html>", Lines, ""},
		"SVG in a page":                  {"x.html", "text/html", "<html><svg></svg>", Lines, ""},
		"a WAV":                          {"x", "", "RIFF\x00\x00\x00\x00WAVEfmt ", Audio, "audio/wave"},
		"WebP":                           {"x", "", "RIFF\x00\x00\x00\x00WEBPVP8 ", Picture, "image/webp"},
		"Markdown":                       {"README.md", "", "# x", Markdown, ""},
		"Markdown by its type":           {"x", "text/markdown; charset=utf-8", "# x", Markdown, ""},
		"CSV":                            {"x.csv", "text/csv", "a,b", TableKind, ""},
		"a diff called text":             {"x.txt", "text/plain", diff, Diff, ""},
		"JSON without a name":            {"x", "", ` {"a":1}`, JSON, ""},
		"a problem":                      {"x", "application/problem+json", `{}`, JSON, ""},
		"JSON lines":                     {"x.jsonl", "", "{}\n{}", jsonLines, ""},
		"a table without a name":         {"", "", "name,score\nfox,3\n\"a, b\",17\ncut o", TableKind, ""},
		"tabs without a name":            {"", "", "name\tscore\nfox\t3\nowl\t17\n", TableKind, ""},
		"prose with commas":              {"", "", "First, this\nThen, that\nLast, the end\n", Lines, ""},
		"a table of one row":             {"", "", "name,score\nfox,3\n", Lines, ""},
		"ragged lines":                   {"", "", "a,b\n1,2\n1,2,3\n", Lines, ""},
		"numbers":                        {"", "", "1,2\n3,4\n5,6\n", Lines, ""},
		"a table that is called text":    {"x.txt", "text/plain", "name,score\nfox,3\nowl,17\n", Lines, ""},
		"text with a brace":              {"x.txt", "text/plain", "{ not JSON", Lines, ""},
		"bytes":                          {"x", "", "\x00\x01\x02", Hex, ""},
		"bytes called text":              {"x.txt", "text/plain", "\x00\x01\x02", Hex, ""},
		"Latin-1 called text":            {"x.txt", "text/plain", "gr\xfc\xdfe", Lines, ""},
		"Latin-1 without a name":         {"x", "", "gr\xfc\xdfe", Hex, ""},
		"UTF-16":                         {"x", "", wide, Lines, ""},
		"a character cut off at the end": {"x", "", strings.Repeat("a", HeadBytes-1) + "\xc3", Lines, ""},
		"nothing":                        {"x.png", "image/png", "", Empty, ""},
	} {
		if got := Sniff(c.file, c.mediaType, []byte(c.head)); got.Kind != c.kind || got.Type != c.typ {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestWhatABrowserIsGivenIsNeverAPage(t *testing.T) {
	t.Parallel()
	for _, head := range []string{"<html>", "<script>", "<?xml version=\"1.0\"?><html xmlns=\"http://www.w3.org/1999/xhtml\"/>", "\xef\xbb\xbf<!DOCTYPE html>", "GIF89a<script>", "%!PS-Adobe-", "\x00asm"} {
		for _, say := range []string{"text/html", "application/xhtml+xml", "image/png", "text/javascript", "application/wasm", SVGType} {
			f := Sniff("x", say, []byte(head))
			if _, known := shownTypes[f.Type]; f.Type != "" && !known && f.Type != SVGType {
				t.Errorf("%q as %s is given as %s", head, say, f.Type)
			}
		}
	}
}

func TestNotes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ mediaType, text, want string }{
		"text called a picture":         {"image/png", "hello", "Its media type is image/png, but its bytes are text."},
		"a picture called text":         {"text/plain", png, "Its media type is text/plain, but its bytes are image/png."},
		"a picture called a PDF":        {"application/pdf", png, "Its media type is application/pdf, but its bytes are image/png."},
		"another type of picture":       {"image/jpeg", png, ""},
		"a picture of an unknown type":  {"image/avif", "\x00\x00\x00\x1cftypavif", ""},
		"bytes called text":             {"text/plain; charset=utf-8", "\x00", "Its media type is text/plain, but its bytes are not text."},
		"what it says":                  {"image/png", png, ""},
		"nothing is said":               {"application/octet-stream", png, ""},
		"sound in a container of video": {"audio/webm", "\x1aE\xdf\xa3\x00\x00\x42\x82\x84webm", ""},
	} {
		if got := strings.Join(of("x", c.mediaType, c.text, "").Notes, " "); !strings.HasPrefix(got, c.want) || c.want == "" && strings.Contains(got, "media type") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	p := of("x.log", "", "\x1b[31mred\nstill\x1b[0m plain\r\n\x1b]8;;http://evil\x07link\x1b[2Jgone \u202eodd\n", "")
	var got []string
	for _, line := range p.Text.Lines {
		var s string
		for _, piece := range line {
			s += fmt.Sprintf("(%s)%s", piece.Class, piece.Text)
		}
		got = append(got, s)
	}
	if want := []string{"(f1)red", "(f1)still() plain", "()linkgone odd"}; strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("the lines are %q", got)
	}
	for name, text := range map[string]string{"UTF-8 with a mark": "\xef\xbb\xbfüber", "UTF-16": string(utf16Bytes("über"))} {
		if got := of("x.txt", "", text, "").Text.Lines[0][0].Text; got != "über" {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := of("x.txt", "text/plain", "gr\xfcn", "").Text.Lines[0][0].Text; got != "gr\ufffdn" {
		t.Errorf("Latin-1: %q", got)
	}
}

func utf16Bytes(s string) []byte {
	b := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return b
}

func TestLongTextsAreBounded(t *testing.T) {
	t.Parallel()
	p := of("x.txt", "", strings.Repeat("a\n", maxLines+7), "")
	if len(p.Text.Lines) != maxLines || p.Text.More != 7 || strings.Join(p.Notes, "") != "7 more lines: the download has all of it." {
		t.Errorf("many lines: %d, %d more, %q", len(p.Text.Lines), p.Text.More, p.Notes)
	}
	p = of("x.txt", "", strings.Repeat("ä", maxLine), "")
	if got := p.Text.Lines[0]; len(got) != 2 || len(got[0].Text) != maxLine || !strings.Contains(got[1].Text, "goes on") {
		t.Errorf("a long line: %d pieces", len(got))
	}
	long := strings.Repeat("0123456789abcde\n", MaxBytes/8) // twice what is read
	p = of("x.txt", "", long, "")
	if !p.Ends || p.End || len(p.Notes) != 1 || !strings.Contains(p.Notes[0], "the first 78 KiB of 2 MiB") {
		t.Errorf("the beginning of a long text: %+v %q", p.Ends, p.Notes)
	}
	at := int64(len(long) - MaxBytes + 3)
	p = Of(Source{Name: "x.txt", Size: int64(len(long)), Offset: at, Bytes: []byte(long[at:]), Form: Form{Kind: Lines}}, "")
	if n := len(p.Text.Lines); !p.End || n != maxLines || p.Text.Lines[n-1][0].Text != "0123456789abcde" || !strings.Contains(p.Notes[0], "the last 78 KiB of 2 MiB") {
		t.Errorf("the end of a long text: %d lines, %q", n, p.Notes)
	}
}

func TestTheEndOfATextBeginsWithAWholeLine(t *testing.T) {
	t.Parallel()
	got := lastLines("\x80\x81half\none\ntwo\n", false)
	if len(got.Lines) != 2 || got.Lines[0][0].Text != "one" {
		t.Errorf("%+v", got)
	}
}

func TestTables(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, text, want string }{
		"comma":            {"x.csv", "a,b\n1,2\n", "a|b/1|2"},
		"ragged":           {"x.csv", "a,b\n1\n1,2,3\n", "a|b|/1||/1|2|3"},
		"quotes":           {"x.csv", "a,b\n\"x, \"\"y\"\"\nz\",2\n", "a|b/x, \"y\"\nz|2"},
		"a stray quote":    {"x.csv", "a,b\n1\"2,3\"\n", "a|b/1\"2|3\""},
		"a quote not shut": {"x.csv", "a,b\n\"1,2\n3,4", "a|b/1,2\n3,4|"},
		"a mark":           {"x.csv", "\xef\xbb\xbfa,b\n1,2", "a|b/1|2"},
		"semicolons":       {"x.csv", "a;b\n1,5;2", "a|b/1,5|2"},
		"tabs":             {"x.tsv", "a\tb\n1,2\t3", "a|b/1,2|3"},
		"CRLF":             {"x.csv", "a,b\r\n1,2\r\n", "a|b/1|2"},
		"escapes":          {"x.csv", "a\n\x1b[31mred\x1b[0m\u202e", "a/red"},
		"a list":           {"x.json", `[{"a":1,"b":"x"},{"b":[1,2],"c":{"d":1}},{"c":null}]`, "a|b|c/1|x|/|[1, 2]|{1 key}/||null"},
		"lines":            {"x.jsonl", "{\"a\":1}\n\n{\"a\":2,\"b\":true}\n", "a|b/1|/2|true"},
	} {
		p := of(c.file, "", c.text, "")
		rows := []string{strings.Join(p.Table.Head, "|")}
		for _, r := range p.Table.Rows {
			rows = append(rows, strings.Join(r, "|"))
		}
		if got := strings.Join(rows, "/"); p.As != TableKind || got != c.want {
			t.Errorf("%s: %s: %q; want %q", name, p.As, got, c.want)
		}
	}
	if p := of("x.json", "", "[1,{}]", ""); p.As != JSON {
		t.Errorf("a list of other values is %s", p.As)
	}
	if p := of("x.jsonl", "", "{}\nno\n", ""); p.As != Lines || len(p.Notes) == 0 {
		t.Errorf("broken lines are %s, %q", p.As, p.Notes)
	}
}

func TestTablesAreBounded(t *testing.T) {
	t.Parallel()
	p := of("x.csv", "", "a\n"+strings.Repeat("1\n", maxRows+5), "")
	if len(p.Table.Rows) != maxRows || p.Table.More != 5 || p.Table.Summary() != "the first 500 of 505 rows" {
		t.Errorf("many rows: %d, %s", len(p.Table.Rows), p.Table.Summary())
	}
	p = of("x.csv", "", strings.Repeat("a,", maxColumns+9)+"b\n", "")
	if len(p.Table.Head) != maxColumns || p.Table.Wide != 10 {
		t.Errorf("many columns: %d, %d more", len(p.Table.Head), p.Table.Wide)
	}
	p = of("x.csv", "", "a\n"+strings.Repeat("é", 5000), "")
	if got := p.Table.Rows[0][0]; got != strings.Repeat("é", maxCell)+"…" {
		t.Errorf("a long cell has %d bytes", len(got))
	}
	p = of("x.csv", "", "a,b\n"+strings.Repeat("1,2\n", MaxBytes/4)+"3,4\n", "")
	if p.As != TableKind || !strings.Contains(strings.Join(p.Notes, ""), "the first 1 MiB of") {
		t.Errorf("a long table: %s %q", p.As, p.Notes)
	}
	wide := make([]string, 300)
	for i := range wide {
		wide[i] = fmt.Sprintf(`"k%d":%d`, i, i)
	}
	p = of("x.json", "", "[{"+strings.Join(wide, ",")+"}]", "")
	if len(p.Table.Head) != maxColumns || p.Table.Wide != 300-maxColumns || p.Table.Head[2] != "k2" {
		t.Errorf("an object of many keys: %q and %d more", p.Table.Head, p.Table.Wide)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	p := of("x.json", "", `{"b":12345678901234567890,"a":[true,null,"<\u001b[31m>"],"b":1.0}`, "")
	got := render(t, tree(p.Tree))
	for _, want := range []string{`12345678901234567890`, `1.0`, `&lt;\u001b[31m&gt;`, `<summary><span class="j-key">&#34;a&#34;</span>`} {
		if !strings.Contains(got, want) {
			t.Errorf("there is no %s in %s", want, got)
		}
	}
	if strings.Index(got, "1.0") < strings.Index(got, "null") {
		t.Errorf("the order is another one: %s", got)
	}
	for text, want := range map[string]string{
		"{\"a\": 1,\n \"ü\": nope}": "It is no JSON: invalid character 'o' in literal null (expecting 'u') in line 2, column 8. It is shown as text.",
		"{":                         "It is no JSON: unexpected end of JSON input in line 1, column 1. It is shown as text.",
		"{} {}":                     "It is no JSON: invalid character '{' after top-level value in line 1, column 4. It is shown as text.",
	} {
		if p := of("x.json", "", text, ""); p.As != Lines || len(p.Notes) != 1 || p.Notes[0] != want {
			t.Errorf("%q: %s, %q", text, p.As, p.Notes)
		}
	}
	deep := strings.Repeat("[", 5000) + strings.Repeat("]", 5000)
	if p := of("x.json", "", deep, ""); p.As != JSON || p.Tree != nil || len(p.Text.Lines) == 0 {
		t.Errorf("a deep one: %s with %d lines", p.As, len(p.Text.Lines))
	}
	if p := of("x.json", "", "["+strings.Repeat("1,", treeNodes)+"1]", ""); p.As != JSON || p.Tree != nil || len(p.Text.Lines) != treeNodes+3 {
		t.Errorf("a long one: %s with %d lines", p.As, len(p.Text.Lines))
	}
	if p := of("x.json", "", "["+strings.Repeat("1,", MaxBytes)+"1]", ""); p.As != Lines || len(p.Notes) != 1 || strings.Contains(p.Notes[0], "no JSON") {
		t.Errorf("one that is not read as a whole: %s, %q", p.As, p.Notes)
	}
}

func TestWhatIsWanted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file, text string
		wanted     Kind
		as         Kind
	}{
		"a document as text":  {"x.md", "# x", Lines, Lines},
		"a document as bytes": {"x.md", "# x", Hex, Markdown},
		"a list as JSON":      {"x.json", `[{"a":1}]`, JSON, JSON},
		"a list as text":      {"x.json", `[{"a":1}]`, Lines, Lines},
		"JSON as a table":     {"x.json", `{"a":1}`, TableKind, JSON},
		"SVG as text":         {"x.svg", "<svg/>", Lines, Lines},
		"SVG":                 {"x.svg", "<svg/>", "", Picture},
		"a diff":              {"x.diff", diff, "", Diff},
		"no diff":             {"x.diff", "hello", "", Lines},
		"a picture as text":   {"x.png", png, Lines, Picture},
	} {
		if p := of(c.file, "", c.text, c.wanted); p.As != c.as {
			t.Errorf("%s is shown as %s", name, p.As)
		}
	}
}

func FuzzOf(f *testing.F) {
	seeds := []string{png, diff, "a,b\n\"1", "{\"a\":[1,{}]}", "# x\n\n![a](b)", "\x1b[31mx\n", "\xff\xfeh\x00", "<svg/>", "{}\n{\"a\":1}\n", "[{\"a\":1},{\"b\":2}]", "diff --git a/x b/x\n@@ -1,99999999999 +1 @@\n+x"}
	names := []string{"x", "x.csv", "x.json", "x.md", "x.diff", "x.svg", "x.jsonl", "x.tsv", "x.log"}
	for _, s := range seeds {
		for i := range names {
			f.Add(uint8(i), "text/plain", s)
		}
	}
	f.Fuzz(func(t *testing.T, name uint8, mediaType, text string) {
		p := of(names[int(name)%len(names)], mediaType, text, "")
		if len(p.Text.Lines) > maxLines || len(p.Table.Rows) > maxRows || len(p.Table.Head) > maxColumns {
			t.Fatalf("%d lines, %d rows, %d columns", len(p.Text.Lines), len(p.Table.Rows), len(p.Table.Head))
		}
		for _, row := range p.Table.Rows {
			if len(row) != len(p.Table.Head) {
				t.Fatalf("a row has %d cells, the head %d", len(row), len(p.Table.Head))
			}
		}
		if p.As == JSON && !json.Valid([]byte(strings.TrimSpace(decode([]byte(text))))) {
			t.Fatalf("%q is shown as JSON", text)
		}
		harmless(t, render(t, Shown(&p, "x", Addresses{As: func(Kind) string { return "/" }})))
	})
}

func TestDiffsOfSeveralFiles(t *testing.T) {
	t.Parallel()
	p := of("x", "", "From 1\nSubject: a change\n\n---\n a | 2 +-\n\ndiff --git a/a b b/a b\n--- a/a b\n+++ b/a b\n@@ -1,2 +1,2 @@\n--- x\n+++ y\n same\n-- \n2.40\ndiff --git \"a/\\303\\274\" \"b/\\303\\274\"\ndeleted file mode 100644\n--- \"a/\\303\\274\"\n+++ /dev/null\n@@ -1 +0,0 @@\n-gone\n\\ No newline at end of file\n", Diff)
	if p.As != Lines { // it does not begin as a diff, and is not called one
		t.Errorf("mail is shown as %s", p.As)
	}
	p = of("x.patch", "", "diff --git a/a b b/a b\n--- a/a b\n+++ b/a b\n@@ -1,2 +1,2 @@\n--- x\n+++ y\n same\n-- \n2.40\ndiff --git \"a/\\303\\274\" \"b/\\303\\274\"\ndeleted file mode 100644\n--- \"a/\\303\\274\"\n+++ /dev/null\n@@ -1 +0,0 @@\n-gone\n\\ No newline at end of file\n", "")
	var got []string
	for _, f := range p.Diff {
		got = append(got, fmt.Sprintf("%s +%d -%d %q", f.Name(), f.Added, f.Removed, rowsOf(f)))
	}
	want := []string{`a b +1 -1 ["@" "--- x" "+++ y" " same"]`, `ü +0 -1 ["@" "-gone" "\\No newline at end of file"]`}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the files are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func rowsOf(f changes.File) (rows []string) {
	for _, r := range f.Rows {
		rows = append(rows, string(rune(r.Op))+r.Text)
	}
	return rows
}
