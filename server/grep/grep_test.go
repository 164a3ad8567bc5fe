package grep

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func compile(t testing.TB, query string, isRegexp, sameCase bool) *Pattern {
	t.Helper()
	p, err := Compile(query, isRegexp, sameCase)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// find scans pieces of one stream, each an event.
func find(t testing.TB, query string, pieces ...string) (hits []Hit) {
	s := Scanner{Pattern: compile(t, query, false, false), Report: func(h Hit) bool { hits = append(hits, h); return true }}
	for i, p := range pieces {
		if end := s.Add(0, Place{Seq: uint64(i + 1)}, []byte(p), false); end != len(p) {
			t.Fatalf("piece %d: looked at %d of %d bytes", i, end, len(p))
		}
	}
	s.Open(false)
	return hits
}

func TestPatternFinds(t *testing.T) {
	for name, c := range map[string]struct {
		query              string
		isRegexp, sameCase bool
		line, want         string // "": nothing
	}{
		"text":                     {"b.c", false, true, "abc b.c", "b.c"},
		"text in any case":         {"B.c", false, false, "abc b.C", "b.C"},
		"text in this case":        {"B", false, true, "abc", ""},
		"beyond ASCII in the line": {"k", false, false, "é K", "K"},
		"a Kelvin sign":            {"k", false, false, "5 \u212a", "\u212a"},
		"beyond ASCII in both":     {"É", false, false, "café", "é"},
		"an expression":            {"b.c", true, true, "b.c abc bxc", "b.c"},
		"its own flags":            {"(?-i:B)c", true, false, "bc BC", "BC"},
		"an alternative":           {"x|y$", true, false, "aY", "Y"},
	} {
		t.Run(name, func(t *testing.T) {
			from, to := compile(t, c.query, c.isRegexp, c.sameCase).Find(c.line)
			if got := map[bool]string{true: ""}; from < 0 && c.want != got[true] || from >= 0 && c.line[from:to] != c.want {
				t.Errorf("%d to %d, want %q", from, to, c.want)
			}
		})
	}
	if _, err := Compile("a)|(b", true, false); err == nil {
		t.Error("half an expression is taken")
	}
}

// TestALongLineIsFoundWhole checks that nothing is lost where a long line is split, and that each hit has the right position.
func TestALongLineIsFoundWhole(t *testing.T) {
	for _, at := range []int{0, 100, MaxLine - 3, MaxLine, MaxLine + 3, 2*MaxLine - 3, 2*MaxLine - overlap, 300_000} {
		text := strings.Repeat("é", at/2) + strings.Repeat("x", at%2) + "needle"
		text += strings.Repeat("y", 400_000-len(text))
		var pieces []string
		for rest := text; rest != ""; {
			n := min(30_001, len(rest))
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		hits := find(t, "needle", append(pieces, "\nnext\n")...)
		if len(hits) != 1 {
			t.Errorf("at %d: %d hits", at, len(hits))
			continue
		}
		h := hits[0]
		// The piece of the line is at the reported position.
		begin := int(h.Seq-1)*30_001 + h.Offset
		if got := begin + h.From; got != at {
			t.Errorf("at %d: it is at %d: event %d, offset %d, and %d in the piece", at, got, h.Seq, h.Offset, h.From)
		}
	}
}

func TestAReportEndsTheScan(t *testing.T) {
	n := 0
	s := Scanner{Pattern: compile(t, "a", false, false), Report: func(Hit) bool { n++; return n < 2 }}
	if end := s.Add(0, Place{Seq: 1}, []byte("a\nb\na\na\n"), false); end != len("a\nb\na\n") || n != 2 {
		t.Errorf("it went to %d and reported %d", end, n)
	}
}

func TestAroundKeepsTheHit(t *testing.T) {
	for name, h := range map[string]Hit{
		"short":            {Text: "a hit", From: 2, To: 5},
		"at the beginning": {Text: "hit" + strings.Repeat("é", 50), From: 0, To: 3},
		"at the end":       {Text: strings.Repeat("é", 50) + "hit", From: 100, To: 103},
		"in the middle":    {Text: strings.Repeat("é", 50) + "hit" + strings.Repeat("é", 50), From: 100, To: 103},
		"longer than all":  {Text: "ab" + strings.Repeat("é", 50) + "c", From: 1, To: 102},
	} {
		t.Run(name, func(t *testing.T) {
			line, column, from, to := h.Around(20)
			hit := string([]rune(line)[from:to])
			if len(line) > 20 || !utf8.ValidString(line) || !strings.HasPrefix(h.Text[h.From:h.To], hit) || hit == "" || len(hit) < min(h.To-h.From, 16) {
				t.Errorf("%q, the hit in it is %q", line, hit)
			}
			if want := utf8.RuneCountInString(h.Text[:h.From]) + 1; column != want {
				t.Errorf("column %d, want %d", column, want)
			}
		})
	}
}

// FuzzScanner checks that the hits do not depend on where output is split, that each hit is in its line, and that a scan
// that continues after a split finds the rest.
func FuzzScanner(f *testing.F) {
	f.Add("one\ntwo \x1b[1mthree\x1b[0m\n", "THREE", 9)
	f.Add("10%\r20%\nend", "20", 5)
	f.Add("\xff\xfe\n\n\x1b]0;title\x07x", "x", 3)
	f.Add("Straße\nSTRASSE", "ß", 5)
	f.Fuzz(func(t *testing.T, data, query string, at int) {
		if query == "" || strings.Contains(query, "\n") || !utf8.ValidString(query) {
			return
		}
		at = max(0, min(at, len(data)))
		whole, cut := find(t, query, data), find(t, query, data[:at], data[at:])
		texts := func(hits []Hit) (all []string) {
			for _, h := range hits {
				all = append(all, fmt.Sprintf("%q %d %d", h.Text, h.From, h.To))
			}
			return all
		}
		if !slices.Equal(texts(whole), texts(cut)) {
			t.Fatalf("%q in %q: %q; cut at %d: %q", query, data, texts(whole), at, texts(cut))
		}
		for _, h := range whole {
			if line, _, from, to := h.Around(40); len(line) > 40 || !utf8.ValidString(line) || from > to || to > utf8.RuneCountInString(line) {
				t.Fatalf("%q: excerpt %q, %d to %d", h.Text, line, from, to)
			}
			if h.From > h.To || h.To > len(h.Text) || h.Offset > len(data) || h.Offset > 0 && data[h.Offset-1] != '\n' {
				t.Fatalf("%+v is no line of %q", h, data)
			}
		}

		// The scan of the first part and the one that continues find each of these lines once.
		var both []Hit
		s := Scanner{Pattern: compile(t, query, false, false), Report: func(h Hit) bool { both = append(both, h); return true }}
		s.Add(0, Place{}, []byte(data[:at]), false)
		s.Open(false)
		s = Scanner{Pattern: s.Pattern, Report: s.Report}
		s.Add(0, Place{}, []byte(data[:at]), true)
		s.Open(true)
		s.Add(0, Place{Offset: at}, []byte(data[at:]), false)
		s.Open(false)
		offsets := map[int]bool{}
		for _, h := range both {
			if offsets[h.Offset] {
				t.Fatalf("%q in %q, cut at %d: %q twice", query, data, at, h.Text)
			}
			offsets[h.Offset] = true
		}
		for _, h := range whole {
			if !offsets[h.Offset] {
				t.Fatalf("%q in %q, cut at %d: %q is missing", query, data, at, h.Text)
			}
		}
	})
}
