package folders

import (
	"os"
	"path/filepath"
	"testing"
)

func TestOnlyAFolderWithoutFilesIsCleared(t *testing.T) {
	t.Parallel()
	fs := New(Options{Dir: t.TempDir()})
	for name, c := range map[string]struct {
		make func(dir string) error
		gone bool
	}{
		"an empty one":               {func(string) error { return nil }, true},
		"folders in folders":         {func(dir string) error { return os.MkdirAll(filepath.Join(dir, "a", "b", "c"), 0o700) }, true},
		"one that is not there":      {os.Remove, true},
		"a file, though it is empty": {func(dir string) error { return os.WriteFile(filepath.Join(dir, ".keep"), nil, 0o600) }, false},
		"a link":                     {func(dir string) error { return os.Symlink("/", filepath.Join(dir, "root")) }, false},
		"a link in its place": {func(dir string) error {
			if err := os.Remove(dir); err != nil {
				return err
			}
			return os.Symlink(t.TempDir(), dir)
		}, false},
	} {
		dir := filepath.Join(t.TempDir(), "a1")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := c.make(dir); err != nil {
			t.Fatal(err)
		}
		_, before := os.Lstat(dir)
		if got := fs.Clear("a1", dir); got != c.gone {
			t.Errorf("%s is cleared: %t", name, got)
		}
		if _, err := os.Lstat(dir); (err != nil) != c.gone {
			t.Errorf("%s: before %v, after %v", name, before, err)
		}
	}
}
