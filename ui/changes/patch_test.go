package changes

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestParsePatch(t *testing.T) {
	t.Parallel()
	patch := "diff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n@@ -8,3 +8,4 @@ func f() {\n same\n-old\n+new\n++plus\n same\n@@ -20 +21,0 @@\n--- minus\n\\ No newline at end of file\n"
	want := []string{"@ 0 0 func f() {", "  8 8 same", "- 9 0 old", "+ 0 9 new", "+ 0 10 +plus", "  10 11 same", "@ 0 0 ", "- 20 0 -- minus", `\ 0 0 No newline at end of file`}
	var got []string
	for _, r := range parsePatch(patch) {
		got = append(got, fmt.Sprintf("%c %d %d %s", r.Op, r.Old, r.New, r.Text))
	}
	if !slices.Equal(got, want) {
		t.Errorf("the rows are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func FuzzParsePatch(f *testing.F) {
	f.Add("@@ -1,2 +3,4 @@ x\n a\n-b\n+c\n\\ No newline\n")
	f.Add("@@ -1 +1 @@\n@@ -x +1 @@\n")
	f.Fuzz(func(t *testing.T, patch string) {
		rows := parsePatch(patch)
		if len(rows) > strings.Count(patch, "\n")+1 {
			t.Fatalf("%d rows of %q", len(rows), patch)
		}
		for _, r := range rows {
			if !strings.ContainsRune(" +-@\\", rune(r.Op)) || strings.Contains(r.Text, "\n") || !strings.Contains(patch, r.Text) {
				t.Fatalf("%+v of %q", r, patch)
			}
		}
	})
}
