// Package static carries what browsers fetch: the JavaScript client library, the dashboard's modules, the style sheet
// and the icon. `npm run build` fills dist; without it pages come without script. What is embedded of dist is compressed, which
// makes the product 0.3 MB smaller; the source maps are not embedded.
package static

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// dist/.keep.gz makes the first pattern match before a build.
//
//go:embed dist/*gz *.css *.svg *.png
var embedded embed.FS

// File is one file under /static/.
type File struct {
	Name    string // behind /static/
	Content []byte
	Hash    string // ten hexadecimal digits of the content's SHA-256
	// Gzip returns the content, compressed as well as gzip can; nil where that is not worth it.
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
	err := fs.WalkDir(embedded, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(path.Base(p), ".") {
			return err
		}
		b, err := embedded.ReadFile(p)
		if err != nil {
			return err
		}
		f := &File{Name: strings.TrimPrefix(p, "dist/"), Content: b, Gzip: sync.OnceValue(func() []byte { return worth(compress(b), b) })}
		if name, built := strings.CutSuffix(f.Name, ".gz"); built {
			f.Name = name
			f.Content, err = decompress(b)
			f.Gzip = func() []byte { return worth(b, f.Content) }
		}
		sum := sha256.Sum256(f.Content)
		f.Hash = hex.EncodeToString(sum[:5])
		all[f.Name] = f
		return err
	})
	if err != nil {
		panic(err) // the build made what can't be read
	}
	return all
})

// worth returns compressed if it is small enough, else nil.
func worth(compressed, b []byte) []byte {
	if float64(len(compressed)) > worthwhile*float64(len(b)) {
		return nil
	}
	return compressed
}

func compress(b []byte) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // the level is one
	w.Write(b)
	w.Close() // into memory: neither fails
	return out.Bytes()
}

func decompress(b []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}
