package server

import (
	"net/http"
	"net/url"

	"skein.dev/skein/server/web"
	"skein.dev/skein/ui/artifact"
	"skein.dev/skein/webtransport/wire"
)

// artifactRoutes are the page of artifacts, and its form.
func (s *Server) artifactRoutes(in *http.ServeMux) {
	in.HandleFunc("GET /artifacts", s.artifactsPage)
	in.HandleFunc("GET /artifacts/{id}/content", s.artifactContent)
	in.HandleFunc("POST /artifacts/{id}/delete", s.withForm(s.postDeleteArtifact))
}

func (s *Server) artifactsPage(w http.ResponseWriter, r *http.Request) {
	f := artifact.ParseArtifactFilter(r.URL.Query())
	res := s.plane.Artifacts.List(wire.ArtifactFilter{Task: f.Task, Agent: f.Agent, Query: f.Query, Limit: artifact.MaxArtifacts})
	v := artifact.ArtifactsView{Frame: s.frame(r), Artifacts: res.Artifacts, Total: res.Total, Bytes: res.Bytes, Filter: f,
		Any: res.Total > 0}
	if !v.Any && f.Active() {
		v.Any = s.plane.Artifacts.List(wire.ArtifactFilter{Limit: 1}).Total > 0
	}
	web.NameSources(s.plane, &v)
	if id := wire.ArtifactID(r.URL.Query().Get("delete")); id != "" {
		if a, err := s.plane.Artifacts.Get(id); err == nil {
			v.Delete = &a
		}
	}
	s.page(w, r, http.StatusOK, artifact.Artifacts(v))
}

// kept are the artifacts that an agent's or a task's page shows.
func (s *Server) kept(agent wire.AgentID, task wire.TaskID) artifact.Kept {
	res := s.plane.Artifacts.List(wire.ArtifactFilter{Task: task, Agent: agent, Limit: artifact.MaxKept})
	return artifact.Kept{Task: task, Agent: agent, Artifacts: res.Artifacts, Total: res.Total}
}

func (s *Server) postDeleteArtifact(w http.ResponseWriter, r *http.Request) {
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
