package folders

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Bounds of what is copied into a worktree.
const (
	maxCopies   = 1000
	maxCopySize = 64 << 20 // bytes
)

// copyFiles copies files, and the files of folders, that match patterns from one folder to the same places in another, unless they are there.
// Of a link to a file, it copies the file.
func copyFiles(from, to string, patterns []string) error {
	dst, err := os.OpenRoot(to)
	if err != nil {
		return err
	}
	defer dst.Close()
	c := &copier{from: from, to: dst}
	for _, p := range patterns {
		found, err := filepath.Glob(filepath.Join(from, p))
		if err != nil {
			return fmt.Errorf("copy: %q is no pattern", p)
		}
		for _, path := range found {
			if err := filepath.WalkDir(path, c.visit); err != nil {
				return fmt.Errorf("copy %s: %w", p, err)
			}
		}
	}
	return nil
}

// copier copies files, as far as the bounds go.
type copier struct {
	from  string
	to    *os.Root
	count int
	size  int64
}

func (c *copier) visit(path string, d fs.DirEntry, err error) error {
	switch {
	case err != nil:
		return err
	case d.IsDir() && d.Name() == ".git":
		return fs.SkipDir
	case d.IsDir():
		return nil
	}
	name, err := filepath.Rel(c.from, path)
	if err != nil {
		return err
	}
	if _, err := c.to.Lstat(name); err == nil {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return nil // such as a socket, or a link to nowhere
	}
	c.count++
	c.size += info.Size()
	if c.count > maxCopies || c.size > maxCopySize {
		return fmt.Errorf("more than %d files or %d MiB are to be copied; name fewer", maxCopies, maxCopySize>>20)
	}
	if err := c.to.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	return c.file(path, name, info.Mode().Perm())
}

func (c *copier) file(path, name string, mode fs.FileMode) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := c.to.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
