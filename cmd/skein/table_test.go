package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/clipperhouse/displaywidth"
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
