package fleet

import (
	"strings"

	"skein.dev/skein/server/screen"
	"skein.dev/skein/webtransport/wire"
)

// briefly makes one line of a text, of at most wire.MaxSummary bytes, with nothing in it that can't be seen.
func briefly(text string) string {
	text = strings.ToValidUTF8(text[:min(len(text), 10*wire.MaxSummary)], "�")
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return ' '
		case screen.Unprintable(r):
			return -1
		}
		return r
	}, screen.Strip(text))
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > wire.MaxSummary {
		text = strings.ToValidUTF8(text[:wire.MaxSummary-len("…")], "") + "…"
	}
	return text
}
