package folders

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"skein.dev/skein/webtransport/wire"
)

// Clear removes a folder that was made for an agent that is forgotten, unless there is a file in it, or a link. It reports whether the folder is
// gone. Only folders that are empty are ever removed, so that a file that is written meanwhile stays.
func (f *Folders) Clear(id wire.AgentID, dir string) bool {
	dirs, empty := emptyDirs(dir)
	if !empty {
		return false
	}
	for _, d := range slices.Backward(dirs) {
		if err := os.Remove(d); err != nil && !os.IsNotExist(err) {
			return false
		}
	}
	os.Remove(filepath.Join(f.home(id), ".index")) // by which its contents were read
	os.Remove(f.home(id))
	return true
}

// emptyDirs lists a folder and those in it, each before what is in it, if they have nothing else.
func emptyDirs(dir string) (dirs []string, empty bool) {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case os.IsNotExist(err) && path == dir:
			return nil
		case err != nil:
			return err
		case !d.IsDir():
			return fs.ErrExist
		}
		dirs = append(dirs, path)
		return nil
	})
	return dirs, err == nil
}
