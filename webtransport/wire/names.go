package wire

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Unprintable finds what would write over the lines of a terminal, begin a further line, or turn the direction of text:
// C0, DEL and C1, the line and paragraph separators, and the controls of bidirectional text.
func Unprintable(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r)
}

// Printable reports whether a text is UTF-8 that fits into one line of any terminal, as every name and label must.
func Printable(s string) bool { return utf8.ValidString(s) && !strings.ContainsFunc(s, Unprintable) }

// CheckNames refuses names and labels that are not [Printable], with CodeInvalidParams about the field.
func CheckNames(field string, names ...string) error {
	for _, s := range names {
		if !Printable(s) {
			return Errorf(CodeInvalidParams, "%q holds a control character, or is not UTF-8: a name or a label is one line of text", s).WithField(field)
		}
	}
	return nil
}
