package web

import (
	"net/http"

	"skein.dev/skein/ui/wall"
	"skein.dev/skein/webtransport/wire"
)

// wallPages serves the page that shows what many agents show.
type wallPages struct{ *site }

func (s wallPages) wallPage(w http.ResponseWriter, r *http.Request) {
	s.page(w, r, http.StatusOK, wall.Wall(wall.View{
		Frame: s.frame(r), Agents: s.Plane.List(wire.Filter{}).Agents, Types: s.Plane.Types(), Filter: wall.ParseFilter(r.URL.Query()),
	}))
}
