// Package static carries what browsers fetch: the JavaScript client library, the dashboard's modules, the style sheet
// and the icon. `npm run build` fills dist; without it pages come without script. The source maps in dist are not embedded.
package static

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

//go:embed dist/*js *.css *.svg
var embedded embed.FS

// File is one file under /static/.
type File struct {
	Name    string // behind /static/
	Content []byte
	Hash    string // ten hexadecimal digits of the content's SHA-256
	// Gzip is the content compressed as well as gzip can, once; nil where that is not worth it.
	Gzip func() []byte
}

// worthwhile is how much smaller a file must get.
const worthwhile = 0.9

// Find gives a file by its name: what stands beside this file, and the content of dist.
func Find(name string) (*File, bool) {
	f, ok := files()[name]
	return f, ok
}

// All lists every file.
func All() (all []*File) {
	for _, f := range files() {
		all = append(all, f)
	}
	return all
}

// URL is where a page finds the file: /static/<name>?v=<hash>. The hash changes with the content, so that a browser
// may keep what it fetched. A file that is not there (scripts that were not built) gets no hash.
func URL(name string) string {
	if f, ok := Find(name); ok {
		return "/static/" + name + "?v=" + f.Hash
	}
	return "/static/" + name
}

// chunk is the name of a module that others share, or load when they must: they import it by the hash in its name.
var chunk = regexp.MustCompile(`^(chunk|extra)-[0-9A-Z]{8}\.js$`)

// Extra is the module that the library loads when it needs a WebSocket (client/load.js), as a page finds it; "" before a build.
var Extra = sync.OnceValue(func() string {
	for name := range files() {
		if strings.HasPrefix(name, "extra-") && chunk.MatchString(name) {
			return "/static/" + name
		}
	}
	return ""
})

// Final reports whether a request for the file, with what stands behind the question mark, never gets another answer.
func (f *File) Final(query string) bool { return query == "v="+f.Hash || chunk.MatchString(f.Name) }

var files = sync.OnceValue(func() map[string]*File {
	all := make(map[string]*File)
	fs.WalkDir(embedded, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(path.Base(p), ".") {
			return err
		}
		b, err := embedded.ReadFile(p)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(b)
		name := strings.TrimPrefix(p, "dist/")
		all[name] = &File{Name: name, Content: b, Hash: hex.EncodeToString(sum[:5]), Gzip: sync.OnceValue(func() []byte { return compress(b) })}
		return nil
	})
	return all
})

func compress(b []byte) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // the level is one
	w.Write(b)
	w.Close() // into memory: neither fails
	if float64(out.Len()) > worthwhile*float64(len(b)) {
		return nil
	}
	return out.Bytes()
}
