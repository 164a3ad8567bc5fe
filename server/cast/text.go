package cast

import "unicode/utf8"

// complete returns how many bytes of b come before a character at its end that is not complete.
func complete(b []byte) int {
	for i := len(b) - 1; i >= 0 && i > len(b)-utf8.UTFMax; i-- {
		if utf8.RuneStart(b[i]) {
			if !utf8.FullRune(b[i:]) {
				return i
			}
			break
		}
	}
	return len(b)
}

// text returns b as UTF-8. Each byte that is not part of a character becomes U+FFFD, as on the screen of a terminal.
func text(b []byte) string { return string([]rune(string(b))) }
