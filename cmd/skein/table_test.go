package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clipperhouse/displaywidth"
	"github.com/spf13/cobra"
)

func printedTable(t *testing.T, width int, colour bool, heads []any, rows ...[]any) []string {
	t.Helper()
	var b strings.Builder
	w := newTable(&b, heads...)
	w.width, w.colour = width, colour
	for _, r := range rows {
		w.row(r...)
	}
	if err := w.flush(); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
}

func TestATableFitsTheTerminal(t *testing.T) {
	t.Parallel()
	heads := []any{"ID", "NAME", optional{"TYPE", 2}, optional{"CPU", 1}, absent, "LAST LINE"}
	row := []any{"a4k2mzv2m4xab", "build the project", "shell", "12%", absent, "漢字 and more that is said in this line\nand the next"}
	for width, want := range map[int][]string{
		0: {
			"ID             NAME               TYPE   CPU  LAST LINE",
			`a4k2mzv2m4xab  build the project  shell  12%  漢字 and more that is said in this line\nand the next`,
		},
		70: {
			"ID             NAME               TYPE   CPU  LAST LINE",
			"a4k2mzv2m4xab  build the project  shell  12%  漢字 and more that is s…",
		},
		45: {
			"ID             NAME         CPU  LAST LINE",
			"a4k2mzv2m4xab  build the …  12%  漢字 and m…",
		},
		30: {
			"ID             NAME    LAST …",
			"a4k2mzv2m4xab  build…  漢字 …",
		},
	} {
		got := printedTable(t, width, false, heads, row)
		for _, line := range got {
			if n := displaywidth.String(line); width > 0 && n > width {
				t.Errorf("at %d columns a line has %d: %q", width, n, line)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("at %d columns:\n%s\nwant\n%s", width, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func TestALongFirstCellIsCut(t *testing.T) {
	t.Parallel()
	got := printedTable(t, 40, false, []any{"KEY", "SIZE"}, []any{strings.Repeat("k", 100), "12 B"})
	if n := displaywidth.String(got[1]); n > 40 || !strings.HasSuffix(got[1], "12 B") {
		t.Errorf("the row has %d columns: %q", n, got[1])
	}
}

func TestATableHasColours(t *testing.T) {
	t.Parallel()
	got := printedTable(t, 0, true, []any{"ID", "STATUS", "AGE"}, []any{"a", tinted{"failed", red}, "3s"}, []any{"b", tinted{"running", ""}, "4s"})
	if want := []string{"\x1b[2mID\x1b[m  \x1b[2mSTATUS\x1b[m   \x1b[2mAGE\x1b[m", "a   \x1b[31mfailed\x1b[m   3s", "b   running  4s"}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := printedTable(t, 0, false, nil, []any{tinted{"a\x1b[2Jb", red}}); got[0] != `a\x1b[2Jb` {
		t.Errorf("%q", got)
	}
}

func TestSinceIsATimeOrHowLongAgo(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 4, 15, 6, 7, 0, time.FixedZone("CET", 3600))
	for word, want := range map[string]string{
		"10m":                  "2026-03-04T14:56:07+01:00",
		"0s":                   "2026-03-04T15:06:07+01:00",
		"14:05":                "2026-03-04T14:05:00+01:00",
		"14:05:09":             "2026-03-04T14:05:09+01:00",
		"2026-03-01":           "2026-03-01T00:00:00+01:00",
		"2026-03-01 02:03":     "2026-03-01T02:03:00+01:00",
		"2026-03-01T02:03:04Z": "2026-03-01T02:03:04Z",
	} {
		if got, err := timeOf("--since", word, now); err != nil || got.Format(time.RFC3339) != want {
			t.Errorf("%s is %v, %v; want %s", word, got, err, want)
		}
	}
	for _, word := range []string{"", "-5m", "tomorrow", "25:00", "2026-13-01"} {
		if got, err := timeOf("--since", word, now); exitFor(err) != 2 {
			t.Errorf("%q is %v, %v", word, got, err)
		}
	}
}

// Every word of a usage is completed, or is one that only its writer knows.
func TestEveryWordIsCompletedOrFree(t *testing.T) {
	t.Parallel()
	free := strings.Fields("QUERY TEXT VALUE WORD OPTION PROMPT URL NAME EXPRESSION FILE")
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			walk(sub)
		}
		for _, names := range placeholders(c.Use) {
			for name := range strings.SplitSeq(names, "|") {
				name = strings.TrimSuffix(name, "...")
				if _, ok := completers[name]; !ok && !slices.Contains(free, name) {
					t.Errorf("%s: nothing completes %s", c.CommandPath(), name)
				}
			}
		}
	}
	walk(newRoot())
}
