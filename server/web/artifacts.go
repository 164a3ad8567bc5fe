package web

import (
	"net/http"
	"net/url"

	"skein.dev/skein/ui/artifact"
	"skein.dev/skein/webtransport/wire"
)

// artifactPages serves the pages of artifacts and their files.
type artifactPages struct{ *site }

// routes adds the pages of artifacts and their form.
func (s artifactPages) routes(in *http.ServeMux) {
	in.HandleFunc("GET /artifacts", s.artifactsPage)
	in.HandleFunc("GET /artifacts/{id}", s.artifactPage)
	in.HandleFunc("GET /artifacts/{id}/content", s.artifactContent)
	in.HandleFunc("GET /artifacts/{id}/view", s.artifactView)
	in.HandleFunc("POST /artifacts/{id}/delete", s.withForm(s.postDeleteArtifact))
}

func (s artifactPages) artifactsPage(w http.ResponseWriter, r *http.Request) {
	f := artifact.ParseArtifactFilter(r.URL.Query())
	res := s.Plane.Artifacts.List(wire.ArtifactFilter{Task: f.Task, Agent: f.Agent, Query: f.Query, Limit: artifact.MaxArtifacts})
	v := artifact.ArtifactsView{Frame: s.frame(r), Artifacts: res.Artifacts, Total: res.Total, Bytes: res.Bytes, Filter: f,
		Any: res.Total > 0}
	if !v.Any && f.Active() {
		v.Any = s.Plane.Artifacts.List(wire.ArtifactFilter{Limit: 1}).Total > 0
	}
	nameSources(s.Plane, &v)
	if id := wire.ArtifactID(r.URL.Query().Get("delete")); id != "" {
		if a, err := s.Plane.Artifacts.Get(id); err == nil {
			v.Delete = &a
		}
	}
	s.page(w, r, http.StatusOK, artifact.Artifacts(v))
}

func (s artifactPages) postDeleteArtifact(w http.ResponseWriter, r *http.Request) {
	if err := s.do(r, wire.MethodArtifactDelete, wire.ArtifactParams{ID: wire.ArtifactID(r.PathValue("id"))}); err != nil {
		s.refuseForm(w, r, err)
		return
	}
	next := "/artifacts"
	if u, err := url.Parse(localPath(r.FormValue("next"))); err == nil && u.Path == "/artifacts" {
		next = u.RequestURI()
	}
	redirect(w, r, next)
}
