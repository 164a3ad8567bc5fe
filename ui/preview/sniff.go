package preview

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// Kind is a way to show bytes. It stands in the addresses of pages.
type Kind string

const (
	Picture   Kind = "picture" // by the browser
	PDF       Kind = "pdf"     // by the browser
	Audio     Kind = "audio"   // by the browser
	Video     Kind = "video"   // by the browser
	TableKind Kind = "table"
	JSON      Kind = "json"
	Markdown  Kind = "markdown"
	Diff      Kind = "diff"
	Lines     Kind = "text"
	Hex       Kind = "bytes"
	Empty     Kind = "empty"

	svg       Kind = "svg"   // a picture that is text
	jsonLines Kind = "jsonl" // a table or text
)

// Word names a kind for the choice between several.
func (k Kind) Word() string {
	return map[Kind]string{Picture: "Picture", PDF: "PDF", Audio: "Audio", Video: "Video", TableKind: "Table", JSON: "JSON", Markdown: "Document",
		Diff: "Diff", Lines: "Text", Hex: "Bytes", Empty: "Empty"}[k]
}

// kindsOf returns how bytes of a kind may be shown, the first by default.
func kindsOf(k Kind) []Kind {
	switch k {
	case svg:
		return []Kind{Picture, Lines}
	case jsonLines:
		return []Kind{TableKind, Lines}
	case JSON:
		return []Kind{JSON, TableKind, Lines}
	case TableKind, Markdown, Diff:
		return []Kind{k, Lines}
	}
	return []Kind{k}
}

// Form is what the first bytes are.
type Form struct {
	Kind Kind
	Type string // the media type that the bytes have, for a browser's viewer; "" if it is text, or unknown
	Log  bool   // text with the escape sequences of a terminal
	Wide bool   // text in UTF-16, which can only be read from its beginning
}

// Browser reports whether a viewer of the browser shows the bytes, which it fetches itself.
func (f Form) Browser() bool { return f.Type != "" }

// Text reports whether the bytes are text, so that more of them can be shown.
func (f Form) Text() bool { return f.Kind == svg || f.Type == "" && f.Kind != Hex && f.Kind != Empty }

// shownTypes are the media types that browsers are given bytes as. A browser runs nothing of them, except SVG, which it runs only
// as a page of its own.
var shownTypes = map[string]Kind{
	"image/png": Picture, "image/jpeg": Picture, "image/gif": Picture, "image/webp": Picture, "image/bmp": Picture,
	"application/pdf": PDF, "audio/mpeg": Audio, "audio/wave": Audio, "audio/aiff": Audio, "application/ogg": Audio,
	"video/mp4": Video, "video/webm": Video,
}

// Shows is how bytes of a media type are shown by the browser's own viewers; "": they are not.
func Shows(mediaType string) Kind { return shownTypes[mediaType] }

// SVGType is the media type of SVG.
const SVGType = "image/svg+xml"

// Sniff decides what bytes are by the first HeadBytes of them, or all if there are fewer. Name and mediaType are what somebody says.
func Sniff(name, mediaType string, head []byte) Form {
	if len(head) == 0 {
		return Form{Kind: Empty}
	}
	found, _, _ := strings.Cut(http.DetectContentType(head), ";")
	if kind, ok := shownTypes[found]; ok {
		if kind == Audio && strings.HasPrefix(mediaType, "video/") {
			kind = Video
		}
		return Form{Kind: kind, Type: found}
	}
	if !isText(head, mediaType, name) {
		return Form{Kind: Hex}
	}
	text := decode(head)
	f := Form{Kind: textKind(said(name, mediaType), text), Log: strings.Contains(text, "\x1b["), Wide: wide(head)}
	if f.Kind == svg {
		f.Type = SVGType
	}
	return f
}

// isText reports whether bytes are text: UTF-8, UTF-16 with a byte order mark, or in another encoding if they are said to be text.
func isText(head []byte, mediaType, name string) bool {
	if wide(head) {
		return true
	}
	if bytes.IndexByte(head, 0) >= 0 {
		return false
	}
	if utf8.Valid(wholeRunes(head)) {
		return true
	}
	return said(name, mediaType) != "" && strings.HasPrefix(http.DetectContentType(head), "text/")
}

