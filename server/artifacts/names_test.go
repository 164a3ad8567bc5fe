package artifacts

import (
	"path"
	"strings"
	"testing"
	"unicode/utf8"

	"skein.dev/skein/webtransport/wire"
)

// FuzzArtifactName checks that an accepted name is one file in one folder on any system and one line on any terminal, and
// that any file name of an agent is turned into such a name.
func FuzzArtifactName(f *testing.F) {
	for _, name := range []string{"report.txt", "a/b", "..", ".", "", "a\x1b[2J", "charts/2026/load.svg", "\xff", "a\u202eb", strings.Repeat("ä", 200)} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if badName(name) == "" {
			joined := path.Join("/folder", name)
			if path.Dir(joined) != "/folder" || path.Base(joined) != name || strings.ContainsAny(name, "\\/\x00\n\r\t\x1b\u0085\u202e") ||
				!utf8.ValidString(name) || len(name) > wire.MaxArtifactName {
				t.Fatalf("%q was taken", name)
			}
		}
		file := strings.Trim(path.Clean(strings.ReplaceAll(name, "\x00", "")), "/")
		if file == "." || file == ".." || file == "" || strings.HasPrefix(file, "../") { // no file in an outbox has such a path
			return
		}
		if got := keptName(file); badName(got) != "" {
			t.Fatalf("the file %q is kept as %q, which %s", file, got, badName(got))
		}
	})
}
