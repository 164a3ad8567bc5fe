package ui

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"skein.dev/skein/ui/artifact"
	"skein.dev/skein/ui/frame"
	"skein.dev/skein/ui/memory"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// shownValues says how values of memory, and what else is known of entries, are written at 14:30.
const shownValues = `{
  "values": [
    {"text": "", "kind": "empty", "preview": "empty", "shown": ""},
    {"text": "world", "kind": "text", "preview": "world", "shown": "world"},
    {"text": "two\nlines\tand a tab", "kind": "text", "preview": "two lines and a tab", "shown": "two\nlines\tand a tab"},
    {"text": "\u001b[31mred\u001b[0m", "kind": "text", "preview": "red", "shown": "red"},
    {"text": "Grüße 你好 🪿", "kind": "text", "preview": "Grüße 你好 🪿", "shown": "Grüße 你好 🪿"},
    {"text": "{\"a\":1e400,\"b\":[ ],\"c\":{\"d\":\"x, y: {\"}}", "kind": "json", "preview": "{\"a\":1e400,\"b\":[ ],\"c\":{\"d\":\"x, y: {\"}}", "shown": "{\n  \"a\": 1e400,\n  \"b\": [],\n  \"c\": {\n    \"d\": \"x, y: {\"\n  }\n}"},
    {"text": "{\"a\":1,}", "kind": "text", "preview": "{\"a\":1,}", "shown": "{\"a\":1,}"},
    {"base64": "iVBORw0KGgoAAAANSUhEUgECAw==", "kind": "binary", "preview": "89 50 4e 47 0d 0a 1a 0a 00 00 00 0d …", "shown": "00000000  89 50 4e 47 0d 0a 1a 0a  00 00 00 0d 49 48 44 52  |.PNG........IHDR|\n00000010  01 02 03                                          |...|"},
    {"base64": "/w==", "kind": "binary", "preview": "ff", "shown": "00000000  ff                                                |.|"},
    {"base64": "AAEC", "kind": "binary", "preview": "00 01 02", "shown": "00000000  00 01 02                                          |...|"},
    {"base64": "aGk=", "kind": "text", "preview": "hi", "shown": "hi"}
  ],
  "long": [
    {"text": "x", "times": 120, "length": 120, "end": "x"},
    {"text": "x", "times": 121, "length": 120, "end": "…"},
    {"text": "🪿", "times": 500, "length": 120, "end": "…"},
    {"text": "ab ", "times": 400, "length": 120, "end": "…"}
  ],
  "expires": [
    ["", "–"], ["2026-03-04T14:30:00Z", "now"], ["2026-03-04T14:29:00Z", "now"], ["2026-03-04T14:30:00.200Z", "in 1s"], ["2026-03-04T14:34:10Z", "in 4m 10s"],
    ["2026-03-06T16:30:00Z", "in 2d 2h"]
  ],
  "writers": [
    {"writer": "abcdefghijk23", "agent": "abcdefghijk23", "word": "abcdefg"},
    {"writer": "abcdefghijk23", "agent": "abcdefghijk23", "name": "indexer", "word": "indexer"},
    {"writer": "dashboard", "agent": "", "word": "dashboard"},
    {"writer": "abcdefghijk2!", "agent": "", "word": "abcdefghijk2!"},
    {"writer": "", "agent": "", "word": "–"}
  ],
  "marked": [
    {"text": "The quick fox", "query": "FOX", "marked": "The quick [fox]"},
    {"text": "foxes and a fox", "query": "fox", "marked": "foxes and a [fox]"},
    {"text": "foxes and a fox", "query": "fox*", "marked": "[foxes] and a [fox]"},
    {"text": "Über die Brücke", "query": "brucke uber", "marked": "[Über] die [Brücke]"},
    {"text": "a lazy dog", "query": "\"lazy dog\"", "marked": "a [lazy] [dog]"},
    {"text": "plan/2026-fox", "query": "2026", "marked": "plan/[2026]-fox"},
    {"text": "nothing", "query": "else", "marked": "nothing"},
    {"text": "", "query": "x", "marked": ""}
  ],
  "versions": [
    {"entry": {"revision": 1, "previous": 0}, "word": "Created"},
    {"entry": {"revision": 2, "previous": 1}, "word": "Changed"},
    {"entry": {"revision": 3, "previous": 2, "deleted": true, "writer": "cli"}, "word": "Deleted"},
    {"entry": {"revision": 3, "previous": 2, "deleted": true, "writer": "server", "expires_at": "2026-03-04T14:30:00Z"}, "word": "Expired"}
  ]
}`

