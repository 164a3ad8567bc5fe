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

// TestValues reads the table that static/test/app-value.test.js also reads.
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
		URLs     []struct{ Namespace, Key, URL string }
		Versions []struct {
			Entry wire.MemoryEntry
			Word  string
		}
	}
	readTable(t, "value.json", &table)
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
	for _, c := range table.URLs {
		check("EntryURL", c, words.EntryURL(c.Namespace, c.Key), c.URL)
	}
	for _, c := range table.Versions {
		check("versionWord", c.Entry, memory.VersionWord(&c.Entry), c.Word)
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
	if err := json.Unmarshal([]byte(shownArtifacts), &table); err != nil {
		t.Fatal(err)
	}
	for _, c := range table {
		got := []any{artifact.ArtifactState(&c.Artifact, now), artifact.ArtifactWord(&c.Artifact, now), artifact.ArtifactSize(&c.Artifact), artifact.ArtifactDone(&c.Artifact)}
		if want := []any{c.State, c.Word, c.Size, c.Done}; !slices.Equal(got, want) {
			t.Errorf("%v is written %v, want %v", c.Artifact, got, want)
		}
	}
}

// TestDiff reads the table that static/test/app-value.test.js also reads.
func TestDiff(t *testing.T) {
	type comparison struct {
		Before, After string
		Lines         []string
	}
	var table struct {
		Diff, Shorten []comparison
		Merge         []struct{ Theirs, Yours, Text string }
	}
	readTable(t, "diff.json", &table)
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
