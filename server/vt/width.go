package vt

import (
	"github.com/clipperhouse/displaywidth"
	"github.com/clipperhouse/uax29/v2/graphemes"
)

// width is how many columns a code point takes by itself.
func width(r rune) int {
	if r >= 0x1100 && displaywidth.Rune(r) == 2 {
		return 2
	}
	return 1
}

// belongs reports whether a code point belongs to the character before it: a mark, what follows a zero-width joiner, the second
// regional indicator of a flag (UAX 29, extended grapheme clusters).
func belongs(before []byte, r rune) bool {
	text := append(before, string(r)...)
	g := graphemes.FromBytes(text)
	return g.Next() && len(g.Value()) == len(text)
}

const (
	emojiStyle         = 0xfe0f // VARIATION SELECTOR-16 makes the character before it an emoji, of two columns
	firstOfRegions     = 0x1f1e6
	lastOfRegions      = 0x1f1ff
	firstThatMayBelong = 0x300 // no code point before it belongs to another, but for controls
)

// joinedWidth is how many columns a character takes that a code point was added to.
func joinedWidth(was int, r rune) int {
	if r == emojiStyle || r >= firstOfRegions && r <= lastOfRegions {
		return 2
	}
	return max(was, width(r))
}