// comparisons are of texts, line by line.
const comparisons = `{
  "diff": [
    {"before": "", "after": "", "lines": []},
    {"before": "", "after": "a\nb", "lines": ["+a", "+b"]},
    {"before": "a", "after": "", "lines": ["-a"]},
    {"before": "same", "after": "same", "lines": [" same"]},
    {"before": "one\ntwo\nthree", "after": "one\n2\nthree", "lines": [" one", "-two", "+2", " three"]},
    {"before": "one\ntwo", "after": "one\ntwo\n", "lines": [" one", " two", "+"]},
    {"before": "a\nb\nc\nd", "after": "b\nd\ne", "lines": ["-a", " b", "-c", " d", "+e"]},
    {"before": "a\na\nb", "after": "b\na\na", "lines": ["+b", " a", " a", "-b"]},
    {"before": "x\ny", "after": "y\nx", "lines": ["-x", " y", "+x"]}
  ],
  "shorten": [
    {"before": "1\n2\n3\n4\n5\n6\n7\n8\n9", "after": "1\n2\n3\n4\n5\n6\n7\n8\nnine", "lines": ["…5 lines", " 6", " 7", " 8", "-9", "+nine"]},
    {"before": "a\n1\n2\n3\n4\n5\n6\n7\nb", "after": "A\n1\n2\n3\n4\n5\n6\n7\nB", "lines": ["-a", "+A", " 1", " 2", " 3", "…1 line", " 5", " 6", " 7", "-b", "+B"]},
    {"before": "same\nagain", "after": "same\nagain", "lines": ["…2 lines"]}
  ],
  "merge": [
    {"theirs": "a\nb\nc", "yours": "a\nB\nc", "text": "a\n<<<<<<< theirs\nb\n=======\nB\n>>>>>>> yours\nc"},
    {"theirs": "a", "yours": "a\nb", "text": "a\n<<<<<<< theirs\n=======\nb\n>>>>>>> yours"},
    {"theirs": "same", "yours": "same", "text": "same"}
  ]
}`

func readConst(t *testing.T, text string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatal(err)
	}
}

func TestValues(t *testing.T) {
	var table struct {
		Values []struct {
			wire.Payload
			Kind, Preview, Shown string
		}
		Long []struct {
			Text          string
			Times, Length int
			End           string
		}
		Expires  []pair[string]
		Writers  []struct{ Writer, Agent, Name, Word string }
		Marked   []struct{ Text, Query, Marked string }
		Versions []struct {
			Entry wire.MemoryEntry
			Word  string
		}
	}
	readConst(t, shownValues, &table)
	now := time.Date(2026, 3, 4, 14, 30, 0, 0, time.UTC)
	check := func(what string, in any, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s of %v = %q, want %q", what, in, got, want)
		}
	}
	for _, c := range table.Values {
		b := c.Payload.Bytes()
		check("ValueKind", c.Payload, words.ValueKind(b), c.Kind)
		check("Preview", c.Payload, words.Preview(b), c.Preview)
		check("ShownValue", c.Payload, words.ShownValue(b), c.Shown)
	}
	for _, c := range table.Long {
		got := words.Preview([]byte(strings.Repeat(c.Text, c.Times)))
		if n := utf8.RuneCountInString(got); n > c.Length || n < c.Length-2 || !strings.HasSuffix(got, c.End) {
			t.Errorf("the preview of %d times %q is %q, of %d characters", c.Times, c.Text, got, n)
		}
	}
	for _, c := range table.Expires {
		var at *time.Time
		if c.in != "" {
			x, err := time.Parse(time.RFC3339Nano, c.in)
			if err != nil {
				t.Fatal(err)
			}
			at = &x
		}
		check("ExpiresText", c.in, words.ExpiresText(at, now), c.out)
	}
	for _, c := range table.Writers {
		check("WriterAgent", c.Writer, string(words.WriterAgent(c.Writer)), c.Agent)
		check("WriterWord", c.Writer, words.WriterWord(c.Writer, map[string]string{c.Writer: c.Name}), c.Word)
	}
	for _, c := range table.Marked {
		var b strings.Builder
		for _, m := range words.Marked(c.Text, c.Query) {
			if m.On {
				b.WriteString("[" + m.Text + "]")
			} else {
				b.WriteString(m.Text)
			}
		}
		check("Marked", c, b.String(), c.Marked)
	}
	for _, c := range table.Versions {
		check("versionWord", c.Entry, memory.VersionWord(&c.Entry), c.Word)
	}
}

