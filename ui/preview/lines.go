package preview

import (
	"encoding/hex"
	"strings"

	"skein.dev/skein/server/screen"
)

// Text is lines of text.
type Text struct {
	Lines [][]screen.Piece // each by style
	More  int              // how many lines follow, or come before if it is the end of a text
	Bytes int64            // of those that are here
}

// linesOf splits a text into lines. In a log, escape sequences choose the style of what follows them.
func linesOf(text string, log bool) (t Text) {
	var style screen.Style
	for line := range strings.Lines(text) {
		if len(t.Lines) == maxLines {
			t.More++
			continue
		}
		t.Bytes += int64(len(line))
		t.Lines = append(t.Lines, lineOf(strings.TrimRight(line, "\r\n"), &style, log))
	}
	return t
}

// lastLines splits the end of a text, which may begin in the middle of a line, into its last lines.
func lastLines(text string, log bool) Text {
	if _, rest, ok := strings.Cut(text, "\n"); ok {
		text = rest
	}
	more, at := 0, 0
	if over := strings.Count(strings.TrimSuffix(text, "\n"), "\n") + 1 - maxLines; over > 0 {
		for more = over; over > 0; over-- {
			at += strings.IndexByte(text[at:], '\n') + 1
		}
	}
	t := linesOf(text[at:], log)
	t.More = more
	return t
}

// lineOf splits one line by style, and cuts it if it is long.
func lineOf(line string, style *screen.Style, log bool) []screen.Piece {
	cut := ""
	if len(line) > maxLine {
		cut = " … (the line goes on)"
		line = string(wholeRunes([]byte(line[:maxLine])))
	}
	if !log {
		style = new(screen.Style)
	}
	pieces := screen.Pieces(line, style)
	if cut != "" {
		pieces = append(pieces, screen.Piece{Text: cut, Class: "a-d"})
	}
	return pieces
}

// hexDump writes the first bytes as numbers and as characters.
func hexDump(b []byte) string {
	return strings.TrimSuffix(hex.Dump(b[:min(len(b), maxHex)]), "\n")
}
