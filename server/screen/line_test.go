package screen

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"skein.dev/skein/e2e/kit"
)

// TestPieces reads the table that static/test/app-ansi.test.js also reads.
func TestPieces(t *testing.T) {
	b, err := os.ReadFile("../../ui/testdata/ansi.json")
	if err != nil {
		t.Fatal(err)
	}
	var table []struct {
		Name, Start, Line, End string
		Pieces                 []Piece
	}
	if err := json.Unmarshal(b, &table); err != nil {
		t.Fatal(err)
	}
	for _, c := range table {
		t.Run(c.Name, func(t *testing.T) {
			start := parseStyle(t, c.Start)
			s := start
			got := Pieces(c.Line, &s)
			if len(got)+len(c.Pieces) > 0 && !reflect.DeepEqual(got, c.Pieces) {
				t.Errorf("pieces = %q, want %q", got, c.Pieces)
			}
			if s.Class() != c.End {
				t.Errorf("ends with %q, want %q", s.Class(), c.End)
			}
			for at := range len(c.Line) + 1 { // split at every position, restored from its state, and continued
				l := Line{Start: start}
				l.Write(c.Line[:at])
				again := Line{Start: start}
				again.Write(l.State())
				again.Write(c.Line[at:])
				if got := again.Pieces(); len(got)+len(c.Pieces) > 0 && !reflect.DeepEqual(got, c.Pieces) {
					t.Errorf("cut at %d: pieces = %q, want %q", at, got, c.Pieces)
				}
			}
		})
	}
}

// parseStyle returns the style with these classes.
func parseStyle(t *testing.T, class string) Style {
	t.Helper()
	var s Style
	codes := map[string]string{"a-b": "1", "a-u": "4", "f10": "92", "g4": "44"}
	for _, c := range strings.Fields(class) {
		s.apply(codes[c])
	}
	if s.Class() != class {
		t.Fatalf("no style has the classes %q", class)
	}
	return s
}

func FuzzPieces(f *testing.F) {
	f.Add("\x1b[1;38;5;200mx\x1b]0;t\x07\x1b[m")
	f.Add("\x1b[38;2;1;2;300m\x1b[?25l\x1b(B")
	f.Fuzz(func(t *testing.T, line string) {
		var s Style
		for _, p := range Pieces(line, &s) {
			if strings.ContainsAny(p.Text, "\x00\x07\x1b\u202e\r\b") {
				t.Errorf("a control character is left in %q", p.Text)
			}
		}
	})
}

// FuzzLine checks that output shows the same wherever it is split, even if a line is restored from its state, and that a
// line stays within its bounds.
func FuzzLine(f *testing.F) {
	for _, s := range []string{"10%\r20%\r", "a\x1b[2K\x1b[1Gb", "\x1b[31m審\b査\x1b[5D\x1b[K", "a\tb\x1b[3Gx\x1b[1K", "e\u0301\b\u0302", "\x1b]0;t\x1b\\x\x1b[999Cy",
		"\x1b]8;;https://example.org\x07l\x1b]8;;\x07\b\b", "👩‍👧\x1b[2Dx", "\x1b[3\r4mx", "\xe5\xaf", "\x1b[G\x1b[`", "\x1bPq\x1bx"} {
		for at := range len(s) {
			f.Add(s[:at], s[at:])
		}
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a)+len(b) > maxPending || strings.Contains(a+b, "\n") { // an unfinished sequence is cut beyond that
			return
		}
		a, b = strings.ToValidUTF8(a, "?"), strings.ToValidUTF8(b, "?") // bytes that are not text have no state
		whole, parts, kept, narrow := Line{}, Line{}, Line{}, Line{Max: 20}
		whole.Write(a + b)
		parts.Write(a)
		kept.Write(parts.State())
		if got, want := kept.Pieces(), parts.Pieces(); !reflect.DeepEqual(got, want) || kept.col != parts.col || kept.style != parts.style || kept.pending != parts.pending {
			t.Fatalf("%q: its state %q gives %q, column %d, not %q, %d", a, parts.State(), got, kept.col, want, parts.col)
		}
		for _, l := range []*Line{&parts, &kept} {
			l.Write(b)
			if got, want := l.Pieces(), whole.Pieces(); !reflect.DeepEqual(got, want) || l.style != whole.style {
				t.Fatalf("%q then %q: %q, in one: %q", a, b, got, want)
			}
		}
		narrow.Write(a + b)
		if len(narrow.cells) > 20 || len(whole.cells) > max(maxMove, tabStop*len(a+b))+utf8.UTFMax*len(a+b) {
			t.Fatalf("%q: %d and %d columns", a+b, len(narrow.cells), len(whole.cells))
		}
		if text := whole.Text(); strings.ContainsFunc(text, func(r rune) bool { return r != '\t' && unprintable(r) }) {
			t.Fatalf("a control character is left in %q", text)
		}
	})
}

// TestALineThatGoesOnForEverStaysShort: what is written over is not kept.
func TestALineThatGoesOnForEverStaysShort(t *testing.T) {
	var l Line
	for range kit.Less(10_000, 1000) {
		l.Write("\x1b[2K\r\x1b[32m" + strings.Repeat("█", 40) + "\x1b[0m 40%\x1b]0;" + strings.Repeat("x", 1000))
	}
	if l.Columns() != 44 || len(l.State()) > 400 {
		t.Errorf("%d columns, %d bytes", l.Columns(), len(l.State()))
	}
	var far Line
	far.Write("\x1b[99999999Gx\x1b[9999999999999999999999Cy\x1b[123456Dz")
	if far.Columns() > maxMove+2 || !strings.HasPrefix(far.Text(), "z") {
		t.Errorf("%d columns: %q", far.Columns(), far.Text())
	}
}
