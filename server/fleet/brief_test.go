package fleet

import (
	"strings"
	"testing"
	"unicode/utf8"

	"skein.dev/skein/server/screen"
	"skein.dev/skein/webtransport/wire"
)

func TestASummaryIsOneShortLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                  "",
		" \n\t ":                            "",
		"fixing the parser":                 "fixing the parser",
		"  two\r\n\tlines\x00 ":             "two lines",
		"\x1b[1;31mred\x1b[0m \x1b]0;t\x07": "red",
		"r\u202etl\u2066 \u0085x\x7f":       "rtl x",
		"broken \xff\xc3":                   "broken \ufffd",
		strings.Repeat("a", 200):            strings.Repeat("a", 200),
		strings.Repeat("a", 201):            strings.Repeat("a", 197) + "…",
		"x" + strings.Repeat("é", 100):      "x" + strings.Repeat("é", 98) + "…",
		strings.Repeat("\n", 9000) + "late": "",
	} {
		if got := briefly(text); got != want {
			t.Errorf("of %.40q it is %q, want %q", text, got, want)
		}
	}
}

func FuzzBriefly(f *testing.F) {
	f.Add("fixing the parser\n\x1b[1mnow")
	f.Add("\x1b\x1b[[mx\x9b1m\xc2")
	f.Add(strings.Repeat("日", 700))
	f.Fuzz(func(t *testing.T, text string) {
		got := briefly(text)
		if len(got) > wire.MaxSummary || !utf8.ValidString(got) || strings.ContainsFunc(got, screen.Unprintable) || strings.TrimSpace(got) != got {
			t.Fatalf("%q becomes %q", text, got)
		}
	})
}
