package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"skein.dev/skein/server/control"
	"skein.dev/skein/webtransport/wire"
)

// artifactContent serves an artifact's bytes to a browser as a file to save: they must never be shown as a page of this server.
func (s artifactPages) artifactContent(w http.ResponseWriter, r *http.Request) {
	id := wire.ArtifactID(r.PathValue("id"))
	rec, err := s.Plane.Artifacts.Get(id)
	if err != nil {
		s.refuse(w, r, http.StatusNotFound, "There is no artifact "+wire.Cut(string(id), 40)+".")
		return
	}
	if rec.State != wire.ArtifactComplete {
		s.refuse(w, r, http.StatusConflict, fmt.Sprintf("The artifact %s is still being uploaded: %d bytes came so far.", rec.Name, rec.Received))
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", bytesCSP)
	h.Set("Content-Type", rec.MediaType)
	h.Set("Content-Disposition", attachment(rec.Name))
	s.serveContent(w, r, rec)
}

// serveContent writes the bytes of a complete artifact, or the range of them that was asked for.
func (s artifactPages) serveContent(w http.ResponseWriter, r *http.Request, rec wire.Artifact) {
	h := w.Header()
	uncompressed(w) // so that ranges work
	h.Set("ETag", `"`+rec.SHA256+`"`)
	h.Set("Cache-Control", "private, no-cache")
	c := &content{plane: s.Plane, ctx: r.Context(), rec: rec}
	http.ServeContent(w, r, "", rec.UpdatedAt, c)
	if c.err != nil {
		s.failed(r, "an artifact could not be sent", c.err)
	}
}

// attachment returns the Content-Disposition of a file to save: with an ASCII name for old browsers, and with the full name
// (RFC 6266).
func attachment(name string) string {
	var ascii, whole strings.Builder
	for _, b := range []byte(name) {
		plain := b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || strings.IndexByte("!#$&+-.^_`|~", b) >= 0 // RFC 8187, attr-char
		if plain {
			whole.WriteByte(b)
		} else {
			fmt.Fprintf(&whole, "%%%02X", b)
		}
		if plain || strings.IndexByte(" '(),:<=>?@[]{}", b) >= 0 {
			ascii.WriteByte(b)
		} else {
			ascii.WriteByte('_')
		}
	}
	header := `attachment; filename="` + ascii.String() + `"`
	if ascii.String() != name {
		header += "; filename*=UTF-8''" + whole.String()
	}
	return header
}

// content reads an artifact for http.ServeContent: each seek opens it anew.
type content struct {
	plane  *control.Plane
	ctx    context.Context
	rec    wire.Artifact
	offset int64
	r      io.Reader // at offset; nil: not open
	err    error
}

func (c *content) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += c.offset
	case io.SeekEnd:
		offset += c.rec.Size
	}
	if offset < 0 {
		return 0, errors.New("seek before the beginning")
	}
	if offset != c.offset {
		c.offset, c.r = offset, nil
	}
	return offset, nil
}

func (c *content) Read(b []byte) (n int, err error) {
	if c.offset >= c.rec.Size {
		return 0, io.EOF
	}
	if c.r == nil {
		if _, c.r, c.err = c.plane.Artifacts.Download(c.ctx, c.rec.ID, c.offset); c.err != nil {
			return 0, c.err
		}
	}
	n, err = c.r.Read(b)
	c.offset += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		c.err = err
	}
	return n, err
}
