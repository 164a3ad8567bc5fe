package web

import (
	"bytes"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/klauspost/compress/gzhttp"

	"skein.dev/skein/static"
)

const (
	// MinCompressed is the smallest answer that is compressed, in bytes: a packet's worth.
	MinCompressed = 1024
	// jitter is how many random bytes a compressed answer may be longer: the length of a page that holds something of a
	// stranger's choice then says little about what else it holds (BREACH).
	jitter = 32
)

// compressed compresses pages and JSON for clients that ask for it. Files and answers that are compressed already stay as
// they are, and what holds a secret says so by uncompressed.
func compressed(next http.Handler) http.Handler {
	wrap, err := gzhttp.NewWrapper(gzhttp.MinSize(MinCompressed), gzhttp.RandomJitter(jitter, 0, false), gzhttp.EnableZstd(false),
		gzhttp.ContentTypes([]string{"text/html", "application/json"}))
	if err != nil {
		panic(err) // the options are constants
	}
	return wrap(next)
}

// uncompressed keeps an answer from being compressed.
func uncompressed(w http.ResponseWriter) { w.Header().Set(gzhttp.HeaderNoCompression, "1") }

// asset gives a file under /static/. Browsers keep what they asked for by its hash for ever, and ask again after the rest.
func asset(w http.ResponseWriter, r *http.Request) {
	f, ok := static.Find(strings.TrimPrefix(r.URL.Path, "/static/"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "private, no-cache")
	if f.Final(r.URL.RawQuery) {
		h.Set("Cache-Control", "private, max-age=31536000, immutable")
	}
	h.Set("Content-Type", mime.TypeByExtension(path.Ext(f.Name)))
	h.Set("Vary", "Accept-Encoding")
	content, tag := f.Content, f.Hash
	if z := f.Gzip(); z != nil && acceptsGzip(r) {
		h.Set("Content-Encoding", "gzip")
		content, tag = z, tag+"-gzip"
	}
	h.Set("ETag", `"`+tag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// acceptsGzip reads Accept-Encoding (RFC 9110, section 12.5.3).
func acceptsGzip(r *http.Request) bool {
	for _, coding := range strings.Split(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		name, weight, _ := strings.Cut(coding, ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			weight = strings.ReplaceAll(weight, " ", "")
			return strings.Trim(strings.TrimPrefix(strings.ToLower(weight), "q="), "0.") != "" || weight == ""
		}
	}
	return false
}
