package vt

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// oneLine makes text one line: without control characters and those that change the direction of text, without blanks around
// it, of at most n characters.
func oneLine(text string, n int) string {
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(text, "\ufffd") {
		switch {
		case unicode.IsControl(r):
			b.WriteByte(' ')
		case unicode.Is(unicode.Bidi_Control, r), r == 0xfeff, r == 0x200b:
		default:
			b.WriteRune(r)
		}
	}
	text = strings.TrimSpace(b.String())
	if utf8.RuneCountInString(text) > n {
		text = string([]rune(text)[:n-1]) + "…"
	}
	return text
}
