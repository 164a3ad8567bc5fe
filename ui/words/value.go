package words

import (
	"bytes"
	"encoding/hex"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"skein.dev/skein/webtransport/wire"
)

// How values of memory are written. Addresses are made in static/app/memory/value.js, too; testdata/value.json holds both.

const (
	maxPreview = 120  // characters of a value in a table
	MaxHex     = 1024 // bytes of a value that is no text
)

// ValueKind says how bytes are shown: "empty", "binary", "json" or "text".
func ValueKind(b []byte) string {
	if len(b) == 0 {
		return "empty"
	}
	if !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0 {
		return "binary"
	}
	if _, ok := Pretty(string(b)); ok {
		return "json"
	}
	return "text"
}

// Preview is a value on one line.
func Preview(b []byte) string {
	switch ValueKind(b) {
	case "empty":
		return "empty"
	case "binary":
		s := strings.TrimSpace(strings.ReplaceAll(hexBytes(b[:min(len(b), 12)]), "  ", " "))
		if len(b) > 12 {
			s += " …"
		}
		return s
	}
	all := []rune(string(b[:min(len(b), 8*maxPreview)]))
	s := Clean(string(all[:min(len(all), 2*maxPreview)]))
	short := []rune(s)
	if len(short) <= maxPreview && len(all) <= 2*maxPreview {
		return s
	}
	return strings.TrimSpace(string(short[:min(len(short), maxPreview-1)])) + "…"
}

func hexBytes(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		s.WriteString(hex.EncodeToString([]byte{c}))
		s.WriteByte(' ')
	}
	return s.String()
}

// ShownValue is a value as its page shows it: JSON indented, bytes in hexadecimal, as far as that helps.
func ShownValue(b []byte) string {
	switch ValueKind(b) {
	case "binary":
		return strings.TrimSuffix(hex.Dump(b[:min(len(b), MaxHex)]), "\n")
	case "json":
		s, _ := Pretty(string(b))
		return Plain(s)
	}
	return Plain(string(b))
}

// KindWord is a ValueKind in words.
func KindWord(kind string) string {
	switch kind {
	case "json":
		return "JSON"
	case "binary":
		return "Bytes"
	case "empty":
		return "Empty"
	}
	return "Text"
}

// ExpiresText is when an entry expires.
func ExpiresText(at *time.Time, now time.Time) string {
	if at == nil {
		return None
	}
	if !at.After(now) {
		return "now"
	}
	return When(*at, now)
}

// writerAgent matches an agent's id; other writers are clients.
var writerAgent = regexp.MustCompile(`^a[a-z2-7]{12}$`)

// WriterAgent is the agent that wrote; "" for others.
func WriterAgent(writer string) wire.AgentID {
	if writerAgent.MatchString(writer) {
		return wire.AgentID(writer)
	}
	return ""
}

// WriterWord names who wrote. names has those of agents that are known.
func WriterWord(writer string, names map[string]string) string {
	if name := Clean(names[writer]); name != "" {
		return name
	}
	if id := WriterAgent(writer); id != "" {
		return ShortID(id)
	}
	if w := Clean(writer); w != "" {
		return w
	}
	return None
}

// Mark is a piece of a text; On: it is what was looked for.
type Mark struct {
	Text string
	On   bool
}

// Marked splits a text at the words of a search, as the search itself compares them: without case and accents, and with
// prefix* as a beginning.
func Marked(text, query string) []Mark {
	whole, begins := queryWords(query)
	var out []Mark
	put := func(s string, on bool) {
		if n := len(out); n > 0 && out[n-1].On == on {
			out[n-1].Text += s
		} else if s != "" {
			out = append(out, Mark{s, on})
		}
	}
	at := 0
	for _, w := range wordPattern.FindAllStringIndex(text, -1) {
		word := fold(text[w[0]:w[1]])
		on := whole[word] || slices.ContainsFunc(begins, func(b string) bool { return strings.HasPrefix(word, b) })
		put(text[at:w[0]], false)
		put(text[w[0]:w[1]], on)
		at = w[1]
	}
	put(text[at:], false)
	return out
}

var wordPattern = regexp.MustCompile(`[\p{L}\p{N}\p{Mn}]+`)

// queryWords are the words of a query, and those that only begin one.
func queryWords(query string) (whole map[string]bool, begins []string) {
	whole = map[string]bool{}
	for _, w := range wordPattern.FindAllStringIndex(query, -1) {
		word := fold(query[w[0]:w[1]])
		if strings.HasPrefix(query[w[1]:], "*") || strings.HasPrefix(query[w[1]:], `"*`) {
			begins = append(begins, word)
		} else {
			whole[word] = true
		}
	}
	return whole, begins
}

func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFD.String(strings.ToLower(s)))
}

// SpaceURL is the address of a namespace's page.
func SpaceURL(namespace string) string { return "/memory/" + url.PathEscape(namespace) }

// EntryURL is the address of an entry's page.
func EntryURL(namespace, key string) string {
	if key == "." || key == ".." { // which browsers take for folders, escaped or not
		return SpaceURL(namespace) + "/entry?key=" + key
	}
	return SpaceURL(namespace) + "/" + strings.ReplaceAll(url.QueryEscape(key), "+", "%20")
}
