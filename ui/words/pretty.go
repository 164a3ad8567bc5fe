package words

import (
	"bytes"
	"encoding/json"
	"strings"
)

const (
	prettyIndent = "  "
	// maxPretty bounds how long a JSON text may become by being indented, in bytes: in one that is nested deeply, each value would have
	// thousands of spaces before it.
	maxPretty = 8 << 20
)

// Pretty indents text that is a JSON object or array, and leaves its numbers and strings as they are. One that would become too long
// stays as it is. ok: it is one.
func Pretty(text string) (pretty string, ok bool) {
	s := strings.TrimSpace(text)
	if s == "" || s[0] != '{' && s[0] != '[' || !json.Valid([]byte(s)) {
		return text, false
	}
	if indented(s) > maxPretty {
		return text, true
	}
	var b bytes.Buffer
	if json.Indent(&b, []byte(s), "", prettyIndent) != nil {
		return text, false
	}
	return b.String(), true
}

// indented estimates how long a valid JSON text becomes by being indented, in bytes.
func indented(s string) int {
	n, depth, quoted := len(s), 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case quoted:
		case c == '{' || c == '[':
			depth++
			n += len(prettyIndent) * depth
		case c == '}' || c == ']':
			depth--
			n += len(prettyIndent) * depth
		case c == ',':
			n += len(prettyIndent) * depth
		}
	}
	return n
}
