package acp

import (
	"strings"
	"unicode"

	"skein.dev/skein/webtransport/wire"
)

// short returns the beginning of a text, and nothing of the rest of it in memory.
func short(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.Clone(strings.ToValidUTF8(s[:n-len("…")], "")) + "…"
}

// line makes one line of a text of an agent, of n bytes at most.
func line(s string, n int) string {
	return short(strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, short(s, 2*n))), n)
}

// oneLine shortens a text to a line.
func oneLine(s string) string {
	return wire.Cut(strings.Join(strings.Fields(s), " "), 300)
}