// said returns the kind of text that a name or a media type announces; "" if neither does.
func said(name, mediaType string) Kind {
	typ, _, err := mime.ParseMediaType(mediaType)
	if err != nil {
		typ = ""
	}
	switch typ {
	case "text/markdown", "text/x-markdown":
		return Markdown
	case "text/csv", "text/tab-separated-values":
		return TableKind
	case "text/x-diff", "text/x-patch":
		return Diff
	case "application/jsonl", "application/x-ndjson":
		return jsonLines
	case SVGType:
		return svg
	}
	if k, ok := map[string]Kind{".md": Markdown, ".markdown": Markdown, ".csv": TableKind, ".tsv": TableKind, ".diff": Diff, ".patch": Diff,
		".json": JSON, ".jsonl": jsonLines, ".ndjson": jsonLines, ".svg": svg, ".txt": Lines, ".log": Lines}[strings.ToLower(path.Ext(name))]; ok {
		return k
	}
	switch {
	case typ == "application/json", strings.HasSuffix(typ, "+json"):
		return JSON
	case strings.HasPrefix(typ, "text/"):
		return Lines
	}
	return ""
}

// textKind decides on the kind of a text by what it is said to be and how it begins.
func textKind(said Kind, text string) Kind {
	begin := strings.TrimSpace(text)
	switch {
	case said == svg && !strings.Contains(begin, "<svg"):
		return Lines
	case said != "" && said != Lines:
		return said
	case looksLikeDiff(text):
		return Diff
	case said == Lines: // what is called plain text is that, unless it can't be anything else
		return Lines
	case strings.HasPrefix(begin, "<svg"), strings.HasPrefix(begin, "<?xml") && strings.Contains(begin, "<svg"):
		return svg
	case strings.HasPrefix(begin, "{"), strings.HasPrefix(begin, "["):
		return JSON
	case looksLikeTable(text):
		return TableKind
	}
	return Lines
}

// looksLikeTable reports whether a text that nobody calls a table begins like one: a head of distinct names, and at least two rows, all
// with as many cells. Behind a comma in prose comes a space.
func looksLikeTable(text string) bool {
	if end := strings.LastIndexByte(text, '\n'); end >= 0 {
		text = text[:end] // the last line may be cut off
	}
	r := csv.NewReader(strings.NewReader(text))
	r.Comma = separatorOf(text)
	head, err := r.Read()
	if err != nil || len(head) < 2 {
		return false
	}
	seen := map[string]bool{}
	for _, name := range head {
		if seen[name] || name == "" || len(name) > 60 || number(name) || strings.TrimSpace(name) != name {
			return false
		}
		seen[name] = true
	}
	rows := 0
	for ; ; rows++ {
		row, err := r.Read()
		if err != nil {
			return errors.Is(err, io.EOF) && rows >= 2
		}
		if slices.ContainsFunc(row, func(c string) bool { return strings.HasPrefix(c, " ") }) {
			return false
		}
	}
}

// looksLikeDiff reports whether a text begins like the output of git diff or diff -u.
func looksLikeDiff(text string) bool {
	if strings.HasPrefix(text, "diff --git ") {
		return true
	}
	return strings.HasPrefix(text, "--- ") && strings.Contains(text, "\n+++ ") && strings.Contains(text, "\n@@ -")
}

// Note says that bytes are not what their media type says; "" if they may be.
func (f Form) Note(mediaType string) string {
	typ, _, err := mime.ParseMediaType(mediaType)
	if err != nil || typ == "application/octet-stream" || f.Kind == Empty {
		return ""
	}
	major, _, _ := strings.Cut(typ, "/")
	claimed := major == "image" || major == "audio" || major == "video" || typ == "application/pdf"
	switch {
	case claimed && f.Kind == Hex:
		return "" // it may be of a type that is not known here
	case claimed && !f.Browser():
		return "Its media type is " + typ + ", but its bytes are text."
	case f.Browser() && (claimed && majorOf(f.Kind) != claims[major] || major == "text" || typ == "application/json"):
		return "Its media type is " + typ + ", but its bytes are " + f.Type + "."
	case major == "text" && f.Kind == Hex:
		return "Its media type is " + typ + ", but its bytes are not text."
	}
	return ""
}

// claims are the kinds of the media types that say what a browser shows.
var claims = map[string]Kind{"image": Picture, "audio": Video, "video": Video, "application": PDF}

// majorOf treats sound and moving pictures as one, since they share their containers.
func majorOf(k Kind) Kind {
	switch k {
	case Audio:
		return Video
	case svg:
		return Picture
	}
	return k
}
