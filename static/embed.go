// Package static carries what browsers fetch: the JavaScript client library, the dashboard's modules, the style sheet
// and the icon. `npm run build` fills dist; without it pages come without script.
package static

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"path"
	"strings"
	"sync"
)

//go:embed all:dist *.css *.svg
var embedded embed.FS

// Files is everything under /static/, by its name there: what stands beside this file, and the content of dist.
// It lists no folders.
func Files() fs.FS { return files{} }

type files struct{}

func (files) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) || strings.HasPrefix(path.Base(name), ".") {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	f, err := embedded.Open("dist/" + name)
	if err != nil {
		f, err = embedded.Open(name)
	}
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || info.IsDir() {
		f.Close()
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return f, nil
}

// URL is where a page finds the file: /static/<name>?v=<hash>. The hash changes with the content, so that a browser
// may keep what it fetched. A file that is not there (scripts that were not built) gets no hash.
func URL(name string) string {
	if h, ok := hashes()[name]; ok {
		return "/static/" + name + "?v=" + h
	}
	return "/static/" + name
}

// hashes are by name in Files: ten hexadecimal digits of the content's SHA-256.
var hashes = sync.OnceValue(func() map[string]string {
	all := make(map[string]string)
	fs.WalkDir(embedded, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		b, err := embedded.ReadFile(p)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(b)
		all[strings.TrimPrefix(p, "dist/")] = hex.EncodeToString(sum[:5])
		return nil
	})
	return all
})
