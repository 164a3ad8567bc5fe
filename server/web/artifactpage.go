package web

import (
	"context"
	"errors"
	"io"
	"net/http"

	"skein.dev/skein/ui/artifact"
	"skein.dev/skein/ui/preview"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// artifactPage shows an artifact. Its query has the filter of the list that it was opened from, as=KIND for another way to show it, and
// part=end for the end of a long text.
func (s artifactPages) artifactPage(w http.ResponseWriter, r *http.Request) {
	rec, ok := s.artifact(w, r)
	if !ok {
		return
	}
	q := r.URL.Query()
	v := artifact.ArtifactView{Frame: s.frame(r), Artifact: rec, Filter: artifact.ParseArtifactFilter(q)}
	if a, err := s.Plane.Get(rec.Agent); rec.Agent != "" && err == nil {
		v.Agent = a.Name
	}
	if t, err := s.Plane.Tasks.Get(rec.Task); rec.Task != "" && err == nil {
		v.Task = words.TaskTitle(&t)
	}
	p := s.Plane.Artifacts.Place(rec.ID, wire.ArtifactFilter{Task: v.Filter.Task, Agent: v.Filter.Agent, Query: v.Filter.Query})
	v.Previous, v.Next, v.At, v.Of = p.Previous, p.Next, p.At, p.Of
	if rec.State == wire.ArtifactComplete {
		shown, err := s.preview(r.Context(), &rec, preview.Kind(q.Get("as")), q.Get("part") == "end")
		if err != nil {
			s.failed(r, "an artifact could not be read", err)
			v.Why = "Its bytes could not be read; the server's log says why."
		}
		v.Preview = shown
	}
	w.Header().Set("Content-Security-Policy", csp("")+"; frame-src 'self'; media-src 'self'")
	s.page(w, r, http.StatusOK, artifact.Artifact(v))
}

// artifact returns the artifact of a request, or answers that there is none.
func (s artifactPages) artifact(w http.ResponseWriter, r *http.Request) (wire.Artifact, bool) {
	id := wire.ArtifactID(r.PathValue("id"))
	rec, err := s.Plane.Artifacts.Get(id)
	if err != nil {
		s.refuse(w, r, http.StatusNotFound, "There is no artifact "+wire.Cut(string(id), 40)+". It may have been deleted.")
	}
	return rec, err == nil
}

// preview reads as much of a complete artifact as is shown: of a text the beginning or the end, of anything else the first bytes.
func (s artifactPages) preview(ctx context.Context, rec *wire.Artifact, as preview.Kind, end bool) (*preview.Preview, error) {
	src := preview.Source{Name: rec.Name, MediaType: rec.MediaType, Size: rec.Size}
	from, err := s.head(ctx, &src, rec.ID)
	if err != nil {
		return nil, err
	}
	if src.Form.Text() {
		if end && rec.Size > preview.MaxBytes && !src.Form.Wide {
			src.Offset, src.Bytes = rec.Size-preview.MaxBytes, nil
			if _, from, err = s.Plane.Artifacts.Download(ctx, rec.ID, src.Offset); err != nil {
				return nil, err
			}
		}
		rest, err := io.ReadAll(io.LimitReader(from, int64(preview.MaxBytes-len(src.Bytes))))
		if err != nil {
			return nil, err
		}
		src.Bytes = append(src.Bytes, rest...)
	}
	p := preview.Of(src, as)
	return &p, nil
}

// head reads the first bytes of an artifact, and decides what they are. It returns a reader of what follows.
func (s artifactPages) head(ctx context.Context, src *preview.Source, id wire.ArtifactID) (io.Reader, error) {
	_, from, err := s.Plane.Artifacts.Download(ctx, id, 0)
	if err != nil {
		return nil, err
	}
	src.Bytes = make([]byte, preview.HeadBytes)
	n, err := io.ReadFull(from, src.Bytes)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	src.Bytes = src.Bytes[:n]
	src.Form = preview.Sniff(src.Name, src.MediaType, src.Bytes)
	return from, nil
}

// artifactView serves the bytes of an artifact to the browser's own viewers, as what the bytes are and not as what they are said to be.
// Only pictures, PDF, sound and video are served so.
func (s artifactPages) artifactView(w http.ResponseWriter, r *http.Request) {
	rec, ok := s.artifact(w, r)
	if !ok {
		return
	}
	src := preview.Source{Name: rec.Name, MediaType: rec.MediaType, Size: rec.Size}
	if rec.State == wire.ArtifactComplete {
		if _, err := s.head(r.Context(), &src, rec.ID); err != nil {
			s.failed(r, "an artifact could not be read", err)
			s.refuse(w, r, http.StatusInternalServerError, "The artifact could not be read; the server's log says why.")
			return
		}
	}
	if !src.Form.Browser() {
		s.refuse(w, r, http.StatusNotFound, "The artifact is nothing that a browser shows. Download it.")
		return
	}
	viewHeaders(w.Header(), src.Form, rec.Name)
	s.serveContent(w, r, rec)
}
