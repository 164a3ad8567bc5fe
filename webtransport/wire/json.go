package wire

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// Encode is json.Marshal without the escapes for HTML, which expand <, > and & to six bytes each. A value that fits into the
// message of a request must fit into that of an answer too.
func Encode(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes()[:b.Len()-1], nil // without its newline
}

// jsonLen returns the length of a text in JSON, without the quotation marks around it.
func jsonLen(s string) int {
	n := len(s)
	for i, r := range s {
		switch {
		case r == '"' || r == '\\' || r == '\n' || r == '\r' || r == '\t' || r == '\b' || r == '\f':
			n++
		case r < 0x20:
			n += 5 // \u00xx
		case r == '\u2028' || r == '\u2029':
			n += 3
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\ufffd"): // not UTF-8: \ufffd
			n += 5
		}
	}
	return n
}

// lenOf returns the length of texts as a JSON list.
func lenOf[S ~string](all []S) (n int) {
	for _, s := range all {
		n += jsonLen(string(s)) + 3
	}
	return n
}

func lenOfMap(m map[string]string) (n int) {
	for k, v := range m {
		n += jsonLen(k) + jsonLen(v) + 6
	}
	return n
}

// cutText returns the beginning of a text, at most n bytes including the ellipsis.
func cutText(s string, n int) string {
	if len(s) <= n {
		return s
	}
	const ellipsis = "…"
	for n -= len(ellipsis); n > 0 && !utf8.RuneStart(s[n]); n-- {
	}
	return s[:max(n, 0)] + ellipsis
}

// Cut returns the first n bytes of a text that a client sent, for a message that quotes it, and an ellipsis if there is more.
func Cut(s string, n int) string {
	if len(s) > n {
		return s[:n] + "…"
	}
	return s
}