// TestURLs reads the table that static/test/app-value.test.js also reads.
func TestURLs(t *testing.T) {
	var table struct {
		URLs []struct{ Namespace, Key, URL string }
	}
	readTable(t, "value.json", &table)
	for _, c := range table.URLs {
		if got := words.EntryURL(c.Namespace, c.Key); got != c.URL {
			t.Errorf("EntryURL of %v = %q", c, got)
		}
	}
}

// shownArtifacts are artifacts at 14:30, each with the texts of its row.
const shownArtifacts = `[
    {"artifact": {"id": "f1", "name": "a", "size": 100, "state": "complete", "received": 100, "updated_at": "2026-03-04T14:00:00Z"}, "state": "complete", "word": "Complete", "done": 1, "size": "100 B"},
    {"artifact": {"id": "f1", "name": "a", "size": 200, "state": "uploading", "received": 50, "updated_at": "2026-03-04T14:29:55Z"}, "state": "uploading", "word": "Uploading at 25%", "done": 0.25, "size": "200 B"},
    {"artifact": {"id": "f1", "name": "a", "size": 200, "state": "uploading", "received": 50, "updated_at": "2026-03-04T14:29:49Z"}, "state": "paused", "word": "Paused at 25%", "done": 0.25, "size": "200 B"},
    {"artifact": {"id": "f1", "name": "a", "size": -1, "state": "uploading", "received": 2048, "updated_at": "2026-03-04T14:29:59Z"}, "state": "uploading", "word": "Uploading", "done": 0, "size": "2 KiB so far"},
    {"artifact": {"id": "f1", "name": "a", "size": 0, "state": "uploading", "received": 0, "updated_at": "2026-03-04T14:29:59Z"}, "state": "uploading", "word": "Uploading", "done": 0, "size": "0 B"}
  ]`

func TestArtifactsAreWritten(t *testing.T) {
	now := frame.StoryNow
	var table []struct {
		Artifact          wire.Artifact
		State, Word, Size string
		Done              float64
	}
	readConst(t, shownArtifacts, &table)
	for _, c := range table {
		got := []any{artifact.ArtifactState(&c.Artifact, now), artifact.ArtifactWord(&c.Artifact, now), artifact.ArtifactSize(&c.Artifact), artifact.ArtifactDone(&c.Artifact)}
		if want := []any{c.State, c.Word, c.Size, c.Done}; !slices.Equal(got, want) {
			t.Errorf("%v is written %v, want %v", c.Artifact, got, want)
		}
	}
}

func TestDiff(t *testing.T) {
	type comparison struct {
		Before, After string
		Lines         []string
	}
	var table struct {
		Diff, Shorten []comparison
		Merge         []struct{ Theirs, Yours, Text string }
	}
	readConst(t, comparisons, &table)
	texts := func(lines []words.DiffLine) []string {
		out := []string{}
		for _, l := range lines {
			out = append(out, l.Op+l.Text)
		}
		return out
	}
	for _, c := range table.Diff {
		if got := texts(words.Diff(c.Before, c.After)); !slices.Equal(got, c.Lines) {
			t.Errorf("from %q to %q: %q, want %q", c.Before, c.After, got, c.Lines)
		}
	}
	for _, c := range table.Shorten {
		if got := texts(words.Shorten(words.Diff(c.Before, c.After))); !slices.Equal(got, c.Lines) {
			t.Errorf("from %q to %q, shortened: %q, want %q", c.Before, c.After, got, c.Lines)
		}
	}
	for _, c := range table.Merge {
		got := words.Merge(c.Theirs, c.Yours)
		if got != c.Text {
			t.Errorf("%q and %q merge into %q, want %q", c.Theirs, c.Yours, got, c.Text)
		}
		if words.Unmerged(got) != strings.Contains(got, "<<<<<<<") {
			t.Errorf("Unmerged(%q) = %v", got, words.Unmerged(got))
		}
	}
}

// TestDiffOfMuch checks that a comparison of two long texts stays within its limits.
func TestDiffOfMuch(t *testing.T) {
	var a, b strings.Builder
	for i := range 5000 {
		a.WriteString(strings.Repeat("a", i%7) + "\n")
		b.WriteString(strings.Repeat("b", i%5) + "\n")
	}
	lines := words.Shorten(words.Diff(a.String(), b.String()))
	if len(lines) != words.MaxDiffLines+1 {
		t.Fatalf("%d lines, want %d", len(lines), words.MaxDiffLines+1)
	}
	if last := lines[words.MaxDiffLines]; last.Op != "…" || !strings.HasSuffix(last.Text, "more lines") {
		t.Errorf("the last line is %q", last)
	}
}
