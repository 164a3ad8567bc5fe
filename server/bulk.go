package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"skein.dev/skein/server/artifacts"
	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

const (
	// maxTransfers bounds the transfers of a session that are under way in one direction; more wait for their turn. Each
	// holds a buffer of some hundred KiB.
	maxTransfers = 16
	// downloadBuffer is what a download writes at once, in bytes.
	downloadBuffer = 128 << 10
)

// serveBulk carries the bytes of one artifact (see wire.Bulk). What is slow slows down by the stream's flow control alone:
// nothing is buffered beyond what one read brings.
func (c *conn) serveBulk(l *lane, h wire.Header) {
	slots := c.downloads
	if h.Op == wire.BulkPut {
		slots = c.uploads
	}
	select {
	case slots <- struct{}{}:
	case <-c.ctx.Done():
		l.cancel(wire.StreamCanceled)
		return
	}
	if h.Op == wire.BulkPut {
		c.upload(l, h)
	} else {
		c.download(l, h)
	}
	<-slots
	l.drain() // nothing, if the lane was cancelled
}

// upload takes an artifact's bytes from where they broke off.
func (c *conn) upload(l *lane, h wire.Header) {
	u, done, err := c.s.plane.Artifacts.Upload(c.ctx, h.Artifact)
	switch {
	case err != nil:
		l.refuseBulk(h, err)
		return
	case done != nil:
		l.endBulk(wire.Bulk{Artifact: done, Offset: done.Size, Done: true})
		return
	}
	defer u.Close()
	rec := u.Artifact()
	if err := l.send(wire.Bulk{Artifact: &rec, Offset: u.Offset}); err != nil {
		l.cancel(wire.StreamCanceled)
		return
	}
	release := interrupt(u.Context(), l.str)
	rec, err = u.Receive(l.r.Rest())
	release()
	if err != nil {
		l.refuseBulk(h, err)
		return
	}
	l.endBulk(wire.Bulk{Artifact: &rec, Offset: rec.Size, Done: true})
}

// interrupt makes reads fail once ctx ends, until release. The stream stays as it is: to cancel the reading would tell the
// client so before it has read why.
func interrupt(ctx context.Context, str webtransport.Stream) (release func()) {
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		str.SetReadDeadline(time.Unix(1, 0))
		close(interrupted)
	})
	return func() {
		if !stop() {
			<-interrupted
			str.SetReadDeadline(time.Time{})
		}
	}
}

// endBulk sends the last line of a bulk lane. Whatever the client still sends is of no use.
func (l *lane) endBulk(b wire.Bulk) {
	l.send(b)
	l.end()
}

// refuseBulk ends a transfer with what is wrong, as far as the client can do something about it. A transfer that broke
// off is reset: the client goes on in another one.
func (l *lane) refuseBulk(h wire.Header, err error) {
	var we *wire.Error
	switch {
	case errors.Is(err, artifacts.ErrStopping), l.c.ctx.Err() != nil:
		l.cancel(wire.StreamCanceled)
	case errors.As(err, &we):
		l.endBulk(wire.Bulk{Error: we})
	case isReset(err):
		l.c.log.Debug("a transfer broke off", "artifact", h.Artifact, "err", err)
		l.cancel(wire.StreamCanceled)
	default:
		l.c.log.Error("a transfer failed", "artifact", h.Artifact, "op", h.Op, "err", err)
		l.cancel(wire.StreamInternal)
	}
}

func isReset(err error) bool {
	var se *webtransport.StreamError
	return errors.As(err, &se) || errors.Is(err, io.ErrUnexpectedEOF)
}

// download sends an artifact's bytes from an offset on.
func (c *conn) download(l *lane, h wire.Header) {
	rec, r, err := c.s.plane.Artifacts.Download(c.ctx, h.Artifact, h.Offset)
	if err != nil {
		l.refuseBulk(h, err)
		return
	}
	if err := l.send(wire.Bulk{Artifact: &rec, Offset: h.Offset}); err != nil {
		l.cancel(wire.StreamCanceled)
		return
	}
	if h.Length > 0 {
		r = io.LimitReader(r, h.Length)
	}
	_, err = io.CopyBuffer(patient{l.str}, struct{ io.Reader }{r}, make([]byte, downloadBuffer))
	switch {
	case isTimeout(err):
		l.cancel(wire.StreamTimeout)
	case err != nil:
		l.refuseBulk(h, err)
	default:
		l.end()
	}
}

// patient writes to a client that may read slowly, but not pause for writeTimeout.
type patient struct{ str webtransport.Stream }

func (p patient) Write(b []byte) (int, error) {
	p.str.SetWriteDeadline(time.Now().Add(writeTimeout))
	return p.str.Write(b)
}

// artifactContent gives an artifact's bytes to a browser, as a file to be saved: it must never be shown as a page of
// this server.
func (s *Server) artifactContent(w http.ResponseWriter, r *http.Request) {
	id := wire.ArtifactID(r.PathValue("id"))
	rec, err := s.plane.Artifacts.Get(id)
	if err != nil {
		s.refuse(w, r, http.StatusNotFound, "There is no artifact "+cut(string(id), 40)+".")
		return
	}
	if rec.State != wire.ArtifactComplete {
		s.refuse(w, r, http.StatusConflict, fmt.Sprintf("The artifact %s is still being uploaded: %d bytes came so far.", rec.Name, rec.Received))
		return
	}
	h := w.Header()
	uncompressed(w) // and in ranges
	h.Set("Content-Type", rec.MediaType)
	h.Set("Content-Disposition", attachment(rec.Name))
	h.Set("ETag", `"`+rec.SHA256+`"`)
	h.Set("Cache-Control", "private, no-cache")
	c := &content{s: s, ctx: r.Context(), rec: rec}
	http.ServeContent(w, r, "", rec.UpdatedAt, c)
	if c.err != nil && r.Context().Err() == nil {
		s.log.Error("an artifact could not be sent", "artifact", id, "err", c.err)
	}
}

// attachment names a file for the browser to save: in ASCII for those that know no better, and whole (RFC 6266).
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
	s      *Server
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
		if _, c.r, c.err = c.s.plane.Artifacts.Download(c.ctx, c.rec.ID, c.offset); c.err != nil {
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
