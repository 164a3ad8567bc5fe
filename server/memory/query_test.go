package memory

import (
	"database/sql"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"skein.dev/skein/webtransport/wire"
)

func TestParseQuery(t *testing.T) {
	for q, want := range map[string]string{
		`two words`:        `{key value} : ("two" "words")`,
		`"a phrase" word*`: `{key value} : ("a phrase" "word"*)`,
		`"a phr"* x"y z`:   `{key value} : ("a phr"* "x" "y z")`,
		`foo-bar (AND) *`:  `{key value} : ("foo-bar" "(AND)")`,
		`a*b`:              `{key value} : ("a"* "b")`,
		"ns:s1 x\x00y":     "{key value} : (\"ns:s1\" \"x y\")",
	} {
		terms, err := parseQuery(q)
		if err != nil {
			t.Errorf("%q: %v", q, err)
			continue
		}
		if got := matchExpression(terms, nil); got != want {
			t.Errorf("%q becomes %s, want %s", q, got, want)
		}
	}
	for _, q := range []string{"", " ", `""`, "*", "- ! ?", `"*"`, strings.Repeat("a ", 40), strings.Repeat("a", 2000)} {
		if terms, err := parseQuery(q); err == nil {
			t.Errorf("%.20q becomes %v", q, terms)
		}
	}
}

// FuzzQuery checks that the index takes every query as words only.
func FuzzQuery(f *testing.F) {
	for _, q := range []string{"word", `"a phrase" pre*`, `a" OR ns:"s1`, "x NEAR(y z)", `{key}:x ^y -z`, "a\x00b", "é 漢字 \xff", `""""*`, "\u0345", "²"} {
		f.Add(q, "some text with the word in it")
	}
	x, err := openTextIndex(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(x.close)
	for i, text := range []string{"word", "other words"} {
		if _, err := x.write.Exec(`INSERT INTO m(rowid, ns, key, value) VALUES(?, ?, ?, ?)`, i+1, "s1", "key", text); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, q, text string) {
		terms, err := parseQuery(q)
		if err != nil {
			var we *wire.Error
			if !errors.As(err, &we) || we.Data.Field != "query" {
				t.Fatalf("%q: %v", q, err)
			}
			return
		}
		// A search in an empty namespace may find nothing, whatever the query.
		for _, spaces := range [][]string{nil, {"s2", "s3"}} {
			n := count(t, x.search, matchExpression(terms, spaces))
			if spaces != nil && n > 0 {
				t.Fatalf("%q finds %d entries of another namespace", q, n)
			}
		}
		if s := snippet(text, terms); utf8.ValidString(text) && (!utf8.ValidString(s) || len([]rune(s)) > snippetRunes+2) {
			t.Fatalf("%q in %q gives the snippet %q", q, text, s)
		}
	})
}

func count(t *testing.T, db *sql.DB, match string) (n int) {
	t.Helper()
	if err := db.QueryRow(`SELECT count(*) FROM m WHERE m MATCH ?`, match).Scan(&n); err != nil {
		t.Fatalf("%s: %v", match, err)
	}
	return n
}

func TestSnippet(t *testing.T) {
	long := strings.Repeat("Filler words come first. ", 40) + "Then the Élan of the matter,\n  in a   line, with élan and matter. " + strings.Repeat("And more follows. ", 40)
	for _, c := range []struct{ query, text, want string }{
		{"word", "no such thing", ""},
		{"short", "a short text", "a short text"},
		{"elan matter", long, "Filler words come first. Then the Élan of the matter, in a line, with élan and matter. And more"},
		{"fol*", "x follows y", "x follows y"},
		{"\"the matter\"", long, "the Élan of the matter"},
	} {
		terms, err := parseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		got := snippet(c.text, terms)
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q", c.query, got)
		}
		if c.text == long && (!strings.HasPrefix(got, "…") || !strings.HasSuffix(got, "…")) {
			t.Errorf("%s: %q does not say that it is a part", c.query, got)
		}
	}
}
