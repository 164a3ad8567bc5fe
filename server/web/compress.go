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
	// MinCompressed is the size of the smallest answer that is compressed, in bytes: about a packet.
	MinCompressed = 1024
	// jitter is the maximum number of random bytes that are added to a compressed answer, so that the length of a page with
	// text chosen by an attacker reveals little about its other content (BREACH).
	jitter = 32
)

// compressed compresses pages and JSON for clients that ask for it. Files and answers that are compressed already stay as
// they are. Handlers of answers with secrets call uncompressed.
func compressed(next http.Handler) http.Handler {
	wrap, err := gzhttp.NewWrapper(gzhttp.MinSize(MinCompressed), gzhttp.RandomJitter(jitter, 0, false), gzhttp.EnableZstd(false),
		gzhttp.ContentTypes([]string{"text/html", "application/json"}))
	if err != nil {
		panic(err) // the options are constants
	}
	return wrap(next)
}

// uncompressed prevents compression of an answer.
func uncompressed(w http.ResponseWriter) { w.Header().Set(gzhttp.HeaderNoCompression, "1") }

// asset serves a file under /static/. Browsers cache files that they request with a hash forever, and revalidate the others.
func asset(w http.ResponseWriter, r *http.Request) {
	f, ok := static.Find(strings.TrimPrefix(r.URL.Path, "/static/"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "private, no-cache")
	if f.Final(r.URL.RawQuery) {
		w.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
	}
	sendFile(w, r, f)
}

// sendFile sends a file of the pages, whose Cache-Control is set.
func sendFile(w http.ResponseWriter, r *http.Request, f *static.File) {
	h := w.Header()
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

// acceptsGzip parses Accept-Encoding (RFC 9110, section 12.5.3).
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
